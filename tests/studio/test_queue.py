"""The queue in the studio: its order, what can be done with it, and what it survives."""

from __future__ import annotations

import time

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from queue_for_tests import WAIT_MS, add_run, open_studio_with_queue

from studio.pages.home.facts import RESUMABLE, with_live_facts
from studio.pages.queue.offer import QueueOffer, start_or_wait
from studio.pages.queue.section import QueueSection
from studio.queue import put_into_queue
from studio.runs import waiting
from studio.runs.manners import fit_run, read_defaults, write_defaults
from studio.storage.rows import RunFacts
from studio.widgets.conditions_popover import ConditionsPopover
from studio.widgets.pill import look_for
from trainer_core.errors import KnownError
from trainer_core.manners import Conditions, Manners, read_manners
from trainer_core.spawn import write_launch
from trainer_core.waiting_list import QUEUE_FILE, read_waiting_list


@pytest.fixture
def studio(qapp, private_home):
    with open_studio_with_queue(qapp, private_home) as opened:
        yield opened


def names(context):
    return [entry.name for entry in context.queue.entries]


def wait_for(qtbot, context, *expected):
    qtbot.waitUntil(lambda: names(context) == list(expected), timeout=WAIT_MS)


def filled(qtbot, context, *wanted):
    runs = [add_run(context, name) for name in wanted]
    context.queue.add([run.folder for run in runs])
    wait_for(qtbot, context, *wanted)
    return runs


def shown_section(qtbot, context):
    section = QueueSection(context)
    qtbot.addWidget(section)
    section.resize(1000, 300)
    section.show()
    section.refresh()
    qtbot.waitExposed(section)
    return section


def test_runs_wait_in_the_order_in_which_they_came_each_once(qtbot, studio):
    context, seen = studio
    runs = filled(qtbot, context, "plain", "index")
    context.queue.add([runs[0].folder])
    context.queue.add([add_run(context, "third").folder])
    wait_for(qtbot, context, "plain", "index", "third")
    assert waiting.why_words(context.queue.facts, 1) == "comes after plain"
    assert read_manners(runs[0].folder).title == "plain"
    assert not seen.errors


def test_a_folder_without_a_job_is_refused_and_the_list_stays(qtbot, studio, tmp_path):
    context, seen = studio
    filled(qtbot, context, "plain")
    context.queue.add([tmp_path])
    qtbot.waitUntil(lambda: bool(seen.errors), timeout=WAIT_MS)
    assert "holds no job" in str(seen.errors[0])
    assert names(context) == ["plain"]


def test_what_somebody_started_leaves_the_list_and_is_followed(qtbot, studio):
    context, _ = studio
    first, _second = filled(qtbot, context, "plain", "index")
    began = []
    context.queue.started.connect(began.append)
    entry = context.queue.entries[0]
    write_launch(first.folder, 2**22 + 1, time.time())
    context.queue.refresh()
    wait_for(qtbot, context, "index")
    assert began == [first.id]
    kept = read_waiting_list(waiting.queue_folder(context.home)).entries
    assert entry.id not in {each.id for each in kept}
    context.queue.add([first.folder])  # once more, from where it stopped
    wait_for(qtbot, context, "index", "plain")


def test_taking_out_is_undone_in_its_place(qtbot, studio):
    context, _ = studio
    filled(qtbot, context, "a", "b", "c")
    context.queue.remove([context.queue.entries[1].id])
    wait_for(qtbot, context, "a", "c")
    context.undo.undo()
    wait_for(qtbot, context, "a", "b", "c")


def test_a_run_that_never_began_can_be_started_once_it_is_out_of_the_queue(qtbot, studio):
    context, _ = studio
    run = filled(qtbot, context, "a")[0]
    context.queue.remove([context.queue.entries[0].id])
    wait_for(qtbot, context)
    shown = with_live_facts(context.library.run(run.id), None)
    assert shown.facts.state == "unborn" and shown.facts.state in RESUMABLE
    assert look_for(shown.facts.state).word == "Not started"
    context.library.remember_run(run.id, RunFacts(state="paused", started_s=1.0))
    assert with_live_facts(context.library.run(run.id), None).facts.state == "paused"


def test_a_second_studio_cannot_change_the_queue(qtbot, qapp, studio, private_home):
    context, _ = studio
    filled(qtbot, context, "a")
    with open_studio_with_queue(qapp, private_home) as (second, told):
        assert second.library.read_only
        wait_for(qtbot, second, "a")
        second.queue.hold(True)
        second.queue.remove([second.queue.entries[0].id])
        qtbot.waitUntil(lambda: len(told.errors) == 2, timeout=WAIT_MS)
        assert "Change the queue there" in str(told.errors[0])
        assert names(second) == ["a"] and not second.queue.facts.held


def test_the_keyboard_orders_holds_and_takes_out(qtbot, studio):
    context, _ = studio
    filled(qtbot, context, "a", "b", "c")
    section = shown_section(qtbot, context)
    rows = section.rows
    rows.rows[0].setFocus()
    QTest.keyClick(rows.rows[0], Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    wait_for(qtbot, context, "b", "a", "c")
    assert [row.look.name for row in rows.rows] == ["b", "a", "c"]
    QTest.keyClick(rows.rows[1], Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    wait_for(qtbot, context, "a", "b", "c")
    QTest.keyClick(rows.rows[0], Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)  # no further
    QTest.keyClick(rows.rows[0], Qt.Key.Key_Delete)
    wait_for(qtbot, context, "b", "c")
    section.hold.setFocus()
    QTest.keyClick(section.hold, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: context.queue.facts.held, timeout=WAIT_MS)
    assert section.hold.text() == "Go on with the queue"
    assert "on hold" in rows.rows[0].accessibleName()


def test_the_mouse_drags_a_run_to_another_place(qtbot, studio):
    context, _ = studio
    filled(qtbot, context, "a", "b", "c")
    section = shown_section(qtbot, context)
    row = section.rows.rows[0]
    row.dragged.emit(QPointF(section.rows.mapToGlobal(QPoint(10, 36 * 3 - 4))))
    row.dropped.emit()
    wait_for(qtbot, context, "b", "c", "a")
    row.dragged.emit(QPointF(section.rows.mapToGlobal(QPoint(10, -50))))
    row.dropped.emit()
    wait_for(qtbot, context, "a", "b", "c")


def test_a_press_without_a_move_opens_the_run_and_a_real_drag_does_not(qtbot, studio):
    context, seen = studio
    runs = filled(qtbot, context, "a", "b")
    section = shown_section(qtbot, context)
    row = section.rows.rows[0]
    qtbot.mouseClick(row, Qt.MouseButton.LeftButton, pos=QPoint(60, 18))
    assert seen.places == [("run", runs[0].id)]
    qtbot.mousePress(row, Qt.MouseButton.LeftButton, pos=QPoint(60, 18))
    qtbot.mouseMove(row, QPoint(60, 40))
    qtbot.mouseMove(row, QPoint(60, 70))
    qtbot.mouseRelease(row, Qt.MouseButton.LeftButton, pos=QPoint(60, 70))
    wait_for(qtbot, context, "b", "a")
    assert len(seen.places) == 1


def test_each_run_is_given_its_conditions(qtbot, studio):
    context, _ = studio
    runs = filled(qtbot, context, "a")
    section = shown_section(qtbot, context)
    section.rows.rows[0].conditions.click()
    popover = section.window().findChild(ConditionsPopover)
    popover.form.hours.click()
    popover.form.on_battery.click()
    popover.keep.click()
    wanted = Conditions(hours=("22:00", "07:00"), on_battery=True)
    qtbot.waitUntil(lambda: read_manners(runs[0].folder).conditions == wanted, timeout=WAIT_MS)
    qtbot.waitUntil(
        lambda: "22:00 to 07:00" in section.rows.rows[0].accessibleName(), timeout=WAIT_MS
    )


def test_a_damaged_list_is_told_once_and_touches_nothing(qtbot, studio):
    context, seen = studio
    run = filled(qtbot, context, "a")[0]
    (waiting.queue_folder(context.home) / QUEUE_FILE).write_text("{half")
    for _ in range(3):
        context.queue.refresh()
        qtbot.waitUntil(lambda: not context.queue._reading, timeout=WAIT_MS)
    assert len(seen.errors) == 1
    assert "cannot be read" in str(seen.errors[0])
    assert (run.folder / "spec.toml").exists()


def test_a_run_whose_folder_is_gone_says_so(qtbot, studio):
    context, _ = studio
    run = filled(qtbot, context, "a", "b")[0]
    (run.folder / "spec.toml").unlink()
    context.queue.refresh()
    qtbot.waitUntil(lambda: context.queue.entries[0].missing, timeout=WAIT_MS)
    assert "gone" in waiting.why_words(context.queue.facts, 0)


def test_a_process_that_never_lives_is_not_started_for_ever(qtbot, studio, monkeypatch):
    context, _ = studio
    launches = []
    monkeypatch.setattr("studio.queue.PATIENCE_S", 0.0)
    monkeypatch.setattr(context.queue._supervisor, "resume", launches.append)
    filled(qtbot, context, "a")
    for _ in range(8):
        context.queue.refresh()
        qtbot.waitUntil(lambda: not context.queue._reading, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: len(launches) >= 3, timeout=WAIT_MS)
    assert len(launches) == 3
    context.queue.hold(True)  # the user does something: it is tried again
    qtbot.waitUntil(lambda: len(launches) > 3, timeout=WAIT_MS)


def test_what_all_trainings_mind_reaches_those_that_wait(qtbot, studio):
    context, _ = studio
    run = filled(qtbot, context, "a")[0]
    context.queue.set_conditions(context.queue.entries[0].id, Conditions(gpu_wanted=True))
    manners = Manners(webhook="https://example.org/hook", occasions=("failed",), keep_awake=False)
    context.tasks.run_op(lambda: write_defaults(context.library, manners))
    qtbot.waitUntil(lambda: read_manners(run.folder).webhook != "", timeout=WAIT_MS)
    found = read_manners(run.folder)
    assert (found.webhook, found.occasions, found.keep_awake) == (
        "https://example.org/hook",
        ("failed",),
        False,
    )
    assert found.conditions == Conditions(gpu_wanted=True)
    assert read_defaults(context.library) == manners
    waiting.change_manners(run.folder, keep_awake=True)  # this one alone
    fit_run(context.library, run)
    assert read_manners(run.folder).keep_awake
    new = add_run(context, "b")
    fit_run(context.library, new)
    assert not read_manners(new.folder).keep_awake


def test_damaged_defaults_are_the_usual_ones(studio):
    context, _ = studio
    context.library.set_setting("trainings/manners", {"webhook": 7, "conditions": "no"})
    assert read_defaults(context.library) == Manners()


def test_a_run_is_offered_the_queue_only_while_another_trains(qtbot, studio, monkeypatch):
    context, _ = studio
    run = add_run(context, "next")
    section = shown_section(qtbot, context)
    begun = []
    start_or_wait(context, section, run, lambda: begun.append("now"))
    assert begun == ["now"]
    monkeypatch.setattr(type(context.queue), "training_besides", lambda _self, _folder: "plain")
    for button, expected in (("cancel", ["now"]), ("now", ["now", "now"])):
        start_or_wait(context, section, run, lambda: begun.append("now"), QPoint(5, 5))
        offer = section.window().findChildren(QueueOffer)[-1]
        assert "plain is training" in offer.accessibleName()
        getattr(offer, button).click()
        assert begun == expected
    start_or_wait(context, section, run, lambda: begun.append("now"), QPoint(5, 5))
    section.window().findChildren(QueueOffer)[-1].wait.click()
    wait_for(qtbot, context, "next")
    assert begun == ["now", "now"]


def test_two_threads_of_work_cannot_lose_an_entry(studio):
    context, _ = studio
    runs = [add_run(context, f"run {n}") for n in range(3)]
    put_into_queue(context.library, [runs[0].folder])
    before = waiting.entries_of(context.home)
    put_into_queue(context.library, [runs[1].folder, runs[2].folder])
    waiting.put_back(context.home, before)
    assert [entry.folder for entry in waiting.entries_of(context.home)] == [
        str(run.folder) for run in runs
    ]
    with pytest.raises(KnownError):
        put_into_queue(context.library, [context.home / "nowhere"])
    assert len(waiting.entries_of(context.home)) == 3

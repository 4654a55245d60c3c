from __future__ import annotations

import shutil
import subprocess
import sys
import time
from dataclasses import replace

import msgspec
import pytest
from job_folders import FakeJob, dead_pid
from page_for_tests import open_studio
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication
from synthetic_runs import records_for, step_rows, system_rows, train_spec

from studio.pages.home.facts import run_row
from studio.pages.queue.offer import QueueOffer
from studio.pages.run.page import RunPage
from studio.pages.run.view import RunView
from studio.pages.runs.page import RunsPage
from studio.widgets.empty import EmptyState, ErrorCard
from studio.widgets.menu import Menu
from trainer_core.journal import JournalWriter
from trainer_core.manners import Manners, read_manners, write_manners
from trainer_core.records import Ended, Held, Released, StateChanged
from trainer_core.spec import EvaluationConfig


@pytest.fixture
def studio(qapp, private_home):
    with open_studio(qapp, private_home) as opened:
        yield opened
    for process in _stand_ins:
        process.kill()
        process.wait()
    _stand_ins.clear()


_stand_ins: list[subprocess.Popen] = []


def stand_in() -> int:
    """The id of a process that lives and does nothing, to own a run."""
    command = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
    _stand_ins.append(subprocess.Popen(command))
    return _stand_ins[-1].pid


def add_run(
    context, name="bees-4m", steps=600, *, ended=None, alive=True, index=True, prompts=True
):
    """A run in the library whose folder was written by hand."""
    projects = context.library.projects()
    project = projects[0] if projects else context.library.add_project("Bees")
    row = context.library.add_run(project.id, name)
    evaluation = EvaluationConfig(
        every_steps=100, sample_prompts=("The old lighthouse",) if prompts else ()
    )
    spec = msgspec.structs.replace(train_spec(1000, index=index), evaluation=evaluation)
    job = FakeJob(row.folder, spec)
    start_s = time.time() - steps * 0.2 - 5
    job.begin(start_s, stand_in() if alive and not ended else dead_pid())
    rows = step_rows(1, steps, index=index)
    told = records_for(
        rows, spec, start_s=start_s, samples=prompts, spike=468 if steps > 468 else 0
    )
    job.write(*told[1:])
    if ended:
        job.write(
            Ended(
                time_s=time.time(),
                state=ended,
                exit_code=0 if ended != "failed" else 5,
                step=steps,
                what="The disk is full." if ended == "failed" else "",
                safe="Everything saved before is whole." if ended == "failed" else "",
            )
        )
    job.steps.append(rows)
    job.system.append(system_rows(max(int(steps * 0.2), 2), steps, start_s=start_s))
    job.close()
    return row


def open_run(qtbot, studio, row):
    page = RunPage(studio[0])
    page.navigate_requested.connect(lambda *place: studio[1].places.append(place))
    qtbot.addWidget(page)
    page.resize(1440, 900)
    page.show()
    page.open(row.id)
    page.shown()
    qtbot.waitUntil(lambda: page.view is not None and page.view.model.caught_up)
    qtbot.waitUntil(lambda: page.view.charts.queue.idle)
    return page


def test_a_run_at_work_is_shown_with_everything_that_it_told(qtbot, studio):
    page = open_run(qtbot, studio, add_run(studio[0]))
    view = page.view
    assert view.header.pill.accessibleName() == "Training"
    assert view.header._left.text().startswith("Step 600\u2009/\u20091,000")
    assert "Finishes" in view.header._right.text()
    assert view.header._note.text().startswith("Reattached at")
    assert view.header.pause.isVisible() and not view.header.resume.isVisible()
    assert view.tiles.tiles[0].accessibleName().startswith("Train loss: ")
    assert len(view.charts.steps.timeline) == 600
    assert [entry.sample.step for entry in view.side.samples.entries] == [600, 400, 200]
    assert view.side.events.model.rowCount() > 3
    assert not studio[1].errors


def test_a_run_that_is_opened_twice_is_followed_once(qtbot, studio):
    context, seen = studio
    first, second = add_run(context), add_run(context, "bees-8m", ended="paused")
    page = RunPage(context)
    qtbot.addWidget(page)
    page.resize(1240, 800)
    page.show()
    for row in (first, second, first, first, second, second):  # before any of them has come
        page.open(row.id)
    qtbot.waitUntil(lambda: page.view is not None and page.view.model.caught_up)
    qtbot.wait(200)
    assert page.view.run.id == second.id and len(page.findChildren(RunView)) == 1
    observers = [len(model._observers) for model in context.watcher.models]
    assert observers == [1] and not seen.errors


def test_stop_asks_in_place_and_can_be_withdrawn(qtbot, studio):
    header = open_run(qtbot, studio, add_run(studio[0])).view.header
    qtbot.mouseClick(header.stop, Qt.MouseButton.LeftButton)
    assert header.asking == "stop" and "resume later" in header._question.text()
    assert not header.stop.isVisible() and header._yes_stop.isVisible()
    qtbot.keyClick(header, Qt.Key.Key_Escape)
    assert header.asking is None and header.stop.isVisible()


def test_keys_pause_with_a_question_and_change_the_charts(qtbot, studio):
    page = open_run(qtbot, studio, add_run(studio[0]))
    view = page.view
    page._on_space()
    assert view.header.asking == "pause"
    page._on_escape()
    assert view.header.asking is None
    page._on_log()
    assert view.charts.loss.content.log_y and view.controls.log_y.isChecked()
    view.charts.link.show_range(100, 200)
    assert view.controls.reset.isEnabled()
    page._on_reset()
    assert not view.charts.link.zoomed and not view.controls.reset.isEnabled()


def test_what_cannot_be_asked_of_a_silent_process_is_said_in_a_toast(qtbot, studio):
    view = open_run(qtbot, studio, add_run(studio[0])).view
    view.actions_._context.supervisor._patience = type(view.actions_._context.supervisor._patience)(
        listen_s=0.1, ask_s=0.1, save_s=0.1, terminate_s=0.1, kill_s=0.1
    )
    qtbot.mouseClick(view.header.checkpoint, Qt.MouseButton.LeftButton)
    assert view.actions_.busy == "Saving a checkpoint"
    assert not view.header.checkpoint.isEnabled()
    qtbot.waitUntil(lambda: bool(studio[1].errors), timeout=10_000)
    assert view.actions_.busy == "" and view.header.checkpoint.isEnabled()


def test_a_killed_run_says_what_is_safe_and_offers_to_resume(qtbot, studio):
    view = open_run(qtbot, studio, add_run(studio[0], alive=False)).view
    assert view.header.pill.accessibleName() == "Killed"
    assert view.header.resume.isVisible() and not view.header.pause.isVisible()
    banner = view.findChild(ErrorCard)
    assert "was killed" in banner.accessibleName() and "step 600" in banner.accessibleName()
    assert view.header.playground.isVisible()


def test_a_failed_run_shows_why(qtbot, studio):
    view = open_run(qtbot, studio, add_run(studio[0], ended="failed")).view
    assert "The disk is full." in view.findChild(ErrorCard).accessibleName()


def test_a_finished_run_has_nothing_to_ask_of(qtbot, studio):
    view = open_run(qtbot, studio, add_run(studio[0], steps=1000, ended="finished")).view
    header = view.header
    buttons = (header.pause, header.stop, header.checkpoint, header.resume)
    assert not any(button.isVisible() for button in buttons)
    assert view.findChild(ErrorCard) is None
    qtbot.mouseClick(header.playground, Qt.MouseButton.LeftButton)
    assert studio[1].places == [("playground", view.run.id)]
    assert not header._clock.isActive()


def test_news_are_taken_in_while_it_is_shown_and_not_while_it_is_not(qtbot, studio):
    row = add_run(studio[0])
    page = open_run(qtbot, studio, row)
    job = FakeJob(row.folder, page.view.model.spec)
    page.hidden()
    job.steps.append(step_rows(601, 10))
    qtbot.waitUntil(lambda: page.view.model.step == 610)
    assert len(page.view.charts.steps.timeline) == 600
    page.shown()
    assert len(page.view.charts.steps.timeline) == 610
    job.write(StateChanged(time_s=time.time(), state="saving"))
    qtbot.waitUntil(lambda: page.view.header.pill.accessibleName() == "Saving")
    job.close()


def test_a_clicked_event_moves_the_crosshair(qtbot, studio):
    view = open_run(qtbot, studio, add_run(studio[0])).view
    view.side.tabs.choose("events")
    events = view.side.events
    events.choice._choose(2)
    assert [row.event.title for row in events.model.rows] == ["Gradient spike clipped"]
    events._on_clicked(events.model.index(0, 0))
    assert view.charts.link.crosshair == 468


def test_a_clicked_checkpoint_opens_its_sample(qtbot, studio):
    view = open_run(qtbot, studio, add_run(studio[0])).view
    view.side.tabs.choose("notes")
    view.charts.checkpoint_clicked.emit(400)
    assert view.side.tabs.current == "samples"
    marked = [entry.sample.step for entry in view.side.samples.entries if entry._marked]
    assert marked == [400]


def test_notes_are_kept_in_the_library(qtbot, studio):
    row = add_run(studio[0])
    view = open_run(qtbot, studio, row).view
    view.charts.link.point_at(468)
    notes = view.side.notes
    notes.field.setPlainText("one document of hashes")
    notes._on_submitted()
    qtbot.waitUntil(lambda: notes.field.toPlainText() == "")
    kept = studio[0].library.notes(row.id)
    assert [(note.text, note.step) for note in kept] == [("one document of hashes", 468)]
    notes.note_removed.emit(kept[0].id)
    qtbot.waitUntil(lambda: studio[0].library.notes(row.id) == [])


def test_a_run_without_prompts_says_why_there_are_no_samples(qtbot, studio):
    view = open_run(qtbot, studio, add_run(studio[0], prompts=False)).view
    shown = view.side.samples.findChild(EmptyState)
    assert shown.isVisible() and "No prompts" in shown.sentence.text()


def test_the_column_at_the_right_becomes_a_drawer(qtbot, studio):
    page = open_run(qtbot, studio, add_run(studio[0]))
    assert page.view.side.isVisible()
    page.resize(1200, 740)
    qtbot.waitUntil(lambda: not page.view.side.isVisible())
    qtbot.mouseClick(page.view.controls.drawer, Qt.MouseButton.LeftButton)
    assert page.view.side.isVisible() and page.view.side.geometry().right() == 1199
    qtbot.mouseClick(page.view.side.close_button, Qt.MouseButton.LeftButton)
    assert not page.view.side.isVisible()
    page.resize(1000, 740)
    tops = {card.y() for card in page.view.charts.cards}
    QApplication.processEvents()
    assert page.view.charts._columns == 1 and tops


def test_a_run_whose_folder_was_taken_away_says_so_and_stays_as_it_was(qtbot, studio):
    row = add_run(studio[0], ended="finished")
    shutil.rmtree(row.folder)
    page = RunPage(studio[0])
    qtbot.addWidget(page)
    page.open(row.id)
    qtbot.waitUntil(lambda: page.findChild(ErrorCard) is not None)
    assert "is gone" in page.findChild(ErrorCard).what.text()
    assert page.view is None
    row.folder.mkdir()  # it is put back
    page.open(row.id)
    qtbot.waitUntil(lambda: page.view is not None and page.view.model.caught_up)
    qtbot.waitUntil(lambda: page.view.header.resume.text() == "Start")  # without a journal


def test_an_unknown_run_leads_to_the_list(qtbot, studio):
    page = RunPage(studio[0])
    qtbot.addWidget(page)
    page.navigate_requested.connect(lambda *place: studio[1].places.append(place))
    page.open(4711)
    qtbot.waitUntil(lambda: page.findChild(ErrorCard) is not None)
    page.findChild(ErrorCard).clicked.emit()
    page.open(None)
    assert studio[1].places == [("runs", "all"), ("runs", None)]


# --- the list ------------------------------------------------------------------------------------


def open_list(qtbot, studio, target=None):
    page = RunsPage(studio[0])
    page.navigate_requested.connect(lambda *place: studio[1].places.append(place))
    qtbot.addWidget(page)
    page.resize(1240, 800)
    page.show()
    page.open(target)
    page.shown()
    qtbot.waitUntil(lambda: page._loaded)
    return page


def remember(context, row, state):
    from studio.runs.facts import facts_of
    from studio.runs.model import JobModel
    from studio.runs.tail import JobTail

    model = JobModel(row.folder)
    model.apply(JobTail(row.folder).poll())
    facts = facts_of(model)
    assert facts.state == state
    context.library.remember_run(row.id, facts)


def test_an_empty_list_has_one_sentence_and_one_button(qtbot, studio):
    page = open_list(qtbot, studio)
    assert page.list._none.isVisible() and not page.list.table.isVisible()
    page.list._none.clicked.emit()
    assert studio[1].places == [("wizard", None)]


def test_the_one_run_at_work_opens_and_coming_back_shows_the_list(qtbot, studio):
    done = add_run(studio[0], "done", 1000, ended="finished")
    remember(studio[0], done, "finished")
    row = add_run(studio[0])
    remember(studio[0], row, "running")
    page = open_list(qtbot, studio)
    qtbot.waitUntil(lambda: studio[1].places == [("run", row.id)])
    page.open(None)
    qtbot.waitUntil(lambda: page.list.table.isVisible())
    assert studio[1].places == [("run", row.id)]
    assert page.count.text() == "2 runs"


def test_the_list_filters_by_name_state_and_project(qtbot, studio):
    context = studio[0]
    first = add_run(context, "plain", 1000, ended="finished", index=False)
    remember(context, first, "finished")
    second = add_run(context, "index", 400, ended="paused")
    remember(context, second, "paused")
    page = open_list(qtbot, studio, "all")
    qtbot.waitUntil(lambda: page.list.table.model.rowCount() == 2)
    page.list.filters.search.setText("PLA")
    assert [row.key for row in page.list.table.model.rows] == [first.id]
    page.list.filters.search.clear()
    page.list.filters.state._choose(2)
    assert [row.key for row in page.list.table.model.rows] == [second.id]
    page.list.filters.search.setText("nothing")
    assert page.list._no_match.isVisible()
    page.list._no_match.clicked.emit()
    assert page.list.table.model.rowCount() == 2
    page.list.table.row_activated.emit(first.id)
    assert studio[1].places == [("run", first.id)]


@pytest.mark.qt_log_ignore("This plugin does not support")  # offscreen, of any menu
def test_a_run_can_be_put_away_and_back(qtbot, studio):
    context = studio[0]
    row = add_run(context, "plain", 1000, ended="finished")
    remember(context, row, "finished")
    page = open_list(qtbot, studio, "all")
    qtbot.waitUntil(lambda: page.list.table.model.rowCount() == 1)
    page.list._on_menu(row.id, QPoint(10, 10))
    menu = page.findChild(Menu)
    entries = {action.text(): action for action in menu.actions()}
    assert {"Open", "Compare", "Try in playground"} <= set(entries)
    entries["Put away"].trigger()
    menu.close()
    qtbot.waitUntil(lambda: page.list.table.model.rowCount() == 0)
    page.list.filters.state._choose(4)
    assert page.list.table.model.rowCount() == 1
    assert run_row(context.library.run(row.id), "Bees").key == row.id


# --- steering ------------------------------------------------------------------------------------


def menu_of(page, words):
    """The entry of the menu that was opened last with these words."""
    menu = page.findChildren(Menu)[-1]
    return next(entry for entry in menu.actions() if entry.text() == words)


@pytest.fixture
def unopened(monkeypatch):
    """Menus are made but not opened: the offscreen platform cannot grab the keyboard."""
    monkeypatch.setattr(Menu, "open_at", lambda menu, point: None)


def test_the_menu_of_a_run_at_work_opens_the_sheet_on_each_topic(qtbot, studio, unopened):
    page = open_run(qtbot, studio, add_run(studio[0]))
    view = page.view
    topics = {
        "Change the plan…": "change",
        "Rewind…": "rewind",
        "When to wait…": "hold",
        "Record of this run": "record",
    }
    for words, topic in topics.items():
        qtbot.mouseClick(view.header.more, Qt.MouseButton.LeftButton)
        menu_of(page, words).trigger()
        assert view.steering.topic == topic and view.steering.sheet.isVisible()
        qtbot.keyClick(view.steering.sheet, Qt.Key.Key_Escape)
        assert view.steering.topic is None and not view.steering.sheet.isVisible()


def test_what_cannot_be_done_to_a_run_at_rest_is_said_and_nothing_is_lost(qtbot, studio):
    context, seen = studio
    row = add_run(context, ended="paused")
    view = open_run(qtbot, studio, row).view
    view.steering.open("rewind", 468)
    view.steering.rewind.go_on.setChecked(False)
    before = (row.folder / "steps.bin").read_bytes()
    qtbot.mouseClick(view.steering.rewind.go, Qt.MouseButton.LeftButton)
    assert view.actions_.busy == "Going back to step 400" and view.steering.topic is None
    qtbot.waitUntil(lambda: bool(seen.errors), timeout=60_000)
    assert view.actions_.busy == "", "its checkpoint is not in the folder"
    assert (row.folder / "steps.bin").read_bytes() == before and view.model.step == 600


def test_a_held_run_says_why_and_since_when(qtbot, studio):
    row = add_run(studio[0])
    job = FakeJob.__new__(FakeJob)
    job.journal = JournalWriter(row.folder / "journal.bin")
    now = time.time()
    job.write(
        Held(time_s=now, step=600, reason="the computer runs on its battery"),
        StateChanged(time_s=now, state="waiting"),
    )
    view = open_run(qtbot, studio, row).view
    assert view.header.pill.accessibleName() == "Waiting"
    assert "the computer runs on its battery" in view.header._note.text()
    assert view.header.pause.isVisible(), "it can be paused and stopped as ever"
    job.write(
        Released(time_s=now + 1, step=600, seconds=1.0), StateChanged(time_s=now, state="running")
    )
    job.journal.close()
    qtbot.waitUntil(lambda: view.model.status.held is None, timeout=20_000)
    assert "battery" not in view.header._note.text()


def test_manners_are_kept_in_the_folder_of_the_run(qtbot, studio):
    row = add_run(studio[0])
    write_manners(row.folder, Manners(title="bees"))
    view = open_run(qtbot, studio, row).view
    view.steering.open("hold")
    qtbot.waitUntil(lambda: view.steering.hold._manners.title == "bees")
    view.steering.hold.conditions.gpu_wanted.setChecked(True)
    qtbot.mouseClick(view.steering.hold.keep, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: view.steering.topic is None)
    kept = read_manners(row.folder)
    assert kept.conditions.gpu_wanted and kept.title == "bees"


def test_the_menu_of_an_event_leads_back_to_before_it(qtbot, studio, unopened):
    page = open_run(qtbot, studio, add_run(studio[0]))
    view = page.view
    view.side.tabs.choose("events")
    panel = view.side.events
    place = next(
        i for i, row in enumerate(panel.model.rows) if row.event and row.event.kind == "note"
    )
    panel.view.customContextMenuRequested.emit(
        panel.view.visualRect(panel.model.index(place, 0)).center()
    )
    menu_of(page, "Rewind to before this…").trigger()
    assert view.steering.topic == "rewind"
    assert view.steering.rewind.chosen == 400
    assert view.steering.rewind.batches.text() == "468"


def test_a_finished_run_offers_to_be_extended(qtbot, studio):
    view = open_run(qtbot, studio, add_run(studio[0], steps=1000, ended="finished")).view
    assert view.header.extend.isVisible() and not view.header.pause.isVisible()
    qtbot.mouseClick(view.header.extend, Qt.MouseButton.LeftButton)
    assert view.steering.topic == "extend" and view.steering.extend.ready


class OtherTrains:
    """A queue that knows of another run at work."""

    def __init__(self):
        self.added = []

    def training_besides(self, folder):
        return "plain-4m"

    def add(self, folders):
        self.added.extend(folders)


def test_an_extended_run_waits_for_the_one_that_trains(qtbot, studio):
    context, seen = replace(studio[0], queue=OtherTrains()), studio[1]
    row = add_run(context, steps=1000, ended="finished")
    page = open_run(qtbot, (context, seen), row)
    view = page.view
    view.steering.open("extend")
    view.steering.extend.end.setText("1,500")
    view.steering.extend.end.textEdited.emit("")
    qtbot.mouseClick(view.steering.extend.go, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.findChild(QueueOffer) is not None, timeout=60_000)
    qtbot.waitUntil(lambda: view.model.total_steps == 1500, timeout=20_000)
    assert not view.model.alive, "the plan is changed, and nothing was started"
    qtbot.mouseClick(page.findChild(QueueOffer).wait, Qt.MouseButton.LeftButton)
    assert context.queue.added == [row.folder] and not seen.errors

"""The list of runs: found, sorted, tagged, thrown away, and brought back."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from page_for_tests import open_studio
from PySide6.QtCore import QPoint, Qt

from studio.pages.runs.columns import ColumnsPopover
from studio.pages.runs.details_facts import (
    differing_settings,
    past_words,
    relatives,
    rule_words,
)
from studio.pages.runs.entries import DEFAULT, Entry, RunFilter, entry_row, fitting
from studio.pages.runs.page import RunsPage
from studio.pages.runs.tags import TagPopover
from studio.pages.runs.trash_facts import erase, read_trash
from studio.runs.checkpoint_files import checkpoint_files, delete_checkpoint, keep_checkpoint
from studio.runs.lineage import origin_of
from studio.storage.markers import MARKER
from studio.storage.rows import RunFacts, RunRow
from studio.widgets.ask_popover import AskPopover
from studio.widgets.menu import Menu
from trainer_core import spec as specs
from trainer_core.errors import KnownError, LockedError
from trainer_core.journal import JournalWriter
from trainer_core.records import CheckpointSaved, Ended, JobStarted, Rewound
from trainer_core.spawn import write_launch
from trainer_core.status import JobStatus, read_status

pytestmark = [
    pytest.mark.qt_log_level_fail("WARNING"),
    pytest.mark.qt_log_ignore("This plugin does not support"),
]
PATIENCE_MS = 20_000


def write_job(row: RunRow, steps: tuple[int, ...] = (), **more) -> None:
    """A finished training's folder with checkpoints of a thousand bytes each."""
    spec = specs.TrainSpec(corpus="elsewhere/corpus", **more)
    (row.folder / "spec.toml").write_text(specs.to_toml(spec))
    with JournalWriter(row.folder / "journal.bin") as journal:
        journal.append(
            JobStarted(verb="train", pid=1, host="here", time_s=time.time(), version="1")
        )
        for step in steps:
            folder = f"checkpoints/step-{step:08d}"
            (row.folder / folder).mkdir(parents=True)
            (row.folder / folder / "model.safetensors").write_bytes(b"x" * 1000)
            journal.append(
                CheckpointSaved(
                    step=step, folder=folder, size_bytes=1000, val_loss=9.0 - step / 100
                )
            )
        journal.append(Ended(state="finished", exit_code=0, step=max(steps, default=0)))


@pytest.fixture
def studio(qapp, tmp_path):
    with open_studio(qapp, tmp_path) as opened:
        yield opened


@pytest.fixture
def runs(studio):
    """Four runs in two projects."""
    library = studio[0].library
    bees, wiki = library.add_project("Bees"), library.add_project("Wikipedia")
    rows = []
    for number, (project, name, state) in enumerate(
        [
            (bees, "plain-4m", "finished"),
            (bees, "index-4m", "paused"),
            (wiki, "wide", "finished"),
            (wiki, "deep", "failed"),
        ]
    ):
        row = library.add_run(project.id, name)
        write_job(row)
        facts = RunFacts(state=state, step=10 * number, total_steps=40, val_loss=4.0 - number)
        library.remember_run(row.id, facts)
        rows.append(library.run(row.id))
    return rows


@pytest.fixture
def page(qtbot, studio, runs):
    made = RunsPage(studio[0])
    made.navigate_requested.connect(lambda *place: studio[1].places.append(place))
    qtbot.addWidget(made)
    made.resize(1240, 800)
    made.show()
    made.open("all")
    made.shown()
    qtbot.waitUntil(lambda: made.list.table.model.rowCount() == 4, timeout=PATIENCE_MS)
    return made


def names(page) -> list[str]:
    return [row.cell("run").text for row in page.list.table.model.rows]


def check(page, *wanted: str) -> None:
    keys = {row.cell("run").text: row.key for row in page.list.table.model.rows}
    page.list.table.set_checked(keys[name] for name in wanted)


def entry(number: int, **more) -> Entry:
    from pathlib import Path

    run_fields = {"name": f"run-{number}", "project_id": 1, "archived": False, **more}
    words = {key: run_fields.pop(key) for key in ("notes", "dataset") if key in run_fields}
    row = RunRow(
        id=number,
        folder=Path("/nowhere"),
        dataset_id=None,
        color_slot=0,
        created_s=float(number),
        **run_fields,
    )
    return Entry(row, project="Bees", **words)


# --- finding -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (RunFilter(), True),
        (RunFilter(words="RUN-1 bees"), True),
        (RunFilter(words="spike baseline fineweb"), True),
        (RunFilter(words="zebra"), False),
        (RunFilter(project_id=2), False),
        (RunFilter(tag="BASELINE"), True),
        (RunFilter(tag="base"), False),
        (RunFilter(starred=True), True),
        (RunFilter(state="rest"), True),
        (RunFilter(state="done"), False),
        (RunFilter(state="away"), False),
    ],
)
def test_a_run_is_found_by_name_tag_note_state_and_star(wanted, fits):
    found = entry(
        1,
        starred=True,
        tags=("baseline",),
        notes="a spike at 300",
        dataset="FineWeb",
        facts=RunFacts(state="paused"),
    )
    assert wanted.fits(found) is fits


def test_cells_are_made_when_they_are_asked_for_and_rows_compare_by_their_run():
    first, again = entry_row(entry(1)), entry_row(entry(1))
    assert first == again
    assert first != entry_row(entry(1, starred=True))
    assert first.cell("star").button == "star"
    for key in first.cells:
        first.cell(key).sort_key()


def test_a_narrow_list_does_without_columns_that_nobody_chose():
    wide = [column.key for column in fitting(DEFAULT, 2000)]
    narrow = [column.key for column in fitting(DEFAULT, 1000)]
    assert tuple(wide) == DEFAULT
    assert "speed" not in narrow and {"run", "state", "val_loss"} <= set(narrow)
    chosen = (*DEFAULT, "notes")
    assert len(fitting(chosen, 100)) == len(chosen)


def test_words_stars_and_tags_narrow_the_list(page, studio, runs, qtbot):
    library = studio[0].library
    library.tag_runs([runs[0].id], add=["baseline"])
    library.sort_runs([runs[1].id], starred=True)
    library.add_note(runs[2].id, "loss went up at the end")
    page._reload()
    qtbot.waitUntil(lambda: page.list.filters.tag.count() == 2, timeout=PATIENCE_MS)
    page.list.filters.tag.setCurrentIndex(1)
    assert names(page) == ["plain-4m"]
    page.list.filters.tag.setCurrentIndex(0)
    page.list.filters.starred.setChecked(True)
    assert names(page) == ["index-4m"]
    page.list.filters.starred.setChecked(False)
    page.list.filters.search.setText("went up")
    assert names(page) == ["wide"]
    assert page.count.text() == "1 of 4 runs"


def test_a_folder_that_was_removed_by_hand_is_said_and_the_run_can_go(page, runs, studio, qtbot):
    import shutil

    shutil.rmtree(runs[0].folder)
    page._reload()
    row = page.list.table.model
    place = names(page).index("plain-4m")
    qtbot.waitUntil(
        lambda: row.rows[place].cell("state").pill.word == "Folder gone", timeout=PATIENCE_MS
    )
    check(page, "plain-4m")
    page.list.run_actions.trash(page.list.chosen(), QPoint())
    qtbot.waitUntil(lambda: len(names(page)) == 3, timeout=PATIENCE_MS)


# --- choosing ------------------------------------------------------------------------------------


def test_boxes_are_ticked_by_mouse_and_by_keyboard(page, qtbot):
    view, table = page.list.table.view, page.list.table

    def click(row, column, *, keys=Qt.KeyboardModifier.NoModifier):
        at = view.visualRect(table.model.index(row, column)).center()
        qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, keys, at)

    click(0, 0)
    click(2, 3, keys=Qt.KeyboardModifier.ShiftModifier)
    assert len(table.checked()) == 3
    click(1, 3, keys=Qt.KeyboardModifier.ControlModifier)
    assert len(table.checked()) == 2
    assert page.list.selection.isVisible() and not page.list.filters.isVisible()
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    assert table.checked() == [] and page.list.filters.isVisible()
    qtbot.keyClick(view, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert len(table.checked()) == 4
    view.setCurrentIndex(table.model.index(3, 2))
    qtbot.keyClick(view, Qt.Key.Key_Space)
    assert len(table.checked()) == 3


def test_a_click_on_a_row_opens_it_and_on_its_star_stars_it(page, studio, runs, qtbot):
    view, table = page.list.table.view, page.list.table

    def click(column):
        at = view.visualRect(table.model.index(0, column)).center()
        qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at)

    click(2)
    assert studio[1].places == [("run", runs[3].id)]
    click(1)
    qtbot.waitUntil(lambda: studio[0].library.run(runs[3].id).starred, timeout=PATIENCE_MS)
    studio[0].undo.undo()
    qtbot.waitUntil(lambda: not studio[0].library.run(runs[3].id).starred, timeout=PATIENCE_MS)


def test_up_to_six_runs_can_be_compared_at_once(page, studio, runs, qtbot):
    check(page, "wide")
    assert not page.list.selection.compare_button.isEnabled()
    check(page, "wide", "deep", "plain-4m")
    page.list.selection.compare_button.click()
    ids = [runs[3].id, runs[2].id, runs[0].id]
    assert studio[1].places == [("compare", ids)]


def test_columns_are_chosen_moved_and_remembered(page, studio, qtbot):
    page.list._on_columns_requested()
    popover = page.findChild(ColumnsPopover)
    popover.boxes["bits"].click()
    popover.boxes["notes"].click()
    popover._move("notes", -1)
    keys = [column.key for column in page.list.table.model.columns]
    assert "bits" not in keys and keys[-1] == "notes"
    qtbot.keyClick(popover, Qt.Key.Key_Escape)
    page.list.table.view.horizontalHeader().moveSection(2, 4)  # the name, by a drag
    moved = [column.key for column in page.list.table.model.columns]
    assert moved[:5] == ["check", "star", "tags", "project", "run"]
    page.list.table._on_section_clicked(moved.index("val_loss"))
    again = RunsPage(studio[0])
    qtbot.addWidget(again)
    again.resize(1240, 800)
    again.show()
    assert [column.key for column in again.list.table.model.columns] == moved
    assert again.list.table.model.sorting == (moved.index("val_loss"), True)


# --- changing ------------------------------------------------------------------------------------


def test_tags_are_put_on_and_taken_off_many_runs_and_undone(page, studio, runs, qtbot):
    library = studio[0].library
    library.tag_runs([runs[0].id], add=["old"])
    page._reload()
    qtbot.waitUntil(lambda: page.list.filters.tag.count() == 2, timeout=PATIENCE_MS)
    check(page, "plain-4m", "wide")
    page.list.selection.tags_button.click()
    popover = page.findChild(TagPopover)
    popover.field.setText("x" * 40)
    popover.accept()
    assert "at most 32" in popover._problem.text()
    popover.field.setText("seed 1, baseline")
    popover.boxes["old"].setChecked(False)
    qtbot.keyClick(popover.field, Qt.Key.Key_Return)
    qtbot.waitUntil(
        lambda: library.run(runs[2].id).tags == ("seed 1", "baseline"), timeout=PATIENCE_MS
    )
    assert library.run(runs[0].id).tags == ("seed 1", "baseline")
    studio[0].undo.undo()
    qtbot.waitUntil(lambda: library.run(runs[0].id).tags == ("old",), timeout=PATIENCE_MS)
    assert library.run(runs[2].id).tags == ()


def test_runs_move_to_another_project_and_are_put_away_with_a_way_back(page, studio, runs, qtbot):
    library, undo = studio[0].library, studio[0].undo
    chosen = [runs[2], runs[3]]
    page.list.run_actions.move(chosen, runs[0].project_id, "Bees")
    page.list.run_actions.put_away(chosen, archived=True)
    qtbot.waitUntil(lambda: len(names(page)) == 2, timeout=PATIENCE_MS)
    assert library.run(runs[3].id).project_id == runs[0].project_id
    undo.undo()
    undo.undo()
    qtbot.waitUntil(lambda: library.run(runs[3].id) == runs[3], timeout=PATIENCE_MS)
    undo.redo()
    qtbot.waitUntil(
        lambda: library.run(runs[3].id).project_id == runs[0].project_id, timeout=PATIENCE_MS
    )


def test_what_is_thrown_away_can_be_restored_and_erased_for_good(page, studio, runs, qtbot):
    library = studio[0].library
    check(page, "wide", "deep")
    page.list.selection.trash_button.click()
    qtbot.waitUntil(lambda: len(names(page)) == 2, timeout=PATIENCE_MS)
    page.switch._choose([key for key, _ in page.switch._choices].index("trash"))
    qtbot.waitUntil(lambda: page.trash.table.model.rowCount() == 2, timeout=PATIENCE_MS)
    page.trash.table.set_checked([("run", runs[2].id)])
    page.trash.restore_button.click()
    qtbot.waitUntil(lambda: page.trash.table.model.rowCount() == 1, timeout=PATIENCE_MS)
    assert not (runs[2].folder / MARKER).exists()
    page.trash.erase_button.click()
    question = page.findChild(AskPopover)
    assert "no way back" in question.text.text()
    question.button.click()
    qtbot.waitUntil(lambda: not runs[3].folder.exists(), timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: page.trash.table.model.rowCount() == 0, timeout=PATIENCE_MS)
    assert {run.name for run in library.runs()} == {"plain-4m", "index-4m", "wide"}
    assert studio[0].undo.undo_label == "", "what was erased cannot be undone"


def test_a_run_is_thrown_away_by_keyboard_alone(page, studio, runs, qtbot):
    view = page.list.table.view
    view.setFocus()
    view.setCurrentIndex(page.list.table.model.index(0, 2))
    qtbot.keyClick(view, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: names(page) == ["wide", "index-4m", "plain-4m"], timeout=PATIENCE_MS)
    studio[0].undo.undo()
    qtbot.waitUntil(lambda: len(names(page)) == 4, timeout=PATIENCE_MS)


def test_a_run_at_work_is_stopped_first_after_asking(page, studio, runs, qtbot):
    """The process is real; it does not listen, so that the ladder ends it."""
    library = studio[0].library
    worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        write_launch(runs[0].folder, worker.pid, time.time() + 5)
        library.remember_run(runs[0].id, RunFacts(state="running"))
        page._reload()
        qtbot.waitUntil(
            lambda: (
                "Training" in [row.cell("state").spoken() for row in page.list.table.model.rows]
            ),
            timeout=PATIENCE_MS,
        )
        check(page, "plain-4m")
        page.list.selection.trash_button.click()
        question = page.findChild(AskPopover)
        assert "Stop plain-4m first?" in question.accessibleName()
        assert len(names(page)) == 4
        studio[0].supervisor._patience = type(studio[0].supervisor._patience)(
            listen_s=0.2, answer_s=0.2, ask_s=0.2
        )
        question.button.click()
        qtbot.waitUntil(lambda: worker.poll() is not None, timeout=PATIENCE_MS)
        qtbot.waitUntil(lambda: len(names(page)) == 3, timeout=PATIENCE_MS)
    finally:
        worker.kill()
        worker.wait()


def test_a_second_window_offers_nothing_that_would_change_the_library(qapp, qtbot, studio, runs):
    with open_studio(qapp, studio[0].home) as (context, _seen):
        page = RunsPage(context)
        qtbot.addWidget(page)
        page.show()
        page.open("all")
        qtbot.waitUntil(lambda: page.list.table.model.rowCount() == 4, timeout=PATIENCE_MS)
        check(page, "wide", "deep")
        bar = page.list.selection
        assert bar.compare_button.isEnabled()
        changing = (bar.star_button, bar.tags_button, bar.move_button, bar.trash_button)
        assert not any(button.isEnabled() for button in changing)
        page.list._on_menu(runs[0].id, QPoint(5, 5))
        entries = {action.text(): action.isEnabled() for action in page.findChild(Menu).actions()}
        page.findChild(Menu).close()
        assert entries["Open"] and not entries["Move to trash"] and not entries["Rename…"]


def test_a_thrown_away_project_and_dataset_stand_in_the_trash_with_their_size(studio, runs):
    library = studio[0].library
    dataset = library.add_dataset("Slice", what="Web pages")
    library.trash_dataset(dataset.id)
    library.trash_project(runs[0].project_id)
    items = read_trash(library)
    assert [(item.kind, item.what) for item in items] == [
        ("project", "Project with 2 runs"),
        ("dataset", "Dataset, Web pages"),
    ]
    assert set(items[0].run_ids) == {runs[0].id, runs[1].id}


def test_a_dataset_that_is_in_use_again_is_not_erased(studio, runs):
    library = studio[0].library
    dataset = library.add_dataset("Slice")
    user = library.add_run(runs[0].project_id, "resumed", dataset_id=dataset.id)
    write_job(user)
    library.trash_dataset(dataset.id)
    write_launch(user.folder, os.getpid(), time.time() + 5)
    items = read_trash(library)
    with pytest.raises(LockedError, match="Slice is in use: resumed is at work"):
        erase(library, items)
    assert dataset.folder.is_dir()
    (user.folder / "launch.json").unlink()
    erase(library, items)
    assert not dataset.folder.exists() and library.trash().datasets == ()


# --- details -------------------------------------------------------------------------------------


def test_the_details_show_notes_and_write_them_with_a_way_back(page, studio, runs, qtbot):
    library = studio[0].library
    page.show_details(runs[0].id)
    page.details.note.setText("a good one")
    qtbot.keyClick(page.details.note, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: page.details._notes.count() == 1, timeout=PATIENCE_MS)
    (note,) = library.notes(runs[0].id)
    page.details._remove_note(note)
    qtbot.waitUntil(lambda: library.notes(runs[0].id) == [], timeout=PATIENCE_MS)
    studio[0].undo.undo()
    qtbot.waitUntil(lambda: library.notes(runs[0].id) == [note], timeout=PATIENCE_MS)


def test_runs_that_went_on_from_one_another_make_a_tree(studio, runs):
    first, second, third = runs[0], runs[1], runs[2]
    write_job(third, continue_from=str(second.folder / "checkpoints" / "step-00000020"))
    (second.folder / "checkpoints" / "step-00000008").mkdir(parents=True)
    told = '{"lineage": [{"run": "x", "step": 40, "tokens_seen": 1, "digest": ""}]}'
    (second.folder / "checkpoints" / "step-00000008" / "manifest.json").write_text(told)
    write_job(second, continue_from=str(first.folder))
    assert origin_of(first.folder) is None
    assert origin_of(second.folder).step == 40
    assert (origin_of(third.folder).folder, origin_of(third.folder).step) == (second.folder, 20)

    entries = [entry(1), entry(2, parent_id=1), entry(3, parent_id=2), entry(4, parent_id=1)]
    tree = relatives(entries[1], entries)
    assert [(each.run_id, each.depth, each.is_here) for each in tree] == [
        (1, 0, False),
        (2, 1, True),
        (3, 2, False),
        (4, 1, False),
    ]
    assert relatives(entry(9), [entry(9)]) == []


def test_what_stays_and_how_often_a_run_was_interrupted_is_said_in_words():
    assert rule_words(specs.CheckpointConfig(every_steps=100, keep=1, keep_best=3)) == (
        "One every 100 steps. The newest stays, and the best 3."
    )
    rule = specs.CheckpointConfig(every_steps=50, keep=4, keep_every=1000, resumable=2)
    assert rule_words(rule) == (
        "One every 50 steps. The newest 4 stay, the best one, and one every 1,000 steps."
        " All but the newest 2 keep their weights alone."
    )
    assert past_words(JobStatus(sessions=1)) == ""
    back = (Rewound(step=800, from_step=900), Rewound(step=600, from_step=1000))
    status = JobStatus(sessions=3, resumed_step=1200, rewound=back)
    assert past_words(status) == (
        "3 sessions, the last from step 1,200. Went back 2 times, last to step 600."
    )


def test_only_settings_that_differ_are_listed(runs):
    write_job(runs[0], seed=1)
    write_job(runs[1], seed=2)
    assert differing_settings(runs[0].folder, runs[1].folder) == [("seed", "1", "2")]
    assert differing_settings(runs[0].folder, runs[0].folder / "nowhere") is None


# --- checkpoints ---------------------------------------------------------------------------------


def test_checkpoints_are_listed_with_their_size_kept_and_removed(studio, runs):
    folder = runs[0].folder
    (folder / "journal.bin").unlink()
    write_job(runs[0], steps=(10, 20, 30))
    files = checkpoint_files(folder)
    assert [(each.step, each.best, each.size_bytes) for each in files] == [
        (30, True, 1000),
        (20, False, 1000),
        (10, False, 1000),
    ]
    keep_checkpoint(files[2], kept=True)
    assert checkpoint_files(folder)[2].kept
    keep_checkpoint(files[2], kept=False)
    assert not checkpoint_files(folder)[2].kept
    assert delete_checkpoint(folder, 10) == 1000
    assert [each.step for each in checkpoint_files(folder)] == [30, 20]
    assert [saved.step for saved in read_status(folder).checkpoints] == [20, 30]
    assert read_status(folder).state == "finished"
    assert not list((folder / "checkpoints").glob(".*"))


def test_the_newest_checkpoint_and_those_of_a_run_at_work_stay(studio, runs):
    folder = runs[0].folder
    (folder / "journal.bin").unlink()
    write_job(runs[0], steps=(10, 20))
    with pytest.raises(KnownError, match="newest checkpoint stays"):
        delete_checkpoint(folder, 20)
    with pytest.raises(KnownError, match="no checkpoint of step 15"):
        delete_checkpoint(folder, 15)
    write_launch(folder, os.getpid(), time.time() + 5)
    with pytest.raises(LockedError, match="at work"):
        delete_checkpoint(folder, 10)
    assert len(checkpoint_files(folder)) == 2

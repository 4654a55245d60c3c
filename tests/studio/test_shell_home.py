"""Home: what cards and rows say, how they are ordered, and what can be done with them."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from page_for_tests import open_studio
from PySide6.QtCore import Qt

from studio.pages.home.facts import (
    Shelf,
    run_row,
    state_look,
    summarise,
    tokenizer_words,
)
from studio.pages.home.page import HomePage
from studio.storage.rows import DatasetRow, ProjectRow, RunFacts, RunRow
from studio.theme import theme
from studio.widgets import figures
from studio.widgets.name_popover import NamePopover

pytestmark = [
    pytest.mark.qt_log_level_fail("WARNING"),
    pytest.mark.qt_log_ignore("propagateSizeHints"),
]
DAY_S = 86_400.0


def facts(state="finished", **more):
    values = {
        "step": 400,
        "total_steps": 1000,
        "tokens_seen": 1_320_000_000,
        "elapsed_s": 66_120.0,
        "tokens_per_s": 19_934.0,
        "val_loss": 3.786,
        "best_loss": 3.701,
        "bits_per_byte": 1.2,
        "started_s": 1_763_157_240.0,
        "sparkline": (5.0, 4.2, 3.9, 3.8),
    }
    return RunFacts(state=state, **(values | more))


@pytest.fixture
def shelf(tmp_path):
    projects = tuple(
        ProjectRow(number, name, "", 0.0, 100.0 - number)
        for number, name in ((1, "FineWeb"), (2, "bees"), (3, "Put away"))
    )
    data = DatasetRow(1, "Slice", "", tmp_path, None, "own, 32,768", True, 0.0)

    def run(number, project, state, **more):
        archived = more.pop("archived", False)
        return RunRow(
            number, project, f"run-{number}", tmp_path, 1, 2, 0.0, archived, facts(state, **more)
        )

    runs = (
        run(4, 1, "paused", best_loss=3.9, bits_per_byte=1.3),
        run(3, 1, "running"),
        run(2, 3, "finished", best_loss=1.0, archived=True),
        run(1, 2, "failed", best_loss=None, problem="The disk is full: saving stopped."),
    )
    return Shelf(projects, runs, (data,))


def no_models(_run):
    return None


def test_the_run_at_work_speaks_for_its_project_and_the_best_loss_is_of_all(shelf):
    first = summarise(shelf, no_models, "used")[0]
    assert first.shown.name == "run-3"
    assert (first.best_loss, first.bits_per_byte) == (3.701, 1.2)
    assert first.subtitle == "2 runs, Slice, own 32k tokenizer, private"


def test_runs_that_wait_for_their_turn_do_not_speak_for_their_project(shelf):
    waiting = replace(
        shelf.runs[0], id=9, name="next", facts=RunFacts(state="starting", total_steps=1000)
    )
    shelf = replace(shelf, runs=(waiting, *shelf.runs))
    assert summarise(shelf, no_models, "used")[0].shown.name == "run-3"


def test_projects_are_ordered_by_use_name_or_loss(shelf):
    def names(sorting):
        return [each.project.name for each in summarise(shelf, no_models, sorting)]

    assert names("used") == ["FineWeb", "bees", "Put away"]
    assert names("name") == ["bees", "FineWeb", "Put away"]
    assert names("loss")[0] == "FineWeb"


def test_a_project_whose_runs_are_all_put_away_is_archived(shelf):
    archived = {each.project.name: each.archived for each in summarise(shelf, no_models, "used")}
    assert archived == {"FineWeb": False, "bees": False, "Put away": True}


def test_a_full_disk_is_told_from_other_failures(shelf):
    assert state_look(shelf.runs[-1].facts).word == "Disk full"
    assert state_look(facts("failed", problem="The corpus is gone.")).word == "Failed"


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("own, 32,768", "own 32k tokenizer"),
        ("own, 300", "own 300 tokenizer"),
        ("GPT-2, 50,257", "GPT-2 tokens"),
        ("bytes", "bytes"),
    ],
)
def test_tokenizers_are_put_in_words(label, words):
    assert tokenizer_words(label) == words


def test_a_row_says_what_is_missing_and_sorts_it_last(shelf):
    bare = replace(shelf.runs[0], facts=RunFacts())
    row = run_row(bare, "FineWeb")
    assert row.cell("val_loss").text == figures.MISSING
    assert row.cell("val_loss").tooltip == "not measured yet"
    assert row.cell("val_loss").sort_key()[0] == 1
    assert row.cell("progress").text == figures.MISSING


def test_a_row_has_exact_numbers_as_tooltips(shelf):
    row = run_row(shelf.runs[0], "FineWeb")
    assert row.cell("tokens").text == "1.32B"
    assert row.cell("tokens").tooltip == "1,320,000,000"
    assert row.cell("progress").tooltip == "step 400 of 1,000"


# --- the page ------------------------------------------------------------------------------------


@pytest.fixture
def studio(qapp, private_home):
    theme().install(qapp)
    with open_studio(qapp, private_home) as opened:
        yield opened


@pytest.fixture
def page(studio, qtbot):
    context, seen = studio
    library = context.library
    first, second = library.add_project("FineWeb"), library.add_project("Bees")
    for project, name, state in (
        (first, "plain", "finished"),
        (first, "index", "paused"),
        (second, "notes", "failed"),
    ):
        run = library.add_run(project.id, name)
        library.remember_run(run.id, facts(state, problem="Gone." if state == "failed" else ""))
    made = HomePage(context)
    made.navigate_requested.connect(lambda page, target: seen.places.append((page, target)))
    qtbot.addWidget(made)
    made.resize(1240, 900)
    made.show()
    made.activateWindow()
    made.open(None)
    made.shown()
    qtbot.waitUntil(lambda: made.table.model.rowCount() == 3)
    return made


def card_named(page, name):
    by_name = {each.project.name: key for key, each in page._summaries.items()}
    return page.grid.card(by_name[name])


def test_an_empty_home_leads_to_the_first_run(studio, qtbot):
    context, _seen = studio
    page = HomePage(context)
    qtbot.addWidget(page)
    page.show()
    page.shown()
    qtbot.waitUntil(lambda: page._empty.isVisible())
    with qtbot.waitSignal(page.navigate_requested) as caught:
        page._empty.clicked.emit()
    assert caught.args == ["wizard", None]


def test_cards_say_their_state_and_best_loss(page):
    assert card_named(page, "FineWeb").accessibleName().startswith("FineWeb, Paused")
    assert "3.701" in card_named(page, "FineWeb").accessibleName()


def test_a_card_opens_its_project_and_its_link_does_what_it_says(page, studio, qtbot):
    _context, seen = studio
    card = card_named(page, "FineWeb")
    qtbot.keyClick(card, Qt.Key.Key_Return)
    assert seen.places[-1] == ("runs", card.project_id)
    assert card._footer.link.text() == "Resume"
    assert card_named(page, "Bees")._footer.link.text() == ""


def test_a_failed_project_says_why_in_its_last_line(page):
    footer = card_named(page, "Bees")._footer
    assert footer._text.text() == "Gone."
    assert footer._alert.isVisible() and not footer._bar.isVisible()


def test_a_click_on_a_run_opens_it(page, studio, qtbot):
    _context, seen = studio
    view = page.table.view
    place = view.visualRect(page.table.model.index(0, 0)).center()
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert seen.places[-1][0] == "run"


def test_a_run_that_cannot_be_resumed_is_an_error_that_is_shown(page, studio, qtbot):
    _context, seen = studio
    card_named(page, "FineWeb")._footer.link.click()
    qtbot.waitUntil(lambda: bool(seen.errors))
    assert "holds no job" in str(seen.errors[0])


def test_a_project_can_be_renamed_in_place(page, qtbot):
    card = card_named(page, "Bees")
    page._actions._rename(page._summaries[card.project_id], card.mapToGlobal(card.pos()))
    popover = page.window().findChild(NamePopover)
    popover.field.setText("Honey bees")
    qtbot.keyClick(popover.field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: "Honey bees" in [e.project.name for e in page._summaries.values()])


def test_an_archived_project_goes_out_of_sight_and_can_be_brought_back(page, qtbot):
    card = card_named(page, "Bees")
    project_id = card.project_id
    page._actions._put_away(page._summaries[project_id], archived=True)
    qtbot.waitUntil(lambda: page.grid.card(project_id) is None)
    assert page._archive_link.text() == "Show 1 put away"
    page._archive_link.click()
    assert page.grid.card(project_id) is not None
    page._actions._put_away(page._summaries[project_id], archived=False)
    qtbot.waitUntil(lambda: not page._archive_link.isVisible())


def test_a_project_goes_to_the_trash_with_its_runs_and_comes_back(page, studio, qtbot):
    context, _seen = studio
    project_id = card_named(page, "Bees").project_id
    context.undo.announced.connect(told := [].append)
    page._actions.trash(page._summaries[project_id], page.mapToGlobal(page.pos()))
    qtbot.waitUntil(lambda: page.grid.card(project_id) is None)
    assert context.library.runs(project_id) == []
    context.undo.undo()
    qtbot.waitUntil(lambda: page.grid.card(project_id) is not None)
    assert context.library.runs(project_id) != []
    context.undo.announced.disconnect(told)


def test_many_projects_are_shown_in_part_until_all_are_asked_for(page, studio, qtbot):
    context, _seen = studio
    for number in range(20):
        context.library.add_project(f"Project {number:02}")
    page.reload()
    qtbot.waitUntil(lambda: page._more_link.isVisible())
    assert len(page.grid._order) == 12
    assert page._more_link.text() == "Show all 22 projects"
    page._more_link.click()
    assert len(page.grid._order) == 22
    assert not page._more_link.isVisible()


def test_the_order_is_remembered(page, studio, qtbot):
    context, _seen = studio
    page._sort_choice.chosen.emit("name")
    assert page.grid._order == [card_named(page, name).project_id for name in ("Bees", "FineWeb")]
    again = HomePage(context)
    qtbot.addWidget(again)
    assert again._sort_choice.current == "name"


@pytest.mark.parametrize(("width", "columns"), [(1240, 4), (1028, 3), (700, 2), (500, 2)])
def test_four_cards_stand_side_by_side_then_three_then_two(page, qtbot, width, columns):
    page.resize(width, 900)
    qtbot.waitUntil(lambda: page.grid.columns == columns)


def test_the_recent_runs_fit_the_smallest_window(page, qtbot):
    page.resize(1180 - 56, 720)  # less the navigation with icons alone
    qtbot.wait(50)
    bar = page.table.view.horizontalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() == 0, timeout=10_000)


def test_it_is_painted_in_both_themes_without_complaint(page):
    before = theme().mode
    pictures = []
    for mode in ("dark", "light"):
        theme().set_mode(mode)
        pictures.append(page.grab().toImage())
    theme().set_mode(before)
    assert pictures[0] != pictures[1]


def test_an_older_start_has_its_day_and_year():
    assert figures.day(time.time()) == figures.day(time.time()).split(" 20")[0]
    assert figures.day(0.0).endswith(("1969", "1970"))


def test_curves_of_other_programs_are_no_best_loss_of_a_project():
    project = ProjectRow(1, "Bees", "", 0.0, 0.0)

    def run(run_id, kind, loss):
        facts = RunFacts(state="finished", best_loss=loss, step=5, total_steps=5)
        return RunRow(run_id, 1, f"run-{run_id}", Path("x"), None, 0, 0.0, False, facts, kind)

    runs = (run(1, "reference", 0.9), run(2, "train", 3.5))
    shelf = Shelf(projects=(project,), runs=runs, datasets=())
    (summary,) = summarise(shelf, lambda _run: None, "used")
    assert summary.best_loss == 3.5 and summary.shown.id == 2
    alone = Shelf(projects=(project,), runs=runs[:1], datasets=())
    assert summarise(alone, lambda _run: None, "used")[0].best_loss == 0.9

"""The wizard with a real library: by keyboard from data to a running job; the index first."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from page_for_tests import Seen, add_read_dataset, open_studio, write_texts
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from studio.context import Context
from studio.pages.wizard.page import WizardPage
from studio.pages.wizard.start import (
    WAITING,
    launch_waiting,
    read_shelf,
    read_waiting,
    start_run,
)
from studio.pages.wizard.target import WizardTarget
from studio.pages.wizard.waiting import WaitingRuns
from studio.storage.library import DatasetRow, Library
from trainer_core import spec as specs
from trainer_core.job import run_job
from trainer_core.spec import IndexSpec, TrainSpec
from trainer_core.status import SPEC_FILE, read_status

Studio = tuple[Context, Seen]
TINY = {"n_layer": 1, "n_embd": 16, "n_head": 2, "context_length": 16, "batch_size": 2, "steps": 2}


@pytest.fixture
def studio(qapp: QApplication, private_home: Path) -> Iterator[Studio]:
    with open_studio(qapp, private_home) as opened:
        yield opened


@pytest.fixture
def dataset(studio: Studio, tmp_path: Path) -> DatasetRow:
    return add_read_dataset(studio[0].library, write_texts(tmp_path / "bees"))


def open_page(qtbot: QtBot, studio: Studio, target: object = None) -> WizardPage:
    page = WizardPage(studio[0])
    qtbot.addWidget(page)
    page.resize(1240, 900)
    page.show()
    page.open(target)
    page.shown()
    qtbot.waitUntil(lambda: page.stack.currentIndex() > 0)
    return page


def change(page: WizardPage, **values: object) -> None:
    page._on_draft_changed(replace(page._draft, **values))  # type: ignore[arg-type]


def build_index(library: Library, dataset: DatasetRow) -> None:
    row = library.add_index_folder(dataset.id)
    assert row.index_folder is not None
    assert run_job(row.index_folder, IndexSpec(corpus=str(row.corpus_folder))) == 0


def to_last_step(page: WizardPage) -> None:
    for _ in range(len(page.steps) - 1):
        page.go_on()
    assert page._current == len(page.steps) - 1


def test_without_data_the_wizard_offers_to_add_some(qtbot: QtBot, studio: Studio) -> None:
    page = open_page(qtbot, studio)
    page.go_on()
    assert not page.footer.next.isEnabled()
    page._data_step.add_requested.emit()
    assert studio[1].places == [("data", "add")]


def test_the_first_draft_is_a_plan_that_works(
    qtbot: QtBot, studio: Studio, dataset: DatasetRow
) -> None:
    page = open_page(qtbot, studio, WizardTarget(dataset_id=dataset.id))
    assert page._draft.data is not None and page._draft.data.id == dataset.id
    assert page._plan.parameters
    assert page.footer.next.isEnabled()
    assert [item.isEnabled() for item in page.rail.items] == [True] + 6 * [False]


def test_the_keyboard_alone_moves_through_the_steps(
    qtbot: QtBot, studio: Studio, dataset: DatasetRow
) -> None:
    page = open_page(qtbot, studio)
    change(page, **TINY)
    page.setFocus()
    for _ in range(6):
        qtbot.keyClick(page, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert page._current == 6
    alt_left = QKeyEvent(
        QEvent.Type.ShortcutOverride, Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier
    )
    alt_left.ignore()
    page.event(alt_left)
    assert alt_left.isAccepted()
    qtbot.keyClick(page, Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier)
    assert page._current == 5
    page.rail.items[0].click()
    assert page._current == 0
    alt_left.ignore()
    page.event(alt_left)
    assert not alt_left.isAccepted()
    qtbot.keyClick(page, Qt.Key.Key_Escape)
    assert studio[1].places[-1] == ("runs", None)


def test_a_wrong_setting_stands_beside_its_field_and_holds_up_the_rest(
    qtbot: QtBot, studio: Studio, dataset: DatasetRow
) -> None:
    page = open_page(qtbot, studio)
    for _ in range(4):
        page.go_on()
    step = page.steps[4]
    edit = step.fields["model.n_head"].control  # type: ignore[attr-defined]
    edit.selectAll()
    qtbot.keyClicks(edit, "3")
    assert "multiple of heads 3" in step.fields["model.n_embd"].error  # type: ignore[attr-defined]
    assert not page.footer.next.isEnabled()
    assert page._plan.parameters is None
    edit.selectAll()
    qtbot.keyClicks(edit, "many")
    assert step.fields["model.n_head"].error == "a number"  # type: ignore[attr-defined]
    edit.selectAll()
    qtbot.keyClicks(edit, "4")
    assert page.footer.next.isEnabled()


def test_every_change_is_in_the_plan_within_a_tenth_of_a_second(
    qtbot: QtBot, studio: Studio, dataset: DatasetRow
) -> None:
    page = open_page(qtbot, studio)
    change(page, **TINY)
    for _ in range(5):
        page.go_on()
    before = page.panel._rows["Training tokens"].value.text()
    start = time.perf_counter()
    page.steps[5].slider.moved.emit(123_456.0)  # type: ignore[attr-defined]
    assert time.perf_counter() - start < 0.1
    assert page.panel._rows["Training tokens"].value.text() != before
    page.steps[5].cards["night"].click()  # type: ignore[attr-defined]
    assert page._plan.passes == pytest.approx(1.0, rel=0.2)
    page.grab()


def test_the_review_shows_what_will_be_frozen(
    qtbot: QtBot, studio: Studio, dataset: DatasetRow
) -> None:
    page = open_page(qtbot, studio)
    change(page, **TINY, use_index=False)
    to_last_step(page)
    assert specs.from_toml(page._review.toml.toPlainText()) == page._plan.spec


def test_a_plain_run_starts_and_trains(qtbot: QtBot, studio: Studio, dataset: DatasetRow) -> None:
    context, seen = studio
    page = open_page(qtbot, studio)
    change(page, **TINY, use_index=False, name="tiny", project_name="Insects")
    to_last_step(page)
    page.go_on()
    qtbot.waitUntil(lambda: seen.places != [], timeout=10_000)
    [run] = context.library.runs()
    assert seen.places == [("run", run.id)]
    assert (run.name, run.dataset_id) == ("tiny", dataset.id)
    assert [project.name for project in context.library.projects()] == ["Insects"]
    assert specs.load(run.folder / SPEC_FILE) == page._plan.spec
    model = context.watcher.model(run.folder)
    assert model is not None
    qtbot.waitUntil(lambda: model.state == "finished", timeout=60_000)
    assert not seen.errors


def test_a_taken_project_name_is_told_and_nothing_is_made(
    qtbot: QtBot, studio: Studio, dataset: DatasetRow
) -> None:
    context, seen = studio
    context.library.add_project("Insects")
    page = open_page(qtbot, studio)
    change(page, **TINY, use_index=False, project_id=None, project_name="Insects")
    to_last_step(page)
    page.go_on()
    qtbot.waitUntil(lambda: bool(page._review._name_field.error))
    assert context.library.runs() == []
    assert page.footer.next.isEnabled()
    assert seen.places == []


def test_a_run_waits_for_its_index_and_starts_when_it_is_ready(
    qtbot: QtBot, studio: Studio, dataset: DatasetRow
) -> None:
    context, seen = studio
    page = open_page(qtbot, studio)
    change(page, **TINY, use_index=True)
    to_last_step(page)
    assert "built first" in page.panel._rows["Memory index"].context.text()
    page.go_on()
    qtbot.waitUntil(lambda: seen.places != [], timeout=10_000)
    [run] = context.library.runs()
    assert context.library.setting(WAITING, []) == [run.id]
    model = context.watcher.model(run.folder)
    assert model is not None
    qtbot.waitUntil(lambda: model.state == "finished", timeout=120_000)
    assert context.library.setting(WAITING, []) == []
    assert isinstance(model.spec, TrainSpec) and model.spec.model.match_input
    assert not seen.errors


@pytest.mark.slow
def test_a_waiting_run_starts_after_the_studio_was_closed_in_between(
    qtbot: QtBot, qapp: QApplication, private_home: Path, tmp_path: Path
) -> None:
    with open_studio(qapp, private_home) as (context, _):
        dataset = add_read_dataset(context.library, write_texts(tmp_path / "bees"))
        page = open_page(qtbot, (context, Seen()), WizardTarget(dataset_id=dataset.id))
        draft = replace(page._draft, **TINY, use_index=True, name="waits")  # type: ignore[arg-type]
        context.supervisor.start = lambda spec, folder: 0  # type: ignore[method-assign]
        started = start_run(context.library, context.supervisor, draft)
        assert started.waits
        assert read_status(started.run.folder).state == "unborn"
    library = Library.open(private_home)
    build_index(library, dataset)
    library.close()
    with open_studio(qapp, private_home) as (context, seen):
        WaitingRuns.of(context).look()
        qtbot.waitUntil(
            lambda: read_status(started.run.folder).state == "finished", timeout=120_000
        )
        assert context.library.setting(WAITING, []) == []
        assert not seen.errors


def test_a_run_waits_until_its_outdated_index_is_built_again(
    qtbot: QtBot, studio: Studio, dataset: DatasetRow
) -> None:
    context = studio[0]
    build_index(context.library, dataset)
    row = context.library.dataset(dataset.id)
    assert row.index_path is not None
    manifest = row.index_path / "manifest.json"
    fitting = manifest.read_text()
    other = json.loads(fitting) | {"corpus_fingerprint": "of another text"}
    manifest.write_text(json.dumps(other))
    page = open_page(qtbot, studio, WizardTarget(dataset_id=dataset.id))
    assert page._draft.data is not None and page._draft.data.index_state == "outdated"
    begun: list[Path] = []
    context.supervisor.resume = lambda folder: begun.append(folder) or 0  # type: ignore[method-assign,func-returns-value]
    draft = replace(page._draft, **TINY, use_index=True)  # type: ignore[arg-type]
    started = start_run(context.library, context.supervisor, draft)
    assert started.waits and begun == [row.index_folder]
    [waiting] = read_waiting(context.library)
    assert launch_waiting(context.library, context.supervisor, waiting) is None
    manifest.write_text(fitting)
    assert launch_waiting(context.library, context.supervisor, waiting) == started.run
    assert begun[-1] == started.run.folder


def test_a_finished_run_can_be_repeated_with_changes(
    qtbot: QtBot, studio: Studio, dataset: DatasetRow
) -> None:
    library = studio[0].library
    build_index(library, dataset)
    project = library.add_project("Insects")
    shelf = read_shelf(library)
    page = open_page(qtbot, studio, WizardTarget(dataset_id=dataset.id))
    assert page._draft.data == shelf.choices[0]
    assert shelf.choices[0].index_state == "ready"
    draft = replace(page._draft, **TINY, project_id=project.id)  # type: ignore[arg-type]
    studio[0].supervisor.start = lambda spec, folder: (  # type: ignore[method-assign]
        (folder / SPEC_FILE).write_text(specs.to_toml(spec)) and 0
    )
    run = start_run(library, studio[0].supervisor, draft).run
    again = open_page(qtbot, studio, WizardTarget(run_id=run.id))
    assert again._draft.n_embd == 16
    assert again._draft.name == f"{run.name}-2"
    assert again._draft.project_id == project.id
    assert again._plan.spec == specs.load(run.folder / SPEC_FILE)

"""A dataset goes to the trash and comes back; runs that learned from it are told and survive."""

from __future__ import annotations

import pytest
from page_for_tests import open_studio
from PySide6.QtCore import QPoint

from studio.pages.data.page import DataPage
from studio.widgets.ask_popover import AskPopover
from trainer_core import spec as specs

pytestmark = [
    pytest.mark.qt_log_level_fail("WARNING"),
    pytest.mark.qt_log_ignore("This plugin does not support"),
]
PATIENCE_MS = 20_000


@pytest.fixture
def studio(qapp, tmp_path):
    with open_studio(qapp, tmp_path) as opened:
        yield opened


@pytest.fixture
def dataset(studio):
    row = studio[0].library.add_dataset("Bees")
    spec = specs.PrepareSpec(source=specs.TextFiles(paths=("/nowhere",)))
    (row.folder / "spec.toml").write_text(specs.to_toml(spec))
    return row


@pytest.fixture
def page(qtbot, studio, dataset):
    made = DataPage(studio[0])
    qtbot.addWidget(made)
    made.resize(1240, 800)
    made.show()
    made.open(None)
    made.shown()
    qtbot.waitUntil(lambda: made._table.model.rowCount() == 1, timeout=PATIENCE_MS)
    return made


def test_one_that_nobody_uses_goes_at_once_and_comes_back(page, studio, dataset, qtbot):
    page._actions.trash(dataset, QPoint())
    qtbot.waitUntil(lambda: studio[0].library.datasets() == [], timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: not page._table.model.rowCount(), timeout=PATIENCE_MS)
    studio[0].undo.undo()
    qtbot.waitUntil(lambda: page._table.model.rowCount() == 1, timeout=PATIENCE_MS)


def test_one_that_runs_learned_from_says_so_and_the_runs_stay(page, studio, dataset, qtbot):
    library = studio[0].library
    project = library.add_project("P")
    for name in ("a", "b"):
        library.add_run(project.id, name, dataset_id=dataset.id)
    page._actions.trash(dataset, QPoint())
    qtbot.waitUntil(lambda: page.findChild(AskPopover) is not None, timeout=PATIENCE_MS)
    question = page.findChild(AskPopover)
    assert question.text.text().startswith("2 runs learned from it.")
    question.button.click()
    qtbot.waitUntil(lambda: library.datasets() == [], timeout=PATIENCE_MS)
    assert {run.dataset_id for run in library.runs()} == {dataset.id}

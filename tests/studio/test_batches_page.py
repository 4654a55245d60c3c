"""The inspector: a real job's batches, token by token, with masks, targets and matches."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from page_for_tests import Seen, add_read_dataset, open_studio, write_texts
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from studio.context import Context
from studio.pages.data.batches.facts import (
    Batches,
    BatchRow,
    DocumentRun,
    RowMatches,
    ShownDocument,
)
from studio.pages.data.batches.page import BatchesPage, shown_tokens
from studio.pages.data.batches.strips import row_words
from studio.pages.data.batches.target import BatchesTarget, fitting
from studio.pages.data.batches.token_panel import TokenPanel
from studio.storage.library import DatasetRow
from studio.widgets.token_run import Colouring, TokenRun
from trainer_core.job import run_job
from trainer_core.spec import DataConfig, IndexSpec, InspectSpec

ROW = BatchRow(
    ids=(9, 1, 2, 9, 3, 9),
    targets=(1, 2, -1, 3, -1, -1),
    positions=(0, 1, 2, 0, 1, 0),
    documents=(DocumentRun(0, 3, 4), DocumentRun(3, 5, 7), DocumentRun(5, 6, -1)),
    masks=(0, 3, 5),
    matches=RowMatches((0, 1, 2, 0, 0, 0), (-1, 2, 1, -1, -1, -1), (-1,) * 6, (0, 1, 4, 0, 0, 0)),
)
BATCHES = Batches(
    context_length=6,
    batch_size=1,
    packing="best_fit",
    masked=True,
    separator=9,
    count_buckets=("0", "1", "2", "3", "4 to 7"),
    documents={4: ShownDocument("Bees", "bees.txt", "tales", 3), 7: ShownDocument("Mill")},
    tokens={
        number: base64.b64encode(text).decode()
        for number, text in ((1, b"a "), (2, b"bee"), (3, b"mill"), (9, b""))
    },
)


def test_neighbouring_documents_differ_in_colour_and_padding_has_none() -> None:
    run = TokenRun(Colouring.GROUPS)
    run.append(shown_tokens(BATCHES, ROW, "documents"))
    assert [run.step_of(token) for token in range(6)] == [1, 1, 1, 2, 2, 0]
    assert [run.goes_on(token) for token in range(6)] == [False, True, True, False, True, False]
    assert row_words(ROW) == "2 documents, 1 padding"


def test_a_match_ends_with_its_token_and_underlines_what_stands_before_it() -> None:
    tokens = shown_tokens(BATCHES, ROW, "matches")
    assert [token.match_length for token in tokens] == [0, 1, 2, 0, 0, 0]
    assert tokens[2].matched_before == 1


def test_ignored_targets_stand_out() -> None:
    groups = [token.group for token in shown_tokens(BATCHES, ROW, "targets")]
    assert [bool(group) for group in groups] == [False, False, True, False, True, True]


def test_the_panel_tells_what_the_model_is_given(qtbot: QtBot) -> None:
    panel = TokenPanel()
    qtbot.addWidget(panel)
    panel.show_row(BATCHES, ROW)
    panel.show_place(1)
    told = {name: label.text() for name, label in panel.rows.items() if label.text()}
    assert told["Input"].startswith("a·") and "id 1" in told["Input"]
    assert told["Target"].startswith("bee")
    assert told["Sees"].startswith("2 tokens")
    assert told["Document"] == "Bees, token 2 of 3, tales"
    assert told["Match"] == "1 token, found once"
    assert told["Next by it"] == "bee  right"
    panel.show_place(2)
    assert panel.rows["Target"].text().startswith("ignored")
    assert panel.rows["Match"].text() == "2 tokens, found 4 to 7 times"
    panel.show_place(4)
    assert panel.rows["Sees"].text().startswith("2 tokens")
    assert panel.rows["Position"].text().startswith("1, input 5 of 6")
    panel.show_place(5)
    assert panel.rows["Document"].text() == "padding"


@pytest.mark.parametrize(
    ("changes", "batches", "rows"),
    [
        ({}, 2, 8),
        ({"steps": 1}, 1, 8),
        ({"steps": 9, "first_step": 9}, 1, 8),
        ({"steps": 9, "first_step": 10}, 1, 8),
        ({"context_length": 32_768}, 2, 2),
        ({"context_length": 1_000_000}, 2, 1),
    ],
)
def test_no_more_is_asked_for_than_there_is_or_can_be_read(
    changes: dict[str, int], batches: int, rows: int
) -> None:
    found = fitting(msgspec.structs.replace(InspectSpec(corpus="-"), **changes))
    assert (found.batches, found.rows) == (batches, rows)


# --- with a real job -----------------------------------------------------------------------------


@pytest.fixture
def studio(qapp: QApplication, private_home: Path) -> Iterator[tuple[Context, Seen]]:
    with open_studio(qapp, private_home) as opened:
        yield opened


@pytest.fixture
def dataset(studio: tuple[Context, Seen], tmp_path: Path) -> DatasetRow:
    library = studio[0].library
    row = add_read_dataset(library, write_texts(tmp_path / "bees"))
    row = library.add_index_folder(row.id)
    assert row.index_folder is not None
    assert run_job(row.index_folder, IndexSpec(corpus=str(row.corpus_folder))) == 0
    return row


def open_page(qtbot: QtBot, studio: tuple[Context, Seen], target: BatchesTarget) -> BatchesPage:
    page = BatchesPage(studio[0])
    qtbot.addWidget(page)
    page.resize(1240, 900)
    page.show()
    page.open(target)
    page.shown()
    qtbot.waitUntil(lambda: not page._job.is_open, timeout=30_000)
    return page


def test_the_first_batches_of_a_dataset_are_shown_and_others_can_be_asked_for(
    qtbot: QtBot, studio: tuple[Context, Seen], dataset: DatasetRow
) -> None:
    spec = InspectSpec(
        corpus=str(dataset.corpus_folder),
        index=str(dataset.index_path),
        context_length=16,
        batch_size=3,
        data=DataConfig(mask_documents=True),
    )
    page = open_page(qtbot, studio, BatchesTarget(spec, "Bees"))
    batch = page._batches.batches[0]
    assert (batch.step, len(batch.rows), page.text.count) == (1, 3, 16)
    assert page.colours.current == "documents"
    page.colours._choose(1)
    page.strips.setFocus()
    qtbot.keyClick(page.strips, Qt.Key.Key_Down)
    assert page.strips.current == 1
    page.text.set_pinned(5)
    assert page.panel.rows["Match"].text()
    page.grab()
    page._step.setText("3")
    page._step.editingFinished.emit()
    qtbot.waitUntil(lambda: page._batches.batches[0].step == 3, timeout=30_000)
    page._step.setText("none")
    page._step.editingFinished.emit()
    assert page._step.property("invalid")
    assert not studio[1].errors
    qtbot.keyClick(page, Qt.Key.Key_Escape)
    assert studio[1].places[-1] == ("data", None)


def test_what_cannot_be_shown_is_told_in_place(
    qtbot: QtBot, studio: tuple[Context, Seen], tmp_path: Path
) -> None:
    spec = InspectSpec(corpus=str(tmp_path / "nowhere"))
    page = open_page(qtbot, studio, BatchesTarget(spec, "Nothing", back="wizard"))
    assert page._stack.currentWidget() is page._failed
    assert page._error is not None

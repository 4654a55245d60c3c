"""The data page with a real library and real jobs: add, watch, correct, look inside."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_for_tests import Seen, add_read_dataset, open_studio, write_texts
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from studio.context import Context
from studio.pages.data.adding.flow import PREVIEW, SOURCE, TOKENS
from studio.pages.data.adding.source_form import SourceForm
from studio.pages.data.adding.tokenizer_form import TokenizerForm
from studio.pages.data.page import DataPage
from studio.pages.data.request import AddForm
from studio.pages.wizard.target import WizardTarget
from studio.widgets.empty import EmptyState, ErrorCard
from trainer_core.job import run_job
from trainer_core.spec import ByteTokenizer, Gpt2Tokenizer, PrepareSpec, TextFiles
from trainer_core.status import read_status

Studio = tuple[Context, Seen]


@pytest.fixture
def studio(qapp: QApplication, private_home: Path) -> Iterator[Studio]:
    with open_studio(qapp, private_home) as opened:
        yield opened


def open_page(qtbot: QtBot, studio: Studio) -> DataPage:
    page = DataPage(studio[0])
    qtbot.addWidget(page)
    page.resize(1240, 900)
    page.show()
    page.open(None)
    page.shown()
    qtbot.waitUntil(lambda: page._stack.currentIndex() != 0)
    return page


def row_text(page: DataPage, column: str) -> str:
    cell = page._table.model.rows[0].cell(column)
    return f"{cell.pill.word if cell.pill else ''} {cell.text}".strip()


def test_without_data_there_is_one_sentence_and_one_button(qtbot: QtBot, studio: Studio) -> None:
    page = open_page(qtbot, studio)
    shown = page._stack.currentWidget()
    assert isinstance(shown, EmptyState)
    shown.clicked.emit()
    assert page.adding.flow.isVisible()
    qtbot.keyClick(page.adding.flow, Qt.Key.Key_Escape)
    assert page._stack.currentWidget() is shown


def test_own_files_are_read_by_a_job_and_appear_with_their_figures(
    qtbot: QtBot, studio: Studio, tmp_path: Path
) -> None:
    texts = write_texts(tmp_path / "bees")
    (texts / "broken.txt").write_bytes(b"\xff\xfeno text")
    page = open_page(qtbot, studio)
    tokenizer = TokenizerForm(vocab_size="300")
    page.adding.begin(AddForm(tokenizer=tokenizer, validation="20", private=True))
    page.adding.take_paths([str(texts)])
    flow = page.adding.flow
    qtbot.waitUntil(lambda: flow.source.forms[0].paths == (str(texts),))
    for step in (PREVIEW, TOKENS):
        flow.footer.next.click()
        assert flow.current == step
    flow.footer.next.click()
    qtbot.waitUntil(lambda: len(page._table.model.rows) == 1, timeout=10_000)
    qtbot.waitUntil(lambda: row_text(page, "documents") == "12", timeout=30_000)
    assert row_text(page, "name") == "bees"
    assert row_text(page, "what").endswith("never leaves this computer")
    assert row_text(page, "index").startswith("Not built Build, about")
    qtbot.waitUntil(lambda: page._detail._whole.isVisible(), timeout=5_000)
    assert "fixed by seed 1337" in page._detail._split.text()
    assert "1 file could not be used" in page._detail._skipped._sentence.text()
    page._detail._skipped._more.click()
    assert "broken.txt" in page._detail._skipped.list.text()
    assert page._detail._sample._text.count > 10
    assert not studio[1].errors


def test_a_wrong_setting_stands_beside_its_field(qtbot: QtBot, studio: Studio) -> None:
    page = open_page(qtbot, studio)
    flow = page.adding.flow
    page.adding.begin(AddForm(tokenizer=TokenizerForm(vocab_size="12")))
    flow.go_to(TOKENS)
    flow.footer.next.click()
    assert "at least 258" in flow.tokens.by_path["tokenizer.vocab_size"].error
    page.adding.begin(AddForm(sources=(SourceForm(kind="text_files"),)))
    flow.footer.next.click()
    assert flow.current == SOURCE
    assert "No file or folder" in flow.source.fields.by_name["paths"].error


def test_a_failed_reading_is_corrected_in_place(
    qtbot: QtBot, studio: Studio, tmp_path: Path
) -> None:
    library = studio[0].library
    texts = write_texts(tmp_path / "bees")
    row = library.add_dataset("Bees", what="Own text", tokenizer="GPT-2")
    spec = PrepareSpec(
        source=TextFiles(paths=(str(texts),)),
        tokenizer=Gpt2Tokenizer(vocabulary_folder=str(tmp_path / "nowhere")),
        name="Bees",
    )
    assert run_job(row.folder, spec) != 0
    page = open_page(qtbot, studio)
    qtbot.waitUntil(lambda: page._detail.findChild(ErrorCard) is not None, timeout=5_000)
    page._detail.findChild(ErrorCard).clicked.emit()  # type: ignore[union-attr]
    flow = page.adding.flow
    assert flow.current == TOKENS
    assert "vocab.bpe" in flow.tokens.by_path["tokenizer.vocabulary_folder"].error
    flow.tokens.choices["bytes"].click()
    flow.footer.next.click()
    qtbot.waitUntil(lambda: row_text(page, "documents") == "12", timeout=30_000)
    assert row_text(page, "tokenizer") == "bytes, 257"
    assert len(library.datasets()) == 1
    assert read_status(row.folder).state == "finished"


def test_a_stopped_reading_goes_on_or_gets_other_settings(
    qtbot: QtBot, studio: Studio, tmp_path: Path
) -> None:
    context = studio[0]
    row = context.library.add_dataset("Bees", what="Own text", tokenizer="bytes, 257")
    spec = PrepareSpec(
        source=TextFiles(paths=(str(write_texts(tmp_path / "bees", 40)),)),
        tokenizer=ByteTokenizer(),
        name="Bees",
    )
    context.supervisor.start(spec, row.folder)
    context.supervisor.stop(row.folder).result(timeout=30)
    page = open_page(qtbot, studio)
    if read_status(row.folder).state == "finished":
        pytest.skip("the job was done before it could be stopped")
    qtbot.waitUntil(lambda: row_text(page, "index") == "Stopped Go on", timeout=5_000)
    qtbot.waitUntil(page._detail._change.isVisible, timeout=5_000)
    page._detail._change.click()
    assert page.adding.flow.replaces == row.id
    page.adding.leave()
    page._table.link_clicked.emit(row.id, "index")
    qtbot.waitUntil(lambda: row_text(page, "documents") == "40", timeout=30_000)
    assert not page._detail._change.isVisible()


def test_a_run_starts_from_the_dataset_that_is_shown(
    qtbot: QtBot, studio: Studio, tmp_path: Path
) -> None:
    row = add_read_dataset(studio[0].library, write_texts(tmp_path / "bees"))
    page = open_page(qtbot, studio)
    qtbot.waitUntil(lambda: page._detail._run.isVisible(), timeout=5_000)
    page._detail._run.click()
    assert studio[1].places == [("wizard", WizardTarget(dataset_id=row.id))]


def test_build_makes_the_index_and_shows_what_it_is_worth(
    qtbot: QtBot, studio: Studio, tmp_path: Path
) -> None:
    add_read_dataset(studio[0].library, write_texts(tmp_path / "bees"))
    page = open_page(qtbot, studio)
    key = page._table.model.rows[0].key
    qtbot.waitUntil(lambda: row_text(page, "index").startswith("Not built Build, about"))
    page._table.link_clicked.emit(key, "index")
    qtbot.waitUntil(lambda: row_text(page, "index").startswith("Ready"), timeout=60_000)
    qtbot.waitUntil(lambda: page._detail.matches._stack.currentIndex() == 0, timeout=5_000)
    assert "of the time" in page._detail.matches._summary.text()
    assert page._detail.figures.cells["Index"].context.text().endswith("bytes per token")
    page.grab()
    assert not studio[1].errors


def test_samples_are_leafed_through_and_lose_their_boundaries(
    qtbot: QtBot, studio: Studio, tmp_path: Path
) -> None:
    add_read_dataset(studio[0].library, write_texts(tmp_path / "bees"))
    page = open_page(qtbot, studio)
    card = page._detail._sample
    qtbot.waitUntil(lambda: card._text.count > 0, timeout=5_000)
    first = card._text.text()
    card._on_back_clicked()
    assert card._text.text() != first
    card._on_forth_clicked()
    assert card._text.text() == first
    card._boundaries.click()
    page.grab()


def test_a_corpus_that_was_removed_by_hand_is_told(
    qtbot: QtBot, studio: Studio, tmp_path: Path
) -> None:
    row = add_read_dataset(studio[0].library, write_texts(tmp_path / "bees"))
    for path in sorted(row.corpus_folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    page = open_page(qtbot, studio)
    qtbot.waitUntil(lambda: page._detail.findChild(ErrorCard) is not None, timeout=5_000)
    assert "missing or damaged" in page._detail.findChild(ErrorCard).what.text()  # type: ignore[union-attr]


def test_a_dataset_whose_folder_was_taken_away_is_not_being_read(
    qtbot: QtBot, studio: Studio
) -> None:
    row = studio[0].library.add_dataset("Bees", tokenizer="bytes")
    shutil.rmtree(row.folder, ignore_errors=True)
    page = open_page(qtbot, studio)
    qtbot.waitUntil(lambda: row_text(page, "index") == "Folder gone")
    qtbot.waitUntil(lambda: page._detail.findChild(ErrorCard) is not None)
    card = page._detail.findChild(ErrorCard)
    assert "is gone" in card.what.text()


def test_the_search_keeps_what_holds_every_word(
    qtbot: QtBot, studio: Studio, tmp_path: Path
) -> None:
    add_read_dataset(studio[0].library, write_texts(tmp_path / "bees"), name="Bees")
    add_read_dataset(studio[0].library, write_texts(tmp_path / "ants"), name="Ants")
    page = open_page(qtbot, studio)
    assert len(page._table.model.rows) == 2
    page._header.search.setText("own BEES")
    assert [row.cell("name").text for row in page._table.model.rows] == ["Bees"]


def test_new_data_is_shown_in_place_of_what_was_selected(
    qtbot: QtBot, studio: Studio, tmp_path: Path
) -> None:
    old = add_read_dataset(studio[0].library, write_texts(tmp_path / "bees"), name="Bees")
    page = open_page(qtbot, studio)
    assert page._table.selected_key() == old.id
    ants = str(write_texts(tmp_path / "ants"))
    sources = (SourceForm(kind="text_files", paths=(ants,)),)
    page.adding.begin(AddForm(sources=sources, tokenizer=TokenizerForm(kind="bytes")))
    page.adding.flow.go_to(TOKENS)
    page.adding.flow.footer.next.click()
    qtbot.waitUntil(lambda: page._detail._title.text() == "ants", timeout=10_000)
    assert page._table.selected_key() == page.target() != old.id

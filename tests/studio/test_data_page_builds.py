"""Index builds on the data page: followed, stopped, gone on with, refused, brought up to date."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from job_folders import FakeJob
from page_for_tests import Seen, add_read_dataset, open_studio, write_texts
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from studio.context import Context
from studio.pages.data.page import DataPage
from studio.storage.library import DatasetRow
from studio.widgets.empty import ErrorCard
from studio.widgets.figures import NARROW
from trainer_core import records
from trainer_core.job import run_job
from trainer_core.spec import BpeTokenizer, CorpusTokenizer, IndexSpec, PrepareSpec, TextFiles, load
from trainer_core.status import SPEC_FILE

Studio = tuple[Context, Seen]


@pytest.fixture
def studio(qapp: QApplication, private_home: Path) -> Iterator[Studio]:
    with open_studio(qapp, private_home) as opened:
        yield opened


@pytest.fixture
def dataset(studio: Studio, tmp_path: Path) -> DatasetRow:
    row = add_read_dataset(studio[0].library, write_texts(tmp_path / "bees"))
    return studio[0].library.add_index_folder(row.id)


def open_page(qtbot: QtBot, studio: Studio) -> DataPage:
    page = DataPage(studio[0])
    qtbot.addWidget(page)
    page.resize(1240, 900)
    page.show()
    page.open(None)
    page.shown()
    qtbot.waitUntil(lambda: page._stack.currentIndex() != 0 and page._facts is not None)
    return page


def index_text(page: DataPage) -> str:
    cell = page._table.model.rows[0].cell("index")
    return f"{cell.pill.word if cell.pill else ''} {cell.text}".replace(NARROW, " ").strip()


def click_link(page: DataPage) -> None:
    page._table.link_clicked.emit(page._table.model.rows[0].key, "index")


def begin_fake_build(dataset: DatasetRow, share: float) -> FakeJob:
    """An index job of this process that has come so far."""
    assert dataset.index_folder is not None
    job = FakeJob(dataset.index_folder, IndexSpec(corpus=str(dataset.corpus_folder)))
    job.begin()
    progress = records.Progress(
        phase="sorting the training text", done=1, total=9, whole=share, time_s=time.time()
    )
    job.write(records.StateChanged(state="running"), progress)
    return job


def test_a_build_is_followed_stopped_and_started_again(
    qtbot: QtBot, studio: Studio, dataset: DatasetRow
) -> None:
    job = begin_fake_build(dataset, 0.64)  # the window was closed meanwhile
    page = open_page(qtbot, studio)
    qtbot.waitUntil(lambda: index_text(page).startswith("Building 64 %"))
    assert "Sorting the training text 64" in page._detail.matches.offer.text
    assert not page._detail.search.isEnabled()
    page.grab()
    job.write(records.Ended(state="stopped", exit_code=0))
    job.close()
    assert dataset.index_folder is not None
    (dataset.index_folder / "owner.json").unlink()
    qtbot.waitUntil(lambda: index_text(page) == "Stopped Build again", timeout=10_000)
    assert "was stopped at 64" in page._detail.matches.offer.text.replace(NARROW, " ")
    page.grab()
    click_link(page)
    qtbot.waitUntil(lambda: index_text(page).startswith("Ready"), timeout=60_000)
    qtbot.waitUntil(lambda: page._detail.search.isEnabled(), timeout=5_000)
    assert not studio[1].errors


def test_a_failed_build_says_what_happened_and_is_tried_again(
    qtbot: QtBot, studio: Studio, dataset: DatasetRow
) -> None:
    job = begin_fake_build(dataset, 0.2)
    job.write(
        records.Ended(
            state="failed", exit_code=3, what="The disk is full.", safe="Kept.", do="Free 2 GB."
        )
    )
    job.close()
    page = open_page(qtbot, studio)
    card = page._detail.matches.offer.findChild(ErrorCard)
    assert card is not None and card.what.text() == "The disk is full."
    assert index_text(page) == "Failed Try again"
    page.grab()
    card.clicked.emit()
    qtbot.waitUntil(lambda: index_text(page).startswith("Ready"), timeout=60_000)


def test_settings_of_a_build_are_taken_and_wrong_ones_named(
    qtbot: QtBot, studio: Studio, dataset: DatasetRow
) -> None:
    page = open_page(qtbot, studio)
    offer = page._detail.matches.offer
    qtbot.waitUntil(offer.advanced.isVisible)
    offer.advanced.unfold()
    edit = offer.advanced._edits["max_length"]
    qtbot.keyClicks(edit, "65")
    offer._button.click()
    qtbot.waitUntil(lambda: offer.advanced._fields["max_length"].error == "at most 64")
    page.grab()
    edit.clear()
    qtbot.keyClicks(edit, "12")
    offer._button.click()
    qtbot.waitUntil(lambda: index_text(page).startswith("Ready"), timeout=60_000)
    assert dataset.index_folder is not None
    spec = load(dataset.index_folder / SPEC_FILE)
    assert isinstance(spec, IndexSpec) and spec.max_length == 12
    assert not studio[1].errors


def test_an_index_of_another_text_is_called_out_of_date_and_built_again(
    qtbot: QtBot, studio: Studio, dataset: DatasetRow, tmp_path: Path
) -> None:
    assert dataset.index_folder is not None
    assert run_job(dataset.index_folder, IndexSpec(corpus=str(dataset.corpus_folder))) == 0
    shutil.rmtree(dataset.folder)
    texts = write_texts(tmp_path / "ants", text="The ants carry what is heavier than they are.\n")
    spec = PrepareSpec(
        source=TextFiles(paths=(str(texts),)),
        tokenizer=BpeTokenizer(vocab_size=300),
        name="Bees",
        validation_fraction=0.2,
    )
    assert run_job(dataset.folder, spec) == 0
    page = open_page(qtbot, studio)
    qtbot.waitUntil(lambda: index_text(page) == "Out of date Build again")
    notice = page._detail.matches._notice
    qtbot.waitUntil(notice.isVisible)
    assert "another one" in notice.text
    page.grab()
    notice._update.click()
    qtbot.waitUntil(lambda: index_text(page).startswith("Ready"), timeout=60_000)
    qtbot.waitUntil(lambda: not notice.isVisible(), timeout=5_000)
    assert not studio[1].errors


def test_documents_that_were_added_to_the_text_are_added_to_the_index(
    qtbot: QtBot, studio: Studio, tmp_path: Path
) -> None:
    library = studio[0].library
    bees = write_texts(tmp_path / "bees", count=60)  # so many that the split goes by document
    dataset = library.add_index_folder(add_read_dataset(library, bees).id)
    assert dataset.index_folder is not None
    assert run_job(dataset.index_folder, IndexSpec(corpus=str(dataset.corpus_folder))) == 0
    before = tmp_path / "before"
    shutil.move(dataset.folder, before)
    ants = write_texts(tmp_path / "ants", text="The ants carry what is heavier than they are.\n")
    spec = PrepareSpec(
        sources=(TextFiles(paths=(str(bees),)), TextFiles(paths=(str(ants),))),
        tokenizer=CorpusTokenizer(corpus=str(before)),
        name="Bees",
        validation_fraction=0.2,
    )
    assert run_job(dataset.folder, spec) == 0
    page = open_page(qtbot, studio)
    qtbot.waitUntil(lambda: index_text(page) == "Out of date Add the new text")
    notice = page._detail.matches._notice
    qtbot.waitUntil(notice.isVisible)
    assert "has grown by" in notice.text and notice._anew.isVisible()
    page.grab()
    click_link(page)
    qtbot.waitUntil(lambda: index_text(page).startswith("Ready"), timeout=60_000)
    assert page._jobs.status(dataset.index_folder).result["appended"]
    assert not studio[1].errors


def test_an_index_whose_folder_was_removed_is_built_again(
    qtbot: QtBot, studio: Studio, dataset: DatasetRow
) -> None:
    assert dataset.index_folder is not None and dataset.index_path is not None
    assert run_job(dataset.index_folder, IndexSpec(corpus=str(dataset.corpus_folder))) == 0
    shutil.rmtree(dataset.index_path)
    page = open_page(qtbot, studio)
    qtbot.waitUntil(lambda: index_text(page) == "Out of date Build again")
    assert "folder is gone" in page._detail.matches.offer.text
    page._detail.matches.offer._button.click()
    qtbot.waitUntil(lambda: index_text(page).startswith("Ready"), timeout=60_000)
    page._actions.build_anew(studio[0].library.dataset(dataset.id))
    qtbot.waitUntil(lambda: dataset.index_path.is_dir(), timeout=60_000)  # type: ignore[union-attr]
    qtbot.waitUntil(lambda: index_text(page).startswith("Ready"), timeout=60_000)
    assert not studio[1].errors

"""What the data page asks of an index, and how it tells the answers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_for_tests import TEXT, Seen, add_read_dataset, open_studio, write_texts
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from studio.context import Context
from studio.pages.data.answers import (
    FOLDER,
    ContaminationAnswer,
    Continuation,
    CurvePoint,
    DuplicatesAnswer,
    LookupAnswer,
    Match,
    Phrase,
    ValueAnswer,
    forget_all,
    read_answer,
)
from studio.pages.data.contamination import summary_words
from studio.pages.data.page import DataPage
from studio.pages.data.passages import PassageRow, repeat_words
from studio.pages.data.place_line import ending
from studio.pages.data.quote import clipped
from studio.pages.data.search import asked_place, match_words, phrase_words
from studio.pages.data.value import CurveChart, curve_words, value_words
from studio.storage.library import DatasetRow
from studio.widgets.empty import ErrorCard
from studio.widgets.figures import NARROW
from studio.widgets.label import Part
from studio.widgets.source_card import SourceCard
from trainer_core.errors import KnownError
from trainer_core.job import run_job
from trainer_core.spec import IndexSpec

Studio = tuple[Context, Seen]
PHRASE = "gather in a tight ball inside the hive"


def said(parts: list[Part]) -> str:
    return "".join(part.text for part in parts).replace(NARROW, " ")


# --- words ------------------------------------------------------------------------------------


def test_a_lookup_is_told_in_two_sentences() -> None:
    answer = LookupAnswer(
        text="keep each other warm",
        tokens=5,
        match=Match(4, " each other warm", 12, 3),
        phrase=Phrase(0, 0),
        continuations=(Continuation(".", 9, 0.75),),
    )
    assert said(phrase_words(answer)) == "The whole phrase is not in the training text."
    assert said(match_words(answer)) == "Longest match: 4 tokens of 5, 12 times in 3 documents."
    place = asked_place(answer)
    assert (place.before, place.matched, place.following) == ("keep", " each other warm", ".")


def test_short_and_absent_matches_are_called_what_they_are() -> None:
    assert "by chance" in said(match_words(LookupAnswer("a b", 2, Match(1, "b", 900, 40))))
    nothing = LookupAnswer("zq", 1)
    assert said(phrase_words(nothing)) == "Nothing of it stands in the training text."
    once = LookupAnswer("a", 1, Match(1, "a", 1, 1), Phrase(1, 1))
    assert "1 time in 1 document" in said(phrase_words(once))


def test_repeats_are_told_by_where_they_stand() -> None:
    answer = DuplicatesAnswer(32, 0.278, 0.211, 0.067)
    assert said(repeat_words(answer)) == (
        "27.8 % of the training tokens stand in repeats of 32 tokens or more of what came before"
        " them: 21.1 % in the same document, 6.7 % in another one."
    )
    assert "twice" in said(repeat_words(DuplicatesAnswer(32, 0.0)))
    assert "longer longest match" in said(repeat_words(DuplicatesAnswer(32, None)))


def test_contamination_is_counted_and_no_text_is_no_result() -> None:
    answer = ContaminationAnswer(
        least_tokens=13, texts=3, tokens=400, clean=1, contained=1, short=1, overlap_share=0.25
    )
    words = said(summary_words(answer))
    assert words.startswith("Of 3 texts with 400 tokens, 1 is contained, 0 overlap, 1 is clean")
    assert "1 too short to say" in words and words.endswith(
        "25.0 % of their tokens stand in the training text."
    )
    assert said(summary_words(ContaminationAnswer())) == "No text was found in these files."


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\n\n  one\ntwo  \n", "  one\u2028two"),
        ("\n" + " " * 31, "↵ and 31 spaces"),
        ("\n\t ", "↵→·"),
        ("word " * 100, "word word …"),
        ("a\nb\nc\nd\ne", "a\u2028b\u2028c …"),
    ],
)
def test_a_quote_is_short_and_blanks_can_be_seen(text: str, shown: str) -> None:
    assert clipped(text, 9, 3) == shown
    assert ending("a/very/long/path.py", 8) == "…path.py" and ending("short", 8) == "short"


def test_what_the_index_is_worth_is_told_with_what_more_text_brought() -> None:
    points = (CurvePoint(0.25, 1_000, 0.40, 0.01), CurvePoint(1.0, 4_000, 0.45, 0.01))
    answer = ValueAnswer(tokens=2_000, hit_rate=0.5, curve=points, positions=100)
    assert "50.0 % of the time" in said(value_words(answer))
    assert said(curve_words(answer)).startswith("4 times the text brought +5.0 percentage points")
    assert "no held-out text" in said(value_words(ValueAnswer()))


def test_an_answer_of_another_version_is_a_known_error() -> None:
    with pytest.raises(KnownError):
        read_answer({"match": {"tokens": "many"}}, LookupAnswer)
    assert read_answer({"later": 1}, LookupAnswer) == LookupAnswer()


def test_questions_that_nobody_waits_for_are_removed(tmp_path: Path) -> None:
    forget_all(tmp_path)
    left = tmp_path / FOLDER / "lookup-1"
    left.mkdir(parents=True)
    forget_all(tmp_path)
    assert not left.exists()


# --- in the window ----------------------------------------------------------------------------


@pytest.fixture
def studio(qapp: QApplication, private_home: Path) -> Iterator[Studio]:
    with open_studio(qapp, private_home) as opened:
        yield opened


@pytest.fixture
def dataset(studio: Studio, tmp_path: Path) -> DatasetRow:
    """A text that says the same again and again, with its index."""
    library = studio[0].library
    row = add_read_dataset(library, write_texts(tmp_path / "bees"))
    row = library.add_index_folder(row.id)
    assert row.index_folder is not None
    assert run_job(row.index_folder, IndexSpec(corpus=str(row.corpus_folder))) == 0
    return row


def open_page(qtbot: QtBot, studio: Studio) -> DataPage:
    page = DataPage(studio[0])
    qtbot.addWidget(page)
    page.resize(1240, 900)
    page.show()
    page.open(None)
    page.shown()
    qtbot.waitUntil(lambda: page._detail.search.isEnabled() and page._facts is not None)
    return page


def test_a_phrase_is_found_with_what_followed_and_where(
    qtbot: QtBot, studio: Studio, dataset: DatasetRow
) -> None:
    page = open_page(qtbot, studio)
    page._detail.search.click()
    search = page.side.search
    assert page.side.sheet.view is search
    qtbot.keyClicks(search.field, PHRASE)
    qtbot.keyClick(search.field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: bool(search.findChildren(SourceCard)), timeout=30_000)
    known = page.side._known[dataset.id].lookup
    assert known is not None and known.phrase.count > 12
    assert known.continuations[0].share == 1.0
    search.findChildren(SourceCard)[0].open_requested.emit(known.sources[0])
    qtbot.waitUntil(lambda: TEXT.strip() in page.side.document.text.toPlainText(), timeout=5_000)
    page.side.document.closed.emit()
    assert page.side.sheet.view is search
    page.grab()
    qtbot.keyClick(page.side.sheet, Qt.Key.Key_Escape)
    assert page.side.sheet.view is None
    page._detail.search.click()
    assert search.field.toPlainText() == PHRASE and search.findChildren(SourceCard)
    qtbot.waitUntil(lambda: not list((studio[0].home / FOLDER).iterdir()), timeout=10_000)
    assert not studio[1].errors


def test_repeated_passages_open_from_their_figure(
    qtbot: QtBot, studio: Studio, dataset: DatasetRow
) -> None:
    page = open_page(qtbot, studio)
    page._detail.figures.cells["Repeated text"].clicked.emit()
    qtbot.waitUntil(lambda: bool(page.side.passages.findChildren(PassageRow)), timeout=30_000)
    page.grab()
    assert not studio[1].errors


def test_what_the_index_is_worth_is_measured_on_demand(
    qtbot: QtBot, studio: Studio, dataset: DatasetRow
) -> None:
    page = open_page(qtbot, studio)
    page._ask(page.side.open_value)
    qtbot.waitUntil(lambda: page.side.value.findChild(CurveChart) is not None, timeout=30_000)
    page.grab()
    assert not studio[1].errors


def test_an_index_that_cannot_be_asked_says_why(
    qtbot: QtBot, studio: Studio, dataset: DatasetRow
) -> None:
    page = open_page(qtbot, studio)
    assert dataset.index_path is not None
    shutil.rmtree(dataset.index_path)
    page._detail.search.click()
    page.side.search.asked.emit(PHRASE)
    qtbot.waitUntil(lambda: page.side.search.findChild(ErrorCard) is not None, timeout=30_000)
    assert page.side._known[dataset.id].phrase == PHRASE


def test_a_new_question_takes_the_place_of_the_one_before(
    qtbot: QtBot, studio: Studio, dataset: DatasetRow
) -> None:
    page = open_page(qtbot, studio)
    page._detail.search.click()
    page.side.search.asked.emit("the hive")
    page.side.search.asked.emit(PHRASE)
    known = page.side._known[dataset.id]
    qtbot.waitUntil(lambda: known.lookup is not None, timeout=30_000)
    assert known.lookup is not None and known.lookup.text == PHRASE
    qtbot.waitUntil(lambda: not page.side._questions._by_folder, timeout=30_000)
    assert not studio[1].errors


def test_files_are_checked_for_what_the_training_text_holds(
    qtbot: QtBot, studio: Studio, dataset: DatasetRow, tmp_path: Path
) -> None:
    seen = tmp_path / "seen.txt"
    seen.write_text(TEXT * 4, encoding="utf-8")
    page = open_page(qtbot, studio)
    page.side.open_contamination(page._facts)  # type: ignore[arg-type]
    page.side.contamination.paths.add([str(seen)])
    page.side.contamination.asked.emit(page.side.contamination.paths.paths)
    known = page.side._known[dataset.id]
    qtbot.waitUntil(lambda: known.contamination is not None, timeout=30_000)
    assert known.contamination is not None and known.contamination.contained == 1
    page.grab()
    assert not studio[1].errors

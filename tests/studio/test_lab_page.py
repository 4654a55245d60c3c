"""The tokenizer lab: settings become a spec, a real comparison is shown, its tokens are found."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from page_for_tests import Seen, add_read_dataset, open_studio, write_texts
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from studio.context import Context
from studio.pages.data.adding.tokenizer_form import TokenizerForm
from studio.pages.data.lab.details import script_rows
from studio.pages.data.lab.form import LabForm, make_spec
from studio.pages.data.lab.page import LabPage
from studio.pages.data.lab.report import (
    CandidateFacts,
    LabReport,
    ScriptFacts,
    TokenFacts,
    search,
)
from studio.pages.data.lab.results import comparison_rows
from studio.pages.data.lab.target import LabTarget, UseTokenizer
from studio.storage.library import DatasetRow
from studio.widgets.cells import Cell
from trainer_core.errors import SpecError
from trainer_core.spec import BpeTokenizer, ByteTokenizer, TextFiles

CORPUS = LabForm(corpus=Path("/data/bees/corpus"))


def token(number: int, text: str, count: int = 0) -> TokenFacts:
    return TokenFacts(number, base64.b64encode(text.encode()).decode(), count)


def test_the_form_becomes_a_comparison() -> None:
    special = TokenizerForm(vocab_size="1,024", special_tokens=("<|user|>",))
    form = replace(CORPUS, candidates=(special, TokenizerForm(kind="bytes")), sample_bytes="2 MB")
    spec = make_spec(form.with_further())
    assert spec.sample_bytes == 2_000_000
    first, second, third = spec.candidates
    assert isinstance(first, BpeTokenizer) and first.special_tokens == ("<|user|>",)
    assert isinstance(second, ByteTokenizer)
    assert isinstance(third, BpeTokenizer) and third.vocab_size == 2048
    files = replace(form, corpus=None, paths=("/texts",)).without(0)
    assert make_spec(files).all_sources == (TextFiles(paths=("/texts",)),)


@pytest.mark.parametrize(
    ("form", "field"),
    [
        (LabForm(), "corpus"),
        (replace(CORPUS, candidates=()), "candidates"),
        (CORPUS.with_candidate(1, TokenizerForm(vocab_size="12")), "candidates[1].vocab_size"),
        (CORPUS.with_candidate(0, TokenizerForm(vocab_size="lots")), "candidates[0].vocab_size"),
        (
            CORPUS.with_candidate(1, TokenizerForm(kind="tokenizer_json")),
            "candidates[1].path",
        ),
        (replace(CORPUS, sample_bytes="none"), "sample_bytes"),
        (replace(CORPUS, sample_bytes="0"), "sample_bytes"),
    ],
)
def test_an_absurd_setting_is_named_by_its_field(form: LabForm, field: str) -> None:
    with pytest.raises(SpecError) as caught:
        make_spec(form)
    assert caught.value.field == field


def test_a_search_finds_parts_and_ids_the_most_frequent_first() -> None:
    vocabulary = (token(0, " the", 9), token(1, "The", 40), token(2, "\n"), token(3, "2"))
    assert [found.id for found in search(vocabulary, "the")] == [1, 0]
    assert [found.id for found in search(vocabulary, "·the")] == [0]
    assert [found.id for found in search(vocabulary, "↵")] == [2]
    assert [found.id for found in search(vocabulary, "2")] == [2, 3]
    assert len(search(vocabulary, "")) == 4


def test_the_best_stands_out_and_what_failed_says_why() -> None:
    report = LabReport(
        bytes=1000,
        candidates=(
            CandidateFacts("small", folder="tokenizer-1", bytes_per_token=3.0, encode_s=0.5),
            CandidateFacts("large", folder="tokenizer-2", bytes_per_token=4.0, lossy_share=0.01),
            CandidateFacts("broken", error="It is no tokenizer."),
        ),
    )
    small, large, broken = comparison_rows(report)
    assert (small.cell("bytes").role, large.cell("bytes").role) == (None, "ok")
    assert small.cell("encode").text.endswith("kB/s")
    assert "comes back changed" in large.cell("name").tooltip
    assert large.cell("use").link and not broken.cell("use").link
    assert broken.cell("use").tooltip == "It is no tokenizer."


def test_scripts_are_compared_where_a_text_has_them() -> None:
    one = CandidateFacts("one", scripts=(ScriptFacts("Latin", 90, 30), ScriptFacts("Han", 10, 10)))
    two = CandidateFacts("two", scripts=(ScriptFacts("Latin", 90, 45),))
    latin, han = script_rows([one, two])
    assert (latin.key, han.key) == ("Latin", "Han")
    assert (latin.cell("0").role, latin.cell("1").role) == ("ok", None)
    assert isinstance(han.cell("1"), Cell) and han.cell("1").text == "–"


# --- with a real job -----------------------------------------------------------------------------


@pytest.fixture
def studio(qapp: QApplication, private_home: Path) -> Iterator[tuple[Context, Seen]]:
    with open_studio(qapp, private_home) as opened:
        yield opened


@pytest.fixture
def dataset(studio: tuple[Context, Seen], tmp_path: Path) -> DatasetRow:
    return add_read_dataset(studio[0].library, write_texts(tmp_path / "bees", 40))


def open_page(qtbot: QtBot, studio: tuple[Context, Seen], dataset: DatasetRow) -> LabPage:
    page = LabPage(studio[0])
    qtbot.addWidget(page)
    page.resize(1384, 844)
    page.show()
    page.open(LabTarget(dataset.id))
    page.shown()
    qtbot.waitUntil(lambda: page.setup.form().corpus == dataset.corpus_folder)
    return page


def test_tokenizers_are_compared_looked_at_and_used(
    qtbot: QtBot, studio: tuple[Context, Seen], dataset: DatasetRow
) -> None:
    page = open_page(qtbot, studio, dataset)
    first, second = page.setup.cards
    first.fields["vocab_size"].control.setText("12")  # type: ignore[attr-defined]
    assert first.fields["vocab_size"].error and not page.setup.start.isEnabled()
    first.fields["vocab_size"].control.setText("300")  # type: ignore[attr-defined]
    second.kind.setCurrentIndex(second.kind.findData("bytes"))
    second.kind.activated.emit(second.kind.currentIndex())
    page.setup.sample.setText("4 kB")
    page.setup.sample.textEdited.emit("4 kB")
    assert page.setup.start.isEnabled()
    page.setup.start.click()
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.results, timeout=60_000)
    assert page.results.table.model.rowCount() == 2
    assert page.results.texts.columns[0].text.count < page.results.texts.columns[1].text.count
    page.results.views._choose(4)
    page.results.vocabulary.search.setText("bee")
    qtbot.waitUntil(lambda: "token" in page.results.vocabulary.found.text())
    for view in range(4):
        page.results.views._choose(view)
        page.grab()
    page.results.table.link_clicked.emit(0, "use")
    where, target = studio[1].places[-1]
    assert where == "data" and isinstance(target, UseTokenizer)
    assert target.folder.is_dir()
    again = open_page(qtbot, studio, dataset)
    qtbot.waitUntil(lambda: again.stack.currentWidget() is again.results, timeout=10_000)
    assert again.setup.cards[0].form().vocab_size == "300"
    assert not studio[1].errors
    qtbot.keyClick(again, Qt.Key.Key_Escape)
    assert studio[1].places[-1] == ("data", None)

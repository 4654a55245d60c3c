"""What the cards of a dataset say of its text."""

from __future__ import annotations

import math
from pathlib import Path

from page_for_tests import DATASET
from pytestqt.qtbot import QtBot

from studio.pages.data.corpus import (
    AmountFacts,
    ContextCost,
    CorpusFiles,
    Crop,
    EntropyFacts,
    LengthBar,
    ManifestFacts,
    NamedSourceFacts,
    NGram,
    NGrams,
    PackingCost,
    SourceFacts,
    SourceLengths,
    SplitFacts,
    StatisticsFacts,
    load_json,
)
from studio.pages.data.facts import DatasetFacts, make_facts
from studio.pages.data.index_state import NO_INDEX
from studio.pages.data.length_card import LengthCard
from studio.pages.data.packing_costs import PackingCosts
from studio.pages.data.sources_table import SourcesTable
from studio.pages.data.strip import FigureStrip
from studio.pages.data.text_cards import EntropyCard, RunsCard, seen
from studio.widgets.label import Label
from trainer_core.data.corpus import open_corpus
from trainer_core.data.preparing.build import build_corpus
from trainer_core.data.statistics import STATISTICS_NAME
from trainer_core.spec import ByteTokenizer, PrepareSpec, TextFiles
from trainer_core.status import JobStatus

COST = ContextCost(
    context=1024,
    longer=0.185,
    stream=PackingCost(padding=0.0001, split=0.8),
    best_fit=PackingCost(padding=0.002, split=0.185),
    documents=PackingCost(lost=0.298, padding=0.41, split=0.0),
)
MANIFEST = ManifestFacts(
    vocab_size=1024,
    train=SplitFacts(1000, 30, 3000),
    source=SourceFacts(documents_read=33),
)


def facts_of(manifest: ManifestFacts, **known: object) -> DatasetFacts:
    statistics = StatisticsFacts(**known)  # type: ignore[arg-type]
    files = CorpusFiles(manifest=manifest, statistics=statistics)
    return make_facts(DATASET, files, JobStatus(verb="prepare", state="finished"), NO_INDEX)


def words(widget: object) -> str:
    labels = widget.findChildren(Label)  # type: ignore[attr-defined]
    said = " | ".join(label.text() for label in labels if not label.isHidden())
    return said.replace("\u2005", " ")


def test_each_packing_says_what_it_loses_and_pads(qtbot: QtBot) -> None:
    costs = PackingCosts()
    qtbot.addWidget(costs)
    costs.show_cost(COST)
    assert words(costs) == (
        "One stream | 0.0 % | 0.0 % padding | Whole documents | 0.0 % | 0.2 % padding"
        " | One a row | 29.8 % | 41.0 % padding"
    )
    assert [bar.share for bar in costs._bars.values()] == [0.0, 0.0, 0.298]


def test_old_statistics_tell_what_cropping_loses_and_no_padding(qtbot: QtBot) -> None:
    card = LengthCard()
    qtbot.addWidget(card)
    crops = (Crop(256, 0.5, 0.4), Crop(1024, 0.2, 0.1))
    lengths = (LengthBar(1.0, 2.0, 3),)
    card.show_facts(facts_of(MANIFEST, crops=crops, lengths=lengths), 1000)
    said = words(card)
    assert "20.0 % of documents are longer than the context" in said
    assert "10.0 %" in said and "padding" not in said
    card.show_facts(facts_of(MANIFEST), 1000)
    assert card.costs.isHidden()


def test_the_lengths_of_one_source_can_be_shown(qtbot: QtBot) -> None:
    card = LengthCard()
    qtbot.addWidget(card)
    both, news = (LengthBar(1.0, 2.0, 9),), (LengthBar(4.0, 8.0, 3),)
    sources = (
        SourceLengths("news", median_tokens=5.0, lengths=news),
        SourceLengths("books", median_tokens=1.0, lengths=()),
    )
    card.show_facts(facts_of(MANIFEST, lengths=both, sources=sources), 1024)
    assert card.chart._bars == both and not card.sources.isHidden()
    card.show_source("news")
    assert (card.chart._bars, card.sources.text()) == (news, "news")
    card.show_facts(facts_of(MANIFEST, lengths=both, sources=sources), 512)
    assert card.chart._bars == news  # facts that come again do not take the choice back
    card.show_source("")
    assert (card.chart._bars, card.sources.text()) == (both, "All sources")
    card.show_facts(facts_of(MANIFEST, lengths=both, sources=sources[:1]), 512)
    assert card.sources.isHidden()


def test_entropies_stand_beside_that_of_no_knowledge(qtbot: QtBot) -> None:
    card = EntropyCard()
    qtbot.addWidget(card)
    entropy = EntropyFacts(unigram=4.0, bigram=2.0, tokens=500, of_tokens=1000)
    card.show_facts(facts_of(MANIFEST, entropy=entropy))
    assert card.nothing.value.text() == f"{math.log(1024):.3f}"
    assert (card.unigram.value.text(), card.bigram.value.text()) == ("4.000", "2.000")
    assert "Counted on 500 of 1,000 training tokens" in words(card).replace("1k", "1,000")
    bits = 4.0 * (1000 / 3000) / math.log(2)
    assert f"{bits:.3f}" in words(card)
    card.show_facts(facts_of(MANIFEST))
    assert card.isHidden()


def test_token_runs_show_white_space_as_signs(qtbot: QtBot) -> None:
    assert seen(" a\n\tb\r\x00") == "·a↵⇥b␍▯"
    card = RunsCard()
    qtbot.addWidget(card)
    ngrams = (
        NGrams(1, 100, 9, (NGram(" the", 50), NGram(".", 25))),
        NGrams(2, 90, 20, (NGram(".\n", 12),)),
    )
    card.show_facts(facts_of(MANIFEST, ngrams=ngrams, ngram_tokens=100))
    assert [row.text.text() for row in card.rows[:2]] == ["·the", "."]
    card.length.set_current("2")
    card.length.chosen.emit("2")
    assert card.rows[0].text.text() == ".↵"
    assert card.rows[1].text.isHidden()
    assert "100 of 1k training tokens" in words(card)


def test_several_sources_have_a_table_and_one_has_none(qtbot: QtBot) -> None:
    table = SourcesTable()
    qtbot.addWidget(table)
    table.show_facts(facts_of(MANIFEST))
    assert table.isHidden()
    sources = (
        NamedSourceFacts("files", name="news", train=AmountFacts(10, 600, 1180)),
        NamedSourceFacts("none", name="empty"),
    )
    manifest = ManifestFacts(train=SplitFacts(800, 10, 1180), sources=sources)
    known = (SourceLengths("news", 2.0, 59.0, 40.0, 300),)
    table.show_facts(facts_of(manifest, sources=known))
    assert not table.isHidden()
    news, empty = table.table.model.rows
    cells = [news.cell(c).text for c in ("documents", "bytes_per_token", "median")]
    assert cells == ["10", "2.00", "40"]
    assert news.cell("share").share == 0.75
    assert (empty.cell("bytes_per_token").text, empty.cell("median").text) == ("–", "–")


def test_the_strip_counts_documents(qtbot: QtBot) -> None:
    strip = FigureStrip()
    qtbot.addWidget(strip)
    strip.show_facts(facts_of(MANIFEST))
    assert strip.cells["Text"].context.text() == "UTF-8, 33 documents"


def test_the_studio_reads_what_the_trainer_writes(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    for number in range(9):
        (tmp_path / "texts" / f"{number}.txt").write_text(f"Text {number}. " * (number + 1) * 5)
    source = TextFiles(paths=(str(tmp_path / "texts"),))
    build_corpus(PrepareSpec(source=source, tokenizer=ByteTokenizer()), tmp_path / "corpus")
    corpus = open_corpus(tmp_path / "corpus")
    found = load_json(corpus.folder / STATISTICS_NAME, StatisticsFacts)
    assert found is not None and found.entropy is not None
    assert found.entropy.of_tokens == corpus.train.n_tokens
    assert [runs.n for runs in found.ngrams] == [1, 2, 3, 4, 5]
    cost = found.cost(64)
    assert cost is not None and cost.context == 64
    assert 0 < cost.documents.lost < 1 and 0 < cost.best_fit.padding < 1
    assert found.sources[0].longest_tokens == found.longest_tokens > 0

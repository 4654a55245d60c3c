"""The statistics of a corpus agree with its documents."""

from __future__ import annotations

import base64
import bisect
import itertools
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer_core.data.batches.packing import crop, fit
from trainer_core.data.corpus import Corpus
from trainer_core.data.preparing.build import build_corpus
from trainer_core.data.statistics import (
    STATISTICS_NAME,
    SampleDocument,
    read_statistics,
    write_statistics,
)
from trainer_core.data.statistics.costs import best_fit_rows, context_costs
from trainer_core.data.statistics.entropy import text_entropy
from trainer_core.data.statistics.lengths import length_bars
from trainer_core.data.statistics.ngrams import top_ngrams
from trainer_core.spec import BpeTokenizer, ByteTokenizer, PrepareSpec, TextFiles


def prepared(tmp_path: Path, texts: list[str], **changes: object) -> Corpus:
    source = tmp_path / "texts"
    source.mkdir()
    for number, text in enumerate(texts):
        (source / f"{number:03}.txt").write_text(text, encoding="utf-8")
    values: dict[str, object] = {"tokenizer": ByteTokenizer()} | changes
    spec = PrepareSpec(source=TextFiles(paths=(str(source),)), **values)  # type: ignore[arg-type]
    return build_corpus(spec, tmp_path / "corpus")


def pieces(sample: SampleDocument) -> list[bytes]:
    raw, found, start = base64.b64decode(sample.data), [], 0
    for length in sample.lengths:
        found.append(raw[start : start + length])
        start += length
    return found


def test_lengths_are_counted_over_both_sides(tmp_path: Path) -> None:
    lengths = [10, 40, 40, 100, 1000]
    corpus = prepared(tmp_path, [chr(97 + i) * n for i, n in enumerate(lengths)])
    found = read_statistics(corpus.folder)
    assert found is not None
    assert found.documents == 5
    assert found.mean_tokens == pytest.approx(np.mean(lengths))
    assert found.median_tokens == 40
    assert found.longest_tokens == 1000
    assert sum(bar.documents for bar in found.lengths) == 5
    cost = next(cost for cost in found.contexts if cost.context == 64)
    assert cost.longer == pytest.approx(2 / 5)


def test_bars_meet_on_a_log_scale_and_powers_of_two_open_a_bar() -> None:
    bars = length_bars(np.array([1, 15, 16, 17, 31, 32, 0]))
    assert [bar.high for bar in bars[:-1]] == pytest.approx([bar.low for bar in bars[1:]])
    of_16 = next(bar for bar in bars if bar.low == pytest.approx(16))
    assert of_16.documents == 2
    assert sum(bar.documents for bar in bars) == 7


def test_samples_give_the_text_back_token_by_token(tmp_path: Path) -> None:
    texts = [f"Text number {i}: über {'word ' * 20}" for i in range(30)]
    corpus = prepared(tmp_path, texts, tokenizer=BpeTokenizer(vocab_size=300))
    found = read_statistics(corpus.folder)
    assert found is not None and len(found.samples) == 24
    for sample in found.samples:
        info = corpus.train.document(sample.document)
        assert (info.title, info.n_tokens - 1, info.n_bytes) == (
            sample.title,
            sample.tokens,
            sample.bytes,
        )
        assert b"".join(pieces(sample)).decode() in texts
        assert len(sample.lengths) == sample.tokens


def test_writing_again_gives_the_same_bytes(tmp_path: Path) -> None:
    corpus = prepared(tmp_path, ["some text " * 9, "other text"])
    before = (corpus.folder / STATISTICS_NAME).read_bytes()
    write_statistics(corpus)
    assert (corpus.folder / STATISTICS_NAME).read_bytes() == before
    assert sorted(path.name for path in corpus.folder.glob(".*")) == []


def test_statistics_that_cannot_be_read_are_none(tmp_path: Path) -> None:
    assert read_statistics(tmp_path) is None
    (tmp_path / STATISTICS_NAME).write_text('{"version": "x"}')
    assert read_statistics(tmp_path) is None


def test_each_packing_is_costed_on_the_training_part(tmp_path: Path) -> None:
    corpus = prepared(tmp_path, [chr(97 + i) * n for i, n in enumerate((9, 20, 30, 70, 200))])
    train = [info + 1 for info in training_lengths(corpus)]
    found = read_statistics(corpus.folder)
    assert found is not None
    cost = next(cost for cost in found.contexts if cost.context == 64)
    total = sum(train)
    assert cost.stream.rows == -(-total // 64)
    assert (cost.stream.lost, cost.best_fit.lost) == (0.0, 0.0)
    assert cost.documents.rows == len(train)
    assert cost.documents.lost == pytest.approx(sum(max(n - 64, 0) for n in train) / total)
    held = sum(min(n, 64) for n in train)
    assert cost.documents.padding == pytest.approx(1 - held / (64 * len(train)))
    assert cost.best_fit.rows == rows_one_by_one(train, 64)
    assert cost.best_fit.padding == pytest.approx(1 - total / (64 * cost.best_fit.rows))
    assert cost.best_fit.split == pytest.approx(sum(n > 64 for n in train) / len(train))


def training_lengths(corpus: Corpus) -> list[int]:
    return [corpus.train.document(i).n_tokens - 1 for i in range(corpus.train.n_documents)]


def rows_one_by_one(lengths: list[int], context: int) -> int:
    """Best fit decreasing, one document after another."""
    rows, rooms = sum(length // context for length in lengths), list[int]()
    for rest in sorted((n % context for n in lengths if n % context), reverse=True):
        at = bisect.bisect_left(rooms, rest)
        rows += at == len(rooms)
        room = context if at == len(rooms) else rooms.pop(at)
        bisect.insort(rooms, room - rest)
    return rows


@given(st.lists(st.integers(1, 90), min_size=1, max_size=60), st.integers(1, 40))
def test_best_fit_rows_are_those_of_one_document_after_another(
    lengths: list[int], context: int
) -> None:
    assert best_fit_rows(np.array(lengths), context) == rows_one_by_one(lengths, context)


@given(st.lists(st.integers(0, 300), min_size=1, max_size=60))
def test_the_costs_are_those_of_the_rows_that_a_training_has(lengths: list[int]) -> None:
    train = np.array(lengths)
    for cost in context_costs(train, train)[:4]:
        plans = fit(train + 1, cost.context), crop(train + 1, cost.context)
        for found, plan in zip((cost.best_fit, cost.documents), plans, strict=True):
            places = plan.rows * cost.context
            assert found.rows == plan.rows
            assert found.padding == pytest.approx(plan.padding / places)
            assert found.lost == pytest.approx(plan.lost / (train + 1).sum())
            assert found.split == pytest.approx(plan.split / len(train))


class Stream:
    """Tokens without a corpus."""

    def __init__(self, tokens: np.ndarray) -> None:
        self.n_tokens = len(tokens)
        self._tokens = tokens

    def read(self, start: int, stop: int) -> np.ndarray:
        return self._tokens[start:stop]


def entropies(tokens: list[int]) -> tuple[float, float]:
    """By the definition, with counters."""
    alone, pairs = Counter(tokens), Counter(itertools.pairwise(tokens))
    before = Counter(tokens[:-1])
    unigram = -sum(n / len(tokens) * math.log(n / len(tokens)) for n in alone.values())
    total = len(tokens) - 1
    bigram = -sum(n / total * math.log(n / before[first]) for (first, _), n in pairs.items())
    return unigram, bigram


@pytest.mark.parametrize("vocab_size", [2, 300, 65_536, 100_000])
@pytest.mark.parametrize("pass_pairs", [1, 50, 10**6])
def test_entropies_are_those_of_the_definition(vocab_size: int, pass_pairs: int) -> None:
    random = np.random.default_rng(vocab_size)
    ids = np.minimum(random.zipf(1.5, 3000) - 1, vocab_size - 1)
    tokens = ids.astype(np.uint16 if vocab_size <= 2**16 else np.uint32)
    found = text_entropy(Stream(tokens), vocab_size, pass_pairs=pass_pairs)
    assert (found.unigram, found.bigram) == pytest.approx(entropies(ids.tolist()))
    assert (found.tokens, found.of_tokens) == (3000, 3000)


def test_entropies_do_not_depend_on_how_the_text_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = np.random.default_rng(1).integers(0, 9, 1000).astype(np.uint16)
    whole = text_entropy(Stream(tokens), 9)
    monkeypatch.setattr("trainer_core.data.statistics.blocks.counted_blocks.__defaults__", (7,))
    assert text_entropy(Stream(tokens), 9) == whole


def test_a_large_text_is_counted_in_evenly_spaced_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer_core.data.statistics.blocks.counted_blocks.__defaults__", (100,))
    tokens = np.repeat(np.arange(10), 1000).astype(np.uint16)
    found = text_entropy(Stream(tokens), 10, limit=2000)
    assert (found.tokens, found.of_tokens) == (2000, 10_000)
    assert found.unigram == pytest.approx(math.log(10), abs=0.01)  # each tenth is looked at


def test_a_text_of_one_token_has_no_entropy() -> None:
    for length in (1, 2, 500):
        found = text_entropy(Stream(np.zeros(length, np.uint16)), 4)
        assert (found.unigram, found.bigram) == (0.0, 0.0)


def test_ngrams_are_counted_inside_documents(tmp_path: Path) -> None:
    corpus = prepared(tmp_path, ["abcab", "cabca", "bcbcabc", "xabcx", "zzzz"])
    ngrams, looked_at = top_ngrams(corpus)
    ids = corpus.train.tokens().tolist()
    documents = [part for part in bytes_between(ids, corpus.separator) if part]
    assert looked_at == sum(map(len, documents))
    for found in ngrams:
        runs = Counter(
            part[i : i + found.n] for part in documents for i in range(len(part) - found.n + 1)
        )
        assert (found.total, found.different) == (runs.total(), len(runs))
        assert [run.count for run in found.top] == sorted(runs.values(), reverse=True)[:25]
        assert all(runs[run.text.encode()] == run.count for run in found.top)
    assert [found.n for found in ngrams] == [1, 2, 3, 4, 5]


def bytes_between(ids: list[int], separator: int) -> list[bytes]:
    parts, part = list[bytes](), bytearray()
    for token in [*ids, separator]:
        if token == separator:
            parts.append(bytes(part))
            part.clear()
        else:
            part.append(token)
    return parts


def test_each_source_has_figures_of_its_own(tmp_path: Path) -> None:
    for name, lengths in (("short", (3, 5, 7)), ("long", (100, 200, 300))):
        (tmp_path / name).mkdir()
        for number, length in enumerate(lengths):
            (tmp_path / name / f"{number}.txt").write_text(chr(98 + number) * length + name)
    sources = tuple(
        TextFiles(paths=(str(tmp_path / name),), name=name) for name in ("short", "long")
    )
    spec = PrepareSpec(sources=sources, tokenizer=ByteTokenizer(), validation_fraction=0.5)
    found = read_statistics(build_corpus(spec, tmp_path / "corpus").folder)
    assert found is not None
    short, long = found.sources
    assert (short.name, short.documents, short.bytes, short.tokens) == ("short", 3, 30, 33)
    assert (short.median_tokens, short.longest_tokens, short.bytes_per_token) == (10, 12, 1.0)
    assert (long.name, long.mean_tokens, long.longest_tokens) == ("long", 204, 304)
    assert sum(bar.documents for bar in long.lengths) == 3


def test_statistics_of_version_1_are_read(tmp_path: Path) -> None:
    (tmp_path / STATISTICS_NAME).write_text(
        '{"version":1,"documents":2,"mean_tokens":3.0,"median_tokens":3.0,"longest_tokens":4,'
        '"lengths":[],"crops":[{"context":32,"longer":0.0,"lost":0.0}],"samples":[]}'
    )
    found = read_statistics(tmp_path)
    assert found is not None
    assert (found.version, found.documents, found.entropy, found.contexts) == (1, 2, None, ())

"""The statistics of a corpus agree with its documents."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest

from trainer_core.data.corpus import Corpus
from trainer_core.data.preparing.build import build_corpus
from trainer_core.data.statistics import (
    STATISTICS_NAME,
    SampleDocument,
    length_bars,
    read_statistics,
    write_statistics,
)
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


def test_lengths_and_crops_are_counted_over_both_sides(tmp_path: Path) -> None:
    lengths = [10, 40, 40, 100, 1000]
    corpus = prepared(tmp_path, [chr(97 + i) * n for i, n in enumerate(lengths)])
    found = read_statistics(corpus.folder)
    assert found is not None
    assert found.documents == 5
    assert found.mean_tokens == pytest.approx(np.mean(lengths))
    assert found.median_tokens == 40
    assert found.longest_tokens == 1000
    assert sum(bar.documents for bar in found.lengths) == 5
    crop = next(crop for crop in found.crops if crop.context == 64)
    assert crop.longer == pytest.approx(2 / 5)
    assert crop.lost == pytest.approx((36 + 936) / sum(lengths))


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

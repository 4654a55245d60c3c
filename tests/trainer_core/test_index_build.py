"""Building an index: key ranges, chunks, memory limits, shards."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from index_builds import (
    contents,
    some_source,
)
from index_for_tests import grown_corpus, source_of

from trainer_core.index import (
    build_from,
    open_index,
    store,
)
from trainer_core.index.building import budget
from trainer_core.index.building import source as reading
from trainer_core.index.building.assembly import Settings
from trainer_core.index.building.budget import Need, cut_chunks
from trainer_core.index.building.build import build, source_of_corpus
from trainer_core.index.compiled import COMPILED
from trainer_core.index_plan import expected_bytes


def test_ranges_divide_the_vocabulary_and_never_a_token():
    bounds = np.array([0, 3, 3, 10, 11, 12, 12])
    ranges = store.cut_ranges(bounds, 4)
    assert [(r.first_token, r.stop_token) for r in ranges] == [(0, 2), (2, 3), (3, 6)]
    assert [(r.first_rank, r.entries) for r in ranges] == [(0, 3), (3, 7), (10, 2)]
    assert len(store.cut_ranges(bounds, 12)) == 1


def test_key_ranges_change_nothing_but_the_files(tmp_path):
    source = some_source()
    build_from(source, tmp_path / "one")
    build_from(source, tmp_path / "many", range_entries=100)
    one, many = open_index(tmp_path / "one"), open_index(tmp_path / "many", verify=True)
    assert len(many.manifest.ranges) > 4
    joined = [
        (tmp_path / "many" / store.range_file("sorted", number)).read_bytes()
        for number in range(len(many.manifest.ranges))
    ]
    assert b"".join(joined) == (tmp_path / "one" / "sorted-000.bin").read_bytes()
    for context in ([1, 2], [0, 3], [8, 8, 1]):
        assert one.lookup(context) == many.lookup(context)


@pytest.mark.parametrize(("dtype", "vocab_size"), [(np.uint16, 9), (np.uint32, 70_000)])
@pytest.mark.parametrize("size", [1, 2, 15, 16, 17, 66, 5_000])
def test_the_expected_size_is_the_size(tmp_path, dtype, vocab_size, size):
    source = some_source(size, vocab_size, dtype)
    manifest = build_from(source, tmp_path / "index")
    expected = expected_bytes(size, 150, source.document_start.size, vocab_size)
    assert expected == sum(entry.size_bytes for entry in manifest.files)


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
@pytest.mark.parametrize(
    ("limit_bytes", "threads", "range_entries"),
    [(40_000, 1, 1 << 28), (30_000, 2, 500), (9_000, 1, 200), (3_000, 1, 1 << 28)],
)
def test_chunks_and_threads_change_no_byte(tmp_path, dtype, limit_bytes, threads, range_entries):
    source = some_source(2_000, dtype=dtype)
    build_from(source, tmp_path / "one", range_entries=range_entries, threads=1)
    settings = Settings(32, limit_bytes, threads, range_entries)
    built = build(source, tmp_path / "many", settings)
    assert contents(tmp_path / "many") == contents(tmp_path / "one")
    assert built.chunks > 1 or not COMPILED
    assert not built.resumed
    assert not built.appended


@pytest.mark.parametrize("max_length", [1, 2, 7, 64])
def test_chunks_of_one_long_document_meet_in_it(tmp_path, max_length):
    text = np.concatenate([[0], np.tile(np.arange(1, 30) % 8 + 1, 40)])
    source = source_of(text, [0], vocab_size=9)
    build_from(source, tmp_path / "one", max_length=max_length)
    build_from(source, tmp_path / "many", max_length=max_length, memory_limit_bytes=8_000)
    assert contents(tmp_path / "many") == contents(tmp_path / "one")


@pytest.mark.parametrize("largest_share", [0.0001, 0.05, 0.2, 0.9, 1.0])
@pytest.mark.parametrize("n_tokens", [1, 1_000, 50_000_000, 2_000_000_000])
def test_a_text_that_fits_is_one_chunk(n_tokens, largest_share):
    need = Need(
        dtype="uint16", text_bytes=0, vocab_size=300, largest_share=largest_share, threads=1
    )
    chunks, _ = cut_chunks(0, n_tokens, need, 1 << 40)
    assert chunks == ((0, n_tokens),)


def test_less_memory_makes_more_chunks_that_keep_to_it():
    need = Need(dtype="uint16", text_bytes=0, vocab_size=50_257, largest_share=0.05, threads=2)
    counts = []
    for limit_mb in (100_000, 3_000, 1_000, 500):
        chunks, work_entries = cut_chunks(0, 300_000_000, need, limit_mb << 20)
        assert [first for first, _ in chunks[1:]] == [stop for _, stop in chunks[:-1]]
        assert (chunks[0][0], chunks[-1][1]) == (0, 300_000_000)
        assert need.bytes_for(chunks[0][1], work_entries) <= limit_mb << 20
        counts.append(len(chunks))
    assert counts[0] == 1
    assert counts == sorted(set(counts))


def test_a_limit_that_no_build_can_keep_to_does_not_make_countless_chunks():
    need = Need(dtype="uint16", text_bytes=0, vocab_size=50_257, largest_share=0.05, threads=1)
    assert need.bytes_for(0, 0) > 2_400_000
    chunks, work_entries = cut_chunks(0, 300_000, need, 2_400_000)
    assert len(chunks) < 10
    assert work_entries > 1_000


def test_the_automatic_limit_is_half_of_what_is_free_in_a_container_too(tmp_path, monkeypatch):
    free = 8 << 30
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=free))
    monkeypatch.setattr(budget, "_CONTAINER", tmp_path)
    assert budget.automatic_limit() == 4 << 30
    (tmp_path / "memory.current").write_text(f"{1 << 30}\n")
    for written, expected in (("max", 4 << 30), (str(3 << 30), 1 << 30), ("9", 256 << 20)):
        (tmp_path / "memory.max").write_text(written + "\n")
        assert budget.automatic_limit() == expected


def test_a_corpus_in_many_shards_is_read_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_BLOCK_TOKENS", 500)
    corpus = grown_corpus(tmp_path, 12, shard_tokens=700)
    assert len(corpus.manifest.train.shards) > 5
    of_corpus = source_of_corpus(corpus.folder)
    assert not isinstance(of_corpus.tokens, np.ndarray)
    build(of_corpus, tmp_path / "parts", Settings())
    build_from(dataclasses.replace(of_corpus, tokens=corpus.train.tokens()), tmp_path / "joined")
    assert contents(tmp_path / "parts") == contents(tmp_path / "joined")

"""Building an index: key ranges, chunks, memory limits, resuming, adding documents."""

import numpy as np
import pytest
from index_for_tests import source_of

from trainer_core.index import build_from, open_index, store
from trainer_core.index_plan import expected_bytes


def text_of(size, vocab_size=9, seed=3, dtype=np.uint16):
    """Documents that quote each other, as tokens and where each begins."""
    random = np.random.default_rng(seed)
    text = np.zeros(size, dtype=np.int64)
    done = 1
    while done < size:
        fresh = random.integers(1, vocab_size, random.integers(1, 40))
        begin = random.integers(0, done)
        quoted = text[begin : begin + random.integers(1, 90)]
        piece = np.concatenate([quoted[quoted > 0], fresh, [0] * (random.random() < 0.2)])
        text[done : done + piece.size] = piece[: size - done]
        done += piece.size
    return text.astype(dtype), np.flatnonzero(text == 0)


def some_source(size=600, vocab_size=9, dtype=np.uint16):
    text, starts = text_of(size, vocab_size, dtype=dtype)
    held_out, held_out_starts = text_of(150, vocab_size, seed=8, dtype=dtype)
    return source_of(text, starts, held_out, held_out_starts, dtype=dtype, vocab_size=vocab_size)


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

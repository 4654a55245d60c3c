"""The engine on chunks and token ranges: order, shared lengths and records as pairs give them."""

import threading
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer_core.errors import IndexFileError
from trainer_core.index.compiled import COMPILED
from trainer_core.index.records import COUNT_MAX, empty_records
from trainer_core.index.sorting import engine
from trainer_core.index.sorting.engine import check_size, sort_range, working_bytes
from trainer_core.index.sorting.packing import Fields, fields_of, records_of
from trainer_core.index.tokens import Text

needs_numba = pytest.mark.skipif(not COMPILED, reason="numba cannot be loaded here")


@st.composite
def chunks(draw):
    """A text, and a chunk and a token range in it."""
    dtype = draw(st.sampled_from([np.uint16, np.uint32]))
    keeps_end = draw(st.sampled_from([0, 1]))
    end = draw(st.sampled_from([0, 3, 9, 65535])) if keeps_end else 0
    piece = draw(st.lists(st.integers(1, draw(st.integers(1, 5))), min_size=1, max_size=60))
    tokens = np.array((piece * draw(st.sampled_from([1, 1, 2, 5])))[:60])
    tokens[tokens == end] = 7
    tokens[[0, *draw(st.lists(st.integers(0, tokens.size - 1), max_size=4))]] = end
    if not keeps_end:  # no empty documents
        tokens[1:][(tokens[1:] == end) & (tokens[:-1] == end)] = 7
    text = Text(tokens.astype(dtype), end, keeps_end, draw(st.sampled_from([1, 2, 4, 5, 9, 64])))
    first = draw(st.integers(0, tokens.size - 1))
    stop = draw(st.integers(first, tokens.size))
    low = draw(st.integers(1 - keeps_end, 8))
    high = draw(st.one_of(st.integers(low, 10), st.just(1 << 16)))
    return text, dict(low=low, high=high, first=first, stop=stop)


def begin_of(text, position):
    ends = np.flatnonzero(text.tokens[: position + 1] == text.end)
    return int(ends[-1]) + 1 - text.keeps_end


def context_of(text, position):
    begin = max(begin_of(text, position), position - text.max_length + 1)
    return text.tokens[begin : position + 1][::-1].tolist()


def shared_by(one, other):
    length = 0
    while length < min(len(one), len(other)) and one[length] == other[length]:
        length += 1
    return length


def following(text, position):
    after = [int(token) for token in text.tokens[position + 1 :]]
    if not text.keeps_end and len(after) > 1 and after[0] == text.end:
        after = after[1:]
    return after[0] if after else text.end


def brute_match(text, contexts, positions, position):
    """(length, next, second, count, same document), second being next where there is none."""
    earlier = [p for p in positions if p < position]
    lengths = [shared_by(contexts[p], contexts[position]) for p in earlier]
    longest = max(lengths, default=0)
    if not longest:
        return (0, 0, 0, 0, False)
    found = [p for p, length in zip(earlier, lengths, strict=True) if length == longest]
    follows = [following(text, p) for p in found]
    others = [token for token in follows if token != follows[-1]]
    same_document = found[-1] >= begin_of(text, position)
    return (longest, follows[-1], (others or follows)[-1], len(found), same_document)


def sort(text, *, threads=1, **chunk):
    """Order, shared lengths and records of a range of a chunk."""
    begin = begin_of(text, chunk["first"])
    records = empty_records(chunk["stop"] - chunk["first"], text.tokens.dtype)
    found = sort_range(
        text, **chunk, document_begin=begin, records=records, with_shared=True, threads=threads
    )
    return found.order, found.shared, records


def rows_of(records, dtype):
    fields = fields_of(records, np.dtype(dtype))
    names = ("length", "next", "second", "count", "same_document")
    return list(zip(*(getattr(fields, name).tolist() for name in names), strict=True))


@pytest.mark.parametrize("compiled", [pytest.param(True, marks=needs_numba), False])
@given(chunks(), st.sampled_from([1, 3]), st.sampled_from([4, 1 << 24]))
@settings(max_examples=150, deadline=None)
def test_a_range_of_a_chunk_is_sorted_and_matched_as_pairs_say(compiled, drawn, threads, entries):
    text, chunk = drawn
    with patch.object(engine, "COMPILED", compiled), patch.object(engine, "SPAN_ENTRIES", entries):
        order, shared, records = sort(text, threads=threads, **chunk)
    inside = range(chunk["first"], chunk["stop"])
    positions = [p for p in inside if chunk["low"] <= text.tokens[p] < chunk["high"]]
    contexts = {p: context_of(text, p) for p in positions}
    expected = sorted(positions, key=lambda p: (contexts[p], p))
    assert order.tolist() == expected
    neighbours = zip([[], *(contexts[p] for p in expected)], expected, strict=False)
    assert shared.tolist() == [shared_by(before, contexts[p]) for before, p in neighbours]
    for position, row in zip(inside, rows_of(records, text.tokens.dtype), strict=True):
        if position in contexts:
            assert row == brute_match(text, contexts, positions, position)
        else:
            assert row == (0, 0, 0, 0, False)


def repetitive(alphabet, dtype, size=6000):
    """Random tokens with a long repeat, many short ones, and documents that begin with 0."""
    random = np.random.default_rng(alphabet)
    tokens = random.integers(1, alphabet + 1, size).astype(dtype)
    tokens[3000:4500] = tokens[1000:2500]
    tokens[5000:5900] = np.tile(tokens[:30], 30)
    tokens[[0, *random.integers(0, size, 12)]] = 0
    return tokens


@needs_numba
@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
@pytest.mark.parametrize(
    ("alphabet", "max_length"), [(1, 32), (2, 7), (3, 64), (40, 32), (900, 5), (5000, 1)]
)
def test_compiled_and_numpy_path_are_equal_on_larger_groups(alphabet, max_length, dtype):
    text = Text(repetitive(alphabet, dtype), 0, 1, max_length)
    chunk = dict(low=0, high=alphabet + 1, first=700, stop=5950)
    compiled = sort(text, **chunk)
    with patch.object(engine, "COMPILED", False):
        plain = sort(text, **chunk)
    for one, other in zip(compiled, plain, strict=True):
        np.testing.assert_array_equal(one, other)


@needs_numba
def test_documents_longer_than_a_block_know_where_they_begin():
    random = np.random.default_rng(0)
    tokens = random.integers(1, 9, 200_000).astype(np.uint16)
    tokens[[0, 70_000, 150_000]] = 0
    text = Text(tokens, 0, 1, 64)
    for first in (0, 65_536, 66_000, 140_000):
        chunk = dict(low=0, high=9, first=first, stop=tokens.size)
        compiled = sort(text, **chunk)
        with patch.object(engine, "COMPILED", False):
            plain = sort(text, **chunk)
        np.testing.assert_array_equal(compiled[2], plain[2])


@needs_numba
def test_any_number_of_threads_gives_the_same_bytes():
    text = Text(repetitive(300, np.uint16), 0, 1, 32)
    chunk = dict(low=0, high=301, first=0, stop=6000)
    one = sort(text, **chunk)
    for threads in (2, 5):
        for expected, found in zip(one, sort(text, threads=threads, **chunk), strict=True):
            assert expected.tobytes() == found.tobytes()


class StopHereError(Exception):
    pass


@needs_numba
@pytest.mark.parametrize("threads", [1, 3])
def test_what_progress_raises_ends_the_work_and_its_threads(threads):
    before = threading.active_count()
    text = Text(repetitive(300, np.uint16), 0, 1, 32)
    told = []

    def advance(done, total):
        told.append((done, total))
        raise StopHereError

    with pytest.raises(StopHereError):
        sort_range(
            text,
            low=0,
            high=301,
            first=0,
            stop=6000,
            document_begin=0,
            records=empty_records(6000, text.tokens.dtype),
            threads=threads,
            advance=advance,
        )
    assert len(told) == 1
    assert threading.active_count() == before


@pytest.mark.parametrize("threads", [1, 2])
def test_progress_ends_with_all_entries(threads):
    told = []
    text = Text(repetitive(300, np.uint16), 0, 1, 32)
    sort_range(
        text,
        low=5,
        high=301,
        first=0,
        stop=6000,
        document_begin=0,
        records=empty_records(6000, text.tokens.dtype),
        threads=threads,
        advance=lambda done, total: told.append((done, total)),
    )
    entries = int((text.tokens >= 5).sum())
    assert told[-1] == (entries, entries)


def test_more_tokens_than_positions_can_count_are_refused():
    check_size((1 << 32) - 2)
    with pytest.raises(IndexFileError, match="more than one index can hold"):
        check_size((1 << 32) - 1)


def test_working_memory_is_that_of_the_entries_or_of_the_spans_of_all_threads():
    assert working_bytes(1000, 100, 1, 2) == 21 * 1000 + 16 * 100
    assert working_bytes(1000, 100, 2, 4) == 29 * 1000 + 2 * 24 * 100
    many = 100 * engine.SPAN_ENTRIES
    assert working_bytes(many, 0, 2, 2) == 5 * many + 2 * 16 * engine.SPAN_ENTRIES


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_fields_come_back_from_records_and_counts_stop_at_their_most(dtype):
    top = int(np.iinfo(dtype).max)
    fields = Fields(
        length=np.array([0, 64, 1], dtype=np.uint8),
        next=np.array([0, top, 5], dtype=dtype),
        second=np.array([0, top - 1, 5], dtype=dtype),
        count=np.array([0, COUNT_MAX + 1, 1]),
        same_document=np.array([False, True, False]),
    )
    records = records_of(fields)
    expected = [(0, 0, 0, 0, False), (64, top, top - 1, COUNT_MAX, True), (1, 5, 5, 1, False)]
    assert rows_of(records, dtype) == expected

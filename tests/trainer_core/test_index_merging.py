"""Chunks merged one after the other: equal to a look at every pair, byte for byte."""

import threading
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer_core.index.compiled import COMPILED
from trainer_core.index.records import COUNT_MAX, empty_records

if not COMPILED:
    pytest.skip("chunks are merged where numba loads", allow_module_level=True)

from trainer_core.index.contexts import Text
from trainer_core.index.sorting import merging
from trainer_core.index.sorting.engine import SortedRange, sort_range
from trainer_core.index.tokens import frozen

LENGTHS = st.sampled_from([1, 2, 3, 5, 8, 32, 64])
VOCAB_SIZE = 8
SEPARATOR = 5


@dataclass(frozen=True)
class Case:
    """A text with the positions that count and where each one's document begins and stops."""

    text: Text
    positions: list[int]
    begin: list[int]
    stop: list[int]

    def context(self, position):
        begin = max(self.begin[position], position + 1 - self.text.max_length)
        return tuple(self.text.tokens[begin : position + 1].tolist()[::-1])

    def following(self, position):
        later = [p for p in self.positions if p > position]
        return int(self.text.tokens[later[0]]) if later else int(self.text.end)


def make_case(documents, max_length, dtype, keeps_end):
    """A text of documents (lists of tokens from 1 on) with or without ends that belong to them."""
    end = SEPARATOR if keeps_end else 0
    tokens, positions, begin, stop = [], [], [], []
    for document in documents:
        first = len(tokens) if keeps_end else len(tokens) + 1
        last = len(tokens) + 1 + len(document)
        begin += [first] * (last - len(tokens))
        stop += [last] * (last - len(tokens))
        positions += range(first, last)
        tokens += [end, *document]
    array = frozen(np.array(tokens, dtype=dtype))
    return Case(Text(array, end, int(keeps_end), max_length), positions, begin, stop)


@st.composite
def documents(draw):
    """A few short documents, some of them long repeats of what stood there before."""
    alphabet = draw(st.integers(1, 3))
    token = st.integers(1, alphabet)
    found = []
    for _ in range(draw(st.integers(1, 5))):
        document = draw(st.lists(token, min_size=1, max_size=14))
        document = document * draw(st.sampled_from([1, 1, 2, 5]))
        if found and draw(st.booleans()):
            document = document + draw(st.sampled_from(found))
        found.append(document[:80])
    return found


@st.composite
def cases(draw):
    dtype = draw(st.sampled_from([np.uint16, np.uint32]))
    return make_case(draw(documents()), draw(LENGTHS), dtype, draw(st.booleans()))


def in_common(one, other):
    length = 0
    while length < min(len(one), len(other)) and one[length] == other[length]:
        length += 1
    return length


def sorted_alone(case, first, stop):
    """The order of the positions of a chunk, what they share, and where each token begins."""
    inside = [p for p in case.positions if first <= p < stop]
    order = sorted(inside, key=lambda p: (case.context(p), p))
    contexts = [case.context(p) for p in order]
    shared = [in_common(*pair) for pair in pairwise(contexts)]
    return (
        np.array(order, dtype=np.uint32),
        np.array([0, *shared][: len(order)], dtype=np.uint8),
        bounds_of(case, order),
    )


def bounds_of(case, order):
    tokens = case.text.tokens[np.asarray(order, dtype=np.int64)]
    return np.searchsorted(tokens, np.arange(VOCAB_SIZE + 1)).astype(np.int64)


def records_alone(case, first, stop):
    """The match of each position of a chunk in what stands before it in the chunk."""
    records = empty_records(stop - first, case.text.tokens.dtype)
    inside = [p for p in case.positions if first <= p < stop]
    contexts = {p: case.context(p) for p in inside}
    for position in inside:
        lengths = {p: in_common(contexts[p], contexts[position]) for p in inside if p < position}
        longest = max(lengths.values(), default=0)
        if longest:
            places = [p for p, length in lengths.items() if length == longest]
            words = record_words(case, position, places, longest)
            records[position - first] = words[: records.shape[1]]
    return records


def record_words(case, position, places, length):
    """A match as the table in `records` says."""
    follows = [case.following(p) for p in places]
    others = [token for token in follows if token != follows[-1]]
    second = others[-1] if others else follows[-1]
    same = places[-1] >= case.begin[position]
    tail = length | (int(same) << 7) | (len(places) << 8)
    if case.text.tokens.itemsize == 2:
        return [follows[-1] | (second << 16) | (tail << 32)]
    return [follows[-1] | (second << 32), tail]


def spanning(case, border):
    """Begin and stop of the document that has tokens on both sides of a border."""
    if border < len(case.begin) and case.begin[border] < border:
        return case.begin[border], case.stop[border]
    return 0, 0


def merged(case, first_chunk, first, stop, records, *, with_shared=True, threads=1, advance=None):
    """Merge a chunk into what is there; the order, what it shares, its bounds."""
    older, older_shared, older_bounds = first_chunk
    newer, newer_shared, newer_bounds = sorted_alone(case, first, stop)
    order = np.zeros(older.size + newer.size, dtype=np.uint32)
    shared = np.zeros(order.size, dtype=np.uint8)
    merging.merge_range(
        case.text,
        older,
        newer,
        older_bounds=older_bounds,
        newer_bounds=newer_bounds,
        older_shared=older_shared if with_shared else None,
        newer_shared=newer_shared if with_shared else None,
        records=records,
        first=first,
        document=spanning(case, first),
        out_order=order,
        out_shared=shared if with_shared else None,
        threads=threads,
        advance=advance,
    )
    return order, shared, older_bounds + newer_bounds


def assert_sorted_as_one(case, result, stop):
    for found, expected in zip(result, sorted_alone(case, 0, stop), strict=True):
        np.testing.assert_array_equal(found, expected)


def assert_chunks_make_one(case, borders):
    """Merge chunk after chunk; each time all is as if it had been built at once."""
    everything = records_alone(case, 0, len(case.begin))
    result = sorted_alone(case, 0, borders[0])
    for first, stop in zip(borders, [*borders[1:], len(case.begin)], strict=True):
        records = records_alone(case, first, stop)
        result = merged(case, result, first, stop, records)
        np.testing.assert_array_equal(records, everything[first:stop])
        assert_sorted_as_one(case, result, stop)


@given(cases(), st.data())
@settings(max_examples=100)
def test_merged_chunks_are_one_build(case, data):
    border = st.integers(0, len(case.begin))
    borders = sorted(data.draw(st.lists(border, min_size=1, max_size=3)))
    assert_chunks_make_one(case, borders)


@given(cases(), st.data())
@settings(max_examples=50)
def test_borders_may_be_those_of_documents(case, data):
    border = st.sampled_from(sorted({*case.begin, *case.stop}))
    assert_chunks_make_one(case, sorted(data.draw(st.lists(border, min_size=1, max_size=3))))


@given(cases(), st.data())
@settings(max_examples=50)
def test_what_is_not_given_is_found(case, data):
    first, stop = data.draw(st.integers(0, len(case.begin))), len(case.begin)
    records = records_alone(case, first, stop)
    order, _, _ = merged(
        case, sorted_alone(case, 0, first), first, stop, records, with_shared=False
    )
    expected_order, expected_shared, _ = sorted_alone(case, 0, stop)
    np.testing.assert_array_equal(order, expected_order)
    np.testing.assert_array_equal(records, records_alone(case, 0, stop)[first:])
    shared = merging.shared_with_previous(case.text, order)
    np.testing.assert_array_equal(shared, expected_shared)


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_counts_stop_at_what_a_record_holds(dtype):
    case = make_case([[1, 2], [1, 2], [1, 2], [1, 2]], 32, dtype, keeps_end=True)
    first, stop = 6, 12
    records = records_alone(case, first, stop)
    match = int(records[-1, -1])
    word = 40 if dtype is np.uint16 else 8
    assert match >> word == 1
    many = (match & ((1 << word) - 1)) | ((COUNT_MAX - 1) << word)
    records[-1, -1] = many
    merged(case, sorted_alone(case, 0, first), first, stop, records)
    assert int(records[-1, -1]) == many | (COUNT_MAX << word)


def large_case(dtype=np.uint16):
    random = np.random.default_rng(7)
    parts = [random.integers(1, 5, size).tolist() for size in (200, 500, 40, 400)]
    return make_case([*parts, parts[1][:300], *parts], 32, dtype, keeps_end=True)


def runs_of(case, monkeypatch, threads, advance=None):
    monkeypatch.setattr(merging, "_SPAN_ENTRIES", 100)
    first, stop = 1000, len(case.begin)
    older = sorted_alone(case, 0, first)
    records = records_alone(case, first, stop)
    result = merged(case, older, first, stop, records, threads=threads, advance=advance)
    return (*result, records)


def test_threads_give_the_same_bytes(monkeypatch):
    case = large_case()
    one = runs_of(case, monkeypatch, 1)
    for found, expected in zip(runs_of(case, monkeypatch, 3), one, strict=True):
        np.testing.assert_array_equal(found, expected)
    shared = merging.shared_with_previous(case.text, one[0], threads=3)
    np.testing.assert_array_equal(shared, one[1])


@pytest.mark.parametrize("threads", [1, 3])
def test_progress_is_told_up_to_the_end(monkeypatch, threads):
    case = large_case()
    told = []
    runs_of(case, monkeypatch, threads, lambda done, total: told.append((done, total)))
    total = len(case.positions)
    assert told[-1] == (total, total)
    assert len(told) > 2
    assert sorted(told) == told


@pytest.mark.parametrize("threads", [1, 3])
def test_what_a_watcher_raises_ends_the_work_and_its_threads(monkeypatch, threads):
    def stop(done, total):
        raise InterruptedError

    before = threading.active_count()
    with pytest.raises(InterruptedError):
        runs_of(large_case(), monkeypatch, threads, stop)
    assert threading.active_count() == before


@dataclass
class Built:
    """A chunk as the engine sorts it, in two ranges of tokens."""

    records: np.ndarray
    ranges: list


def built(text, begins, first, stop):
    """Sort a chunk that begins anywhere in the text."""
    records = empty_records(stop - first, text.tokens.dtype)
    begin = int(begins[np.searchsorted(begins, first, side="right") - 1])
    chunk = {"first": first, "stop": stop, "document_begin": begin, "records": records}
    ranges = [
        sort_range(text, low=low, high=high, with_shared=True, **chunk)
        for low, high in pairwise(RANGES)
    ]
    return Built(records, ranges)


def add_chunk(text, older, newer, number, first, document):
    """Merge one range of a chunk into what is there."""
    one, other = older.ranges[number], newer.ranges[number]
    tokens = np.arange(RANGES[number], RANGES[number + 1] + 1)
    order = np.empty(one.order.size + other.order.size, dtype=np.uint32)
    shared = np.empty(order.size, dtype=np.uint8)
    merging.merge_range(
        text,
        one.order,
        other.order,
        older_bounds=np.searchsorted(text.tokens[one.order], tokens),
        newer_bounds=np.searchsorted(text.tokens[other.order], tokens),
        older_shared=one.shared,
        newer_shared=other.shared,
        records=newer.records,
        first=first,
        document=document,
        out_order=order,
        out_shared=shared,
    )
    return SortedRange(order, shared)


RANGES = (0, 6, 300)


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_chunks_of_a_larger_text_are_one_build(dtype):
    random = np.random.default_rng(3)
    tokens = (random.zipf(1.3, 12_000) % 298 + 1).astype(dtype)
    tokens[5000:6500] = tokens[1000:2500]  # a long repeat across a border
    tokens[9000:10500] = np.tile(tokens[:30], 50)  # and many short ones
    begins = np.concatenate(([0], np.sort(random.choice(np.arange(1, 12_000), 20, replace=False))))
    tokens[begins] = 0
    text = Text(frozen(tokens), 0, 1, 32)
    whole = built(text, begins, 0, tokens.size)
    borders = [0, 3000, 5700, 5701, 9999, tokens.size]
    result = built(text, begins, 0, borders[1])
    for first, stop in pairwise(borders[1:]):
        newer = built(text, begins, first, stop)
        after = int(np.searchsorted(begins, first, side="right"))
        document = (int(begins[after - 1]), int([*begins, tokens.size][after]))
        result.ranges = [
            add_chunk(text, result, newer, number, first, document) for number in range(2)
        ]
        np.testing.assert_array_equal(newer.records, whole.records[first:stop])
    for found, expected in zip(result.ranges, whole.ranges, strict=True):
        np.testing.assert_array_equal(found.order, expected.order)
        np.testing.assert_array_equal(found.shared, expected.shared)


def guarded(size, dtype, columns=None):
    """An array in the middle of a larger one, to see whether anything is written beside it."""
    shape = (size + 200,) if columns is None else (size + 200, columns)
    whole = np.full(shape, 77, dtype=dtype)
    return whole, whole[100 : 100 + size]


@given(st.integers(0, 1 << 32), st.sampled_from([np.uint16, np.uint32]))
@settings(max_examples=50)
def test_damaged_files_do_no_harm(seed, dtype):
    random = np.random.default_rng(seed)
    case = make_case([[1, 2, 3, 1], [2, 2, 2]], 5, dtype, keeps_end=True)
    sizes = random.integers(1, 60, 2)
    high = int(random.choice([9, 1 << 32]))
    older, newer = (random.integers(0, high, size).astype(np.uint32) for size in sizes)
    older_bounds, newer_bounds = random.integers(-9, 70, (2, VOCAB_SIZE + 1))
    older_shared, newer_shared = (random.integers(0, 256, s).astype(np.uint8) for s in sizes)
    outputs = [
        guarded(older.size + newer.size, np.uint32),
        guarded(older.size + newer.size, np.uint8),
        guarded(4, np.uint64, np.dtype(dtype).itemsize // 2),
    ]
    merging.merge_range(
        case.text,
        older,
        newer,
        older_bounds=older_bounds,
        newer_bounds=newer_bounds,
        older_shared=older_shared,
        newer_shared=newer_shared,
        records=outputs[2][1],
        first=4,
        document=(2, 7),
        out_order=outputs[0][1],
        out_shared=outputs[1][1],
    )
    for whole, part in outputs:
        assert (whole[:100] == 77).all() and (whole[100 + len(part) :] == 77).all()


def test_arrays_that_do_not_belong_together_are_refused():
    case = large_case()
    order, shared, bounds = sorted_alone(case, 0, 50)
    with pytest.raises(ValueError, match="one entry for each"):
        merging.merge_range(
            case.text,
            order,
            order,
            older_bounds=bounds,
            newer_bounds=bounds,
            older_shared=shared,
            newer_shared=shared,
            records=empty_records(50, np.dtype(np.uint16)),
            first=0,
            document=(0, 0),
            out_order=order.copy(),
            out_shared=None,
        )

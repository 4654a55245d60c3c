"""Rows made of whole documents: against plain references, for any lengths."""

import bisect
import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer_core.data.batches.packing import Plan, Ring, crop, fit

LENGTHS = st.lists(st.integers(1, 90), min_size=1, max_size=60)


def rows_of(plan: Plan) -> list[list[tuple[int, int]]]:
    """For each row its pieces, start and length."""
    pieces = list(zip(plan.start.tolist(), plan.length.tolist(), strict=True))
    borders = plan.first_piece.tolist()
    return [pieces[a:b] for a, b in itertools.pairwise(borders)]


def plain_best_fit(lengths, context_length) -> list[list[int]]:
    """Lengths in each row: each piece, longest first, where it leaves the least room."""
    pieces = []
    for length in lengths:
        whole, rest = divmod(length, context_length)
        pieces += [context_length] * whole + ([rest] if rest else [])
    rows, rooms = [], []  # rooms: (room, row), sorted
    for piece in sorted(pieces, reverse=True):
        at = bisect.bisect_left(rooms, (piece, 0))
        if at == len(rooms):
            rows.append([])
            room, row = context_length, len(rows) - 1
        else:
            room, row = rooms.pop(at)
        rows[row].append(piece)
        bisect.insort(rooms, (room - piece, row))
    return rows


@settings(deadline=None, max_examples=150)
@given(lengths=LENGTHS, context_length=st.integers(1, 50))
def test_best_fit_makes_the_rows_that_the_plain_way_makes(lengths, context_length):
    plan = fit(np.array(lengths), context_length)
    found = [sorted((length for _, length in row), reverse=True) for row in rows_of(plan)]
    assert len(found) == len(plain_best_fit(lengths, context_length))
    free = sorted(context_length - sum(row) for row in found)
    assert free == sorted(context_length - sum(r) for r in plain_best_fit(lengths, context_length))


@settings(deadline=None, max_examples=150)
@given(lengths=LENGTHS, context_length=st.integers(1, 50))
def test_best_fit_loses_no_token_and_splits_only_what_is_too_long(lengths, context_length):
    plan = fit(np.array(lengths), context_length)
    starts = np.cumsum([0, *lengths]).tolist()
    places = sorted(
        place for row in rows_of(plan) for start, n in row for place in range(start, start + n)
    )
    assert places == list(range(sum(lengths)))
    assert all(sum(n for _, n in row) <= context_length for row in rows_of(plan))
    whole = {(a, b - a) for a, b in itertools.pairwise(starts)}
    for piece in (piece for row in rows_of(plan) for piece in row):
        document = bisect.bisect_right(starts, piece[0]) - 1
        assert piece in whole or lengths[document] > context_length
        assert (piece[0] - starts[document]) % context_length == 0
    longer = [length for length in lengths if length > context_length]
    assert (plan.split, plan.split_tokens, plan.lost) == (len(longer), sum(longer), 0)
    assert plan.padding == plan.rows * context_length - sum(lengths)


@given(lengths=LENGTHS, context_length=st.integers(1, 50))
def test_a_document_a_row_is_cropped_and_what_that_loses_is_counted(lengths, context_length):
    plan = crop(np.array(lengths), context_length)
    starts = np.cumsum([0, *lengths]).tolist()
    expected = [
        [(start, min(n, context_length))] for start, n in zip(starts, lengths, strict=False)
    ]
    assert rows_of(plan) == expected
    assert plan.tokens + plan.lost == sum(lengths)
    assert plan.padding == sum(max(context_length - n, 0) for n in lengths)


@given(data=st.data(), lengths=LENGTHS, context_length=st.integers(1, 50))
def test_any_rows_can_be_asked_for_in_any_order(data, lengths, context_length):
    plan = fit(np.array(lengths), context_length)
    wanted = data.draw(st.lists(st.integers(0, plan.rows - 1), min_size=1, max_size=9))
    found = plan.stretches(np.array(wanted))
    got = [[] for _ in wanted]
    for row, start, length in zip(*(values.tolist() for values in found), strict=True):
        got[row].append((start, length))
    assert got == [rows_of(plan)[row] for row in wanted]


@given(
    tokens=st.integers(1, 200),
    context_length=st.integers(1, 50),
    offset=st.integers(0, 10_000),
)
def test_a_ring_is_cut_anywhere_and_loses_nothing(tokens, context_length, offset):
    ring = Ring(context_length, tokens)
    found = ring.stretches(np.arange(ring.rows), offset % tokens)
    places = [
        place
        for start, length in zip(found.start.tolist(), found.length.tolist(), strict=True)
        for place in range(start, start + length)
    ]
    assert places == [(offset + i) % tokens for i in range(tokens)]
    used = np.bincount(found.row, weights=found.length)
    assert (used[:-1] == context_length).all() and (np.diff(found.row) >= 0).all()


@pytest.mark.parametrize("context_length", [512, 131_072])
def test_a_million_documents_are_packed_in_a_moment(context_length):
    lengths = np.exp(np.random.default_rng(1).normal(6, 1.2, 1_000_000)).astype(np.int64) + 1
    began_s = time.perf_counter()
    plan = fit(lengths, context_length)
    assert time.perf_counter() - began_s < 5  # half a second on an idle core
    assert plan.tokens == lengths.sum()
    assert plan.padding / (plan.rows * context_length) < 1e-3

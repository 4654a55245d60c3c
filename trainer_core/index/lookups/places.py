"""The place where a context belongs among sorted entries that its first tokens do not tell apart.

Where several sampled keys are equal to the context's, the text of sampled entries leads to 16
entries; there, what they share with their neighbours and the text of a few of them does. For the
steps of a search see `steps`.
"""

from __future__ import annotations

import numpy as np

from trainer_core.index.compiled import inlined, part
from trainer_core.index.lookups.answer import take_run
from trainer_core.index.lookups.blocks import SHARED_MAX, middle_of, narrow
from trainer_core.index.lookups.borders import begin_borders
from trainer_core.index.lookups.desk import (
    AFTER,
    BEFORE,
    BLOCK,
    EQUAL_ORDER,
    FETCHED,
    FIRST_EQUAL,
    HIGH,
    LANES,
    LEFT,
    LENGTH,
    LIMIT,
    LOOKS,
    LOW,
    PLACE,
    RANGE,
    RIGHT,
    SHARED,
    SORTED,
    STATE,
    STOP_EQUAL,
)
from trainer_core.index.lookups.fetch import (
    common_tokens,
    get,
    pivot,
    position_at,
    put,
    shared_at,
    want,
    want_text,
)
from trainer_core.index.machine import prefetch_at

# --- by the text of sampled entries ---------------------------------------------------------


@part
def want_equal(desk: int, at: int, state: int) -> None:
    """Have some of the sampled entries with equal keys fetched, or their text.

    Args:
        desk: The desk.
        at: Where its row begins.
        state: `EQUAL_ORDER` or `EQUAL_TEXT`, which the search waits for then.
    """
    first = get(at, FIRST_EQUAL)
    size = get(at, STOP_EQUAL) - first
    order = get(get(at, RANGE), SORTED)
    looks = get(desk, LOOKS)
    for number in range(min(size, looks)):
        rank = 16 * (first + pivot(size, looks, number))
        if state == EQUAL_ORDER:
            want(desk, order + 4 * rank)
        else:
            want_text(desk, position_at(desk, at, rank))
    if size == 1:
        prefetch_at(get(get(at, RANGE), SHARED) + 8 * first)
    put(at, STATE, state)


@part
def compare_equal(desk: int, at: int) -> None:
    """Their text is there: come closer to the place among them."""
    first = get(at, FIRST_EQUAL)
    stop = get(at, STOP_EQUAL)
    size = stop - first
    looks = get(desk, LOOKS)
    depth = max(1 + get(desk, LANES), min(get(at, BEFORE), get(at, AFTER)))
    for number in range(min(size, looks)):
        sample = first + pivot(size, looks, number)
        place = position_at(desk, at, 16 * sample)
        common, smaller = common_tokens(desk, at, place, depth, get(at, LIMIT))
        if not smaller:
            stop = sample
            put(at, RIGHT, 16 * sample)
            put(at, AFTER, common)
            break
        put(at, FIRST_EQUAL, sample + 1)
        put(at, LEFT, 16 * sample)
        put(at, BEFORE, common)
    put(at, STOP_EQUAL, stop)
    if get(at, FIRST_EQUAL) < stop:
        want_equal(desk, at, EQUAL_ORDER)
    else:
        enter_block(desk, at)


# --- by what neighbours share, and the text of a few ----------------------------------------


@part
def enter_block(desk: int, at: int) -> None:
    """Entries of one block are left, between one that sorts before the context and one that does
    not; they may be those outside of the bucket.
    """
    if get(at, RIGHT) - get(at, LEFT) == 1:
        _leave_place(desk, at)
        return
    block = (get(at, RIGHT) - 1) >> 4
    put(at, BLOCK, block)
    put(at, FETCHED, 0)
    put(at, STATE, PLACE)
    prefetch_at(get(get(at, RANGE), SHARED) + 8 * block)
    want(desk, get(get(at, RANGE), SORTED) + 64 * block)


@inlined
def _gaps_of_block(at: int) -> np.uint64:
    """Those of the search's block; the bucket's neighbours share 1 token with it, as all of it."""
    block = get(at, BLOCK)
    gaps = shared_at(at, block)
    left = get(at, LOW) - 1 - 16 * block
    right = get(at, HIGH) - 1 - 16 * block
    if left >= 0:
        gaps |= np.uint64(1) << np.uint64(4 * left)
    if right < 16:
        gaps |= np.uint64(1) << np.uint64(4 * right)
    return gaps


@part
def search_block(desk: int, at: int, alone: bool) -> None:
    """Come closer with what has been fetched, and have more of it fetched."""
    base = 16 * get(at, BLOCK)
    limit = get(at, LIMIT)
    gaps = _gaps_of_block(at)
    left = get(at, LEFT) - base
    right = get(at, RIGHT) - base
    before = get(at, BEFORE)
    after = get(at, AFTER)
    fetched = get(at, FETCHED)
    while True:
        left, before, right, after, looks = narrow(gaps, left, before, right, after, limit)
        if looks == 0:
            break
        entry = middle_of(looks, left, right)
        if (fetched >> entry) & 1 == 0:
            break
        place = position_at(desk, at, base + entry)
        known = min(max(before, after), SHARED_MAX)
        common, smaller = common_tokens(desk, at, place, known, limit)
        if smaller:
            left = entry
            before = common
        else:
            right = entry
            after = common
    put(at, LEFT, base + left)
    put(at, RIGHT, base + right)
    put(at, BEFORE, before)
    put(at, AFTER, after)
    if looks == 0:
        _leave_place(desk, at)
    elif alone:  # nobody else waits: have everything fetched
        for entry in range(left + 1, right):
            want_text(desk, position_at(desk, at, base + entry))
        put(at, FETCHED, 0xFFFF)
    else:
        put(at, FETCHED, fetched | _want_looks(desk, at, looks, left, right))


@part
def _want_looks(desk: int, at: int, looks: np.uint64, left: int, right: int) -> int:
    """Have the text fetched of the entry to look at first and perhaps of those that come second."""
    base = 16 * get(at, BLOCK)
    first = middle_of(looks, left, right)
    want_text(desk, position_at(desk, at, base + first))
    fetched = 1 << first
    if get(desk, LOOKS) == 1:
        return fetched
    bit = np.uint64(1) << np.uint64(4 * first - 4)
    lower = looks & (bit - np.uint64(1))
    upper = looks & ~(bit | (bit - np.uint64(1)))
    if lower != 0:
        entry = middle_of(lower, left, first)
        want_text(desk, position_at(desk, at, base + entry))
        fetched |= 1 << entry
    if upper != 0:
        entry = middle_of(upper, first, right)
        want_text(desk, position_at(desk, at, base + entry))
        fetched |= 1 << entry
    return fetched


@part
def _leave_place(desk: int, at: int) -> None:
    """The neighbours are known, and how many tokens the context shares with each."""
    length = max(get(at, BEFORE), get(at, AFTER))
    if length <= 1:
        take_run(desk, at, 1, get(at, LOW), get(at, HIGH))
        return
    put(at, LENGTH, length)
    begin_borders(desk, at, get(at, RIGHT))

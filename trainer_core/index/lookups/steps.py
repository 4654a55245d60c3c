"""A search for the longest match of a context, in steps between which memory arrives.

Nearly all of a search's time is waiting for memory. So each step does what it can, has the memory
that the next one needs fetched, and returns: others can take their steps meanwhile. A search goes

1. by the sampled keys to at most 16 entries, more where a context's first tokens are frequent;
2. then by the text of sampled entries with equal keys to 16 entries;
3. by what these share with their neighbours, see `blocks`, and the text of a few of them to the
   place where the context belongs, see `places`: its longest match is that of one neighbour;
4. from there to the first and the last entry with that match, see `borders`;
5. to the most recent of these entries and the latest other continuation, see `answer`.

Contexts end at their own separator (`LIMIT`), and training documents begin with one, so that no
comparison can leave a document. Ranks and positions out of files are held inside their arrays: a
damaged file leads to a wrong answer, never outside.
"""

from __future__ import annotations

import numpy as np

from trainer_core.index.compiled import inlined, part, signed
from trainer_core.index.lookups.answer import (
    extend,
    go_on_with_run,
    take_run,
)
from trainer_core.index.lookups.borders import compare_borders, found_borders_order
from trainer_core.index.lookups.desk import (
    AFTER,
    BEFORE,
    BEGIN,
    BORDERS_ORDER,
    BORDERS_TEXT,
    BUCKET,
    BUCKETS,
    COUNT,
    DONE,
    END,
    ENTRIES,
    EQUAL_ORDER,
    EQUAL_TEXT,
    FIRST_EQUAL,
    FIRST_RANGE,
    FIRST_RANK,
    HIGH,
    KEPT,
    KEYS,
    LANES,
    LEFT,
    LEFT_SAMPLE,
    LENGTH,
    LIMIT,
    LOW,
    NEXT,
    PLACE,
    POSITION,
    QUERY_END,
    RANGE,
    RANGE_FIELDS,
    RIGHT,
    RIGHT_SAMPLE,
    SAMPLES,
    SECOND,
    STATE,
    STOP_EQUAL,
    STOP_TOKEN,
    TOKEN_BYTES,
    VOCAB_SIZE,
)
from trainer_core.index.lookups.fetch import (
    first_above,
    first_from,
    first_key,
    get,
    lanes_mask,
    lanes_shared,
    put,
    sample_at,
    want,
)
from trainer_core.index.lookups.places import compare_equal, enter_block, search_block, want_equal
from trainer_core.index.machine import load16_at, load32_at, load64_at, prefetch_at

_LINE_KEYS = 8
_FAR_SAMPLES = 128
_LINE_ENTRIES = 16


@part
def begin(desk: int, at: int) -> None:
    """Begin the search that `QUERY_END` and `LIMIT` of a row describe."""
    put(at, LENGTH, 0)
    put(at, NEXT, 0)
    put(at, POSITION, -1)
    put(at, COUNT, 0)
    put(at, SECOND, -1)
    put(at, KEPT, 0)
    put(at, BEGIN, 0)
    put(at, END, 0)
    put(at, RANGE, desk + 8 * FIRST_RANGE)
    put(at, STATE, DONE)
    token = _last_token(desk, at)
    if get(at, LIMIT) > 0 and token < get(desk, VOCAB_SIZE):
        want(desk, get(desk, BUCKETS) + 8 * token)
        put(at, STATE, BUCKET)


@inlined
def _last_token(desk: int, at: int) -> int:
    size = get(desk, TOKEN_BYTES)
    last = get(at, QUERY_END) - size
    return load16_at(last, 0) if size == 2 else load32_at(last, 0)


@part
def go_on(desk: int, at: int, limit: int) -> None:
    """Begin the search for a context with one token more than the one that was just answered.

    Args:
        desk: The desk.
        at: Where its row begins; `QUERY_END` is that of the longer context already.
        limit: How many tokens of the context to compare at most.
    """
    length = get(at, LENGTH)
    if get(at, KEPT) > 0 and length < limit:
        if extend(desk, at, _last_token(desk, at)):
            return
        limit = length
    put(at, LIMIT, min(limit, length + 1))
    begin(desk, at)


@part
def _find_bucket(desk: int, at: int) -> None:
    """The key range of the context's last token and its ranks there."""
    token = _last_token(desk, at)
    place = desk + 8 * FIRST_RANGE
    while token >= get(place, STOP_TOKEN):
        place += 8 * RANGE_FIELDS
    entries = get(place, ENTRIES)
    low = signed(load64_at(get(desk, BUCKETS), token)) - get(place, FIRST_RANK)
    high = signed(load64_at(get(desk, BUCKETS), token + 1)) - get(place, FIRST_RANK)
    low = min(max(low, 0), entries)
    high = min(max(high, low), entries)
    put(at, STATE, DONE)
    if low == high:
        return
    put(at, RANGE, place)
    put(at, LOW, low)
    put(at, HIGH, high)
    if get(at, LIMIT) == 1:
        take_run(desk, at, 1, low, high)
        return
    put(at, STATE, SAMPLES)
    _enter_samples(desk, at, (low + 15) >> 4, (high + 15) >> 4)


# --- 1. by the sampled keys --------------------------------------------------------------------


@inlined
def _want_samples(at: int) -> None:
    """Have those samples fetched that the next step compares."""
    keys = get(get(at, RANGE), KEYS)
    left = keys + 8 * get(at, LEFT)
    size = get(at, RIGHT) - get(at, LEFT)
    if size > _LINE_KEYS:
        prefetch_at(left + 8 * (size >> 2))
        prefetch_at(left + 8 * (size >> 1))
        prefetch_at(left + 8 * (3 * size >> 2))
    else:
        prefetch_at(left - 8)
        prefetch_at(left + 8 * size)


@inlined
def _enter_samples(desk: int, at: int, left: int, right: int) -> None:
    """Begin with those samples that many searches compare: they are at hand."""
    key = first_key(desk, at)
    keys = get(get(at, RANGE), KEYS)
    size = right - left
    while size > _FAR_SAMPLES:
        half = size >> 1
        left += half if load64_at(keys, left + half - 1) < key else 0
        size -= half
    put(at, LEFT, left)
    put(at, RIGHT, left + size)
    _want_samples(at)


@part
def _search_samples(desk: int, at: int) -> None:
    left = get(at, LEFT)
    size = get(at, RIGHT) - left
    key = first_key(desk, at)
    if size <= _LINE_KEYS:
        _leave_samples(desk, at, first_from(desk, at, left, left + size, key), key)
        return
    middle = left + (size >> 1)
    if sample_at(desk, at, middle) < key:
        left = middle + 1
        right = get(at, RIGHT)
        middle = get(at, LEFT) + (3 * size >> 2)
    else:
        right = middle
        middle = left + (size >> 2)
    if sample_at(desk, at, middle) < key:
        left = middle + 1
    else:
        right = middle
    put(at, LEFT, left)
    put(at, RIGHT, right)
    _want_samples(at)


@part
def _leave_samples(desk: int, at: int, left: int, key: np.uint64) -> None:
    """Where the context belongs, given the first sample that is not below its key."""
    low = get(at, LOW)
    high = get(at, HIGH)
    limit = get(at, LIMIT)
    lanes = get(desk, LANES)
    first = (low + 15) >> 4
    stop = (high + 15) >> 4
    highest = key | ~lanes_mask(desk, min(limit - 1, lanes))
    right = left
    after = 1
    if left < stop and sample_at(desk, at, left) <= highest:
        if limit <= 1 + lanes:
            after = limit
        else:
            right = first_above(desk, at, left, stop, highest)
    if right < stop:
        if after == 1:
            after = min(1 + lanes_shared(desk, sample_at(desk, at, right) ^ key), limit)
        high = 16 * right
    before = 1
    low -= 1
    if left > first:
        before = min(1 + lanes_shared(desk, sample_at(desk, at, left - 1) ^ key), limit)
        low = 16 * left - 16
    put(at, BEFORE, before)
    put(at, AFTER, after)
    put(at, LEFT, low)
    put(at, RIGHT, high)
    put(at, LEFT_SAMPLE, left)
    put(at, RIGHT_SAMPLE, right)
    put(at, FIRST_EQUAL, left)
    put(at, STOP_EQUAL, right)
    if left < right:
        want_equal(desk, at, EQUAL_ORDER)
    else:
        enter_block(desk, at)


# --- the next step -----------------------------------------------------------------------------


@part
def step(desk: int, at: int, alone: bool) -> bool:
    """Take the next step of a search whose memory has arrived; False once it is done.

    Args:
        desk: The desk.
        at: Where its row begins.
        alone: Whether no other search is on its way meanwhile.
    """
    state = get(at, STATE)
    if state == SAMPLES:
        _search_samples(desk, at)
    elif state == PLACE:
        search_block(desk, at, alone)
    elif state == BORDERS_TEXT:
        compare_borders(desk, at)
    elif state == EQUAL_ORDER:
        want_equal(desk, at, EQUAL_TEXT)
    elif state == EQUAL_TEXT:
        compare_equal(desk, at)
    elif state == BORDERS_ORDER:
        found_borders_order(desk, at)
    elif state == BUCKET:
        _find_bucket(desk, at)
    else:
        go_on_with_run(desk, at)
    return bool(get(at, STATE) != DONE)

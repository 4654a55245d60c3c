"""A search for the longest match of a context, in steps between which memory arrives.

Nearly all of a search's time is waiting for memory. So each step does what it can, has the memory
that the next one needs fetched, and returns: others can take their steps meanwhile. A search goes

1. by the sampled keys to at most 16 entries, more where a context's first tokens are frequent;
2. by these entries' text to the place where the context belongs: its longest match is that of one
   of both neighbours;
3. from there to the first and the last entry with that match, by the text, or by the sampled keys
   where they tell, see `borders`;
4. to the most recent of these entries and the latest other continuation, see `answer`.

Contexts end at their own separator (`LIMIT`), and training documents begin with one, so that no
comparison can leave a document. Ranks and positions out of files are held inside their arrays: a
damaged file leads to a wrong answer, never outside.
"""

from __future__ import annotations

import numpy as np

from trainer_core.index.answer import (
    extend,
    go_on_with_run,
    take_run,
)
from trainer_core.index.borders import begin_borders, compare_borders, found_borders_order
from trainer_core.index.compiled import inlined, part, signed
from trainer_core.index.desk import (
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
    FIRST_RANGE,
    FIRST_RANK,
    HIGH,
    KEPT,
    KEYS,
    LANES,
    LEFT,
    LEFT_BORDER,
    LEFT_SAMPLE,
    LEFT_SHARES,
    LENGTH,
    LIMIT,
    LOOKS,
    LOW,
    NEXT,
    PLACE_ORDER,
    PLACE_TEXT,
    POSITION,
    QUERY_END,
    RANGE,
    RANGE_FIELDS,
    RIGHT,
    RIGHT_BORDER,
    RIGHT_SAMPLE,
    RIGHT_SHARES,
    SAMPLES,
    SECOND,
    SORTED,
    STATE,
    STOP_TOKEN,
    TOKEN_BYTES,
    VOCAB_SIZE,
)
from trainer_core.index.fetch import (
    common_tokens,
    first_above,
    first_from,
    first_key,
    get,
    lanes_mask,
    lanes_shared,
    pivot,
    position_at,
    put,
    sample_at,
    want,
    want_text,
)
from trainer_core.index.machine import load16_at, load32_at, load64_at, prefetch_at

_LINE_KEYS = 8
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
    put(at, LEFT, (low + 15) >> 4)
    put(at, RIGHT, (high + 15) >> 4)
    put(at, STATE, SAMPLES)
    _want_samples(at)


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
    after = 0
    if left < stop and sample_at(desk, at, left) <= highest:
        if limit <= 1 + lanes:
            after = limit
        else:
            right = first_above(desk, at, left, stop, highest)
    if right < stop and after == 0:
        after = min(1 + lanes_shared(desk, sample_at(desk, at, right) ^ key), limit)
    before = 0
    if left > first:
        before = min(1 + lanes_shared(desk, sample_at(desk, at, left - 1) ^ key), limit)
        low = 16 * left - 15
    if right < stop:
        high = 16 * right
    put(at, BEFORE, before)
    put(at, LEFT_SHARES, before)
    put(at, AFTER, after)
    put(at, RIGHT_SHARES, after)
    put(at, LEFT, low)
    put(at, LEFT_BORDER, low)
    put(at, RIGHT, high)
    put(at, RIGHT_BORDER, high)
    put(at, LEFT_SAMPLE, left)
    put(at, RIGHT_SAMPLE, right)
    _next_place(desk, at, True)


# --- 2. by the text ----------------------------------------------------------------------------


@part
def _want_place(desk: int, at: int, state: int) -> None:
    left = get(at, LEFT)
    size = get(at, RIGHT) - left
    order = get(get(at, RANGE), SORTED)
    looks = get(desk, LOOKS)
    for number in range(min(size, looks)):
        rank = left + pivot(size, looks, number)
        if state == PLACE_ORDER:
            want(desk, order + 4 * rank)
        else:
            want_text(desk, position_at(desk, at, rank))
    put(at, STATE, state)


@inlined
def _found_place_order(desk: int, at: int, alone: bool) -> None:
    """Entries are there: have their text fetched; if nobody else waits, their neighbours' too."""
    left = get(at, LEFT)
    if alone and get(at, RIGHT) - left <= _LINE_ENTRIES:
        first = max((left - 1) & ~15, get(at, LOW))
        for rank in range(first, min(get(at, RIGHT), get(at, HIGH))):
            want_text(desk, position_at(desk, at, rank))
        put(at, STATE, PLACE_TEXT)
    else:
        _want_place(desk, at, PLACE_TEXT)


@inlined
def _next_place(desk: int, at: int, is_new: bool) -> None:
    size = get(at, RIGHT) - get(at, LEFT)
    if size == 0:
        _leave_place(desk, at)
    elif is_new or size > _LINE_ENTRIES:
        _want_place(desk, at, PLACE_ORDER)
    else:
        _want_place(desk, at, PLACE_TEXT)


@inlined
def _compare_place(desk: int, at: int) -> None:
    left = get(at, LEFT)
    size = get(at, RIGHT) - left
    looks = get(desk, LOOKS)
    for number in range(min(size, looks)):
        probe = left + pivot(size, looks, number)
        common, smaller = common_tokens(desk, at, position_at(desk, at, probe), get(at, LIMIT))
        if not smaller:
            put(at, RIGHT, probe)
            put(at, AFTER, common)
            break
        put(at, LEFT, probe + 1)
        put(at, BEFORE, common)
    _next_place(desk, at, False)


@part
def _leave_place(desk: int, at: int) -> None:
    """The neighbours are known, and how many tokens the context shares with each."""
    place = get(at, LEFT)
    length = max(get(at, BEFORE), get(at, AFTER))
    if length <= 1:
        take_run(desk, at, 1, get(at, LOW), get(at, HIGH))
        return
    put(at, LENGTH, length)
    begin_borders(desk, at, place)


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
    elif state == PLACE_TEXT:
        _compare_place(desk, at)
    elif state == BORDERS_TEXT:
        compare_borders(desk, at)
    elif state == PLACE_ORDER:
        _found_place_order(desk, at, alone)
    elif state == BORDERS_ORDER:
        found_borders_order(desk, at)
    elif state == BUCKET:
        _find_bucket(desk, at)
    else:
        go_on_with_run(desk, at)
    return bool(get(at, STATE) != DONE)

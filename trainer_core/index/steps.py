"""A search for the longest match of a context, in steps between which memory arrives.

Nearly all of a search's time is waiting for memory. So each step does what it can, has the memory
that the next one needs fetched, and returns: others can take their steps meanwhile. A search goes

1. by the sampled keys to at most 16 entries, more where a context's first tokens are frequent;
2. by these entries' text to the place where the context belongs: its longest match is that of one
   of both neighbours;
3. from there to the first and the last entry with that match, by the text, or by the sampled keys
   where they tell;
4. to the most recent of these entries and the latest other continuation, see `answer`.

Contexts end at their own separator (`LIMIT`), and training documents begin with one, so that no
comparison can leave a document. Ranks and positions out of files are held inside their arrays: a
damaged file leads to a wrong answer, never outside.
"""

from __future__ import annotations

import numpy as np

from trainer_core.index.answer import (
    answer_from_kept,
    extend,
    find_latest,
    find_second,
    keep_positions,
    take_run,
)
from trainer_core.index.compiled import inlined, part, signed
from trainer_core.index.desk import (
    AFTER,
    BEFORE,
    BEGIN,
    BUCKETS,
    COUNT,
    DONE,
    END,
    ENTRIES,
    FEW_ORDER,
    FEW_TEXT,
    FIRST_ORDER,
    FIRST_RANGE,
    FIRST_RANK,
    FIRST_TEXT,
    HIGH,
    INSIDE,
    KEPT,
    KEYS,
    LANES,
    LAST_ORDER,
    LAST_TEXT,
    LEFT,
    LEFT_BORDER,
    LEFT_SAMPLE,
    LEFT_SHARES,
    LENGTH,
    LIMIT,
    LOW,
    MANY_ORDER,
    MANY_TEXT,
    NEXT,
    OUTSIDE,
    PLACE_ORDER,
    PLACE_TEXT,
    POSITION,
    PROBE,
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
    STRIDE,
    TOKEN_BYTES,
    VOCAB_SIZE,
)
from trainer_core.index.fetch import (
    common_tokens,
    first_key,
    get,
    lanes_mask,
    lanes_shared,
    position_at,
    put,
    sample_at,
    want,
    want_text,
)
from trainer_core.index.machine import load16_at, load32_at, load64_at, prefetch_at

_LINE_KEYS = 8


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
    put(at, PROBE, -1)
    put(at, STATE, DONE)
    limit = get(at, LIMIT)
    if limit < 1 or not _find_bucket(desk, at):
        return
    if limit == 1:
        take_run(desk, at, 1, get(at, LOW), get(at, HIGH))
        return
    put(at, LEFT, (get(at, LOW) + 15) >> 4)
    put(at, RIGHT, (get(at, HIGH) + 15) >> 4)
    put(at, STATE, SAMPLES)


@part
def go_on(desk: int, at: int, token: int, limit: int) -> None:
    """Begin the search for a context that goes on from the one that was just answered.

    Args:
        desk: The desk.
        at: Where its row begins; `QUERY_END` is that of the longer context already.
        token: The token that the context has more.
        limit: How many tokens of the context to compare at most.
    """
    length = get(at, LENGTH)
    if get(at, KEPT) > 0 and length < limit:
        if extend(desk, at, token):
            return
        limit = length
    put(at, LIMIT, min(limit, length + 1))
    begin(desk, at)


@inlined
def _find_bucket(desk: int, at: int) -> bool:
    """The key range of the context's last token and its ranks there; False where it has none."""
    size = get(desk, TOKEN_BYTES)
    last = get(at, QUERY_END) - size
    token = load16_at(last, 0) if size == 2 else load32_at(last, 0)
    if token >= get(desk, VOCAB_SIZE):
        return False
    place = desk + 8 * FIRST_RANGE
    while token >= get(place, STOP_TOKEN):
        place += 8 * RANGE_FIELDS
    entries = get(place, ENTRIES)
    low = signed(load64_at(get(desk, BUCKETS), token)) - get(place, FIRST_RANK)
    high = signed(load64_at(get(desk, BUCKETS), token + 1)) - get(place, FIRST_RANK)
    low = min(max(low, 0), entries)
    high = min(max(high, low), entries)
    put(at, RANGE, place)
    put(at, LOW, low)
    put(at, HIGH, high)
    return low < high


# --- 1. by the sampled keys --------------------------------------------------------------------


@inlined
def _first_from(desk: int, at: int, left: int, right: int, key: np.uint64) -> int:
    """The first of some samples that is not below a key."""
    while left < right:
        middle = (left + right) >> 1
        if sample_at(desk, at, middle) < key:
            left = middle + 1
        else:
            right = middle
    return left


@inlined
def _first_above(desk: int, at: int, left: int, right: int, key: np.uint64) -> int:
    """The first of some samples that is above a key; it is probably close to the left."""
    stride = 1
    while left + stride <= right and sample_at(desk, at, left + stride - 1) <= key:
        left += stride
        stride *= 2
    right = min(right, left + stride)
    while left < right:
        middle = (left + right) >> 1
        if sample_at(desk, at, middle) <= key:
            left = middle + 1
        else:
            right = middle
    return left


@part
def _search_samples(desk: int, at: int, alone: bool) -> None:
    left = get(at, LEFT)
    right = get(at, RIGHT)
    key = first_key(desk, at)
    keys = get(get(at, RANGE), KEYS)
    while right - left > _LINE_KEYS:
        middle = (left + right) >> 1
        if alone:
            prefetch_at(keys + 8 * ((left + middle) >> 1))
            prefetch_at(keys + 8 * ((middle + right) >> 1))
        if load64_at(keys, middle) < key:
            left = middle + 1
        else:
            right = middle
        if not alone:
            put(at, LEFT, left)
            put(at, RIGHT, right)
            prefetch_at(keys + 8 * ((left + right) >> 1))
            return
    _leave_samples(desk, at, _first_from(desk, at, left, right, key), key)


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
            right = _first_above(desk, at, left, stop, highest)
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
    _next_place(desk, at)


# --- 2. by the text ----------------------------------------------------------------------------


@inlined
def _request(desk: int, at: int, probe: int, state: int) -> None:
    """Have an entry and then its text fetched; the entry may be there since the last probe."""
    known = get(at, PROBE) >> 4 == probe >> 4
    put(at, PROBE, probe)
    if known:
        put(at, STATE, state + 1)
        want_text(desk, position_at(desk, at, probe))
    else:
        put(at, STATE, state)
        want(desk, get(get(at, RANGE), SORTED) + 4 * probe)


@part
def _found_order(desk: int, at: int, alone: bool) -> None:
    """The entry is there: have its text fetched; while nobody else waits, its neighbours' too."""
    put(at, STATE, get(at, STATE) + 1)
    probe = get(at, PROBE)
    if not alone:
        want_text(desk, position_at(desk, at, probe))
        return
    first = probe & ~15
    for rank in range(max(first, get(at, LOW)), min(first + 16, get(at, HIGH))):
        want_text(desk, position_at(desk, at, rank))


@part
def _next_place(desk: int, at: int) -> None:
    left = get(at, LEFT)
    right = get(at, RIGHT)
    if left < right:
        _request(desk, at, (left + right) >> 1, PLACE_ORDER)
    else:
        _leave_place(desk, at)


@part
def _compare_place(desk: int, at: int) -> None:
    probe = get(at, PROBE)
    common, smaller = common_tokens(desk, at, position_at(desk, at, probe), get(at, LIMIT))
    if smaller:
        put(at, LEFT, probe + 1)
        put(at, BEFORE, common)
    else:
        put(at, RIGHT, probe)
        put(at, AFTER, common)
    _next_place(desk, at)


@part
def _leave_place(desk: int, at: int) -> None:
    """The neighbours are known, and how many tokens the context shares with each."""
    place = get(at, LEFT)
    length = max(get(at, BEFORE), get(at, AFTER))
    if length <= 1:
        take_run(desk, at, 1, get(at, LOW), get(at, HIGH))
        return
    put(at, LENGTH, length)
    put(at, BEGIN, place)
    put(at, END, place)
    if get(at, BEFORE) == length:
        _begin_first(desk, at)
    else:
        _begin_last(desk, at)


# --- 3. the first and the last entry with the match --------------------------------------------


@part
def _begin_first(desk: int, at: int) -> None:
    inside = get(at, BEGIN) - 1
    outside = get(at, LEFT_BORDER) - 1
    stride = 1
    if get(at, LEFT_SHARES) >= get(at, LENGTH):
        key = first_key(desk, at) & lanes_mask(desk, get(at, LENGTH) - 1)
        first = (get(at, LOW) + 15) >> 4
        number = _first_from(desk, at, first, get(at, LEFT_SAMPLE), key)
        inside = min(inside, 16 * number)
        outside = max(16 * number - 16, get(at, LOW) - 1)
        stride = 0
    put(at, INSIDE, inside)
    put(at, OUTSIDE, outside)
    put(at, STRIDE, stride)
    _next_first(desk, at)


@part
def _begin_last(desk: int, at: int) -> None:
    if get(at, AFTER) < get(at, LENGTH):
        take_run(desk, at, get(at, LENGTH), get(at, BEGIN), get(at, END))
        return
    inside = get(at, END)
    outside = get(at, RIGHT_BORDER)
    stride = 1
    if get(at, RIGHT_SHARES) >= get(at, LENGTH):
        mask = lanes_mask(desk, get(at, LENGTH) - 1)
        key = (first_key(desk, at) & mask) | ~mask
        stop = (get(at, HIGH) + 15) >> 4
        number = _first_above(desk, at, get(at, RIGHT_SAMPLE), stop, key)
        inside = max(inside, 16 * number - 16)
        outside = min(16 * number, get(at, HIGH))
        stride = 0
    put(at, INSIDE, inside)
    put(at, OUTSIDE, outside)
    put(at, STRIDE, stride)
    _next_last(desk, at)


@inlined
def _probe_between(desk: int, at: int, state: int, sign: int) -> bool:
    """Choose the next entry to look at, between one with the match and one without; False where
    they are neighbours.
    """
    distance = (get(at, OUTSIDE) - get(at, INSIDE)) * sign
    if distance <= 1:
        return False
    stride = get(at, STRIDE)
    if stride == 0 or stride >= distance:
        stride = distance >> 1
    _request(desk, at, get(at, INSIDE) + sign * stride, state)
    return True


@inlined
def _compare_probe(desk: int, at: int) -> None:
    probe = get(at, PROBE)
    length = get(at, LENGTH)
    common, _ = common_tokens(desk, at, position_at(desk, at, probe), length)
    if common == length:
        put(at, INSIDE, probe)
        put(at, STRIDE, get(at, STRIDE) * 2)
    else:
        put(at, OUTSIDE, probe)
        put(at, STRIDE, 0)


@part
def _next_first(desk: int, at: int) -> None:
    if not _probe_between(desk, at, FIRST_ORDER, -1):
        put(at, BEGIN, get(at, INSIDE))
        _begin_last(desk, at)


@part
def _next_last(desk: int, at: int) -> None:
    if not _probe_between(desk, at, LAST_ORDER, 1):
        take_run(desk, at, get(at, LENGTH), get(at, BEGIN), get(at, INSIDE) + 1)


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
        _search_samples(desk, at, alone)
    elif state in (PLACE_ORDER, FIRST_ORDER, LAST_ORDER):
        _found_order(desk, at, alone)
    elif state == PLACE_TEXT:
        _compare_place(desk, at)
    elif state == FIRST_TEXT:
        _compare_probe(desk, at)
        _next_first(desk, at)
    elif state == LAST_TEXT:
        _compare_probe(desk, at)
        _next_last(desk, at)
    elif state == FEW_ORDER:
        keep_positions(desk, at)
    elif state == FEW_TEXT:
        answer_from_kept(desk, at)
    elif state == MANY_ORDER:
        find_latest(desk, at)
    elif state == MANY_TEXT:
        find_second(desk, at)
    return bool(get(at, STATE) != DONE)

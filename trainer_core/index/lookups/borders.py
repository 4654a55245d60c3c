"""The first and the last entry that have a context's longest match, given one that has it.

What neighbours share tells it: from block to block where an end is close, at the end of a jump over
the sampled keys where a short match has many occurrences. Text is only read for matches of more
than `SHARED_MAX` tokens and for long ones with many occurrences. For the steps of a search see
`steps`.
"""

from __future__ import annotations

from trainer_core.index.compiled import inlined, part
from trainer_core.index.lookups.answer import take_run
from trainer_core.index.lookups.blocks import SHARED_MAX, gap_after, gap_before
from trainer_core.index.lookups.desk import (
    AFTER,
    BEFORE,
    BORDERS_ORDER,
    BORDERS_TEXT,
    CLOSE,
    FIRST,
    HIGH,
    INSIDE,
    LANES,
    LAST,
    LEFT_SAMPLE,
    LENGTH,
    LOOKS,
    LOW,
    OUTSIDE,
    RANGE,
    RIGHT_SAMPLE,
    SORTED,
    STATE,
)
from trainer_core.index.lookups.fetch import (
    common_tokens,
    first_above,
    first_key,
    first_like,
    get,
    lanes_mask,
    pivot,
    position_at,
    put,
    want,
    want_text,
)

_LINE_ENTRIES = 16
_BLOCKS = 64
_BLOCKS_OF_SHORT = 8
"""So many blocks are read before other means are taken."""


@part
def begin_borders(desk: int, at: int, place: int) -> None:
    """Begin with both ends.

    Args:
        desk: The desk.
        at: Where its row begins.
        place: Rank at which the context belongs: the entry there or the one before has the match.
    """
    _begin_first(desk, at, place)
    _begin_last(desk, at, place)
    _next_borders(desk, at, True)


@inlined
def _set_border(at: int, side: int, inside: int, outside: int) -> None:
    put(at, side + INSIDE, inside)
    put(at, side + OUTSIDE, outside)
    put(at, side + CLOSE, 1)


@inlined
def _in_samples(desk: int, length: int) -> bool:
    """Whether a match goes no further than sampled keys."""
    return bool(length <= 1 + get(desk, LANES))


@part
def _begin_first(desk: int, at: int, place: int) -> None:
    """Between which entries the run begins."""
    length = get(at, LENGTH)
    if get(at, BEFORE) < length:
        _set_border(at, FIRST, place, place - 1)
        return
    told = min(length, SHARED_MAX)
    blocks = _BLOCKS_OF_SHORT if _in_samples(desk, length) else _BLOCKS
    gap, found = gap_before(at, place - 1, told, blocks)
    if not found and _in_samples(desk, length):
        key = first_key(desk, at) & lanes_mask(desk, length - 1)
        number = first_like(desk, at, (get(at, LOW) + 15) >> 4, get(at, LEFT_SAMPLE), key)
        gap, found = gap_before(at, min(16 * number, gap + 1), told, 2)
    outside = gap if found else max(get(at, LOW) - 1, 16 * get(at, LEFT_SAMPLE) - 16)
    _set_border(at, FIRST, place - 1 if length > told else gap + 1, outside)


@part
def _begin_last(desk: int, at: int, place: int) -> None:
    """Between which entries the run ends."""
    length = get(at, LENGTH)
    if get(at, AFTER) < length:
        _set_border(at, LAST, place - 1, place)
        return
    told = min(length, SHARED_MAX)
    blocks = _BLOCKS_OF_SHORT if _in_samples(desk, length) else _BLOCKS
    gap, found = gap_after(at, place, told, blocks)
    if not found and _in_samples(desk, length):
        mask = lanes_mask(desk, length - 1)
        key = (first_key(desk, at) & mask) | ~mask
        number = first_above(desk, at, get(at, RIGHT_SAMPLE), (get(at, HIGH) + 15) >> 4, key)
        gap, found = gap_after(at, max(16 * number - 16, gap), told, 2)
    outside = gap + 1 if found else min(get(at, HIGH), 16 * get(at, RIGHT_SAMPLE))
    _set_border(at, LAST, place if length > told else gap, outside)


@inlined
def _border_probe(size: int, close: int, looks: int, number: int) -> int:
    """How far from the entry inside to look, for one of a few looks; more than `size`: do not."""
    return 1 << number if close != 0 else 1 + pivot(size, looks, number)


@part
def _want_border(desk: int, at: int, side: int, sign: int, has_order: bool) -> int:
    """Have entries at one end of the run fetched, or their text; how many may be its border."""
    inside = get(at, side + INSIDE)
    size = (get(at, side + OUTSIDE) - inside) * sign - 1
    close = get(at, side + CLOSE)
    order = get(get(at, RANGE), SORTED)
    looks = get(desk, LOOKS)
    for number in range(min(size, looks)):
        distance = _border_probe(size, close, looks, number)
        if distance <= size:
            rank = inside + sign * distance
            if has_order:
                want_text(desk, position_at(desk, at, rank))
            else:
                want(desk, order + 4 * rank)
    return size


@part
def _next_borders(desk: int, at: int, needs_order: bool) -> None:
    first = _want_border(desk, at, FIRST, -1, not needs_order)
    last = _want_border(desk, at, LAST, 1, not needs_order)
    if first <= 0 and last <= 0:
        begin = get(at, FIRST + INSIDE)
        take_run(desk, at, get(at, LENGTH), begin, get(at, LAST + INSIDE) + 1)
    elif needs_order:
        put(at, STATE, BORDERS_ORDER)
    else:
        put(at, STATE, BORDERS_TEXT)


@part
def found_borders_order(desk: int, at: int) -> None:
    """The entries are there: have their text fetched."""
    _want_border(desk, at, FIRST, -1, True)
    _want_border(desk, at, LAST, 1, True)
    put(at, STATE, BORDERS_TEXT)


@part
def _compare_border(desk: int, at: int, side: int, sign: int) -> None:
    start = get(at, side + INSIDE)
    size = (get(at, side + OUTSIDE) - start) * sign - 1
    close = get(at, side + CLOSE)
    length = get(at, LENGTH)
    looks = get(desk, LOOKS)
    for number in range(min(size, looks)):
        distance = _border_probe(size, close, looks, number)
        if distance > size:
            break
        probe = start + sign * distance
        common, _ = common_tokens(desk, at, position_at(desk, at, probe), 1, length)
        if common < length:
            put(at, side + OUTSIDE, probe)
            break
        put(at, side + INSIDE, probe)
    put(at, side + CLOSE, 0)


@inlined
def _is_wide(at: int, side: int, sign: int) -> bool:
    return bool((get(at, side + OUTSIDE) - get(at, side + INSIDE)) * sign > _LINE_ENTRIES)


@part
def compare_borders(desk: int, at: int) -> None:
    """Their text is there: come closer to both ends."""
    _compare_border(desk, at, FIRST, -1)
    _compare_border(desk, at, LAST, 1)
    _next_borders(desk, at, _is_wide(at, FIRST, -1) or _is_wide(at, LAST, 1))

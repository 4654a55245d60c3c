"""From a run of sorted positions to the answer: the most recent one, what followed it, what else.

The positions of a run are in no order of time, and a run may have millions of them. So of a run of
more than a few entries (`KEEP_LIMIT`) the tables over each 64 and each 4096 entries are read, and
single entries only at its two ends. Of a shorter one all positions are kept with what followed
them, as they tell the next token's match too: if the text goes on as one of them did, its match is
one token longer, and its occurrences are those that did.
"""

from __future__ import annotations

from trainer_core.index.compiled import inlined, part
from trainer_core.index.lookups.desk import (
    BEGIN,
    COUNT,
    DONE,
    END,
    FAR,
    FETCHED,
    FEW_ORDER,
    FEW_TEXT,
    HIGH,
    KEEP,
    KEEP_LIMIT,
    KEPT,
    LAST_USABLE,
    LATEST,
    LATEST_OTHER,
    LENGTH,
    LOW,
    MANY_ORDER,
    MANY_OTHERS,
    MANY_TEXT,
    NEXT,
    NOTES,
    POSITION,
    RANGE,
    SECOND,
    SORTED,
    STATE,
)
from trainer_core.index.lookups.fetch import get, position_at, put, token_at, want, want_text
from trainer_core.index.machine import load32_at

_LOW_HALF = (1 << 32) - 1
_LINE_BYTES = 64
Tops = tuple[int, int, int, int]


@part
def take_run(desk: int, at: int, length: int, begin: int, end: int) -> None:
    """The search has found all occurrences of the longest match: their ranks."""
    begin = min(max(begin, get(at, LOW)), get(at, HIGH) - 1)
    end = min(max(end, begin + 1), get(at, HIGH))
    put(at, LENGTH, length)
    put(at, BEGIN, begin)
    put(at, END, end)
    put(at, COUNT, end - begin)
    if end - begin <= get(desk, KEEP_LIMIT):
        if length > 1 and (begin ^ (end - 1)) >> 4 == 0:  # in a line that was just looked at
            keep_positions(desk, at)
            return
        put(at, STATE, FEW_ORDER)
        _want_numbers(desk, get(get(at, RANGE), SORTED), begin, end)
        return
    put(at, STATE, MANY_ORDER)
    for level in range(1 if get(desk, NOTES) else 3):  # the others are tables
        address, left, middle, other, right, width = _level(desk, at, level)
        _want_numbers(desk, address, left * width, middle * width)
        _want_numbers(desk, address, other * width, right * width)


@part
def _want_numbers(desk: int, address: int, begin: int, end: int) -> None:
    """Have 32-bit numbers fetched."""
    place = address + 4 * begin
    while place < address + 4 * end:
        want(desk, place)
        place = (place | (_LINE_BYTES - 1)) + 1


# --- few occurrences ---------------------------------------------------------------------------


@part
def keep_positions(desk: int, at: int) -> None:
    """Keep the run's positions and have their text fetched."""
    first = get(at, BEGIN)
    count = get(at, END) - first
    for i in range(count):
        place = position_at(desk, at, first + i)
        put(at, KEEP + i, place)
        want_text(desk, place)
    put(at, KEPT, count)
    put(at, STATE, FEW_TEXT)


@part
def answer_from_kept(desk: int, at: int) -> None:
    """The answer from the positions that are kept; what followed them is kept along."""
    count = get(at, KEPT)
    latest = -1
    following = -1
    other = -1
    second = -1
    for i in range(count):
        place = get(at, KEEP + i)
        token = token_at(desk, place + 1)
        put(at, KEEP + i, place | (token << 32))
        if place > latest:
            if token != following:
                other = latest
                second = following
            latest = place
            following = token
        elif token != following and place > other:
            other = place
            second = token
    put(at, POSITION, latest)
    put(at, NEXT, following)
    put(at, SECOND, second)
    put(at, COUNT, count)
    put(at, STATE, DONE)


@part
def extend(desk: int, at: int, token: int) -> bool:
    """Go on from the kept occurrences to those that one more token followed.

    Returns:
        Whether there are any: then they are the answer. Else, and where nothing is kept, the answer
        stays as it was.
    """
    kept = 0
    for i in range(get(at, KEPT)):
        entry = get(at, KEEP + i)
        place = (entry & _LOW_HALF) + 1
        if entry >> 32 == token and place <= get(desk, LAST_USABLE):
            put(at, KEEP + kept, place)
            kept += 1
    if kept == 0:
        return False
    put(at, KEPT, kept)
    put(at, LENGTH, get(at, LENGTH) + 1)
    answer_from_kept(desk, at)
    return True


# --- many occurrences --------------------------------------------------------------------------


@part
def _level(desk: int, at: int, level: int) -> tuple[int, int, int, int, int, int]:
    """The rows of a table that a run needs: single entries, then 64 and 4096 in one row.

    Returns:
        The table's address; the first row, and from where to where rows of the next table serve;
        the row behind the last one; 32-bit numbers in a row.
    """
    place = get(at, RANGE)
    left = get(at, BEGIN)
    right = get(at, END)
    address = get(place, SORTED)
    width = 1
    if level > 0:
        left = (left + 63) >> 6
        right >>= 6
        address = get(place, LATEST)
        width = 2
    if level > 1:
        left = (left + 63) >> 6
        right >>= 6
        address = get(place, FAR)
    right = max(left, right)
    middle = right
    other = right
    if level < 2 and (left + 63) >> 6 < right >> 6:
        middle = ((left + 63) >> 6) << 6
        other = (right >> 6) << 6
    return address, left, middle, other, right, width


@inlined
def _raised(tops: Tops, value: int) -> Tops:
    """The highest numbers, with one more taken into account."""
    first, second, third, fourth = tops
    if value <= fourth:
        return tops
    if value > second:
        if value > first:
            return value, first, second, third
        return first, value, second, third
    if value > third:
        return first, second, value, third
    return first, second, third, value


@inlined
def _tops_of_positions(address: int, begin: int, end: int, tops: Tops) -> Tops:
    for row in range(begin, end):
        tops = _raised(tops, load32_at(address, row) + 1)
    return tops


@inlined
def _tops_of_rows(address: int, begin: int, end: int, tops: Tops, other: int) -> tuple[Tops, int]:
    for row in range(begin, end):
        tops = _raised(tops, load32_at(address, 2 * row) + 1)
        value = load32_at(address, 2 * row + 1)
        tops = _raised(tops, value)
        other = max(other, value)
    return tops, other


@part
def find_latest(desk: int, at: int) -> None:
    """The most recent positions of a long run, and one that another token certainly followed.

    Of the two positions in a row at least one was not followed by what followed the latest of all,
    so that the latest other position is not before the highest number of the rows' second column.
    """
    tops = (0, 0, 0, 0)
    other = 0
    address, left, middle, after, right, _ = _level(desk, at, 0)
    tops = _tops_of_positions(address, left, middle, tops)
    tops = _tops_of_positions(address, after, right, tops)
    for level in range(1, 3):
        address, left, middle, after, right, _ = _level(desk, at, level)
        tops, other = _tops_of_rows(address, left, middle, tops, other)
        tops, other = _tops_of_rows(address, after, right, tops, other)
    last = get(desk, LAST_USABLE) + 1
    put(at, LATEST_OTHER, min(other, last))
    for number in range(4):
        put(at, KEEP + number, min(tops[number], last))
    put(at, POSITION, get(at, KEEP) - 1)
    put(at, STATE, MANY_TEXT)
    _want_tops(desk, at, 0, 4 if get(desk, NOTES) == 0 else 2)


@inlined
def _want_tops(desk: int, at: int, begin: int, end: int) -> None:
    """Have the text of some of the most recent positions fetched."""
    for number in range(begin, end):
        if get(at, KEEP + number) > 0:
            want_text(desk, get(at, KEEP + number) - 1)
    put(at, FETCHED, end)


@part
def _want_differing(desk: int, at: int) -> None:
    """Have all text fetched that `find_other` may read."""
    for level in range(3):
        address, left, middle, after, right, width = _level(desk, at, level)
        _want_places(desk, at, address, left, middle, width)
        _want_places(desk, at, address, after, right, width)


@part
def _want_places(desk: int, at: int, address: int, begin: int, end: int, width: int) -> None:
    other = get(at, LATEST_OTHER)
    for row in range(begin, end):
        place = load32_at(address, row * width)
        if place >= other:
            want_text(desk, min(place, get(desk, LAST_USABLE)))


@part
def find_second(desk: int, at: int) -> None:
    """What followed the latest position of a long run, and the latest other token that did."""
    following = token_at(desk, get(at, POSITION) + 1)
    put(at, NEXT, following)
    put(at, STATE, DONE)
    fetched = get(at, FETCHED)
    for number in range(1, fetched):
        place = get(at, KEEP + number)
        if place == 0:
            return
        token = token_at(desk, place)
        if token != following:
            put(at, SECOND, token)
            return
    if fetched < 4:
        _want_tops(desk, at, fetched, fetched + 1)
        put(at, STATE, MANY_TEXT)
    else:
        _want_differing(desk, at)
        put(at, STATE, MANY_OTHERS)


@part
def find_other(desk: int, at: int) -> None:
    """The latest other token of a long run whose latest positions were all followed alike."""
    following = get(at, NEXT)
    other = get(at, LATEST_OTHER)
    for level in range(3):
        address, left, middle, after, right, width = _level(desk, at, level)
        other = _latest_differing(desk, address, left, middle, width, following, other)
        other = _latest_differing(desk, address, after, right, width, following, other)
    if other > 0:
        put(at, SECOND, token_at(desk, other))
    put(at, STATE, DONE)


@part
def _latest_differing(
    desk: int, address: int, begin: int, end: int, width: int, following: int, other: int
) -> int:
    """The latest position that another token followed, + 1, of some rows and of `other`."""
    for row in range(begin, end):
        place = load32_at(address, row * width)
        if place >= other:
            place = min(place, get(desk, LAST_USABLE))
            if token_at(desk, place + 1) != following:
                other = place + 1
    return other


@part
def go_on_with_run(desk: int, at: int) -> None:
    """Take the next step to the answer from a run."""
    state = get(at, STATE)
    if state == FEW_ORDER:
        keep_positions(desk, at)
    elif state == FEW_TEXT:
        answer_from_kept(desk, at)
    elif state == MANY_ORDER:
        find_latest(desk, at)
    elif state == MANY_TEXT:
        find_second(desk, at)
    else:
        find_other(desk, at)

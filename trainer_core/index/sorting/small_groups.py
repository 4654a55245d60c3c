"""Small groups wait in a queue while what they need of the text is fetched; parts of kernels.

They compare whole keys. Each member, in time order, is put in its place among the earlier ones: its
longest match is the most that it shares with either neighbour there, and whoever shares as much
stands around it. m members.
"""

from __future__ import annotations

import numpy as np

from trainer_core.index.compiled import inlined, part, signed
from trainer_core.index.contexts import ends_after, key_at, lanes_of, lanes_shared
from trainer_core.index.machine import item_bytes, prefetch, prefetch_for_write
from trainer_core.index.sorting.items import Items, following_of, item_words, position_of
from trainer_core.index.sorting.settling import (
    GATHERED,
    U64,
    Result,
    Work,
    place,
    place_ended,
    settle,
    settle_equal,
    share,
)
from trainer_core.index.tokens import Text

SMALL = 24
"""Groups up to this size wait in the queue."""
QUEUE = 256
"""How many of them wait at a time."""
QUEUE_ROOM = QUEUE * SMALL // 2
"""How many smaller ones they may become."""

_LINE_TOKENS = 32
"""Tokens of 16 bits in a cache line."""

_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


@inlined
def wait(
    work: Work, half: int, waiting: int, begin: int, end: int, depth: int, lane: int, side: int
) -> int:
    """Put a small group into a half of the queue. Returns how many wait."""
    work.queue[half, waiting, 0] = begin
    work.queue[half, waiting, 1] = end
    work.queue[half, waiting, 2] = depth
    work.queue[half, waiting, 3] = lane
    work.queue[half, waiting, 4] = side
    return waiting + 1


@inlined
def fetch_text(text: Text, items: Items, shift: int, begin: int, end: int, depth: int) -> None:
    """Ask for what a group will read of the text."""
    words = item_words(text)
    back = depth + lanes_of(text) - 1
    for rank in range(begin, end):
        position = position_of(items[(rank - shift) * words + 1])
        prefetch(text.tokens, position - back)
        prefetch(text.tokens, position - back - _LINE_TOKENS)  # deeper keys may be in that line


@inlined
def fetch_records(
    text: Text, result: Result, items: Items, shift: int, begin: int, end: int
) -> None:
    """Ask for the places that a group's matches will be written to."""
    words = item_words(text)
    record_words = item_bytes(text.tokens) >> 1
    for rank in range(begin, end):
        position = position_of(items[(rank - shift) * words + 1])
        prefetch_for_write(result.records, (position - result.first) * record_words)


@inlined
def _finish_pair(
    text: Text,
    result: Result,
    items: Items,
    first_word: int,
    begin: int,
    swap: np.bool_,
    length: int,
) -> None:
    """Finish a group of two whose contexts share `length` tokens."""
    words = item_words(text)
    first = items[first_word + 1]
    then = items[first_word + words + 1]
    place(result, begin, then if swap else first)
    place(result, begin + 1, first if swap else then)
    share(result, begin + 1, length)
    if length > 0:
        follows = following_of(text, items, first_word)
        settle(text, result, then, follows, follows, length, position_of(first), 1)


@inlined
def _follow_pair(
    text: Text, result: Result, items: Items, shift: int, begin: int, depth: int
) -> None:
    """A group of two: follow both contexts through the text until they part or end."""
    words = item_words(text)
    lanes = lanes_of(text)
    at = (begin - shift) * words
    first = position_of(items[at + 1])
    then = position_of(items[at + words + 1])
    while True:
        a = key_at(text, first, depth)
        b = key_at(text, then, depth)
        left = min(lanes, text.max_length - depth)
        before = ends_after(text, a)
        shared = min(lanes_shared(text, a ^ b), left)
        if shared < left or before < left or depth + left == text.max_length:
            break
        depth += lanes
    length = depth + min(shared, before + text.keeps_end)
    _finish_pair(text, result, items, at, begin, b < a, length)


@inlined
def _split_pair(
    text: Text,
    work: Work,
    result: Result,
    items: Items,
    shift: int,
    group: int,
    half: int,
    waiting: int,
) -> int:
    """A group of two. If what is carried of its contexts is equal, it waits in the other half."""
    begin = work.queue[half, group, 0]
    depth = work.queue[half, group, 2]
    lane = work.queue[half, group, 3]
    words = item_words(text)
    lanes = lanes_of(text)
    if lane == lanes:
        _follow_pair(text, result, items, shift, begin, depth)
        return waiting
    at = (begin - shift) * words
    consumed = np.uint64(8 * item_bytes(text.tokens) * lane)
    a = items[at] << consumed
    b = items[at + words] << consumed
    left = min(lanes - lane, text.max_length - depth)
    before = ends_after(text, a)
    if a == b and before >= left and depth + left < text.max_length:
        fetch_text(text, items, shift, begin, begin + 2, depth + left)
        side = work.queue[half, group, 4]
        return wait(work, 1 - half, waiting, begin, begin + 2, depth + left, lanes, side)
    shared = min(lanes_shared(text, a ^ b), left)
    length = depth + min(shared, before + text.keeps_end)
    _finish_pair(text, result, items, at, begin, b < a, length)
    return waiting


@inlined
def _insert(text: Text, keys: U64, items: Items, first_word: int, i: int) -> int:
    """Move member i among the earlier ones, which are sorted. Returns its new number."""
    words = item_words(text)
    at = first_word + i * words
    key = keys[i]
    tag = items[at + 1]
    far = items[at + words - 1]  # word 2, or again word 1
    j = i
    while j > 0 and keys[j - 1] > key:
        keys[j] = keys[j - 1]
        items[at + 1] = items[at - words + 1]
        items[at + words - 1] = items[at - 1]
        at -= words
        j -= 1
    keys[j] = key
    items[at + 1] = tag
    items[at + words - 1] = far
    return j


@inlined
def _settle_among(
    text: Text,
    result: Result,
    keys: U64,
    items: Items,
    first_word: int,
    i: int,
    j: int,
    depth: int,
    length: int,
) -> None:
    """Settle member i, which stands at j among the earlier ones and shares `length` lanes."""
    words = item_words(text)
    key = keys[j]
    # Whoever shares the run differs below these bits.
    beyond = np.uint64(8 * item_bytes(text.tokens) * (lanes_of(text) - length))
    following = -1
    second = -1
    last = -1
    before = -1
    count = 0
    r = j
    while r > 0 and (keys[r - 1] ^ key) >> beyond == 0:
        r -= 1
    while r <= i and (keys[r] ^ key) >> beyond == 0:
        if r != j:
            at = first_word + r * words
            position = position_of(items[at + 1])
            follows = following_of(text, items, at)
            count += 1
            if position > last:
                if follows != following:
                    before = last
                    second = following
                last = position
                following = follows
            elif follows != following and position > before:
                before = position
                second = follows
        r += 1
    if second < 0:
        second = following
    tag = items[first_word + j * words + 1]
    settle(text, result, tag, following, second, depth + length, last, count)


@inlined
def _sort_small(
    text: Text,
    work: Work,
    result: Result,
    items: Items,
    first_word: int,
    m: int,
    depth: int,
    left: int,
) -> None:
    """Sort a small group by its keys, settling whoever differs from all earlier ones."""
    words = item_words(text)
    keys = work.keys
    following = following_of(text, items, first_word)
    second = following
    last = position_of(items[first_word + 1])
    for i in range(1, m):
        key = keys[i]
        tag = items[first_word + i * words + 1]
        follows = following_of(text, items, first_word + i * words)
        j = _insert(text, keys, items, first_word, i)
        difference = _ALL
        if j > 0:
            difference = keys[j - 1] ^ key
        if j < i:
            difference = min(difference, keys[j + 1] ^ key)
        length = lanes_shared(text, difference)
        ended = False
        if text.keeps_end == 0:  # then others may go on from where this one ends
            before = ends_after(text, key)
            ended = before < left
            length = min(length, before)
        if length == 0:
            if depth > 0:
                settle(text, result, tag, following, second, depth, last, i)
        elif difference != 0 or ended:
            _settle_among(text, result, keys, items, first_word, i, j, depth, length)
        if follows != following:
            second = following
            following = follows
        last = position_of(tag)


@inlined
def _split_small(
    text: Text,
    work: Work,
    result: Result,
    items: Items,
    shift: int,
    group: int,
    half: int,
    waiting: int,
) -> int:
    """Settle and sort a small group by whole keys. What goes on waits in the other half."""
    begin = work.queue[half, group, 0]
    depth = work.queue[half, group, 2]
    lane = work.queue[half, group, 3]
    side = work.queue[half, group, 4]
    m = work.queue[half, group, 1] - begin
    words = item_words(text)
    lanes = lanes_of(text)
    first_word = (begin - shift) * words
    keys = work.keys
    if lane == lanes:
        lane = signed(0)
        for i in range(m):
            keys[i] = key_at(text, position_of(items[first_word + i * words + 1]), depth)
    else:
        consumed = np.uint64(8 * item_bytes(text.tokens) * lane)
        for i in range(m):
            keys[i] = items[first_word + i * words] << consumed
    left = min(lanes - lane, text.max_length - depth)
    _sort_small(text, work, result, items, first_word, m, depth, left)
    run = signed(0)
    for i in range(1, m + 1):
        if i < m and keys[i] == keys[run]:
            continue
        if i < m:
            share(result, begin + i, depth + lanes_shared(text, keys[i] ^ keys[run]))
        if i - run == 1:
            place(result, begin + run, items[first_word + run * words + 1])
        else:
            waiting = _finish_run(
                text,
                work,
                result,
                items,
                shift,
                begin + run,
                begin + i,
                keys[run],
                depth,
                left,
                half,
                side,
                waiting,
            )
        run = i
    return waiting


@inlined
def _finish_run(
    text: Text,
    work: Work,
    result: Result,
    items: Items,
    shift: int,
    begin: int,
    end: int,
    key: np.uint64,
    depth: int,
    left: int,
    half: int,
    side: int,
    waiting: int,
) -> int:
    """Finish contexts with equal keys, or have them wait in the other half if they go on."""
    before = ends_after(text, key)
    if before >= left and depth + left < text.max_length:
        fetch_text(text, items, shift, begin, end, depth + left)
        lanes = lanes_of(text)
        return wait(work, 1 - half, waiting, begin, end, depth + left, lanes, side)
    if before < left and text.keeps_end == 0:  # settled while they were sorted
        place_ended(text, result, items, shift, begin, end, depth + before)
    else:
        length = depth + min(left, before + text.keeps_end)
        settle_equal(text, result, items, shift, begin, end, length)
    return waiting


@part
def empty_queue(text: Text, work: Work, result: Result, shift: int, waiting: int) -> None:
    """Split the small groups that wait, and what becomes of them, until none is left.

    Args:
        text: The text.
        work: The queue, and room.
        result: Filled.
        shift: The number of the item that lies first aside.
        waiting: How many wait in the queue's first half.
    """
    half = signed(0)
    while waiting > 0:
        further = signed(0)
        for group in range(waiting):
            gathered = work.queue[half, group, 4] == GATHERED
            items = work.items if gathered else work.aside
            begin = work.queue[half, group, 0]
            its_shift = signed(0) if gathered else shift
            if work.queue[half, group, 1] - begin == 2:
                further = _split_pair(text, work, result, items, its_shift, group, half, further)
            else:
                further = _split_small(text, work, result, items, its_shift, group, half, further)
        waiting = further
        half = 1 - half

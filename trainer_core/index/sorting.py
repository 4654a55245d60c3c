"""The compiled engine: sorts contexts and settles each token's longest match in the same pass.

Contexts that share their first `depth` tokens form a *group*. Its members stay in time order until
it is split by their next tokens, so a walk over it meets each occurrence after all the earlier
ones. Whoever is the first of the group to go on with a token has its longest match here: `depth`
tokens, and what the walk has seen says the rest. The others share more with somebody and are
settled deeper down. So each token is settled once.

Large groups are split by one token at a time, with a counter for each token there may be. Small
groups wait in a queue while what they need of the text is fetched, and compare whole keys.

Items lie in one of two places, `side`: where they were gathered, or in as much room again as the
largest first group needs. Letters: m members of a group, w members of the largest first group, v
tokens that there may be.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer_core.index.compiled import inlined, kernel, part, signed
from trainer_core.index.contexts import (
    ends_after,
    key_at,
    lanes_of,
    lanes_shared,
)
from trainer_core.index.items import (
    Items,
    begin_of,
    following_of,
    item_words,
    position_of,
)
from trainer_core.index.machine import (
    item_bytes,
    leading_zeros,
    prefetch,
    prefetch_for_write,
)
from trainer_core.index.records import Records, write_record
from trainer_core.index.tokens import Text

U8 = NDArray[np.uint8]
U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]

SMALL = 32
"""Groups up to this size compare every pair."""
QUEUE = 1024
"""Small groups that wait at a time."""
QUEUE_ROOM = QUEUE * SMALL // 2
"""Small groups that those may become."""

_AHEAD = 16
"""Items between asking for a place in the text and reading it."""

GATHERED, ASIDE = 0, 1
"""Where a group's items lie."""


class Result(NamedTuple):
    """What is found out about the items of a span."""

    order: U32  # (m,) positions, by context
    shared: U8  # (m,) tokens shared with the context before; or (0,): not wanted
    records: Records  # of the chunk's positions
    first: int  # the chunk's first position
    landmarks: I64  # see `items`


class Work(NamedTuple):
    """Room to work in."""

    items: Items  # of the span
    aside: Items  # (words * w,)
    counts: U32  # (v,) zeros, and zeros again afterwards
    seen: U64  # (v / 64 + 1,) a bit for each token, highest first; zeros again afterwards
    seen_words: U64  # (v / 4096 + 1,) a bit for each word of `seen`
    stack: I64  # (s, 5) large groups: first item, behind the last, depth, lane, side
    queue: I64  # (2, QUEUE_ROOM, 5) small groups, now and next
    keys: U64  # (SMALL,)


@inlined
def _settle(
    text: Text,
    result: Result,
    tag: np.uint64,
    following: int,
    second: int,
    length: int,
    last: int,
    count: int,
) -> None:
    """Write down an item's match, once and for all."""
    begin = begin_of(result.landmarks, result.first >> 16, tag)
    write_record(
        result.records,
        position_of(tag) - result.first,
        item_bytes(text.tokens),
        following,
        second,
        length,
        signed(last >= begin),
        count,
    )


@inlined
def _place(result: Result, rank: int, tag: np.uint64) -> None:
    """An item has found its rank."""
    result.order[rank] = np.uint32(position_of(tag))


@inlined
def _share(result: Result, rank: int, length: int) -> None:
    """Write down what a context shares with the one before it."""
    if result.shared.size > 0:
        result.shared[rank] = np.uint8(length)


@inlined
def _lane_of(text: Text, key: np.uint64, lane: int) -> int:
    """One token of a key."""
    bits = 8 * item_bytes(text.tokens)
    return signed((key << np.uint64(bits * lane)) >> np.uint64(64 - bits))


@part
def _settle_equal(
    text: Text, result: Result, items: Items, shift: int, begin: int, end: int, length: int
) -> None:
    """A group whose contexts are equal to their ends: each one's match is the one before it."""
    words = item_words(text)
    following = 0
    second = 0
    last = 0
    for rank in range(begin, end):
        at = (rank - shift) * words
        tag = items[at + 1]
        if rank > begin:
            if length > 0:
                _settle(text, result, tag, following, second, length, last, rank - begin)
            _share(result, rank, length)
        follows = following_of(text, items, at)
        if rank == begin:
            following = follows
            second = follows
        elif follows != following:
            second = following
            following = follows
        last = position_of(tag)
        _place(result, rank, tag)


@inlined
def _load_keys(text: Text, items: Items, shift: int, begin: int, end: int, depth: int) -> np.uint64:
    """Read a large group's keys at a depth. Returns the bits in which they differ."""
    words = item_words(text)
    back = depth + lanes_of(text) - 1
    differ = np.uint64(0)
    for rank in range(begin, end):
        at = (rank - shift) * words
        if rank + _AHEAD < end:
            prefetch(text.tokens, position_of(items[at + _AHEAD * words + 1]) - back)
        items[at] = key_at(text, position_of(items[at + 1]), depth)
        differ |= items[at] ^ items[(begin - shift) * words]
    return differ


@inlined
def _count(
    text: Text,
    work: Work,
    result: Result,
    items: Items,
    shift: int,
    begin: int,
    end: int,
    depth: int,
    lane: int,
) -> int:
    """Count a group's next tokens and settle the first of each kind. Returns the kinds."""
    words = item_words(text)
    counts = work.counts
    kinds = 0
    following = following_of(text, items, (begin - shift) * words)
    second = following
    last = 0
    for rank in range(begin, end):
        at = (rank - shift) * words
        tag = items[at + 1]
        token = _lane_of(text, items[at], lane)
        before = counts[token]
        counts[token] = before + np.uint32(1)
        is_last = token == text.end and text.keeps_end == 0  # the context has no more tokens
        if before == 0:
            kinds += 1
            word = token >> 6
            work.seen[word] |= np.uint64(1) << np.uint64(63 - (token & 63))
            work.seen_words[word >> 6] |= np.uint64(1) << np.uint64(63 - (word & 63))
        if (before == 0 or is_last) and rank > begin and depth > 0:
            _settle(text, result, tag, following, second, depth, last, rank - begin)
        follows = following_of(text, items, at)
        if follows != following:
            second = following
            following = follows
        last = position_of(tag)
    return kinds


@inlined
def _next_token(work: Work, token: int) -> int:
    """The first token from `token` on that the group has; -1 behind the last one."""
    word = token >> 6
    if word < work.seen.size:
        left = work.seen[word] << np.uint64(token & 63)
        if left != 0:
            return token + leading_zeros(left)
        word += 1
    top = word >> 6
    if top >= work.seen_words.size:
        return -1
    left = work.seen_words[top] << np.uint64(word & 63)
    while left == 0:
        top += 1
        word = top << 6
        if top >= work.seen_words.size:
            return -1
        left = work.seen_words[top]
    word += leading_zeros(left)
    return (word << 6) + leading_zeros(work.seen[word])


@inlined
def _scatter(
    text: Text,
    work: Work,
    source: Items,
    source_shift: int,
    target: Items,
    target_shift: int,
    begin: int,
    end: int,
    lane: int,
) -> None:
    """Move a group's items to the other side, by their next token; counts become ends of runs."""
    words = item_words(text)
    counts = work.counts
    place = begin
    token = _next_token(work, 0)
    while token >= 0:
        here = signed(counts[token])
        counts[token] = np.uint32(place)
        place += here
        token = _next_token(work, token + 1)
    for rank in range(begin, end):
        at = (rank - source_shift) * words
        token = _lane_of(text, source[at], lane)
        to = signed(counts[token])
        counts[token] = np.uint32(to + 1)
        for word in range(words):
            target[(to - target_shift) * words + word] = source[at + word]


@inlined
def _wait(
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
def _fetch_text(text: Text, items: Items, shift: int, begin: int, end: int, depth: int) -> None:
    """Ask for what a group will read of the text."""
    words = item_words(text)
    back = depth + lanes_of(text) - 1
    for rank in range(begin, end):
        prefetch(text.tokens, position_of(items[(rank - shift) * words + 1]) - back)


@inlined
def _fetch_records(
    text: Text, result: Result, items: Items, shift: int, begin: int, end: int
) -> None:
    """Ask for the places that a group's matches will be written to."""
    words = item_words(text)
    record_words = item_bytes(text.tokens) >> 1
    for rank in range(begin, end):
        position = position_of(items[(rank - shift) * words + 1])
        prefetch_for_write(result.records, (position - result.first) * record_words)


@inlined
def _split_pair(
    text: Text, result: Result, items: Items, shift: int, begin: int, depth: int, lane: int
) -> None:
    """A group of two: follow both contexts until they part or end."""
    words = item_words(text)
    lanes = lanes_of(text)
    at = (begin - shift) * words
    first = items[at + 1]
    then = items[at + words + 1]
    a = items[at]
    b = items[at + words]
    if lane == lanes:
        lane = 0
        a = key_at(text, position_of(first), depth)
        b = key_at(text, position_of(then), depth)
    bits = np.uint64(8 * item_bytes(text.tokens) * lane)
    a <<= bits
    b <<= bits
    length = 0
    while True:
        left = min(lanes - lane, text.max_length - depth)
        before = ends_after(text, a)
        shared = min(lanes_shared(text, a ^ b), left)
        if shared < left or before < left:
            length = depth + min(shared, before + text.keeps_end)
            break
        depth += left
        length = depth
        if depth == text.max_length:
            break
        lane = 0
        a = key_at(text, position_of(first), depth)
        b = key_at(text, position_of(then), depth)
    swap = b < a
    result.order[begin] = np.uint32(position_of(then if swap else first))
    result.order[begin + 1] = np.uint32(position_of(first if swap else then))
    _share(result, begin + 1, length)
    if length > 0:
        follows = following_of(text, items, at)
        _settle(text, result, then, follows, follows, length, position_of(first), 1)


@inlined
def _settle_small(
    text: Text,
    work: Work,
    result: Result,
    items: Items,
    first_word: int,
    m: int,
    depth: int,
    left: int,
) -> None:
    """Match each member of a small group with the best of the earlier ones, pair by pair.

    Args:
        first_word: Of the group's items.
        left: How many lanes its keys have.
    """
    words = item_words(text)
    keys = work.keys
    for i in range(1, m):
        key = keys[i]
        best = key ^ keys[0]
        for j in range(1, i):
            best = min(best, key ^ keys[j])
        before = ends_after(text, key)
        if best == 0 and before >= left and depth + left < text.max_length:
            continue  # goes on: the deeper group settles it
        length = min(lanes_shared(text, best), left, before + text.keeps_end)
        if depth + length == 0:
            continue
        # Whoever shares the run differs below these bits.
        beyond = np.uint64(8 * item_bytes(text.tokens) * (lanes_of(text) - length))
        following = -1
        second = -1
        last = 0
        count = 0
        for j in range(i):
            if length > 0 and (key ^ keys[j]) >> beyond != 0:
                continue
            follows = following_of(text, items, first_word + j * words)
            if follows != following:
                second = following
                following = follows
            last = j
            count += 1
        if second < 0:
            second = following
        last = position_of(items[first_word + last * words + 1])
        tag = items[first_word + i * words + 1]
        _settle(text, result, tag, following, second, depth + length, last, count)


@inlined
def _sort_small(text: Text, keys: U64, items: Items, first_word: int, m: int) -> None:
    """Stable insertion sort of a small group's keys and items."""
    words = item_words(text)
    for i in range(1, m):
        key = keys[i]
        at = first_word + i * words
        tag = items[at + 1]
        far = items[at + words - 1]
        j = i - 1
        while j >= 0 and keys[j] > key:
            keys[j + 1] = keys[j]
            at = first_word + j * words
            items[at + words + 1] = items[at + 1]
            items[at + words + words - 1] = items[at + words - 1]
            j -= 1
        keys[j + 1] = key
        at = first_word + (j + 1) * words
        items[at + 1] = tag
        items[at + words - 1] = far


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
    from_text = lane == lanes
    if from_text:
        lane = 0
    left = min(lanes - lane, text.max_length - depth)
    differ = np.uint64(0)
    for i in range(m):
        at = first_word + i * words
        if from_text:
            keys[i] = key_at(text, position_of(items[at + 1]), depth)
        else:
            keys[i] = items[at] << np.uint64(8 * item_bytes(text.tokens) * lane)
        differ |= keys[i] ^ keys[0]
    before = ends_after(text, keys[0])
    if differ == 0 and (before < left or depth + left == text.max_length):
        length = depth + min(left, before + text.keeps_end)
        _settle_equal(text, result, items, shift, begin, begin + m, length)
        return waiting
    if differ != 0:
        _settle_small(text, work, result, items, first_word, m, depth, left)
        _sort_small(text, keys, items, first_word, m)
    run = 0
    for i in range(1, m + 1):
        if i < m and keys[i] == keys[run]:
            continue
        if i < m:
            _share(result, begin + i, depth + lanes_shared(text, keys[i] ^ keys[run]))
        before = ends_after(text, keys[run])
        if i - run > 1 and before >= left and depth + left < text.max_length:
            _fetch_text(text, items, shift, begin + run, begin + i, depth + left)
            waiting = _wait(
                work, 1 - half, waiting, begin + run, begin + i, depth + left, lanes, side
            )
        else:
            length = depth + min(left, before + text.keeps_end)
            for j in range(run, i):
                _place(result, begin + j, items[first_word + j * words + 1])
                if j > run:
                    _share(result, begin + j, length)
        run = i
    return waiting


@part
def _empty_queue(text: Text, work: Work, result: Result, shift: int, waiting: int) -> None:
    """Split the small groups that wait, and what becomes of them, until none is left."""
    half = 0
    while waiting > 0:
        further = 0
        for group in range(waiting):
            gathered = work.queue[half, group, 4] == GATHERED
            items = work.items if gathered else work.aside
            begin = work.queue[half, group, 0]
            its_shift = 0 if gathered else shift
            if work.queue[half, group, 1] - begin == 2:
                depth = work.queue[half, group, 2]
                lane = work.queue[half, group, 3]
                _split_pair(text, result, items, its_shift, begin, depth, lane)
            else:
                further = _split_small(text, work, result, items, its_shift, group, half, further)
        waiting = further
        half = 1 - half


@inlined
def _push(stack: I64, size: int, begin: int, end: int, depth: int, lane: int, side: int) -> int:
    stack[size, 0] = begin
    stack[size, 1] = end
    stack[size, 2] = depth
    stack[size, 3] = lane
    stack[size, 4] = side
    return size + 1


@inlined
def _hand_on(
    text: Text,
    work: Work,
    result: Result,
    shift: int,
    begin: int,
    end: int,
    depth: int,
    lane: int,
    side: int,
    size: int,
    waiting: int,
) -> tuple[int, int]:
    """Put a group where it is split next. Returns the stack's size and how many wait."""
    items = work.items if side == GATHERED else work.aside
    its_shift = 0 if side == GATHERED else shift
    if end - begin > SMALL:
        return _push(work.stack, size, begin, end, depth, lane, side), waiting
    if lane == lanes_of(text):
        _fetch_text(text, items, its_shift, begin, end, depth)
    _fetch_records(text, result, items, its_shift, begin, end)
    waiting = _wait(work, 0, waiting, begin, end, depth, lane, side)
    if waiting == QUEUE:
        _empty_queue(text, work, result, shift, waiting)
        waiting = 0
    return size, waiting


@inlined
def _split_runs(
    text: Text,
    work: Work,
    result: Result,
    shift: int,
    begin: int,
    depth: int,
    lane: int,
    side: int,
    size: int,
    waiting: int,
) -> tuple[int, int]:
    """Finish the runs of a group that was scattered, or hand them on; counts are zeros again."""
    items = work.items if side == GATHERED else work.aside
    its_shift = 0 if side == GATHERED else shift
    words = item_words(text)
    run = begin
    token = _next_token(work, 0)
    while token >= 0:
        end = signed(work.counts[token])
        if run > begin:
            _share(result, run, depth)
        if token == text.end or depth + 1 == text.max_length:
            if text.keeps_end == 0 and token == text.end:
                for rank in range(run, end):  # settled while they were counted
                    _place(result, rank, items[(rank - its_shift) * words + 1])
                    if rank > run:
                        _share(result, rank, depth)
            else:
                _settle_equal(text, result, items, its_shift, run, end, depth + 1)
        elif end - run == 1:
            _place(result, run, items[(run - its_shift) * words + 1])
        else:
            size, waiting = _hand_on(
                text, work, result, shift, run, end, depth + 1, lane + 1, side, size, waiting
            )
        run = end
        work.counts[token] = 0
        further = _next_token(work, token + 1)
        if further >> 6 != token >> 6:
            work.seen[token >> 6] = 0
        token = further
    for top in range(work.seen_words.size):
        work.seen_words[top] = 0
    return size, waiting


@inlined
def _split_large(
    text: Text, work: Work, result: Result, shift: int, size: int, waiting: int
) -> tuple[int, int]:
    """Split the group on top of the stack. Returns the stack's size and how many wait."""
    size -= 1
    begin = work.stack[size, 0]
    end = work.stack[size, 1]
    depth = work.stack[size, 2]
    lane = work.stack[size, 3]
    side = work.stack[size, 4]
    lanes = lanes_of(text)
    items = work.items if side == GATHERED else work.aside
    its_shift = 0 if side == GATHERED else shift
    if lane == lanes:
        lane = 0
        if _load_keys(text, items, its_shift, begin, end, depth) == 0:
            left = min(lanes, text.max_length - depth)
            before = ends_after(text, items[(begin - its_shift) * item_words(text)])
            if before >= left and depth + left < text.max_length:
                size = _push(work.stack, size, begin, end, depth + left, lanes, side)
            else:
                length = depth + min(left, before + text.keeps_end)
                _settle_equal(text, result, items, its_shift, begin, end, length)
            return size, waiting
    kinds = _count(text, work, result, items, its_shift, begin, end, depth, lane)
    if kinds == 1:
        work.counts[_next_token(work, 0)] = end
    else:
        target = work.aside if side == GATHERED else work.items
        target_shift = shift if side == GATHERED else 0
        _scatter(text, work, items, its_shift, target, target_shift, begin, end, lane)
        side = 1 - side
    return _split_runs(text, work, result, shift, begin, depth, lane, side, size, waiting)


@kernel
def sort_groups(
    text: Text,
    work: Work,
    result: Result,
    bounds: I64,
    first_group: int,
    stop_group: int,
    depth: int,
    ended: int,
) -> None:
    """Sort the contexts of some first groups and settle their tokens' matches.

    Args:
        text: The tokens.
        work: Room, with the items.
        result: Filled for the members of these groups.
        bounds: (g + 1,) numbers of the items at which groups begin.
        first_group: The first group to do.
        stop_group: The group behind the last one.
        depth: Tokens that all of a group share, 0 or 1.
        ended: The group whose contexts have no more tokens than that, or -1.
    """
    waiting = 0
    for group in range(first_group, stop_group):
        begin = bounds[group]
        end = bounds[group + 1]
        if begin == end:
            continue
        _share(result, begin, 0)
        if group == ended or depth == text.max_length:
            _settle_equal(text, result, work.items, 0, begin, end, depth)
            continue
        if end - begin == 1:
            _place(result, begin, work.items[begin * item_words(text) + 1])
            continue
        size, waiting = _hand_on(text, work, result, 0, begin, end, depth, 0, GATHERED, 0, waiting)
        if size > 0:
            while size > 0:
                size, waiting = _split_large(text, work, result, begin, size, waiting)
            _empty_queue(text, work, result, begin, waiting)  # it lies aside, as the next one will
            waiting = 0
    _empty_queue(text, work, result, 0, waiting)

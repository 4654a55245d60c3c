"""The compiled engine: sorts contexts and settles each token's longest match in the same pass.

Contexts that share their first `depth` tokens form a *group*. Its members stay in time order until
it is split by their next tokens, so a walk over it meets each occurrence after all the earlier
ones. Whoever is the first of the group to go on with a token has its longest match here: `depth`
tokens, and what the walk has seen says the rest. The others share more with somebody and are
settled deeper down. So each token is settled once.

Large groups are split here, by one token at a time, with a counter for each token there may be.
Small ones are handed on, see `small_groups`. g first groups.
"""

from __future__ import annotations

import numpy as np

from trainer_core.index.compiled import inlined, kernel, signed
from trainer_core.index.contexts import ends_after, key_at, lanes_of
from trainer_core.index.machine import item_bytes, leading_zeros, prefetch
from trainer_core.index.sorting.items import Items, following_of, item_words, position_of
from trainer_core.index.sorting.settling import (
    ASIDE,
    GATHERED,
    I64,
    Result,
    Work,
    place,
    place_ended,
    settle,
    settle_equal,
    share,
)
from trainer_core.index.sorting.small_groups import (
    QUEUE,
    SMALL,
    empty_queue,
    fetch_records,
    fetch_text,
    wait,
)
from trainer_core.index.tokens import Text

_AHEAD = 40
"""Items between asking for a place in the text and reading it."""

_TOP_BIT = np.uint64(1 << 63)


@inlined
def _lane_of(text: Text, key: np.uint64, lane: int) -> int:
    """One token of a key."""
    bits = 8 * item_bytes(text.tokens)
    return signed((key << np.uint64(bits * lane)) >> np.uint64(64 - bits))


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
) -> None:
    """Count a group's next tokens and settle the first of each kind."""
    words = item_words(text)
    counts = work.counts
    at = (begin - shift) * words
    following = following_of(text, items, at)
    second = following
    last = 0
    for rank in range(begin, end):
        tag = items[at + 1]
        token = _lane_of(text, items[at], lane)
        before = counts[token]
        counts[token] = before + np.uint32(1)
        if before == 0:
            word = token >> 6
            work.seen[word] |= _TOP_BIT >> np.uint64(token & 63)
            work.seen_words[word >> 6] |= _TOP_BIT >> np.uint64(word & 63)
        ended = text.keeps_end == 0 and token == text.end  # the context has no more tokens
        if (before == 0 or ended) and rank > begin and depth > 0:
            settle(text, result, tag, following, second, depth, last, rank - begin)
        follows = following_of(text, items, at)
        if follows != following:
            second = following
            following = follows
        last = position_of(tag)
        at += words


@inlined
def _line_up(work: Work, begin: int) -> int:
    """List the tokens seen in a group, rising. Returns how many they are.

    Counts become the ranks at which each token's run begins.
    """
    kinds = signed(0)
    rank = begin
    for top in range(work.seen_words.size):
        tops = work.seen_words[top]
        work.seen_words[top] = 0
        while tops != 0:
            word = leading_zeros(tops)
            tops ^= _TOP_BIT >> np.uint64(word)
            word += top << 6
            bits = work.seen[word]
            work.seen[word] = 0
            while bits != 0:
                bit = leading_zeros(bits)
                bits ^= _TOP_BIT >> np.uint64(bit)
                token = (word << 6) + bit
                work.kinds[kinds] = np.uint32(token)
                kinds += 1
                here = signed(work.counts[token])
                work.counts[token] = np.uint32(rank)
                rank += here
    return kinds


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
    for rank in range(begin, end):
        at = (rank - source_shift) * words
        token = _lane_of(text, source[at], lane)
        place_there = signed(counts[token])
        counts[token] = np.uint32(place_there + 1)
        to = (place_there - target_shift) * words
        target[to] = source[at]
        target[to + 1] = source[at + 1]
        target[to + words - 1] = source[at + words - 1]


@inlined
def _push(work: Work, size: int, begin: int, end: int, depth: int, lane: int, side: int) -> int:
    work.stack[size, 0] = begin
    work.stack[size, 1] = end
    work.stack[size, 2] = depth
    work.stack[size, 3] = lane
    work.stack[size, 4] = side
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
    if end - begin > SMALL:
        return _push(work, size, begin, end, depth, lane, side), waiting
    items = work.items if side == GATHERED else work.aside
    its_shift = signed(0) if side == GATHERED else shift
    if lane == lanes_of(text):
        fetch_text(text, items, its_shift, begin, end, depth)
    fetch_records(text, result, items, its_shift, begin, end)
    waiting = wait(work, signed(0), waiting, begin, end, depth, lane, side)
    if waiting == QUEUE:
        empty_queue(text, work, result, shift, waiting)
        waiting = signed(0)
    return size, waiting


@inlined
def _split_runs(
    text: Text,
    work: Work,
    result: Result,
    shift: int,
    kinds: int,
    begin: int,
    depth: int,
    lane: int,
    side: int,
    size: int,
    waiting: int,
) -> tuple[int, int]:
    """Finish the runs of a group or hand them on; counts are zeros again."""
    items = work.items if side == GATHERED else work.aside
    its_shift = signed(0) if side == GATHERED else shift
    run = begin
    for kind in range(kinds):
        token = signed(work.kinds[kind])
        end = signed(work.counts[token])
        work.counts[token] = 0
        if kind > 0:
            share(result, run, depth)
        if token == text.end and text.keeps_end == 0:  # settled while they were counted
            place_ended(text, result, items, its_shift, run, end, depth)
        elif end - run == 1:
            place(result, run, items[(run - its_shift) * item_words(text) + 1])
        elif token == text.end or depth + 1 == text.max_length:
            settle_equal(text, result, items, its_shift, run, end, depth + 1)
        else:
            size, waiting = _hand_on(
                text, work, result, shift, run, end, depth + 1, lane + 1, side, size, waiting
            )
        run = end
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
    its_shift = signed(0) if side == GATHERED else shift
    if lane == lanes:
        lane = signed(0)
        if _load_keys(text, items, its_shift, begin, end, depth) == 0:
            left = min(lanes, text.max_length - depth)
            before = ends_after(text, items[(begin - its_shift) * item_words(text)])
            if before >= left and depth + left < text.max_length:
                return _push(work, size, begin, end, depth + left, lanes, side), waiting
            length = depth + min(left, before + text.keeps_end)
            settle_equal(text, result, items, its_shift, begin, end, length)
            return size, waiting
    _count(text, work, result, items, its_shift, begin, end, depth, lane)
    kinds = _line_up(work, begin)
    if kinds == 1:
        work.counts[work.kinds[0]] = end
    else:
        target = work.aside if side == GATHERED else work.items
        target_shift = shift if side == GATHERED else signed(0)
        _scatter(text, work, items, its_shift, target, target_shift, begin, end, lane)
        side = ASIDE + GATHERED - side
    return _split_runs(text, work, result, shift, kinds, begin, depth, lane, side, size, waiting)


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
    nothing = signed(0)  # not a literal: kernels are compiled anew for each
    waiting = nothing
    for group in range(first_group, stop_group):
        begin = bounds[group]
        end = bounds[group + 1]
        if begin == end:
            continue
        share(result, begin, 0)
        if group == ended or depth == text.max_length:
            settle_equal(text, result, work.items, nothing, begin, end, depth)
            continue
        if end - begin == 1:
            place(result, begin, work.items[begin * item_words(text) + 1])
            continue
        size, waiting = _hand_on(
            text, work, result, nothing, begin, end, depth, nothing, nothing, nothing, waiting
        )
        if size > 0:
            while size > 0:
                size, waiting = _split_large(text, work, result, begin, size, waiting)
            empty_queue(text, work, result, begin, waiting)  # it lies aside, as the next one will
            waiting = nothing
    empty_queue(text, work, result, nothing, waiting)

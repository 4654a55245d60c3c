"""The compiled engine: sorts contexts and settles each token's longest match in the same pass.

Contexts that share their first `depth` tokens form a *group*. Groups are split by the next tokens,
a key at a time (see `keys`). A group's members stay in time order until it is split, so a pass over
it meets each occurrence after all the earlier ones: what the pass has seen of a context by then is
the token's match.

Letters: m members of a group, w members of the largest one, n tokens.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer_core.index.compiled import inlined, kernel, part, signed
from trainer_core.index.keys import Text, key_at, lanes_filled, lanes_shared, room_at, token_after

U16 = NDArray[np.uint16]
U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]

SMALL = 16
"""Groups up to this size compare every pair; larger ones are sorted."""
_MEDIUM = 128
"""Groups up to this size are sorted by insertion; larger ones go through the radix sort."""

LAST, CONTINUATION, SECOND, SEEN = 0, 1, 2, 3
"""Columns of a node: last occurrence, what followed it, what else followed, occurrences so far."""
NEAR, FAR = 0, 1
"""Levels of nodes in a large group: by the first token of a half key, and by the whole of it."""
MATCH, OTHER, LENGTH_COUNT = 0, 1, 2
"""Columns of a record: last occurrence, second continuation + 1, length | occurrences << 8."""

_COUNT_MAX = (1 << 24) - 1
_UPPER = np.uint64(0xFFFFFFFF00000000)


class Scratch(NamedTuple):
    """Room to work in."""

    keys: U64  # (w,)
    spare: U64  # (w,)
    members: U32  # (w,) positions in time order
    runs: U32  # (w, 2) the nodes of each member, near and far, named by their first rank
    nodes: U32  # (w, 2, 4)
    histogram: I64  # (4 * 256,)
    stack: I64  # (s, 3) groups to do: first rank, rank behind the last, depth


@inlined
def _settle(records: U32, position: int, match: int, second: int, length: int, count: int) -> None:
    """Write down the match of one token, once and for all."""
    records[position, MATCH] = match
    records[position, OTHER] = second
    records[position, LENGTH_COUNT] = length | (min(count, _COUNT_MAX) << 8)


@inlined
def _push(stack: I64, size: int, low: int, high: int, depth: int) -> int:
    stack[size, 0] = low
    stack[size, 1] = high
    stack[size, 2] = depth
    return size + 1


@part
def _settle_equal(text: Text, order: U32, records: U32, low: int, high: int, length: int) -> None:
    """A group whose contexts are equal to their ends: each one's match is the one before it."""
    second = 0
    before = signed(order[low])
    followed = token_after(text, before)
    for rank in range(low + 1, high):
        position = signed(order[rank])
        _settle(records, position, before, second, length, rank - low)
        follows = token_after(text, position)
        if follows != followed:
            second = followed
        followed = follows
        before = position


@part
def _split_pair(text: Text, order: U32, records: U32, low: int, depth: int) -> None:
    """A group of two: follow both contexts until they part or end."""
    lanes = 4 >> (text.width - 1)
    first = signed(order[low])
    then = signed(order[low + 1])
    while True:
        room = room_at(text, depth)
        a = key_at(text, first, depth, room)
        b = key_at(text, then, depth, room)
        filled = lanes_filled(a, text.width)
        if a != b or filled < lanes:
            break
        depth += lanes
    if b < a:
        order[low] = then
        order[low + 1] = first
    _settle(records, then, first, 0, depth + min(filled, lanes_shared(a ^ b, text.width)), 1)


@part
def _settle_small(text: Text, records: U32, keys: U64, members: U32, m: int, depth: int) -> None:
    """Match each member of a small group with the best of the earlier ones, pair by pair."""
    lanes = 4 >> (text.width - 1)
    for i in range(1, m):
        key = keys[i]
        best = key ^ keys[0]
        for j in range(1, i):
            best = min(best, key ^ keys[j])
        filled = lanes_filled(key, text.width)
        if best == 0 and filled == lanes:
            continue  # goes on: the deeper group settles it
        length = min(filled, lanes_shared(best, text.width))
        beyond = np.uint64(64 - 16 * text.width * length)  # whoever shares the run differs below
        count = 0
        match = 0
        second = 0
        followed = 0
        for j in range(i - 1, -1, -1):
            if length > 0 and (key ^ keys[j]) >> beyond != 0:
                continue
            follows = token_after(text, signed(members[j]))
            count += 1
            if count == 1:
                match = signed(members[j])
                followed = follows
            elif second == 0 and follows != followed:
                second = follows
        _settle(records, signed(members[i]), match, second, depth + length, count)


@part
def _sort_small(order: U32, keys: U64, low: int, m: int) -> None:
    """Stable insertion sort of a small group's keys and positions."""
    for i in range(1, m):
        key = keys[i]
        position = order[low + i]
        j = i - 1
        while j >= 0 and keys[j] > key:
            keys[j + 1] = keys[j]
            order[low + j + 1] = order[low + j]
            j -= 1
        keys[j + 1] = key
        order[low + j + 1] = position


@part
def _split_small(
    text: Text,
    order: U32,
    records: U32,
    keys: U64,
    members: U32,
    stack: I64,
    size: int,
    low: int,
    high: int,
    depth: int,
) -> int:
    """Settle and sort a small group by whole keys; push what goes on. Returns the stack's size."""
    lanes = 4 >> (text.width - 1)
    m = high - low
    room = room_at(text, depth)
    differ = np.uint64(0)
    for i in range(m):
        position = signed(order[low + i])
        members[i] = position
        keys[i] = key_at(text, position, depth, room)
        differ |= keys[i] ^ keys[0]
    if differ == 0:
        filled = lanes_filled(keys[0], text.width)
        if filled == lanes:
            return _push(stack, size, low, high, depth + lanes)
        _settle_equal(text, order, records, low, high, depth + filled)
        return size
    _settle_small(text, records, keys, members, m, depth)
    _sort_small(order, keys, low, m)
    begin = 0
    for i in range(1, m + 1):
        if i < m and keys[i] == keys[begin]:
            continue
        if i - begin > 1 and lanes_filled(keys[begin], text.width) == lanes:
            size = _push(stack, size, low + begin, low + i, depth + lanes)
        begin = i
    return size


@part
def _insertion_sort(keys: U64, m: int) -> None:
    for i in range(1, m):
        key = keys[i]
        j = i - 1
        while j >= 0 and keys[j] > key:
            keys[j + 1] = keys[j]
            j -= 1
        keys[j + 1] = key


@part
def _scatter(source: U64, target: U64, histogram: I64, digit: int, m: int) -> None:
    """One pass of the radix sort; the digit's counts become ranks, then ranks behind the last."""
    below = 0
    for slot in range(256 * digit, 256 * digit + 256):
        here = histogram[slot]
        histogram[slot] = below
        below += here
    shift = np.uint64(32 + 8 * digit)
    base = np.uint64(256 * digit)
    for i in range(m):
        key = source[i]
        slot_of_key = base + ((key >> shift) & np.uint64(255))
        target[histogram[slot_of_key]] = key
        histogram[slot_of_key] += 1


@part
def _radix_sort(keys: U64, spare: U64, histogram: I64, m: int) -> None:
    """Stable sort of `keys[:m]` by their upper 32 bits, a byte at a time."""
    for slot in range(4 * 256):
        histogram[slot] = 0
    for i in range(m):
        key = keys[i]
        for digit in range(4):
            byte = (key >> np.uint64(32 + 8 * digit)) & np.uint64(255)
            histogram[np.uint64(256 * digit) + byte] += 1
    for digit in (0, 2):
        _scatter(keys, spare, histogram, digit, m)
        _scatter(spare, keys, histogram, digit + 1, m)


@part
def _write_runs(width: int, order: U32, scratch: Scratch, low: int, m: int) -> None:
    """Write a large group back in its new order, name each member's nodes and empty them."""
    ranked = scratch.keys
    near_bits = np.uint64(48 if width == 1 else 63)  # a wide half key is a single token
    below = np.uint64((1 << 32) - 1)
    near = 0
    far = 0
    for rank in range(m):
        if rank == 0 or (ranked[rank] ^ ranked[far]) & _UPPER != 0:
            if width == 1 and (ranked[rank] ^ ranked[near]) >> near_bits != 0:
                near = rank
            far = rank
            for column in range(4):
                scratch.nodes[rank, NEAR, column] = 0
                scratch.nodes[rank, FAR, column] = 0
        member = ranked[rank] & below
        order[low + rank] = scratch.members[member]
        scratch.runs[member, NEAR] = near
        scratch.runs[member, FAR] = far


@part
def _push_runs(width: int, scratch: Scratch, size: int, low: int, m: int, depth: int) -> int:
    """Push the runs of a large group that go on. Returns the stack's size."""
    half = 2 >> (width - 1)
    ranked = scratch.keys
    begin = 0
    for rank in range(1, m + 1):
        if rank < m and (ranked[rank] ^ ranked[begin]) & _UPPER == 0:
            continue
        if rank - begin > 1 and lanes_filled(ranked[begin] & _UPPER, width) == half:
            size = _push(scratch.stack, size, low + begin, low + rank, depth + half)
        begin = rank
    return size


@inlined
def _remember(nodes: U32, node: int, position: int, continuation: int) -> None:
    """Add an occurrence to a near node; an empty one has continuation 0, which no token has."""
    before = nodes[node, NEAR, CONTINUATION]
    if before != continuation:
        nodes[node, NEAR, SECOND] = before
        nodes[node, NEAR, CONTINUATION] = continuation
    nodes[node, NEAR, LAST] = position
    nodes[node, NEAR, SEEN] += np.uint32(1)


@part
def _settle_large(text: Text, records: U32, scratch: Scratch, m: int, depth: int) -> None:
    """Settle a large group in time order, each from the deepest node that has an earlier one.

    Where contexts go on behind the half key, the far node only tells that there is an earlier one:
    the deeper group settles them. Contexts that end within it settle from the node of what they
    have.
    """
    half = 2 >> (text.width - 1)
    nodes = scratch.nodes
    before = 0
    followed = 0
    second = 0
    for i in range(m):
        position = signed(scratch.members[i])
        near = signed(scratch.runs[i, NEAR])
        far = signed(scratch.runs[i, FAR])
        filled = lanes_filled(scratch.keys[far] & _UPPER, text.width)
        if filled == half and nodes[far, FAR, SEEN] > 0:
            pass
        elif text.width == 1 and filled > 0 and nodes[near, NEAR, SEEN] > 0:
            match = signed(nodes[near, NEAR, LAST])
            other = signed(nodes[near, NEAR, SECOND])
            count = signed(nodes[near, NEAR, SEEN])
            _settle(records, position, match, other, depth + 1, count)
        elif i > 0:
            _settle(records, position, before, second, depth, i)
        follows = token_after(text, position)
        _remember(nodes, near, position, follows)
        nodes[far, FAR, SEEN] = 1
        if follows != followed:
            second = followed
            followed = follows
        before = position


@part
def _split_large(
    text: Text,
    order: U32,
    records: U32,
    scratch: Scratch,
    size: int,
    low: int,
    high: int,
    depth: int,
) -> int:
    """Settle and sort a large group by the upper half of its keys; push what goes on."""
    half = 2 >> (text.width - 1)
    keys = scratch.keys
    m = high - low
    room = room_at(text, depth)
    differ = np.uint64(0)
    for i in range(m):
        position = signed(order[low + i])
        scratch.members[i] = position
        keys[i] = (key_at(text, position, depth, room) & _UPPER) | np.uint64(i)
        differ |= keys[i] ^ keys[0]
    if differ & _UPPER == 0:
        filled = lanes_filled(keys[0] & _UPPER, text.width)
        if filled == half:
            return _push(scratch.stack, size, low, high, depth + half)
        _settle_equal(text, order, records, low, high, depth + filled)
        return size
    if m <= _MEDIUM:
        _insertion_sort(keys, m)
    else:
        _radix_sort(keys, scratch.spare, scratch.histogram, m)
    _write_runs(text.width, order, scratch, low, m)
    _settle_large(text, records, scratch, m, depth)
    return _push_runs(text.width, scratch, size, low, m, depth)


@kernel
def settle_groups(
    text: Text, order: U32, records: U32, bounds: I64, first: int, stop: int, scratch: Scratch
) -> None:
    """Sort the contexts of some first-level groups and settle their tokens' matches.

    Args:
        text: The tokens.
        order: (n,) positions by group, in time order within each; sorted by context afterwards.
        records: (n, 3) zeros; rows of tokens with a match are filled.
        bounds: (g + 1,) ranks at which groups begin; the members of a group share one token.
        first: The first group to do.
        stop: The group behind the last one.
        scratch: Room for the largest of these groups.
    """
    keys, members, stack = scratch.keys, scratch.members, scratch.stack
    for group in range(first, stop):
        size = 0
        if bounds[group + 1] - bounds[group] > 1:
            size = _push(stack, 0, bounds[group], bounds[group + 1], 1)
        while size > 0:
            size -= 1
            low = stack[size, 0]
            high = stack[size, 1]
            depth = stack[size, 2]
            if high - low == 2:
                _split_pair(text, order, records, low, depth)
            elif high - low <= SMALL:
                size = _split_small(
                    text, order, records, keys, members, stack, size, low, high, depth
                )
            else:
                size = _split_large(text, order, records, scratch, size, low, high, depth)


@kernel
def group_by(values: U16 | U32, order: U32, target: U32, begins: I64) -> None:
    """One stable counting pass: place each position of `order` by its value.

    Args:
        values: (n,) what to group by, looked up by position.
        order: (n,) positions in their present order.
        target: (n,) filled with the positions in their new order.
        begins: (values + 1,) the first rank of each value; advanced to the rank behind its last.
    """
    for i in range(order.size):
        position = order[i]
        slot = signed(values[np.uint64(position)])
        target[begins[slot]] = position
        begins[slot] += 1

"""What a search reads of the mapped files, by address: tokens, sorted positions, keys.

Positions out of files are held inside the text: a damaged file leads to a wrong answer, never
outside. Ranks and numbers of samples are the caller's to hold.
"""

from __future__ import annotations

import numpy as np

from trainer_core.index.compiled import inlined, part, signed
from trainer_core.index.lookups.desk import (
    KEYS,
    LANE_SHIFT,
    LANES,
    LAST_USABLE,
    LIMIT,
    NOTED,
    NOTES,
    NOTES_AT,
    NOTES_MAX,
    QUERY_END,
    RANGE,
    SHARED,
    SORTED,
    TOKEN_BYTES,
    TOKENS,
)
from trainer_core.index.machine import (
    leading_zeros,
    load16_at,
    load32_at,
    load64_at,
    prefetch_at,
    store64_at,
)

_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


@inlined
def get(address: int, field: int) -> int:
    """A field of a desk, of one of its rows, or of one of its key ranges."""
    return signed(load64_at(address, field))


@inlined
def put(address: int, field: int, value: int) -> None:
    """Write a field of a desk or of one of its rows."""
    store64_at(address, field, value)


@inlined
def want(desk: int, address: int) -> None:
    """Have memory fetched that is read soon."""
    if get(desk, NOTES) == 0:
        prefetch_at(address)
    elif get(desk, NOTED) < get(desk, NOTES_MAX):
        put(desk, get(desk, NOTES_AT) + get(desk, NOTED), address)
        put(desk, NOTED, get(desk, NOTED) + 1)


@inlined
def want_text(desk: int, position: int) -> None:
    """Have the tokens around a position fetched."""
    want(desk, get(desk, TOKENS) + (position - 3) * get(desk, TOKEN_BYTES))


@inlined
def token_at(desk: int, position: int) -> int:
    """A token of the training text."""
    if get(desk, TOKEN_BYTES) == 2:
        return load16_at(get(desk, TOKENS), position)
    return load32_at(get(desk, TOKENS), position)


@inlined
def position_at(desk: int, at: int, rank: int) -> int:
    """A position by its rank in the key range of the search."""
    return min(load32_at(get(get(at, RANGE), SORTED), rank), get(desk, LAST_USABLE))


@inlined
def lanes_mask(desk: int, lanes: int) -> np.uint64:
    """The first lanes of a key, 0 to all."""
    bits = np.uint64(lanes << get(desk, LANE_SHIFT))
    if bits == 0:
        return np.uint64(0)
    return _ALL << (np.uint64(64) - bits)


@part
def _key_at_start(desk: int, position: int, depth: int) -> np.uint64:
    """`text_key` where it would begin before the text."""
    bits = np.uint64(8 * get(desk, TOKEN_BYTES))
    key = np.uint64(0)
    for lane in range(get(desk, LANES)):
        at = position - depth - lane
        token = np.uint64(0)
        if at >= 0:
            token = np.uint64(token_at(desk, at))
        key = (key << bits) | token
    return key


@inlined
def text_key(desk: int, position: int, depth: int) -> np.uint64:
    """The tokens before a position, as far as a key goes, whatever document they are of."""
    size = get(desk, TOKEN_BYTES)
    behind = (position + 1 - depth) * size
    if behind < 8:
        return _key_at_start(desk, position, depth)
    return load64_at(get(desk, TOKENS) + behind - 8, 0)


@inlined
def query_key(desk: int, at: int, depth: int) -> np.uint64:
    """The context's tokens from some back, and perhaps some that do not belong to it."""
    return load64_at(get(at, QUERY_END) - depth * get(desk, TOKEN_BYTES) - 8, 0)


@inlined
def first_key(desk: int, at: int) -> np.uint64:
    """The context's tokens 1 back and further; what it does not have is 0."""
    lanes = min(get(at, LIMIT) - 1, get(desk, LANES))
    return query_key(desk, at, 1) & lanes_mask(desk, lanes)


@inlined
def sample_at(desk: int, at: int, number: int) -> np.uint64:
    """A sampled key of the key range of the search."""
    return load64_at(get(get(at, RANGE), KEYS), number)


@inlined
def shared_at(at: int, block: int) -> np.uint64:
    """What the entries of a block share with the next ones, see `Tables`."""
    return load64_at(get(get(at, RANGE), SHARED), block)


@inlined
def lanes_shared(desk: int, difference: np.uint64) -> int:
    """How many lanes two different keys have in common, given their exclusive or."""
    return leading_zeros(difference) >> get(desk, LANE_SHIFT)


@part
def common_tokens(desk: int, at: int, position: int, depth: int, limit: int) -> tuple[int, bool]:
    """How many tokens the context shares with one in the text, and whether that sorts before it.

    Args:
        desk: The desk.
        at: Where the row of the search begins.
        position: Where the other context ends.
        depth: So many are known to be shared, at least 1.
        limit: More are not compared.
    """
    lanes = get(desk, LANES)
    while depth < limit:
        there = text_key(desk, position, depth)
        here = query_key(desk, at, depth)
        difference = there ^ here
        if depth + lanes > limit:
            difference &= lanes_mask(desk, limit - depth)
        if difference != 0:
            return depth + lanes_shared(desk, difference), bool(there < here)
        depth += lanes
    return limit, False


@part
def first_from(desk: int, at: int, left: int, right: int, key: np.uint64) -> int:
    """The first of some samples that is not below a key."""
    while left < right:
        middle = (left + right) >> 1
        if sample_at(desk, at, middle) < key:
            left = middle + 1
        else:
            right = middle
    return left


@inlined
def first_like(desk: int, at: int, left: int, right: int, key: np.uint64) -> int:
    """`first_from` where it is probably close to the right."""
    stride = 1
    while right - stride >= left and sample_at(desk, at, right - stride) >= key:
        right -= stride
        stride *= 2
    return first_from(desk, at, max(left, right - stride), right, key)


@part
def first_above(desk: int, at: int, left: int, right: int, key: np.uint64) -> int:
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


@inlined
def pivot(size: int, looks: int, number: int) -> int:
    """One of a few entries that divide `size` of them; all, where they are so few."""
    if size <= looks:
        return number
    return (number + 1) * size >> 2 if looks == 3 else size >> 1

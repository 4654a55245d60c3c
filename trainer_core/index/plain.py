"""The engine without machine code: the same sorted contexts and matches, by numpy alone.

Contexts are ranked by doubling: the rank of 2 k tokens orders pairs of ranks of k tokens. Matches
are then settled from the longest length down: whoever has an earlier neighbour in its group of that
length, and none in a longer one, is done. n tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer_core.index.tokens import Tokens, document_begin

U32 = NDArray[np.uint32]
I64 = NDArray[np.int64]

_COUNT_MAX = (1 << 24) - 1


def _dense_ranks(keys: NDArray[np.uint64]) -> I64:
    """Ranks from 1 on, equal for equal keys."""
    return np.unique(keys, return_inverse=True)[1].astype(np.int64).reshape(-1) + 1


def _context_ranks(tokens: Tokens, room: I64, groups: U32 | None, max_length: int) -> I64:
    """Rank of each context, groups first; `room` is how many tokens a context may have."""
    positions = np.arange(tokens.size)
    ranks = _dense_ranks(tokens.astype(np.uint64))
    known = 1
    while known < max_length:
        step = min(known, max_length - known)
        # Where step < known the two ranks overlap, which changes neither order nor equality.
        further = np.where(room > known, ranks[np.maximum(positions - step, 0)], 0)
        ranks = _dense_ranks(ranks.astype(np.uint64) << np.uint64(32) | further.astype(np.uint64))
        known += step
    if groups is None:
        return ranks
    return _dense_ranks(groups.astype(np.uint64) << np.uint64(32) | ranks.astype(np.uint64))


def _common_lengths(
    tokens: Tokens, room: I64, groups: U32 | None, order: U32, max_length: int
) -> I64:
    """(n,) tokens that each context in order shares with the one before it; the first has 0."""
    common = np.zeros(order.size, dtype=np.int64)
    alive = np.arange(1, order.size)
    if groups is not None:
        alive = alive[groups[order[alive]] == groups[order[alive - 1]]]
    for offset in range(max_length):
        here = order[alive].astype(np.int64)
        before = order[alive - 1].astype(np.int64)
        both = (room[here] > offset) & (room[before] > offset)
        alive, here, before = alive[both], here[both], before[both]
        alive = alive[tokens[here - offset] == tokens[before - offset]]
        common[alive] = offset + 1
    return common


@dataclass(frozen=True)
class _Occurrences:
    """Those that share a run of one length with another: by group, in time order within each.

    Attributes:
        position: (m,) their positions.
        begin: (m,) row at which the group of each row begins.
    """

    position: I64
    begin: I64


def _occurrences(order: U32, common: I64, length: int) -> _Occurrences:
    linked = common >= length
    ranks = np.flatnonzero(linked | np.append(linked[1:], False))
    group = np.cumsum(~linked[ranks]).astype(np.uint64)
    keys = np.sort(group << np.uint64(32) | order[ranks])
    rows = np.arange(keys.size)
    first = np.append(True, np.diff(keys >> np.uint64(32)) != 0)[: keys.size]
    return _Occurrences(
        position=(keys & np.uint64((1 << 32) - 1)).astype(np.int64),
        begin=np.maximum.accumulate(np.where(first, rows, 0)),
    )


def _other_continuation(found: _Occurrences, follows: I64) -> I64:
    """(m,) the latest continuation at or before each row that differs from its own, or 0."""
    rows = np.arange(follows.size)
    changed = np.append(True, np.diff(follows) != 0)[: follows.size] | (rows == found.begin)
    last_other = np.maximum.accumulate(np.where(changed, rows, 0)) - 1
    return np.where(last_other >= found.begin, follows[np.maximum(last_other, 0)], 0)


def settle(
    tokens: Tokens,
    document_start: I64,
    max_length: int,
    groups: U32 | None,
    advance: Callable[[int, int], None] | None,
) -> tuple[U32, U32, U32, NDArray[np.uint8], U32]:
    """The fields of `engine.Settled`; `groups` are numbers within which matches are sought."""
    n = tokens.size
    room = np.arange(n) - document_begin(document_start, n) + 1
    ranks = _context_ranks(tokens, room, groups, max_length)
    order = np.argsort(ranks, kind="stable").astype(np.uint32)
    common = _common_lengths(tokens, room, groups, order, max_length)
    following = np.append(tokens[1:].astype(np.int64) + 1, 0)  # nothing follows the last token
    match, second, count = (np.zeros(n, dtype=np.uint32) for _ in range(3))
    lengths = np.zeros(n, dtype=np.uint8)
    longest = int(common.max(initial=0))
    for length in range(longest, 0, -1):
        found = _occurrences(order, common, length)
        others = _other_continuation(found, following[found.position])
        rows = np.flatnonzero(found.begin < np.arange(found.begin.size))
        rows = rows[lengths[found.position[rows]] == 0]
        done = found.position[rows]
        lengths[done] = length
        match[done] = found.position[rows - 1]
        second[done] = others[rows - 1]
        count[done] = np.minimum(rows - found.begin[rows], _COUNT_MAX)
        if advance is not None:
            advance(n * (longest - length + 1) // longest, n)
    return order, match, second, lengths, count

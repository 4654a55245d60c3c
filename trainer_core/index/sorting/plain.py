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

from trainer_core.index.records import COUNT_MAX, Records
from trainer_core.index.sorting.packing import Fields, records_of
from trainer_core.index.tokens import Text, Tokens, like

U32 = NDArray[np.uint32]
I64 = NDArray[np.int64]

Advance = Callable[[int, int], None]


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


@dataclass(frozen=True)
class _Found:
    """The match of each token; see `packing.Fields`.

    Attributes:
        length: (n,) uint8.
        match: (n,) int64, position of the most recent occurrence; 0 where there is none.
        second: (n,) int64, the latest other token that followed, + 1; 0 where there is none.
        count: (n,) int64.
    """

    length: NDArray[np.uint8]
    match: I64
    second: I64
    count: I64


def _find(
    order: U32, common: I64, following: I64, n_tokens: int, advance: Advance | None
) -> _Found:
    """The matches among sorted positions.

    Args:
        order: (m,) the positions.
        common: (m,) how many tokens each shares with the one before it.
        following: (n,) what follows each position, + 1.
        n_tokens: n.
        advance: Called now and then.
    """
    found = _Found(
        np.zeros(n_tokens, dtype=np.uint8),
        *(np.zeros(n_tokens, dtype=np.int64) for _ in range(3)),
    )
    longest = int(common.max(initial=0))
    for length in range(longest, 0, -1):
        alike = _occurrences(order, common, length)
        others = _other_continuation(alike, following[alike.position])
        rows = np.flatnonzero(alike.begin < np.arange(alike.begin.size))
        rows = rows[found.length[alike.position[rows]] == 0]
        done = alike.position[rows]
        found.length[done] = length
        found.match[done] = alike.position[rows - 1]
        found.second[done] = others[rows - 1]
        found.count[done] = np.minimum(rows - alike.begin[rows], COUNT_MAX)
        if advance is not None:
            advance(order.size * (longest - length + 1) // longest, order.size)
    return found


@dataclass(frozen=True)
class _Part:
    """Some consecutive tokens of a text.

    Attributes:
        tokens: (n,).
        begin: (n,) int64, where the document of each begins, counted from the first of them.
        following: (n,) int64, what follows each.
    """

    tokens: Tokens
    begin: I64
    following: I64

    @property
    def room(self) -> I64:
        """(n,) how many tokens each context may have."""
        return np.arange(self.tokens.size) - self.begin + 1


def _part_of(text: Text, first: int, stop: int, document_begin: int) -> _Part:
    tokens = text.tokens[first:stop]
    begin = np.full(tokens.size, document_begin - first, dtype=np.int64)
    ends = np.flatnonzero(tokens == text.end)
    begin[ends] = ends + 1 - text.keeps_end
    after = np.append(text.tokens[first + 1 : stop + 2].astype(np.int64), [text.end] * 2)
    following = after[: tokens.size]
    if text.keeps_end == 0:
        passed = following == text.end
        following = np.where(passed, after[1 : tokens.size + 1], following)
    return _Part(tokens, np.maximum.accumulate(begin), following)


def _records(part: _Part, found: _Found) -> Records:
    known = found.length > 0
    following = np.where(known, part.following[found.match], 0)
    second = np.where(found.second > 0, found.second - 1, following)
    return records_of(
        Fields(
            length=found.length,
            next=like(part.tokens, following),
            second=like(part.tokens, second),
            count=found.count,
            same_document=known & (found.match >= part.begin),
        )
    )


def sort_range(
    text: Text,
    *,
    low: int,
    high: int,
    first: int,
    stop: int,
    document_begin: int,
    records: Records,
    advance: Advance | None,
) -> tuple[U32, NDArray[np.uint8]]:
    """`engine.sort_range`; returns the order and what neighbours share."""
    reach = max(first - text.max_length + 1, min(document_begin, first), 0)
    part = _part_of(text, reach, stop, min(document_begin, reach))
    chosen = np.flatnonzero((part.tokens >= low) & (part.tokens < high))
    chosen = chosen[chosen >= first - reach]
    ranks = _context_ranks(part.tokens, part.room, None, text.max_length)
    order = chosen[np.argsort(ranks[chosen], kind="stable")].astype(np.uint32)
    common = _common_lengths(part.tokens, part.room, None, order, text.max_length)
    found = _find(order, common, part.following + 1, part.tokens.size, advance)
    rows = chosen - (first - reach)
    records[rows] = _records(part, found)[chosen]
    return order + np.uint32(reach), common.astype(np.uint8)


def own_matches(text: Text, *, records: Records, advance: Advance | None) -> None:
    """`engine.own_matches`."""
    part = _part_of(text, 0, text.tokens.size, 0)
    groups = np.cumsum(text.tokens == text.end).astype(np.uint32)
    ranks = _context_ranks(part.tokens, part.room, groups, text.max_length)
    order = np.argsort(ranks, kind="stable").astype(np.uint32)
    order = order[part.room[order] > 0]
    common = _common_lengths(part.tokens, part.room, groups, order, text.max_length)
    found = _find(order, common, part.following + 1, part.tokens.size, advance)
    records[:] = _records(part, found)

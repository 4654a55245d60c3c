"""Sorted contexts and longest matches of tokens in memory, by machine code or by numpy alone.

n tokens, D documents.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trainer_core.errors import IndexFileError
from trainer_core.index import plain
from trainer_core.index.compiled import COMPILED
from trainer_core.index.tokens import Tokens, document_numbers, frozen

if COMPILED:
    from trainer_core.index import kernels, keys

TOKENS_MAX = (1 << 32) - 2
"""Positions are 32 bits wide."""

_STEP_TOKENS = 1 << 18
"""Tokens between two reports of progress."""

Advance = Callable[[int, int], None]
"""Told how many tokens are done, and of how many."""


@dataclass(frozen=True)
class Settled:
    """Every token's match, as the engine writes it down.

    Attributes:
        order: (n,) uint32, positions sorted by their contexts read backwards, by time where equal.
        match: (n,) uint32, the most recent earlier end of the longest run; 0 where there is none.
        second: (n,) uint32, another token that followed, + 1; 0 where all agree.
        length: (n,) uint8, tokens in the longest run; 0 where the token is new.
        count: (n,) uint32, how often that run ended earlier, at most 2^24 - 1.
    """

    order: NDArray[np.uint32]
    match: NDArray[np.uint32]
    second: NDArray[np.uint32]
    length: NDArray[np.uint8]
    count: NDArray[np.uint32]


def settle(
    tokens: Tokens,
    document_start: NDArray[np.int64],
    max_length: int,
    *,
    within: Literal["everything", "document"] = "everything",
    advance: Advance | None = None,
) -> Settled:
    """Find each token's longest earlier match.

    Args:
        tokens: (n,) uint16 or uint32, below 2^32 - 1.
        document_start: (D,) int64, rising, where documents begin; 0 always does.
        max_length: Longest match that is told apart, 1 to 64 tokens.
        within: Whether matches are sought in all earlier tokens or in those of the same document.
        advance: Called now and then.

    Raises:
        IndexFileError: There are more tokens than positions can count.
    """
    if tokens.size > TOKENS_MAX:
        raise IndexFileError(
            f"{tokens.size:,} tokens are more than one index can hold ({TOKENS_MAX:,}).",
            safe="Nothing was written.",
            do="Prepare a smaller part of the data.",
        )
    groups = None
    if within == "document":
        groups = document_numbers(document_start, tokens.size).astype(np.uint32)
    if not COMPILED:
        return Settled(*plain.settle(tokens, document_start, max_length, groups, advance))
    order, bounds = _first_groups(tokens, groups)
    text = _text(tokens, document_start, max_length)
    records = np.zeros((tokens.size, 3), dtype=np.uint32)
    _settle_in_steps(text, order, records, bounds, advance)
    packed = records[:, kernels.LENGTH_COUNT]
    return Settled(
        order=order,
        match=records[:, kernels.MATCH],
        second=records[:, kernels.OTHER],
        length=(packed & np.uint32(255)).astype(np.uint8),
        count=packed >> np.uint32(8),
    )


def _text(tokens: Tokens, document_start: NDArray[np.int64], max_length: int) -> keys.Text:
    """The tokens with room around them and their documents' starts as bits."""
    narrow = tokens.dtype == np.uint16 and (not tokens.size or int(tokens.max()) < 65535)
    padded = np.zeros(keys.PAD + tokens.size + keys.TAIL, dtype=np.uint16 if narrow else np.uint32)
    inside = padded[keys.PAD : keys.PAD + tokens.size]
    np.add(tokens, 1, out=inside, dtype=padded.dtype, casting="unsafe")
    places = np.append(document_start, 0) + keys.PAD
    starts = np.zeros(padded.size // 8 + 4, dtype=np.uint8)
    np.bitwise_or.at(starts, places >> 3, (1 << (places & 7)).astype(np.uint8))
    return keys.Text(padded.view(np.uint16), starts, 1 if narrow else 2, max_length)


def _counting_pass(
    values: Tokens, order: NDArray[np.uint32]
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Positions by value, stable, and the ranks at which each value begins."""
    begins = np.zeros(int(values.max(initial=0)) + 2, dtype=np.int64)
    np.cumsum(np.bincount(values, minlength=begins.size - 1), out=begins[1:])
    target = np.empty_like(order)
    kernels.group_by(frozen(values), order, target, begins.copy())
    return target, begins


def _first_groups(
    tokens: Tokens, groups: NDArray[np.uint32] | None
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Positions grouped by their token, within their document if asked, and the groups' bounds."""
    values, dense = tokens, tokens
    if tokens.size and int(tokens.max()) > max(4 * tokens.size, 1 << 20):
        dense = np.unique(values, return_inverse=True)[1].astype(np.uint32)
    order, bounds = _counting_pass(dense, np.arange(tokens.size, dtype=np.uint32))
    if groups is None:
        return order, bounds
    order, _ = _counting_pass(groups, order)
    changes = (np.diff(groups[order]) != 0) | (np.diff(tokens[order]) != 0)
    inner = np.flatnonzero(changes) + 1
    return order, np.concatenate(([0], inner, [tokens.size])).astype(np.int64)


def _scratch(largest: int) -> kernels.Scratch:
    return kernels.Scratch(
        keys=np.empty(largest, dtype=np.uint64),
        spare=np.empty(largest, dtype=np.uint64),
        members=np.empty(largest, dtype=np.uint32),
        runs=np.empty((largest, 2), dtype=np.uint32),
        nodes=np.empty((largest, 2, 4), dtype=np.uint32),
        histogram=np.empty(4 * 256, dtype=np.int64),
        stack=np.empty((largest // 2 + 256, 3), dtype=np.int64),
    )


def _settle_in_steps(
    text: keys.Text,
    order: NDArray[np.uint32],
    records: NDArray[np.uint32],
    bounds: NDArray[np.int64],
    advance: Advance | None,
) -> None:
    """Call the kernel for a few groups at a time, so that somebody can watch and stop it."""
    total = order.size
    scratch = _scratch(max(int(np.diff(bounds).max(initial=0)), kernels.SMALL))
    first = 0
    last = bounds.size - 1
    while first < last:
        reach = int(bounds[first]) + _STEP_TOKENS
        stop = max(first + 1, int(np.searchsorted(bounds, reach, side="right")) - 1)
        stop = min(stop, last)
        kernels.settle_groups(text, order, records, bounds, first, stop, scratch)
        first = stop
        if advance is not None:
            advance(int(bounds[stop]), total)

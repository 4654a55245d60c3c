"""All occurrences of a match, some at a time: a run may have millions of them.

A run is (m,) uint32 positions, mapped, in no order of time. n training tokens.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer_core.index.tokens import Tokens

U32 = NDArray[np.uint32]
I64 = NDArray[np.int64]

_BLOCK_ENTRIES = 1 << 20


def _blocks(run: U32, last_usable: int) -> Iterator[I64]:
    """A run's positions, some at a time, held inside the text: the file may be damaged."""
    for first in range(0, run.size, _BLOCK_ENTRIES):
        yield np.minimum(run[first : first + _BLOCK_ENTRIES].astype(np.int64), last_usable)


def latest_of(run: U32, limit: int, last_usable: int) -> I64:
    """The most recent positions of a run, the latest first.

    Args:
        run: The run.
        limit: How many to give at most.
        last_usable: The highest position that there may be.
    """
    kept: NDArray[Any] = np.zeros(0, dtype=np.int64)
    limit = max(limit, 0)
    for block in _blocks(run, last_usable):
        kept = np.concatenate([kept, block])
        if kept.size > limit:
            kept = np.partition(kept, kept.size - limit)[kept.size - limit :]
    return np.sort(kept)[::-1].copy()


def most_frequent_next(tokens: Tokens, run: U32, k: int) -> list[tuple[int, int]]:
    """What followed a run's positions most often, with counts; among equals the smaller token.

    Args:
        tokens: (n,) training tokens.
        run: The run.
        k: How many to give at most.
    """
    found: list[tuple[NDArray[Any], NDArray[Any]]] = []
    for block in _blocks(run, tokens.size - 2):
        found.append(np.unique(tokens[block + 1], return_counts=True))
    if not found:
        return []
    every, places = np.unique(np.concatenate([part[0] for part in found]), return_inverse=True)
    counts = np.zeros(every.size, dtype=np.int64)
    np.add.at(counts, places.reshape(-1), np.concatenate([part[1] for part in found]))
    best = np.lexsort((every, -counts))[: max(k, 0)]
    return list(zip(every[best].tolist(), counts[best].tolist(), strict=True))


def count_longer(tokens: Tokens, run: U32, ngram: Tokens) -> int:
    """At how many positions of a run all tokens of a longer n-gram end.

    Args:
        tokens: (n,) training tokens.
        run: Where the n-gram's last tokens end, as far as the index tells matches apart.
        ngram: (t,) tokens.
    """
    count = 0
    for positions in _blocks(run, tokens.size - 2):
        for offset in range(ngram.size):
            positions = positions[positions >= offset]
            positions = positions[tokens[positions - offset] == ngram[-1 - offset]]
        count += int(positions.size)
    return count

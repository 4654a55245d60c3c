"""How much of each source a training has seen, token for token.

Letters: K sources, P stretches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer_core.data.batches.order import Order, Pool
from trainer_core.data.batches.packing import Stretches
from trainer_core.data.batches.text import SourcePart

_ROWS = 1 << 18
"""So many are counted at once."""


class Seen(NamedTuple):
    """What a training has drawn from a source.

    Attributes:
        name: Of the source.
        tokens: All of its training tokens.
        seen: Those that were an input at least once.
        drawn: Inputs in all, each as often as it came.
    """

    name: str
    tokens: int
    seen: int
    drawn: int


class SeenCounter:
    """Counts on from where it was asked last, so that a long training is not counted again.

    Args:
        order: Of the training.
        sources: The parts of its text.
    """

    def __init__(self, order: Order, sources: Sequence[SourcePart]) -> None:
        self._sources = tuple(sources)
        self._pools = [_PoolCount(pool, self._sources) for pool in order.pools]

    def upto(self, drawn: Mapping[str, int]) -> list[Seen]:
        """What was seen when so many rows of each pool were drawn; see `Order.drawn`."""
        seen, all_drawn = np.zeros((2, len(self._sources)), np.int64)
        for pool in self._pools:
            pool.advance(drawn[pool.name])
            seen += pool.seen
            all_drawn += pool.drawn
        return [
            Seen(part.name, part.high - part.low, first, every)
            for part, first, every in zip(
                self._sources, seen.tolist(), all_drawn.tolist(), strict=True
            )
        ]


class _PoolCount:
    """The tokens of each source among the rows of one pool, (K,)."""

    def __init__(self, pool: Pool, sources: tuple[SourcePart, ...]) -> None:
        self.name = pool.name
        self._pool, self._sources = pool, sources
        self._rows = 0
        self.seen, self.drawn = np.zeros((2, len(sources)), np.int64)

    def advance(self, rows: int) -> None:
        """Count up to so many rows; fewer than before are counted from the beginning."""
        if rows < self._rows:
            self._rows = 0
            self.seen[:] = 0
            self.drawn[:] = 0
        epoch_rows = self._pool.rows
        while self._rows < rows:
            epoch, row = divmod(self._rows, epoch_rows)
            if epoch and not row and rows - self._rows >= epoch_rows:
                whole = (rows - self._rows) // epoch_rows
                self.drawn += whole * self.seen  # the first epoch saw all that there is
                self._rows += whole * epoch_rows
                continue
            stop = min(rows, (epoch + 1) * epoch_rows, self._rows + _ROWS)
            found = self._pool.stretches(np.arange(self._rows, stop))
            tokens = _by_source(found, self._sources)
            self.drawn += tokens
            if not epoch:
                self.seen += tokens
            self._rows = stop


def _by_source(found: Stretches, sources: Sequence[SourcePart]) -> NDArray[np.int64]:
    """How many tokens of each source are in some stretches, (K,)."""
    start, end = found.start, found.start + found.length
    tokens = [
        int(np.maximum(np.minimum(end, part.high) - np.maximum(start, part.low), 0).sum())
        for part in sources
    ]
    return np.array(tokens, np.int64)

"""Lookups by numpy alone, where machine code cannot be had: the same answers, slowly.

q queries.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trainer_core.index.lookups.desk import IndexArrays
from trainer_core.index.lookups.portable import PortableIndex, PortableRange
from trainer_core.index.tokens import Tokens, as_tokens

I64 = NDArray[np.int64]

_N_NUMBERS = 5


class PlainSearcher:
    """See `searcher.Searcher`."""

    def __init__(self, arrays: IndexArrays) -> None:
        ranges = [
            PortableRange(part.stop_token, part.first_rank, part.order) for part in arrays.ranges
        ]
        self._index = PortableIndex(
            arrays.tokens, ranges, arrays.bounds, arrays.separator, arrays.max_length
        )

    def answer(self, context: ArrayLike) -> list[int]:
        """See `searcher.Searcher`."""
        return self._answer(*self.run(context))

    def run(self, context: ArrayLike) -> tuple[int, NDArray[np.uint32]]:
        """See `searcher.Searcher`."""
        size = self._index.max_length
        if isinstance(context, np.ndarray | list | tuple):
            context = context[-size:]  # before it is converted: it may be long
        return self._index.run(as_tokens(context)[-size:].astype(np.int64))

    def answer_many(self, query: Tokens, ends: I64, limits: NDArray[np.uint8]) -> I64:
        """See `searcher.Searcher`."""
        answers = np.empty((ends.size, _N_NUMBERS), dtype=np.int64)
        for i, (end, limit) in enumerate(zip(ends.tolist(), limits.tolist(), strict=True)):
            window = query[end + 1 - limit : end + 1].astype(np.int64)
            answers[i] = self._answer(*self._index.run(window))
        return answers

    def _answer(self, length: int, run: NDArray[np.uint32]) -> list[int]:
        match, position = self._index.answer(length, run)
        return [match.length, match.next, position, match.occurrences, match.second]

"""The longest match at each token: of a whole stream as the index gives it, and of one batch.

Letters: B batch, T time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Matches(Protocol):
    """The longest match at some tokens of a stream, as the index gives them; see `MatchFeatures`.

    All arrays are of one shape.
    """

    @property
    def length(self) -> NDArray[Any]:
        """Tokens in the match, 0 for none."""

    @property
    def next(self) -> NDArray[Any]:
        """What followed its most recent occurrence."""

    @property
    def second(self) -> NDArray[Any]:
        """The latest other token that followed; 0 where all agree."""

    @property
    def count(self) -> NDArray[Any]:
        """Number of the bucket of how often the run occurred."""

    @property
    def has_second(self) -> NDArray[np.bool_]:
        """Whether another token has followed too."""

    def at(self, places: NDArray[np.int64]) -> Self:
        """Those of the tokens at these positions, in the shape of `places`."""


class MatchTensors(NamedTuple):
    """What a model is told of the longest match of the text up to and with each token.

    Attributes:
        length: (B, T) int64, tokens in the match; 0 where there is none, and the rest is ignored.
        next: (B, T) int64, what followed its most recent occurrence.
        second: (B, T) int64, the latest other token that followed; 0 where there is none.
        count_bucket: (B, T) int64 in [0, MATCH_COUNTS), bucket of how often it occurred.
        has_second: (B, T) bool, whether another token has followed too.
    """

    length: Tensor
    next: Tensor
    second: Tensor
    count_bucket: Tensor
    has_second: Tensor

    @classmethod
    def of(cls, matches: Matches) -> MatchTensors:
        """From arrays of shape (B, T)."""
        return cls(
            length=_int64(matches.length),
            next=_int64(matches.next),
            second=_int64(matches.second),
            count_bucket=_int64(matches.count),
            has_second=torch.from_numpy(np.ascontiguousarray(matches.has_second)),
        )

    def hidden(self, rows: NDArray[np.bool_]) -> MatchTensors:
        """The same, but these of the B sequences have no match at all.

        Args:
            rows: (B,) which.
        """
        return self.without(torch.from_numpy(rows).unsqueeze(1)) if rows.any() else self

    def without(self, places: Tensor) -> MatchTensors:
        """The same, but there is no match at some places.

        Args:
            places: (B, T) or (B, 1) bool, which.
        """
        return MatchTensors(*(tensor * ~places for tensor in self))

    def last(self) -> MatchTensors:
        """Those of the last token, (B, 1)."""
        return MatchTensors(*(tensor[:, -1:] for tensor in self))


def dropped_rows(share: float, seed: int, step: int, batch_size: int) -> NDArray[np.bool_]:
    """Which sequences of a training step see no match, (B,); the same in a resumed training.

    Source: Srivastava et al., "Dropout", 2014, for whole inputs.

    Args:
        share: Of all sequences, from 0 to 1.
        seed: Of the training.
        step: Of the optimizer.
        batch_size: B, over all devices and micro batches.
    """
    # The counter's last word keeps these numbers apart from the epochs' order of the same seed.
    random = np.random.Generator(np.random.Philox(key=[seed, step], counter=[0, 0, 0, 1]))
    return random.random(batch_size) < share


def _int64(values: NDArray[Any] | Sequence[int]) -> Tensor:
    return torch.from_numpy(np.asarray(values).astype(np.int64))

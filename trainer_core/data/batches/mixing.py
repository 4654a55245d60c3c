"""Which source each sample of a training is drawn from: a pure function of the sample's number.

Letters: K sources, M points of a schedule.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trainer_core.errors import SpecError
from trainer_core.spec.data import Mix

_BLOCK = 1 << 16
"""Samples that are drawn at once."""
_GOLDEN = 0x9E3779B97F4A7C15
"""The golden ratio's fraction, times 2^64."""


_Block = tuple[NDArray[np.int64], NDArray[np.int64]]


class Drawing(Protocol):
    """Which pool each sample is of, and the how manieth of that pool it is."""

    def at(self, samples: range) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For each sample its pool's number, and the samples of that pool before it."""

    def counts(self, samples: int) -> list[int]:
        """How many of the first samples are of each pool."""


class Single:
    """All samples are of one pool."""

    def at(self, samples: range) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """See `Drawing`."""
        return np.zeros(len(samples), np.int64), np.arange(samples.start, samples.stop)

    def counts(self, samples: int) -> list[int]:
        """See `Drawing`."""
        return [samples]


class Weighted:
    """Samples are of each source as often as its weight says, in every stretch of a training.

    Points that are spread evenly over the range 0 to 1 pick the source, not random ones: the counts
    stay within a few samples of the weights, and so does each batch.

    Source: Weyl, "Über die Gleichverteilung von Zahlen mod. Eins", 1916; with the golden ratio
    successive points lie as far apart as can be (Knuth, TAOCP 3, 6.4).

    Args:
        mixing: Weights at points of the training; see `DataConfig`.
        names: Of the sources; those without a weight are not drawn.
        steps: Of the whole training.
        batch_size: Samples in a step.
        seed: Where the points begin.
    """

    def __init__(
        self, mixing: Sequence[Mix], names: Sequence[str], steps: int, batch_size: int, seed: int
    ) -> None:
        weights = np.array([[mix.weights.get(name, 0.0) for name in names] for mix in mixing])
        rising = np.cumsum(weights / weights.max(axis=1, keepdims=True), axis=1)
        self._edges = rising / rising[:, -1:]  # (M, K); the last that is drawn ends at 1 exactly
        self._at = np.array([mix.at for mix in mixing])
        self._steps, self._batch_size = steps, batch_size
        random = np.random.Generator(np.random.Philox(key=[seed, 0], counter=[0, 0, 0, 3]))
        self._first = random.integers(1 << 63, dtype=np.uint64)
        self._before = [np.zeros(len(names), np.int64)]  # samples of each source before each block
        self._blocks: dict[int, _Block] = {}
        self._lock = threading.RLock()

    def at(self, samples: range) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """See `Drawing`."""
        drawn, earlier = [], []
        for block in range(samples.start // _BLOCK, -(-samples.stop // _BLOCK)):
            begin = block * _BLOCK
            wanted = slice(max(samples.start - begin, 0), samples.stop - begin)
            drawn.append(self._block(block)[0][wanted])
            earlier.append(self._block(block)[1][wanted])
        return np.concatenate(drawn), np.concatenate(earlier)

    def counts(self, samples: int) -> list[int]:
        """See `Drawing`."""
        block, rest = divmod(samples, _BLOCK)
        before = self._until(block)
        counted = before + np.bincount(self._block(block)[0][:rest], minlength=len(before))
        return [int(count) for count in counted]

    def _until(self, block: int) -> NDArray[np.int64]:
        """Samples of each source before a block, (K,)."""
        with self._lock:
            while len(self._before) <= block:
                last = self._before[-1]
                drawn = self._drawn(len(self._before) - 1)
                self._before.append(last + np.bincount(drawn, minlength=len(last)))
            return self._before[block]

    def _block(self, block: int) -> _Block:
        """The source of each sample of a block, and the samples of that source before it."""
        with self._lock:  # batches are made in a thread of their own
            if block not in self._blocks:
                if len(self._blocks) > 1:
                    self._blocks.pop(min(self._blocks))
                drawn = self._drawn(block)
                earlier = np.empty_like(drawn)
                for source, before in enumerate(self._until(block).tolist()):
                    own = np.flatnonzero(drawn == source)
                    earlier[own] = before + np.arange(own.size)
                self._blocks[block] = drawn, earlier
            return self._blocks[block]

    def _drawn(self, block: int) -> NDArray[np.int64]:
        samples = np.arange(block * _BLOCK, (block + 1) * _BLOCK)
        done = np.minimum(samples // self._batch_size / self._steps, 1.0)
        points = samples.astype(np.uint64) * np.uint64(_GOLDEN) + self._first
        share = (points >> np.uint64(11)) / float(1 << 53)  # below 1
        drawn = np.zeros(_BLOCK, np.int64)
        for edge in self._edges.T[:-1]:
            drawn += share >= np.interp(done, self._at, edge)
        return drawn


def check_names(mix: Mix, names: Sequence[str], field: str) -> None:
    """Make sure that weights are of sources that there are.

    Args:
        mix: The weights.
        names: Of the sources.
        field: Path of the weights in the settings.

    Raises:
        SpecError: One is not.
    """
    for name in mix.weights:
        if name not in names:
            raise SpecError(
                f"{field} names the source “{name}”, which the corpus does not have.",
                safe="Nothing was started.",
                do="Name some of its sources: " + ", ".join(f"“{one}”" for one in names) + ".",
                field=field,
            )

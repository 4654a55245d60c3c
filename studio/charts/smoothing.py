"""Means of a series over any window, for any window width, without a second copy of it."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from studio.charts.pyramid import FloatArray, GrowingArray, IndexArray, Pyramid

_BLOCK: Final = 8
_AT_ONCE: Final = 8192
"""Blocks that are summed in one go: what that takes in memory stays small."""
LARGEST: Final = 1e9
"""Values beyond this are not summed: they would eat the digits of all sums after them."""


class RunningMean:
    """Mean of the last `window` values of a pyramid, at any place, in constant time.

    NaN, infinities and absurd values (`LARGEST`) are left out of the mean. The mean only looks
    back: a spike never shows before it happened.

    Args:
        pyramid: The series; call `truncate` here whenever it is truncated.
    """

    def __init__(self, pyramid: Pyramid) -> None:
        self._pyramid = pyramid
        # Sum and number of the values before each whole block: entry k covers values[: 8 k].
        self._sum = GrowingArray(np.float64)
        self._number = GrowingArray(np.int64)
        self._clear()

    @property
    def nbytes(self) -> int:
        """Memory held, slack included."""
        return self._sum.nbytes + self._number.nbytes

    def reserve(self, length: int) -> None:
        """Make room for the sums of so many values at once."""
        self._sum.reserve(length // _BLOCK + 1)
        self._number.reserve(length // _BLOCK + 1)

    def truncate(self, length: int) -> None:
        """Forget what was summed beyond the first `length` values."""
        blocks = max(length, 0) // _BLOCK
        self._sum.truncate(blocks + 1)
        self._number.truncate(blocks + 1)

    def at(self, places: npt.ArrayLike, window: npt.ArrayLike) -> FloatArray:
        """Means of the values up to and including each place.

        Args:
            places: (k,) indices.
            window: How many values each mean covers, one number or (k,); at least 1.

        Returns:
            (k,) means; NaN where no value counts.
        """
        self._catch_up()
        end = np.clip(np.asarray(places, dtype=np.int64) + 1, 0, len(self._pyramid))
        start = np.maximum(end - np.maximum(np.asarray(window, dtype=np.int64), 1), 0)
        sum_end, number_end = self._before(end)
        sum_start, number_start = self._before(start)
        number = number_end - number_start
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = (sum_end - sum_start) / number
        mean[number == 0] = np.nan
        return mean.astype(np.float32)

    def _clear(self) -> None:
        self._sum.extend(np.zeros(1))
        self._number.extend(np.zeros(1, dtype=np.int64))

    def _catch_up(self) -> None:
        """Sum the blocks that have become whole since the last time, some at a time."""
        whole = len(self._pyramid) // _BLOCK
        for done in range(len(self._sum) - 1, whole, _AT_ONCE):
            end = min(done + _AT_ONCE, whole)
            values = self._pyramid.values[done * _BLOCK : end * _BLOCK]
            counted, numbers = _counted(values.reshape(-1, _BLOCK))
            self._sum.extend(self._sum.view[-1] + np.cumsum(counted.sum(axis=1)))
            self._number.extend(self._number.view[-1] + np.cumsum(numbers.sum(axis=1)))

    def _before(self, end: IndexArray) -> tuple[npt.NDArray[np.float64], IndexArray]:
        """Sum and number of `values[: end[i]]`, (k,) each."""
        block = end // _BLOCK
        places = block[:, None] * _BLOCK + np.arange(_BLOCK - 1)  # (k, 7)
        inside = places < end[:, None]
        values = self._pyramid.values
        if not len(values):
            return np.zeros(len(end)), np.zeros(len(end), dtype=np.int64)
        rest = np.where(inside, values[np.where(inside, places, 0)], np.float32(np.nan))
        counted, numbers = _counted(rest)
        sums: npt.NDArray[np.float64] = self._sum.view[block] + counted.sum(axis=1)
        number: IndexArray = self._number.view[block] + numbers.sum(axis=1)
        return sums, number


def _counted(values: FloatArray) -> tuple[npt.NDArray[np.float64], IndexArray]:
    """The values with 0 in place of what does not count, and 1 or 0 for each."""
    good = np.abs(values) < LARGEST  # false for NaN and infinities
    return np.where(good, values, 0.0).astype(np.float64), good.astype(np.int64)

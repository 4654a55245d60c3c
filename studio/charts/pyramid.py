"""Minimum and maximum of a growing series at every zoom, so that no spike is ever lost.

A chart is a few hundred pixels wide, a run may have millions of steps. Drawing every n-th value
loses spikes, drawing all of them is slow. The pyramid keeps, above the values themselves, the
minimum and maximum of each 8, 64, 512 … of them; the extremes of any range then cost a few dozen
look-ups.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
IndexArray = npt.NDArray[np.int64]

FAN_OUT: Final = 8
_DIRECT: Final = 32
"""Ranges of up to this many entries on average are reduced as they are."""
_FIRST_CAPACITY: Final = 1024


class GrowingArray:
    """A one-dimensional array that grows at its end, with little slack.

    Args:
        dtype: Type of the entries.
        sentinel: Stands behind the last entry, so that an index equal to the length may be read.
    """

    def __init__(self, dtype: npt.DTypeLike, sentinel: float = 0.0) -> None:
        self._data: npt.NDArray[Any] = np.full(_FIRST_CAPACITY, sentinel, dtype=dtype)
        self._sentinel = sentinel
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def view(self) -> npt.NDArray[Any]:
        """The entries, without a copy; valid until the next change."""
        return self._data[: self._length]

    @property
    def guarded(self) -> npt.NDArray[Any]:
        """The entries and the sentinel behind them, without a copy."""
        return self._data[: self._length + 1]

    @property
    def nbytes(self) -> int:
        """Memory held, slack included."""
        return int(self._data.nbytes)

    def reserve(self, length: int) -> None:
        """Make room for so many entries at once, where they are known to come.

        What is not written yet takes no memory, and nothing is moved while it grows.
        """
        if length + 1 > len(self._data):
            grown = np.empty(length + 1, dtype=self._data.dtype)
            grown[: self._length + 1] = self.guarded
            self._data = grown

    def extend(self, values: npt.NDArray[Any]) -> None:
        """Append values, (n,)."""
        length = self._length + len(values)
        if length + 1 > len(self._data):
            # A quarter more each time: copying stays linear in sum, slack stays small.
            self.reserve(max(length, len(self._data) * 5 // 4))
        self._data[self._length : length] = values
        self._data[length] = self._sentinel
        self._length = length

    def truncate(self, length: int) -> None:
        """Keep the first `length` entries; does nothing when there are fewer."""
        if length < self._length:
            self._length = length
            self._data[length] = self._sentinel


class Pyramid:
    """A float32 series with the extremes of its ranges at hand.

    NaN is a gap: it never counts as an extreme. Values that float32 cannot hold become infinite
    and do count.
    """

    def __init__(self) -> None:
        self._values = GrowingArray(np.float32, np.nan)
        self._low: list[GrowingArray] = [self._values]
        self._high: list[GrowingArray] = [self._values]
        self._reserved = 0

    def __len__(self) -> int:
        return len(self._values)

    @property
    def values(self) -> FloatArray:
        """All values, without a copy; valid until the next change."""
        return self._values.view

    @property
    def nbytes(self) -> int:
        """Memory held, slack included."""
        above = sum(array.nbytes for array in (*self._low[1:], *self._high[1:]))
        return self._values.nbytes + above

    def reserve(self, length: int) -> None:
        """Make room for so many values at once, where they are known to come."""
        if length > self._reserved:
            self._reserved = length
            for arrays in (self._low, self._high):
                for level, array in enumerate(arrays):
                    array.reserve(length // FAN_OUT**level)

    def append(self, values: npt.ArrayLike) -> None:
        """Append a block of values, (n,)."""
        start = len(self._values)
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite on purpose
            self._values.extend(np.asarray(values).astype(np.float32, copy=False))
        self._refresh(start)

    def truncate(self, length: int) -> None:
        """Keep the first `length` values, as a resumed run does; longer is no change."""
        if length < len(self._values):
            self._values.truncate(max(length, 0))
            self._refresh(len(self._values))

    def extremes(self, edges: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Exact minimum and maximum of consecutive ranges.

        Args:
            edges: (k + 1,) indices that never fall; range i is `values[edges[i]:edges[i + 1]]`.

        Returns:
            Minima and maxima, (k,) each; NaN for a range that is empty or holds only NaN.
        """
        bounds = np.clip(np.asarray(edges, dtype=np.int64), 0, len(self._values))
        start, stop = bounds[:-1], bounds[1:]
        low = np.full(len(start), np.nan, dtype=np.float32)
        high = low.copy()
        for level in range(len(self._low)):
            last = level == len(self._low) - 1
            if last or int(stop[-1:].sum() - start[:1].sum()) <= _DIRECT * max(len(start), 1):
                low = np.fmin(low, _ranges(np.fmin, self._low[level].guarded, start, stop))
                high = np.fmax(high, _ranges(np.fmax, self._high[level].guarded, start, stop))
                break
            head = np.minimum(-(-start // FAN_OUT) * FAN_OUT, stop)
            tail = np.maximum(stop // FAN_OUT * FAN_OUT, head)
            for first, end in ((start, head), (tail, stop)):
                low = np.fmin(low, _few(np.fmin, self._low[level].guarded, first, end))
                high = np.fmax(high, _few(np.fmax, self._high[level].guarded, first, end))
            start, stop = -(-head // FAN_OUT), tail // FAN_OUT
        return low, high

    def _refresh(self, start: int) -> None:
        """Bring all levels up to date after the values changed from index `start` on."""
        level = 1
        while len(self._low[level - 1]) > 1:
            if level == len(self._low):
                for arrays in (self._low, self._high):
                    arrays.append(GrowingArray(np.float32, np.nan))
                    arrays[-1].reserve(self._reserved // FAN_OUT**level)
                start = 0
            start //= FAN_OUT
            for reduce, levels in ((np.fmin, self._low), (np.fmax, self._high)):
                below = levels[level - 1].view[start * FAN_OUT :]
                levels[level].truncate(start)
                if len(below):
                    groups = np.arange(0, len(below), FAN_OUT)
                    levels[level].extend(reduce.reduceat(below, groups))
            level += 1
        del self._low[level:], self._high[level:]


def _ranges(reduce: np.ufunc, array: FloatArray, start: IndexArray, stop: IndexArray) -> FloatArray:
    """`reduce` over each `array[start[i]:stop[i]]`; NaN for empty ranges.

    The ranges lie one behind the other; the gaps between them are reduced too, and thrown away.
    """
    if not len(start):
        return np.empty(0, dtype=np.float32)
    pairs = np.empty(2 * len(start), dtype=np.int64)
    pairs[::2] = start
    pairs[1::2] = np.maximum(stop, start)
    reduced: FloatArray = reduce.reduceat(array, pairs)[::2]
    reduced[stop <= start] = np.nan
    return reduced


def _few(reduce: np.ufunc, array: FloatArray, start: IndexArray, stop: IndexArray) -> FloatArray:
    """`reduce` over each `array[start[i]:stop[i]]`, none of which has `FAN_OUT` entries."""
    places = start[:, None] + np.arange(FAN_OUT - 1)  # (k, 7)
    inside = places < stop[:, None]
    found = np.where(inside, array[np.where(inside, places, len(array) - 1)], np.float32(np.nan))
    reduced: FloatArray = reduce.reduce(found, axis=1)
    return reduced

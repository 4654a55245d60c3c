"""Figures by step and by second, as growing numpy columns that charts read without copying."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer_core.metrics import STEP_DTYPE, SYSTEM_DTYPE, Rows

FloatColumn = NDArray[np.float32] | NDArray[np.float64]
_CAPACITY_MIN = 1024


class Columns:
    """Rows of one dtype, stored by column.

    float32 stays float32; whole numbers and float64 become float64, which holds them exactly.
    """

    def __init__(self, dtype: np.dtype[np.void]) -> None:
        """Start empty.

        Args:
            dtype: The structured dtype of the rows; each of its fields becomes a column.
        """
        self.names: tuple[str, ...] = tuple(dtype.names or ())
        self.n = 0
        """Rows so far."""
        self.generation = 0
        """Goes up whenever rows that were there are taken away; then caches are void."""
        self._capacity = 0
        self._columns: dict[str, NDArray[Any]] = {
            name: np.empty(0, np.float32 if dtype[name] == np.float32 else np.float64)
            for name in self.names
        }

    def __len__(self) -> int:
        return self.n

    def column(self, name: str) -> FloatColumn:
        """The values of a column so far, (n,), as a read-only view.

        The view keeps its length while the series grows; ask again for the newest values.

        Raises:
            KeyError: There is no such column.
        """
        view = self._columns[name][: self.n]
        view.flags.writeable = False
        return view

    def last(self, name: str) -> float:
        """The newest value of a column; NaN when there is none."""
        return float(self._columns[name][self.n - 1]) if self.n else float("nan")

    def append(self, rows: Rows) -> None:
        """Add rows, (m,), at the end."""
        count = len(rows)
        self._make_room(self.n + count)
        for name in self.names:
            self._columns[name][self.n : self.n + count] = rows[name]
        self.n += count

    def reserve(self, n: int) -> None:
        """Make room for n rows at once, where so many are known to come."""
        if n > self._capacity:
            self._resize(n)

    def truncate(self, n: int) -> None:
        """Keep the first n rows."""
        if n < self.n:
            self.n = n
            self.generation += 1

    def keep(self, wanted: NDArray[np.bool_]) -> None:
        """Keep the rows, (n,), that are marked."""
        if bool(wanted.all()):
            return
        kept = int(wanted.sum())
        for name in self.names:
            self._columns[name][:kept] = self._columns[name][: self.n][wanted]
        self.n = kept
        self.generation += 1

    def _make_room(self, n: int) -> None:
        if n > self._capacity:
            # A quarter more each time: copying stays linear in sum, slack stays small.
            self._resize(max(_CAPACITY_MIN, n, self._capacity * 5 // 4))

    def _resize(self, capacity: int) -> None:
        self._capacity = capacity
        for name, old in self._columns.items():
            grown = np.empty(capacity, old.dtype)
            grown[: self.n] = old[: self.n]
            self._columns[name] = grown


class StepSeries(Columns):
    """Figures of each optimizer step, dense: row i is step i + 1. See `metrics.STEP_DTYPE`."""

    def __init__(self) -> None:
        super().__init__(STEP_DTYPE)


class SystemSeries(Columns):
    """Figures of the computer for each second of a job. See `metrics.SYSTEM_DTYPE`."""

    def __init__(self) -> None:
        super().__init__(SYSTEM_DTYPE)

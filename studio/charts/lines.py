"""A series on an x axis, cut down to what the pixels of a chart can show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from studio.charts.axis import Scale
from studio.charts.pyramid import FloatArray, IndexArray, Pyramid
from studio.charts.smoothing import RunningMean

XMode = Literal["steps", "tokens", "time", "flop"]
"""What a chart's x axis counts.

Optimizer steps, training tokens, active training seconds, or floating-point operations.
"""

Doubles = npt.NDArray[np.float64]
_PER_PIXEL: Final = 2
"""Up to this many values a pixel are drawn as they are; more are drawn as their extremes."""


class Timeline:
    """Where each row of a table of figures lies on the x axis, in steps, tokens and seconds.

    The columns are views of arrays that someone else keeps; `update` hands over newer ones. Each
    must never fall from row to row.
    """

    def __init__(self) -> None:
        empty = np.empty(0)
        self._columns: dict[XMode, Doubles] = {
            "steps": empty,
            "tokens": empty,
            "time": empty,
            "flop": empty,
        }

    def __len__(self) -> int:
        return len(self._columns["steps"])

    def update(
        self, steps: Doubles, tokens: Doubles, time_s: Doubles, flop: Doubles | None = None
    ) -> None:
        """Take new columns, (n,) each; without `flop` that axis is not asked for."""
        self._columns = {"steps": steps, "tokens": tokens, "time": time_s}
        self._columns["flop"] = steps if flop is None else flop

    def at(self, mode: XMode, rows: npt.ArrayLike) -> Doubles:
        """Positions of rows, (k,)."""
        found: Doubles = self._columns[mode][np.asarray(rows)]
        return found

    def place(self, mode: XMode, positions: npt.ArrayLike) -> IndexArray:
        """First row at or after each position, (k,); the number of rows where there is none."""
        keys = np.asarray(positions, dtype=np.float64)
        return np.searchsorted(self._columns[mode], keys).astype(np.int64)

    def of_steps(self, mode: XMode, steps: npt.ArrayLike) -> Doubles:
        """Positions of steps, (k,), between rows by interpolation; the ends are held."""
        wanted = np.asarray(steps, dtype=np.float64)
        if mode == "steps" or not len(self):
            return wanted
        row = np.clip(self.place("steps", wanted), 0, len(self) - 1)
        before = np.maximum(row - 1, 0)
        right, left = self.at("steps", row), self.at("steps", before)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(right > left, (wanted - left) / (right - left), 1.0)
        share = np.clip(share, 0.0, 1.0)
        x_left, x_right = self.at(mode, before), self.at(mode, row)
        return x_left + share * (x_right - x_left)

    def step_at(self, mode: XMode, position: float) -> int | None:
        """Step of the row nearest to a position; None without rows."""
        if not len(self):
            return None
        row = int(np.clip(self.place(mode, [position])[0], 0, len(self) - 1))
        if row and position - self.at(mode, row - 1) < self.at(mode, row) - position:
            row -= 1
        return int(self._columns["steps"][row])

    def row_of_step(self, step: float) -> int | None:
        """The row of a step, or of the last one before it; None when there is none."""
        row = int(self.place("steps", [step])[0])
        if row < len(self) and self._columns["steps"][row] == step:
            return row
        return row - 1 if row else None


class Line:
    """One series of figures: its values, their extremes and their running means.

    Args:
        timeline: Where its values lie; shared by the lines of a table.
    """

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.pyramid = Pyramid()
        self.mean = RunningMean(self.pyramid)
        self._there = 0

    @property
    def sparse(self) -> bool:
        """Whether most values are missing, as where every tenth step was logged."""
        return 2 * self._there < len(self.pyramid)

    def __len__(self) -> int:
        return min(len(self.pyramid), len(self.timeline))

    def reserve(self, length: int) -> None:
        """Make room for so many values at once, where they are known to come."""
        self.pyramid.reserve(length)
        self.mean.reserve(length)

    def append(self, values: npt.ArrayLike) -> None:
        """Add values at the end, (n,)."""
        self.pyramid.append(values)
        self._there += int(np.count_nonzero(~np.isnan(np.asarray(values))))

    def truncate(self, length: int) -> None:
        """Forget all but the first `length` values, as a resumed run does."""
        self.pyramid.truncate(length)
        self._there = int(np.count_nonzero(~np.isnan(self.pyramid.values)))
        self.mean.truncate(length)

    def value_at(self, step: float, smooth: int = 0) -> float:
        """Value at a step or at the last one before it, NaN without one.

        Args:
            step: The step.
            smooth: Mean of this many values up to there; 0 gives the value itself.
        """
        row = self.timeline.row_of_step(step)
        if row is None or row >= len(self.pyramid):
            return float("nan")
        return float(self.shown(np.array([row]), smooth)[0])

    def shown(self, rows: IndexArray, smooth: int) -> FloatArray:
        """Values at rows, (k,), or their means; see `value_at`."""
        if smooth > 1:
            return self.mean.at(rows, smooth_window(rows, smooth))
        found: FloatArray = self.pyramid.values[rows]
        return found


@dataclass(frozen=True)
class Trace:
    """What of a line is drawn: points from left to right, NaN where it is interrupted.

    Attributes:
        x: Pixels, (n,).
        y: Values, (n,).
        whole: Whether these are all values and not the extremes of pixel columns.
    """

    x: Doubles
    y: Doubles
    whole: bool


def trace(line: Line, mode: XMode, scale: Scale, smooth: int = 0) -> Trace:
    """The part of a line that a horizontal range of pixels shows.

    No spike is lost: where a pixel stands for many values, their minimum and maximum are drawn.

    Args:
        line: The series.
        mode: What the axis counts.
        scale: The horizontal axis.
        smooth: Draw the mean of this many values; 0 or 1 draws the values themselves.
    """
    found = _trace(line, mode, scale, smooth)
    if not line.sparse:
        return found
    there = ~np.isnan(found.y)  # between values that are far apart the line goes straight on
    return Trace(found.x[there], found.y[there], found.whole)


def _trace(line: Line, mode: XMode, scale: Scale, smooth: int) -> Trace:
    length = len(line)
    edges = np.arange(np.floor(scale.start), np.ceil(scale.stop) + 1.0)
    rows = np.minimum(line.timeline.place(mode, scale.values(edges)), length)
    # One value beyond either end, so that the line runs out of the picture.
    first, end = max(int(rows[0]) - 1, 0), min(int(rows[-1]) + 1, length)
    if end - first <= _PER_PIXEL * len(edges):
        return _whole(line, mode, scale, smooth, np.arange(first, end))
    shown = np.diff(rows) > 0
    x = edges[:-1][shown] + 0.5
    if smooth > 1:
        # Where a pixel stands for more steps than the mean covers, the mean covers the pixel.
        last = rows[1:][shown] - 1
        window = np.maximum(np.diff(rows)[shown], smooth_window(last, smooth))
        return Trace(x, line.mean.at(last, window).astype(np.float64), False)
    low, high = line.pyramid.extremes(rows)
    return _extremes(x, low[shown].astype(np.float64), high[shown].astype(np.float64))


def smooth_window(rows: npt.ArrayLike, smooth: int) -> IndexArray:
    """How many values the mean at each row covers.

    Early in a run, where figures fall fast, it covers a fifth of what there is at most: otherwise
    the line would lag far behind.
    """
    return np.clip(np.asarray(rows, dtype=np.int64) // 5, 1, max(smooth, 1))


def _whole(line: Line, mode: XMode, scale: Scale, smooth: int, rows: IndexArray) -> Trace:
    x = scale.pixels(line.timeline.at(mode, rows))
    return Trace(x, line.shown(rows, smooth).astype(np.float64), True)


def _extremes(x: Doubles, low: Doubles, high: Doubles) -> Trace:
    """Two points a column, ordered so that the line takes the shortest way to the next column."""
    middle = (low + high) / 2
    falls = np.empty(len(x), dtype=bool)
    falls[:1] = False
    with np.errstate(invalid="ignore"):
        falls[1:] = middle[1:] < middle[:-1]
    y = np.empty(2 * len(x))
    y[::2] = np.where(falls, high, low)
    y[1::2] = np.where(falls, low, high)
    return Trace(np.repeat(x, 2), y, False)

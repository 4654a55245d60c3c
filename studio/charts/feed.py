"""Keeps the lines of charts in step with growing tables of figures. Knows nothing of Qt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from studio.charts.lines import Doubles, Line, Timeline, XMode
from studio.charts.pyramid import FloatArray, GrowingArray


class Table(Protocol):
    """Figures by column that grow at the end; `studio.runs.series.Columns` is one."""

    n: int
    generation: int

    def column(self, name: str) -> np.ndarray[tuple[int], np.dtype[np.floating]]:
        """The values of a column so far, (n,)."""


class StepFeed:
    """Lines of figures by optimizer step.

    Args:
        names: Columns to make lines of.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.timeline = Timeline()
        self.lines = {name: Line(self.timeline) for name in names}
        self._table: Table | None = None
        self._generation = 0
        self._taken = 0

    def reserve(self, length: int) -> None:
        """Make room for so many steps at once, where they are known to come."""
        for line in self.lines.values():
            line.reserve(length)

    def sync(self, table: Table) -> bool:
        """Take in what is new; tells whether anything was.

        Args:
            table: Has the columns `step`, `tokens_seen` and `elapsed_s` besides.
        """
        anew = table is not self._table or table.generation != self._generation
        if not anew and table.n == self._taken:
            return False
        if anew:
            self._keep_common(table)
        self.timeline.update(
            _doubles(table.column("step")),
            _doubles(table.column("tokens_seen")),
            _doubles(table.column("elapsed_s")),
        )
        for name, line in self.lines.items():
            line.append(table.column(name)[self._taken :])
        self._taken, self._table, self._generation = table.n, table, table.generation
        return True

    def _keep_common(self, table: Table) -> None:
        """Rows were taken away and others may have come since: keep what is still the same."""
        agreed = min(
            (_agreed(line.pyramid.values, table.column(name)) for name, line in self.lines.items()),
            default=0,
        )
        for line in self.lines.values():
            line.truncate(agreed)
        self._taken = agreed


class SystemFeed:
    """Lines of figures by second, laid over the steps during which they were taken.

    Args:
        names: Columns to make lines of.
        steps: Timeline of the steps.
    """

    def __init__(self, names: Sequence[str], steps: Timeline) -> None:
        self.timeline = Timeline()
        self.lines = {name: Line(self.timeline) for name in names}
        self._table: Table | None = None
        self._steps = steps
        self._generation = 0
        self._taken = 0
        self._columns: dict[XMode, GrowingArray] = {}
        self._clear()

    def sync(self, table: Table) -> bool:
        """Take in what is new; call it after the steps are up to date.

        Args:
            table: Has the column `step` besides.
        """
        if table is not self._table or table.generation != self._generation:
            self._clear()
            for line in self.lines.values():
                line.truncate(0)
            self._table, self._generation, self._taken = table, table.generation, 0
        known = len(self._columns["steps"])
        if table.n == known and not known:
            return False
        # The last second's place moves while its step is not written yet: lay it out again.
        steps = _doubles(table.column("step"))
        since = int(np.searchsorted(steps, steps[known - 1])) if known else 0
        self._place(fractional_steps(steps[since:]), since)
        for name, line in self.lines.items():
            line.append(table.column(name)[self._taken :])
        grew = table.n != self._taken
        self._taken = table.n
        return grew

    def has(self, name: str) -> bool:
        """Whether any value of a column exists on this computer."""
        low, _ = self.lines[name].pyramid.extremes([0, len(self.lines[name].pyramid)])
        return bool(np.isfinite(low[0]))

    def _clear(self) -> None:
        self._columns = {mode: GrowingArray(np.float64) for mode in ("steps", "tokens", "time")}

    def _place(self, steps: Doubles, since: int) -> None:
        positions: dict[XMode, Doubles] = {"steps": steps}
        positions["tokens"] = self._steps.of_steps("tokens", steps)
        positions["time"] = self._steps.of_steps("time", steps)
        for mode, column in self._columns.items():
            column.truncate(since)
            column.extend(positions[mode])
        self.timeline.update(
            self._columns["steps"].view, self._columns["tokens"].view, self._columns["time"].view
        )


def fractional_steps(steps: Doubles) -> Doubles:
    """Spread seconds that share a step evenly over it: three in step 7 lie at 7, 7.33, 7.67.

    Args:
        steps: Step of each second, (n,); falling ones are raised to the highest before.

    Returns:
        Positions that never fall, (n,).
    """
    if not len(steps):
        return steps
    rising = np.maximum.accumulate(steps)
    _, first, count = np.unique(rising, return_index=True, return_counts=True)
    within = np.arange(len(rising)) - np.repeat(first, count)
    spread: Doubles = rising + within / np.repeat(count, count)
    return spread


def _agreed(old: FloatArray, column: np.ndarray[tuple[int], np.dtype[np.floating]]) -> int:
    """How many values from the start on are the same."""
    with np.errstate(over="ignore"):
        new = column[: len(old)].astype(np.float32)
    old = old[: len(new)]
    different = np.flatnonzero((old != new) & ~(np.isnan(old) & np.isnan(new)))
    return int(different[0]) if len(different) else len(new)


def _doubles(column: np.ndarray[tuple[int], np.dtype[np.floating]]) -> Doubles:
    return column.astype(np.float64, copy=False)

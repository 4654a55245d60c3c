"""Keeps the lines of charts in step with growing tables of figures. Knows nothing of Qt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from studio.charts.lines import Doubles, Line, Timeline, XMode
from studio.charts.pyramid import GrowingArray


class Table(Protocol):
    """Figures by column that grow at the end; `studio.runs.series.Columns` is one."""

    n: int
    generation: int

    def column(self, name: str) -> np.ndarray[tuple[int], np.dtype[np.floating]]:
        """The values of a column so far, (n,)."""


class StepFeed:
    """Lines of figures by optimizer step.

    Args:
        table: Has the columns `step`, `tokens_seen` and `elapsed_s` besides.
        names: Columns to make lines of.
    """

    def __init__(self, table: Table, names: Sequence[str]) -> None:
        self.timeline = Timeline()
        self.lines = {name: Line(self.timeline) for name in names}
        self._table = table
        self._generation = table.generation
        self._taken = 0

    def sync(self) -> bool:
        """Take in what is new; tells whether anything was."""
        table = self._table
        anew = table.generation != self._generation
        if not anew and table.n == self._taken:
            return False
        if anew:
            self._truncate()
        self.timeline.update(
            _doubles(table.column("step")),
            _doubles(table.column("tokens_seen")),
            _doubles(table.column("elapsed_s")),
        )
        for name, line in self.lines.items():
            line.append(table.column(name)[self._taken :])
        self._taken = table.n
        self._generation = table.generation
        return True

    def _truncate(self) -> None:
        """Rows were taken away and others may have come since: keep what is still the same."""
        kept = 0
        for name, line in self.lines.items():
            old = line.pyramid.values
            new = self._table.column(name)[: len(old)].astype(np.float32)
            same = (old[: len(new)] == new) | (np.isnan(old[: len(new)]) & np.isnan(new))
            different = np.flatnonzero(~same)
            agreed = int(different[0]) if len(different) else len(new)
            kept = agreed if name == next(iter(self.lines)) else min(kept, agreed)
        for line in self.lines.values():
            line.truncate(kept)
        self._taken = kept


class SystemFeed:
    """Lines of figures by second, laid over the steps during which they were taken.

    Args:
        table: Has the columns `step` and `time_s` besides.
        names: Columns to make lines of.
        steps: Timeline of the steps.
    """

    def __init__(self, table: Table, names: Sequence[str], steps: Timeline) -> None:
        self.timeline = Timeline()
        self.lines = {name: Line(self.timeline) for name in names}
        self._table = table
        self._steps = steps
        self._generation = table.generation
        self._taken = 0
        self._columns: dict[XMode, GrowingArray] = {}
        self._clear()

    def sync(self) -> bool:
        """Take in what is new; call it after the steps are up to date."""
        table = self._table
        if table.generation != self._generation:
            self._clear()
            for line in self.lines.values():
                line.truncate(0)
            self._generation, self._taken = table.generation, 0
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


def _doubles(column: np.ndarray[tuple[int], np.dtype[np.floating]]) -> Doubles:
    return column.astype(np.float64, copy=False)

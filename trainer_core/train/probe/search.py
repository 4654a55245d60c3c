"""Which batch sizes and ways to train a probe tries, and when it has tried enough."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from trainer_core.probe_table import SAME_SPEED, Ended, ProbeRow, Variant

Measure = Callable[[int, Variant, float], ProbeRow]
"""Measures a batch size in a variant, within so many seconds."""

_FINE = 1.15
"""Memory's end is known well enough when the batch that fits is within this factor of it."""
_SLOWER_ROWS = 2
"""So many doublings that bring nothing end the search."""
_LEAST_S = 3.0
"""A trial needs about this long, its process's start among it."""


@dataclass
class Search:
    """Tries batch sizes and variants, the most telling first.

    Attributes:
        measure: Measures one of them.
        sizes: Batch sizes that may be tried, rising.
        deadline_s: When to end, by `clock`.
        rows: What was measured.
        clock: The time in seconds.
    """

    measure: Measure
    sizes: Sequence[int]
    deadline_s: float
    rows: list[ProbeRow] = field(default_factory=list)
    clock: Callable[[], float] = time.monotonic

    @property
    def left_s(self) -> float:
        """Time that is left."""
        return self.deadline_s - self.clock()

    def try_(self, size: int, variant: Variant) -> ProbeRow:
        """Measure one and keep it."""
        row = self.measure(size, variant, self.left_s)
        self.rows.append(row)
        return row

    def grow(self, variant: Variant, first: int = 1, speed: float = 0.0) -> Ended:
        """Double the batch until memory ends or speed does, then close in on memory's end.

        Args:
            variant: How to train.
            first: The smallest size to try.
            speed: Tokens per second that the next smaller size reached.

        Returns:
            What ended it.
        """
        best, fitting, idle = speed, first - 1, 0
        for size in self._doubled(first):
            if self.rows and self.left_s < self._expected_s(variant):
                return "time"
            row = self.try_(size, variant)
            if row.failure == "memory":
                self._close_in(variant, fitting, size)
                return "memory"
            if not row.ok:
                return "time" if row.failure == "time" else "error"
            idle = 0 if row.tokens_per_s > best * (1 + SAME_SPEED) else idle + 1
            best, fitting = max(best, row.tokens_per_s), size
            if idle == _SLOWER_ROWS:
                return "speed"
        return "largest"

    def _doubled(self, first: int) -> Iterator[int]:
        wanted = first
        for size in self.sizes:
            if size >= wanted:
                yield size
                wanted = 2 * size

    def _close_in(self, variant: Variant, fits: int, fails: int) -> None:
        """Bisect between a size that fits, 0 for none, and one that does not."""
        while fails > fits * _FINE and self.left_s > self._expected_s(variant):
            between = [size for size in self.sizes if fits < size < fails]
            if not between:
                return
            middle = min(between, key=lambda size: abs(2 * size - fits - fails))
            row = self.try_(middle, variant)
            if row.ok:
                fits = middle
            elif row.failure == "memory":
                fails = middle
            else:
                return

    def _expected_s(self, variant: Variant) -> float:
        """How long the next larger trial may take, from the last one of this variant."""
        last = next((row for row in reversed(self.rows) if row.variant == variant), None)
        return _LEAST_S if last is None else max(_LEAST_S, 5 * last.step_ms / 1000)

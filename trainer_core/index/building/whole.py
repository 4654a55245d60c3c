"""How far a whole build is, from what its phases report one after the other.

A build that is short of memory sorts, merges and writes chunk after chunk, so that no phase tells
alone how much is left. The weights are nanoseconds per entry of a build on one thread; only how
they compare matters.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from trainer_core.index.building.assembly import CHECKING_OLDER, COPYING, MATCHING, READING
from trainer_core.index.building.chunks import MERGING, SORTING, WRITING

_READ, _SORT, _MERGE, _WRITE, _MATCH = 6.0, 80.0, 25.0, 8.0, 600.0
ALMOST = 0.999
"""What no build goes beyond before it is done."""


class WholeBuild:
    """Follows the phases of one build.

    Args:
        report: Gets phase, done, total and unit as they come, and the share of the whole build, 0
            to 1; it never falls.
        n_tokens: Training tokens.
        n_validation_tokens: Held-out tokens.
    """

    def __init__(
        self,
        report: Callable[[str, float, float, str, float], None],
        n_tokens: int,
        n_validation_tokens: int,
    ) -> None:
        self._report = report
        self._n = max(n_tokens, 1)
        self._match_ns = _MATCH * n_validation_tokens
        self._begun: float | None = None
        self._appends = False
        self._chunk_stop: float | None = None
        self._done = {READING: 0.0, SORTING: 0.0, WRITING: 0.0, MATCHING: 0.0}
        self._merged_stop = 0.0
        self._merged = 0.0
        self._share = 0.0

    def __call__(self, phase: str, done: float, total: float, unit: str) -> None:
        """Take what a phase reports."""
        self._take(phase, done, total)
        self._share = max(self._share, min(self._finished_ns() / self._total_ns(), ALMOST))
        self._report(phase, done, total, unit, self._share)

    def _take(self, phase: str, done: float, total: float) -> None:
        if phase in (CHECKING_OLDER, COPYING):
            self._appends = True
        elif phase == SORTING and self._begun is None:
            # What is appended begins behind the older text, a build that goes on behind its steps.
            self._begun = done if self._appends else 0.0
        if phase == MERGING:
            self._merged_stop, self._merged = total, done
        elif phase in self._done:
            self._done[phase] = done / total if phase == MATCHING and total else done
        if phase in (MERGING, WRITING) and self._chunk_stop is None:
            self._chunk_stop = self._done[SORTING]

    def _finished_ns(self) -> float:
        begun = self._begun or 0.0
        merged = sum(stop for stop in self._merges() if stop < self._merged_stop) + self._merged
        return (
            _READ * self._done[READING]
            + _SORT * max(self._done[SORTING] - begun, 0.0)
            + _MERGE * merged
            + _WRITE * max(self._done[WRITING] - begun, 0.0)
            + self._match_ns * self._done[MATCHING]
        )

    def _total_ns(self) -> float:
        new = self._n - (self._begun or 0.0)
        return (
            _READ * self._n + (_SORT + _WRITE) * new + _MERGE * sum(self._merges()) + self._match_ns
        )

    def _merges(self) -> list[float]:
        """Where the chunks end that are merged into what was there before them, as far as known."""
        begun = self._begun or 0.0
        if self._chunk_stop is None:
            return [float(self._n)] if self._appends else []
        size = max(self._chunk_stop - begun, 1.0)
        stops = [
            min(begun + (number + 1) * size, float(self._n))
            for number in range(math.ceil((self._n - begun) / size - 1e-6))
        ]
        return stops if self._appends else stops[1:]

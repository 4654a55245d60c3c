"""How long a job will still take, from what its newest part really took. Free of Qt."""

from __future__ import annotations

import math
import time
from collections import deque

from trainer_core.status import JobStatus

_WINDOW_S = 30.0
"""The rate is that of the last half minute: what came before may have been another kind of work."""
_ENOUGH_S = 1.0
_SETTLE_S = 6.0
"""Time constant with which the shown end follows the estimated one, so that it does not jump."""


def share_done(status: JobStatus) -> float | None:
    """How far a job is, 0 to 1: as a whole where it tells, else within its phase; None if unknown.

    Args:
        status: The job.
    """
    progress = status.progress
    if progress is None or progress.time_s < status.started_s:
        return None  # what an earlier session reported is not what this one does
    if progress.whole is not None:
        return min(progress.whole, 1.0)
    return min(progress.done / progress.total, 1.0) if progress.total > 0 else None


class TimeLeft:
    """Follows one job's progress and says when it will be done."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()
        self._end_s: float | None = None
        self._told_s = 0.0

    def seconds_left(self, status: JobStatus, now_s: float | None = None) -> float | None:
        """Seconds until the progress is complete; None while that cannot be told.

        A phase that begins at 0 again is timed by itself; one that goes on counting is not.

        Args:
            status: The job; its progress carries the time it was made at.
            now_s: Seconds since the epoch; None takes the clock.
        """
        progress, share = status.progress, share_done(status)
        if progress is None or share is None:
            return None
        now = time.time() if now_s is None else now_s
        self._take(progress.time_s or now, share)
        first_s, first = self._seen[0]
        passed_s = now - first_s
        if share <= first or passed_s < _ENOUGH_S:
            return None
        return self._settled(now, (1.0 - share) * passed_s / (share - first))

    def _take(self, time_s: float, share: float) -> None:
        if self._seen and share < self._seen[-1][1]:
            self._seen.clear()
            self._end_s = None
        if not self._seen or share > self._seen[-1][1]:
            self._seen.append((time_s, share))
        while len(self._seen) > 2 and self._seen[1][0] < time_s - _WINDOW_S:
            self._seen.popleft()

    def _settled(self, now: float, left_s: float) -> float:
        """The time left to show: the end it speaks of moves slowly to where it is expected."""
        expected_s = now + left_s
        if self._end_s is None:
            self._end_s = expected_s
        else:
            weight = 1.0 - math.exp(-max(now - self._told_s, 0.0) / _SETTLE_S)
            self._end_s += weight * (expected_s - self._end_s)
        self._told_s = now
        return max(self._end_s - now, 0.0)

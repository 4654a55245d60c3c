"""Notices a training that stands still or has become slow, and says so once."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import numpy as np

from trainer_core.metrics import Rows

if TYPE_CHECKING:
    from trainer_core.job import Job

USUAL_FACTOR = 20.0
"""A step is no stall below so many usual ones, however long those are."""
POLL_S = 5.0
_POLL_LEAST_S = 0.02
SLOW_FACTOR = 2.0
"""A training is slow when its steps take so many times as long as they did."""
SLOW_S = 300.0
"""How long steps must have been slow, in seconds of training, before it is told."""
HORIZON_STEPS = 20


class Watchdog:
    """A thread that speaks up when a step does not end: a disk, a driver or a network hangs.

    Only the time within steps counts, and the first step of a session does not: compiling,
    validating and saving may take as long as they need.

    Args:
        job: Where to tell.
        stall_minutes: How long a step may take; 0 watches nothing.
    """

    def __init__(self, job: Job, stall_minutes: float) -> None:
        self._job, self._limit_s = job, 60.0 * stall_minutes
        self._step = 0
        self._usual_s = 0.0  # of the steps of this session but the first, averaged
        self._steps = 0
        self._began_s: float | None = None
        self._told_s: float | None = None
        self._guard = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def begin(self, step: int) -> None:
        """The step of this number begins now."""
        if self._limit_s and self._thread.ident is None:
            self._thread.start()
        with self._guard:
            self._step, self._began_s = step, time.monotonic()

    def rest(self) -> None:
        """The step that was begun is over."""
        now = time.monotonic()
        with self._guard:
            began, self._began_s = self._began_s, None
            told, self._told_s = self._told_s, None
            if began is None:
                return
            self._steps += 1
            if self._steps > 1 and told is None:
                share = 1 / min(self._steps - 1, HORIZON_STEPS)
                self._usual_s += share * (now - began - self._usual_s)
        if told is not None:
            text = f"Step {self._step} took {_minutes(now - began)}."
            self._job.note("info", "The training goes on", text, self._step)

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(min(POLL_S, max(_POLL_LEAST_S, self._limit_s / 4))):
            self._look()

    def _look(self) -> None:
        with self._guard:
            began, now = self._began_s, time.monotonic()
            if began is None or self._told_s is not None or self._steps < 2:
                return
            if now - began <= max(self._limit_s, USUAL_FACTOR * self._usual_s):
                return
            self._told_s, step, usual_s = now, self._step, self._usual_s
        self._job.note(
            "warning",
            "The training stands still",
            f"Step {step} has taken {_minutes(now - began)}, and usually a step takes"
            f" {usual_s:.3g} s. Look at the disk with the corpus, the GPU and the network; if it"
            " does not go on, end the process and resume from the last checkpoint.",
            step,
        )


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} minutes" if seconds >= 60 else f"{seconds:.1f} s"


class Slowness:
    """Notices that steps take much longer than they did in this session: heat, or other programs.

    Args:
        job: Where to tell.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._recent_s = self._least_s = 0.0  # a step's time, averaged; its least
        self._steps = 0
        self._slow_since_s: float | None = None
        self._told = False

    def watch(self, rows: Rows, began_s: float) -> None:
        """Look at new rows, in order.

        Args:
            rows: At least one.
            began_s: Active training time before the first of them.
        """
        for row, seconds in zip(rows, np.diff(rows["elapsed_s"], prepend=began_s), strict=True):
            self._steps += 1
            share = 1 / min(self._steps, HORIZON_STEPS)
            self._recent_s += share * (float(seconds) - self._recent_s)
            if self._steps >= HORIZON_STEPS:
                self._least_s = min(self._least_s or self._recent_s, self._recent_s)
                self._judge(int(row["step"]), float(row["elapsed_s"]))

    def _judge(self, step: int, elapsed_s: float) -> None:
        if self._recent_s <= SLOW_FACTOR * self._least_s:
            self._slow_since_s = None
            if self._told:
                self._told = False
                text = f"A step takes {self._recent_s:.3g} s again."
                self._job.note("info", "The training is as fast as before", text, step)
            return
        if self._slow_since_s is None:
            self._slow_since_s = elapsed_s
        if not self._told and elapsed_s - self._slow_since_s >= SLOW_S:
            self._told = True
            self._job.note(
                "warning",
                "The training has become slow",
                f"A step takes {self._recent_s:.3g} s, and took {self._least_s:.3g} s before. Other"
                " programs may use the processor or the GPU, or it slows down to cool off.",
                step,
            )

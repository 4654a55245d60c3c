"""How fast a training goes and when it will be done, from what it really took so far.

The time left is the sum of three things, each with its own rate: steps, validations, checkpoints.
So the estimate holds right after a resume, before this session has seen its first validation: what
the session cannot tell yet is taken from the earlier ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from studio.runs.series import StepSeries
from trainer_core.records import CheckpointSaved, Validated
from trainer_core.spec import TrainSpec

_WINDOW_STEPS = 500
_ENOUGH_STEPS = 5
"""A session with fewer steps than this says too little: warm-up, compile, cold caches."""
_EVENTS_AVERAGED = 10


@dataclass(frozen=True)
class Pace:
    """Speed and what is left. None: nothing was measured yet."""

    s_per_step: float | None = None
    """Seconds for one step, without validation and checkpoints."""
    remaining_s: float | None = None
    """Seconds of work left, validation and checkpoints included."""

    def finish_s(self, now_s: float) -> float | None:
        """When it will be done, seconds since the epoch, if it works from now on."""
        return None if self.remaining_s is None else now_s + self.remaining_s


def measure_pace(
    spec: TrainSpec,
    steps: StepSeries,
    session_start: int,
    validations: tuple[Validated, ...],
    checkpoints: tuple[CheckpointSaved, ...],
) -> Pace:
    """The pace of a training.

    Args:
        spec: What is to be done.
        steps: Figures of the steps so far.
        session_start: Steps that were done before this session began.
        validations: All of them, in order.
        checkpoints: Those that are kept, in order.
    """
    total, done = spec.budget.steps, steps.n
    if done >= total:
        return Pace(_seconds_per_step(steps, session_start), 0.0)
    per_step = _seconds_per_step(steps, session_start)
    if per_step is None:
        return Pace()
    every_validation = spec.evaluation.every_steps
    every_checkpoint = spec.checkpoint.every_steps
    left = (total - done) * per_step
    left += _times(done, total, every_validation) * _mean([v.seconds for v in validations])
    left += _times(done, total, every_checkpoint) * _mean([c.seconds for c in checkpoints])
    return Pace(per_step, left)


def _times(done: int, total: int, every: int) -> int:
    """How often something that happens every n steps, and at the end, is still to happen."""
    regular = total // every - done // every
    return regular + (1 if total % every else 0)


def _mean(seconds: list[float]) -> float:
    recent = seconds[-_EVENTS_AVERAGED:]
    return sum(recent) / len(recent) if recent else 0.0


def _seconds_per_step(steps: StepSeries, session_start: int) -> float | None:
    """Mean over the session's newest steps; over the steps before it while those are too few."""
    first = session_start if steps.n - session_start > _ENOUGH_STEPS else 0
    first = max(first, steps.n - _WINDOW_STEPS)
    tokens = np.diff(steps.column("tokens_seen")[first:])
    rate = steps.column("tokens_per_s")[first + 1 :]
    usable = np.isfinite(rate) & (rate > 0) & (tokens > 0)
    if not usable.any():
        return None
    return float(np.mean(tokens[usable] / rate[usable]))

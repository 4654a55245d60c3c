"""How fast a training goes and when it will be done, from what it really took so far.

The time left is what the steps take, at the speed of the newest ones, and what passes between them
(validation, checkpoints, samples), by the rounds so far. Both are known right after a resume: what
the new session cannot tell yet is taken from the earlier ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from studio.runs.series import StepSeries
from trainer_core.records import CheckpointSaved, Validated
from trainer_core.spec import TrainSpec

_WINDOW_STEPS = 500
_ENOUGH_STEPS = 5
"""A session with fewer steps than this says too little: warm-up, compile, cold caches."""
_ROUNDS_AVERAGED = 40


@dataclass(frozen=True)
class SessionStart:
    """When a process took up the work, and how many steps were done by then."""

    time_s: float
    step: int


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
    session_starts: Sequence[SessionStart],
    validations: Sequence[Validated],
    checkpoints: Sequence[CheckpointSaved],
    total: int | None = None,
    idle: Sequence[tuple[float, float]] = (),
) -> Pace:
    """The pace of a training.

    Args:
        spec: What is to be done.
        steps: Figures of the steps so far.
        session_starts: When and at which step each session began, in order.
        validations: All of them, in order.
        checkpoints: Those that are kept, in order.
        total: Length of the run in steps, where a person has changed it.
        idle: When a process compiled or waited, from and until, in seconds since the epoch: that
            says nothing of the rounds to come.
    """
    done = steps.n
    total = spec.budget.steps if total is None else total
    left = total - done
    per_step = _seconds_per_step(steps, session_starts[-1].step if session_starts else 0)
    if left <= 0:
        return Pace(per_step, 0.0)
    if per_step is None:
        return Pace()
    work_s = left * per_step
    rounds = _rounds_left(spec, (done, total), per_step, validations)
    starts = [start.time_s for start in session_starts]
    round_s = _seconds_per_round(steps, starts, validations, idle)
    if round_s is None:
        saves = _times(done, total, spec.checkpoint.every_steps)
        blocked_s = saves * _mean([_blocked_s(checkpoint) for checkpoint in checkpoints])
        round_s = _mean([validation.seconds for validation in validations])
        return Pace(per_step, work_s + rounds * round_s + blocked_s)
    return Pace(per_step, work_s + rounds * round_s)


def _rounds_left(
    spec: TrainSpec, stretch: tuple[int, int], per_step: float, validations: Sequence[Validated]
) -> float:
    """How many validations are still to come.

    Args:
        spec: When they are due: every so many steps, or so that they take a share of the time.
        stretch: Steps so far, and all steps of the run.
        per_step: Seconds of a step.
        validations: Those so far.
    """
    share = spec.evaluation.time_share
    if not share:
        return _times(*stretch, spec.evaluation.every_steps)
    measured = [validation.seconds for validation in validations if validation.seconds > 0]
    if not measured:
        return 1.0
    allowed_s = share / (1.0 - share) * stretch[1] * per_step
    left = (allowed_s - sum(measured)) / measured[-1]
    return max(1.0, min(float(int(left)), float(stretch[1] - stretch[0])))


def _blocked_s(checkpoint: CheckpointSaved) -> float:
    """How long the training stood still for a checkpoint, in seconds."""
    return checkpoint.seconds if checkpoint.blocked_s is None else checkpoint.blocked_s


def step_seconds(steps: StepSeries, first: int, end: int) -> NDArray[np.float64]:
    """How long steps first + 1 to end took, (end - first,), in seconds; NaN where not known."""
    tokens = np.asarray(steps.column("tokens_seen")[max(0, first - 1) : end], np.float64)
    in_step = np.diff(tokens) if first else np.diff(tokens, prepend=0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        seconds = in_step / steps.column("tokens_per_s")[first:end]
    return np.where(np.isfinite(seconds) & (seconds > 0), seconds, np.nan)


def _seconds_per_round(
    steps: StepSeries,
    starts: Sequence[float],
    validations: Sequence[Validated],
    idle: Sequence[tuple[float, float]],
) -> float | None:
    """Seconds between steps for each validation, on average over the newest rounds.

    From one validation to the next passes exactly one round of everything that happens between
    steps: a validation, the checkpoints, the samples. Rounds that a pause falls into do not count,
    and what was spent on compiling or waiting is taken off.
    """
    between_s = 0.0
    rounds = 0
    for earlier, later in reversed(list(pairwise(validations))):
        paused = any(earlier.time_s < start <= later.time_s for start in starts)
        if paused or later.step <= earlier.step or later.step > steps.n:
            continue
        work_s = float(np.nansum(step_seconds(steps, earlier.step, later.step)))
        idle_s = sum(
            max(0.0, min(later.time_s, end) - max(earlier.time_s, start)) for start, end in idle
        )
        between_s += max(0.0, later.time_s - earlier.time_s - work_s - idle_s)
        rounds += 1
        if rounds == _ROUNDS_AVERAGED:
            break
    return between_s / rounds if rounds else None


def _times(done: int, total: int, every: int) -> int:
    """How often something that happens every n steps, and at the end, is still to happen."""
    regular = total // every - done // every
    return regular + (1 if total % every else 0)


def _mean(seconds: list[float]) -> float:
    recent = seconds[-_ROUNDS_AVERAGED:]
    return sum(recent) / len(recent) if recent else 0.0


def _seconds_per_step(steps: StepSeries, session_start: int) -> float | None:
    """Mean over the session's newest steps; over the steps before it while those are too few.

    The first step of a session is left out: caches are cold, and memory is taken anew.
    """
    own = steps.n - session_start - 1
    first = session_start + 1 if own >= _ENOUGH_STEPS else 0
    seconds = step_seconds(steps, max(first, steps.n - _WINDOW_STEPS), steps.n)
    known = seconds[np.isfinite(seconds)]
    return float(known.mean()) if len(known) else None

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
) -> Pace:
    """The pace of a training.

    Args:
        spec: What is to be done.
        steps: Figures of the steps so far.
        session_starts: When and at which step each session began, in order.
        validations: All of them, in order.
        checkpoints: Those that are kept, in order.
        total: Length of the run in steps, where a person has changed it.
    """
    done = steps.n
    total = spec.budget.steps if total is None else total
    left = total - done
    per_step = _seconds_per_step(steps, session_starts[-1].step if session_starts else 0)
    if left <= 0:
        return Pace(per_step, 0.0)
    if per_step is None:
        return Pace()
    rounds = _rounds_left(spec, (done, total), left * per_step, validations)
    round_s = _seconds_per_round(steps, session_starts, validations)
    if round_s is not None:
        return Pace(per_step, left * per_step + rounds * round_s)
    saves = _times(done, total, spec.checkpoint.every_steps)
    between = rounds * _mean([validation.seconds for validation in validations])
    between += saves * _mean([_blocked_s(checkpoint) for checkpoint in checkpoints])
    return Pace(per_step, left * per_step + between)


def _rounds_left(
    spec: TrainSpec, stretch: tuple[int, int], work_s: float, validations: Sequence[Validated]
) -> float:
    """How many validations are still to come.

    Args:
        spec: When they are due: every so many steps, or so that they take a share of the time.
        stretch: Steps so far, and all steps of the run.
        work_s: Seconds that the steps left will take.
        validations: Those so far.
    """
    share = spec.evaluation.time_share
    if not share:
        return _times(*stretch, spec.evaluation.every_steps)
    last_s = validations[-1].seconds if validations else 0.0
    return share / (1.0 - share) * work_s / last_s if last_s > 0 else 1.0


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
    steps: StepSeries, session_starts: Sequence[SessionStart], validations: Sequence[Validated]
) -> float | None:
    """Seconds between steps for each validation, on average over the newest rounds.

    From one validation to the next passes exactly one round of everything that happens between
    steps: a validation, the checkpoints, the samples. Rounds that a pause falls into do not count.
    """
    starts = [start.time_s for start in session_starts]
    between_s = 0.0
    rounds = 0
    for earlier, later in reversed(list(pairwise(validations))):
        paused = any(earlier.time_s < start <= later.time_s for start in starts)
        if paused or later.step <= earlier.step or later.step > steps.n:
            continue
        work_s = float(np.nansum(step_seconds(steps, earlier.step, later.step)))
        between_s += max(0.0, later.time_s - earlier.time_s - work_s)
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
    """Mean over the session's newest steps; over the steps before it while those are too few."""
    first = session_start if steps.n - session_start >= _ENOUGH_STEPS else 0
    seconds = step_seconds(steps, max(first, steps.n - _WINDOW_STEPS), steps.n)
    known = seconds[np.isfinite(seconds)]
    return float(known.mean()) if len(known) else None

"""Watches the figures of each step: losses that are no number, gradients that spike, divergence."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainer_core.checkpoint_plan import CALM_STEPS
from trainer_core.errors import KnownError
from trainer_core.metrics import Rows
from trainer_core.spec import TrainSpec
from trainer_core.train.checkpoints.checkpoint import TrainState

if TYPE_CHECKING:
    from trainer_core.job import Job

SPIKE_FACTOR = 10.0
NORMS_KEPT = 128
NORMS_NEEDED = 16
FAST_STEPS, SLOW_STEPS = CALM_STEPS, 100
"""Horizons of the two averages of the loss."""
HIGH_STEPS = 50
"""A loss that was high for so many steps in a row does not come down by itself any more; shorter
spikes mostly do, and a run that nobody watches should not stop for them."""
RISING_SHARE = 0.25
"""A loss counts as on the rise from this share of the limit on."""


@dataclass(frozen=True)
class Trouble:
    """Why a training has to pause.

    Attributes:
        title: What happened, in two or three words.
        what: What happened, one sentence.
        do: What to do if it happens again.
        field: The setting that is most likely at fault.
        calm_step: The last step at which nothing was wrong.
        step: The step at which it was found.
    """

    title: str
    what: str
    do: str
    field: str
    calm_step: int
    step: int

    def problem(self, safe: str, do: str) -> KnownError:
        """The error that the user sees."""
        return KnownError(self.what, safe=safe, do=do, field=self.field)


@dataclass(frozen=True)
class Calm:
    """Until when a training was well, as far as its guard can tell.

    Attributes:
        certain: The last step of which it is known by now that nothing was wrong.
        likely: The last step at which nothing was seen to be wrong.
    """

    certain: int
    likely: int


class Guard:
    """Tells the user what went wrong in a step, and finds out when a training must not go on.

    The optimizer has already left the weights alone in a step whose loss or gradient is no number,
    so those steps do no harm; a loss that rises and stays high means that earlier steps did.

    What it has seen stands in the training's state, so that a resumed one finds the same.

    Args:
        job: Where to tell.
        state: Keeps what a resumed training must remember.
        spec: Limits; how long gradients and losses are expected to be wild; the clipping norm.
    """

    def __init__(self, job: Job, state: TrainState, spec: TrainSpec) -> None:
        self._job, self._state = job, state
        self._warmup_steps = spec.optimizer.warmup_steps
        self._clip_norm = spec.optimizer.clip_norm
        self._limits = spec.guard
        self._in_spike = False

    @property
    def calm(self) -> Calm:
        """Until when all was well: a rise shows in the recent loss with some delay."""
        likely = self._state.calm_step
        return Calm(max(0, likely - FAST_STEPS), likely)

    def watch(self, rows: Rows) -> Trouble | None:
        """Look at new rows, in order; whether the training has to pause."""
        for row in rows:
            step, loss, norm = int(row["step"]), float(row["loss"]), float(row["grad_norm"])
            if not (math.isfinite(loss) and math.isfinite(norm)):
                trouble = self._skipped(step, loss)
            else:
                self._state.bad_steps = 0
                self._watch_norm(step, norm)
                trouble = self._watch_loss(step, loss)
            if trouble is not None:
                return trouble
        return None

    def _skipped(self, step: int, loss: float) -> Trouble | None:
        self._state.bad_steps += 1
        culprit = "gradient" if math.isfinite(loss) else "loss"
        self._job.note(
            "error",
            "Step skipped",
            f"The {culprit} of step {step} was not a finite number; the weights were left alone."
            " Now and then that does no harm; if it comes often, lower the learning rate.",
            step,
        )
        in_a_row = self._limits.bad_steps
        if self._state.bad_steps < in_a_row:
            return None
        return Trouble(
            title="Steps without a usable loss",
            what=f"The {culprit} was not a finite number in {in_a_row} steps in a row, up to step"
            f" {step}.",
            do="a lower optimizer.lr or precision = fp32",
            field="optimizer.lr",
            calm_step=step - in_a_row,
            step=step,
        )

    def _watch_norm(self, step: int, norm: float) -> None:
        if not norm:
            return  # skipped: the loss scale of fp16 was too high, which is usual
        norms = self._state.recent_norms
        if step > self._warmup_steps and len(norms) >= NORMS_NEEDED:
            usual = statistics.median(norms)
            spike = norm > SPIKE_FACTOR * usual
            if spike and not self._in_spike:
                clipped = bool(self._clip_norm) and norm > self._clip_norm
                then = f", and was clipped to {self._clip_norm:g}" if clipped else ""
                advice = "If the loss does not come down again, rewind and leave this batch out."
                self._job.note(
                    "warning",
                    "Gradient spike clipped" if clipped else "Gradient spike",
                    f"The gradient norm was {norm:.3g}, {norm / max(usual, 1e-30):.0f} times its"
                    f" usual {usual:.3g}{then}. {advice}",
                    step,
                )
            self._in_spike = spike
        norms.append(norm)
        del norms[:-NORMS_KEPT]

    def _watch_loss(self, step: int, loss: float) -> Trouble | None:
        """Compare the recent loss with the best that its longer average has been.

        With its best rather than its present value: a loss that climbs slowly takes its own average
        along.
        """
        state, limit = self._state, self._limits.divergence
        if not limit or step <= self._warmup_steps:
            state.calm_step = step
            return None
        recent = self._averaged(loss)
        least = recent if state.loss_slow_least is None else state.loss_slow_least
        if recent <= least + RISING_SHARE * limit:
            state.calm_step = step
        state.high_steps = state.high_steps + 1 if recent > least + limit else 0
        if state.high_steps < HIGH_STEPS:
            return None
        return Trouble(
            title="Training diverges",
            what=f"The loss rose to {recent:.3f} by step {step}, and had been {least:.3f} before.",
            do="a lower optimizer.lr, a longer optimizer.warmup_steps or precision = fp32; if such"
            " a rise is expected, a higher guard.divergence",
            field="optimizer.lr",
            calm_step=self.calm.certain,
            step=step,
        )

    def _averaged(self, loss: float) -> float:
        """Add a loss to both averages; the recent one.

        Source: Kingma and Ba, "Adam", 2015, section 3, for the correction of the bias.
        """
        state = self._state
        fast, slow = 1 - 1 / FAST_STEPS, 1 - 1 / SLOW_STEPS
        state.losses_seen += 1
        state.loss_fast = fast * state.loss_fast + (1 - fast) * loss
        state.loss_slow = slow * state.loss_slow + (1 - slow) * loss
        longer = state.loss_slow / (1 - slow**state.losses_seen)
        if state.losses_seen >= FAST_STEPS:
            least = state.loss_slow_least
            state.loss_slow_least = longer if least is None else min(least, longer)
        return state.loss_fast / (1 - fast**state.losses_seen)

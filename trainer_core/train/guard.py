"""Watches the figures of each step: losses that are no number, and gradients that spike."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

from trainer_core.errors import KnownError
from trainer_core.metrics import Rows
from trainer_core.train.checkpoint import TrainState

if TYPE_CHECKING:
    from trainer_core.job import Job

BAD_STEPS_MAX = 5
SPIKE_FACTOR = 10.0
NORMS_KEPT = 128
NORMS_NEEDED = 16


class Guard:
    """Tells the user what went wrong in a step, and ends a training that has no way on.

    The optimizer has already left the weights alone in such a step, so the weights are good
    whenever this looks at the figures.

    Args:
        job: Where to tell.
        state: Keeps what a resumed training must remember.
        warmup_steps: Gradients are expected to be wild until then.
        clip_norm: Largest norm that reaches the weights; 0 when nothing is clipped.
    """

    def __init__(self, job: Job, state: TrainState, warmup_steps: int, clip_norm: float) -> None:
        self._job, self._state = job, state
        self._warmup_steps, self._clip_norm = warmup_steps, clip_norm
        self._in_spike = False

    def watch(self, rows: Rows) -> None:
        """Look at new rows, in order.

        Raises:
            KnownError: Five steps in a row had no usable loss or gradient.
        """
        for row in rows:
            step, loss, norm = int(row["step"]), float(row["loss"]), float(row["grad_norm"])
            if math.isfinite(loss) and math.isfinite(norm):
                self._state.bad_steps = 0
                self._watch_norm(step, norm)
            else:
                self._skipped(step, loss)

    def _skipped(self, step: int, loss: float) -> None:
        self._state.bad_steps += 1
        culprit = "gradient" if math.isfinite(loss) else "loss"
        self._job.note(
            "error",
            "Step skipped",
            f"The {culprit} of step {step} was not a finite number; the weights were left alone.",
            step,
        )
        if self._state.bad_steps >= BAD_STEPS_MAX:
            raise KnownError(
                f"The {culprit} was not a finite number in {BAD_STEPS_MAX} steps in a row,"
                f" up to step {step}.",
                safe="None of these steps changed the weights; the last checkpoint is good.",
                do="Start a run with a lower optimizer.lr or precision = fp32.",
                field="optimizer.lr",
            )

    def _watch_norm(self, step: int, norm: float) -> None:
        norms = self._state.recent_norms
        if step > self._warmup_steps and len(norms) >= NORMS_NEEDED:
            usual = statistics.median(norms)
            spike = norm > SPIKE_FACTOR * usual
            if spike and not self._in_spike:
                clipped = bool(self._clip_norm) and norm > self._clip_norm
                then = f", and was clipped to {self._clip_norm:g}" if clipped else ""
                self._job.note(
                    "warning",
                    "Gradient spike clipped" if clipped else "Gradient spike",
                    f"The gradient norm was {norm:.3g}, {norm / max(usual, 1e-30):.0f} times its"
                    f" usual {usual:.3g}{then}.",
                    step,
                )
            self._in_spike = spike
        norms.append(norm)
        del norms[:-NORMS_KEPT]

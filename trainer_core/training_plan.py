"""A training's plan as it stands: its settings, and what a person has changed about them since.

What is left of the schedule is stretched or squeezed to a new end: each step has a position in the
schedule of the settings, which goes on from where it was, only faster or slower. So the learning
rate never jumps for a new end. A warm-up takes the steps that it takes, and is not stretched.

Where the schedule has come to its end before the run goes on, the learning rate stays as it ended;
with a new peak it rises and falls once more (Ibrahim et al., "Simple and scalable strategies to
continually pre-train large language models", 2024).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from trainer_core.errors import KnownError
from trainer_core.records import PlanChanged
from trainer_core.schedule import lr_factor
from trainer_core.spec import OptimizerConfig, TrainSpec

LR_MOST = 10.0
STEPS_MOST = 1_000_000_000_000
"""Beyond these, a learning rate or a number of steps is a slip of the finger."""
WHY_MOST = 2000
"""Characters of a note about a change."""
_SECOND_RISE = 0.1
"""Share of what is added to a run that its second warm-up takes at most."""


@dataclass(frozen=True)
class _Leg:
    """The plan between two changes.

    Attributes:
        after: It holds for the steps after this one.
        position: In the schedule, at that step.
        steps: End of the run, as this leg plans it.
        lr: Peak of the schedule, before `OptimizerConfig.lr_scale`.
        rise_from: Position that a second rise begins at; None while there is but the first.
        least: Share of the peak that the second rise begins with.
    """

    after: int
    position: float
    steps: int
    lr: float
    rise_from: float | None = None
    least: float = 0.0

    def position_at(self, step: int, config: OptimizerConfig, end: int) -> float:
        """Where a step of this leg stands in the schedule, which is `end` steps long."""
        rise = max(0.0, config.warmup_steps - self.position)
        done = step - self.after
        if done <= rise:
            return self.position + done
        begin = max(self.position, float(config.warmup_steps))
        left = self.steps - self.after - rise
        if left <= 0 or begin >= end:
            return float(end)
        return min(float(end), begin + (done - rise) * ((end - begin) / left))


class TrainingPlan:
    """How long a training is and which learning rate each step has.

    Attributes:
        changes: What was changed, by step.

    Args:
        spec: The settings that the run was started with.
        changes: What a person changed since, in the order in which it was recorded.
    """

    def __init__(self, spec: TrainSpec, changes: Iterable[PlanChanged] = ()) -> None:
        self._spec = spec
        self.changes: tuple[PlanChanged, ...] = ()
        for change in changes:
            self.changes = with_change(self.changes, change)
        self._legs = [_Leg(0, 0.0, spec.budget.steps, spec.optimizer.lr)]
        for change in self.changes:
            if change.lr is not None or change.steps is not None:
                self._legs.append(self._leg(self._legs[-1], change))

    @property
    def steps(self) -> int:
        """The run's length."""
        return self._legs[-1].steps

    @property
    def tokens(self) -> int:
        """Tokens of all its steps."""
        return self.steps * self._spec.budget.batch_size * self._spec.model.context_length

    @property
    def skips(self) -> tuple[tuple[int, int], ...]:
        """After which step how many batches of the order are left out."""
        return tuple((change.step, change.skip) for change in self.changes if change.skip)

    def changed(self, change: PlanChanged) -> TrainingPlan:
        """The plan with one more change."""
        return TrainingPlan(self._spec, (*self.changes, change))

    def lr_factor(self, step: int) -> float:
        """Share of the peak learning rates of the settings at an optimizer step, from 1 on."""
        leg = self._leg_of(step)
        factor = self._factor(leg, step)
        return factor * (leg.lr / self._spec.optimizer.lr) if len(self._legs) > 1 else factor

    def lr_at(self, step: int) -> float:
        """Learning rate of a step, as it is logged: of what AdamW or Adafactor changes."""
        config = self._spec.optimizer
        return config.lr * config.lr_scale(self._spec.budget.batch_size) * self.lr_factor(step)

    def peak_lr(self, step: int) -> float:
        """Peak of the schedule that a step belongs to, in the units of `optimizer.lr`."""
        return self._leg_of(step).lr

    def check(self, step: int, lr: float | None, steps: int | None) -> None:
        """Make sure that a change after this step makes sense.

        Raises:
            KnownError: It does not; `field` names what is wrong.
        """
        if lr is None and steps is None:
            raise _refusal("Nothing to change was given.", "Give a learning rate or an end.", "")
        if lr is not None and not 0.0 < lr <= LR_MOST:  # not a number, too
            raise _refusal(
                f"A learning rate of {lr:g} cannot be trained with.",
                f"Give one above 0 and up to {LR_MOST:g}.",
                "lr",
            )
        if steps is not None:
            self._check_steps(step, lr, steps)
        elif step >= self.steps:
            raise _refusal("The training is at its end.", "Give a later end as well.", "steps")
        if lr is not None:
            self._check_decay(lr)

    def _check_steps(self, step: int, lr: float | None, steps: int) -> None:
        if steps <= step:
            raise _refusal(
                f"The training is at step {step:,} and cannot end at step {steps:,}.",
                "Give a later end, or stop it.",
                "steps",
            )
        if steps > STEPS_MOST:
            raise _refusal(f"{steps:,} steps would never end.", "Give an earlier end.", "steps")
        config, end = self._spec.optimizer, self._spec.budget.steps
        leg = self._leg_of(step + 1)
        position = leg.position_at(step, config, end)
        rise = config.warmup_steps - position
        if rise >= steps - step and steps < self.steps:
            raise _refusal(
                f"The warm-up alone takes until step {int(step + rise):,}.",
                f"Give an end after step {int(step + rise):,}.",
                "steps",
            )
        if position >= end and lr is None and not self._factor(leg, step):
            raise _refusal(
                "The learning rate has come down to zero, so that further steps would change"
                " nothing.",
                "Give a learning rate as well: it rises to it and falls once more.",
                "lr",
            )

    def _check_decay(self, lr: float) -> None:
        """Hold what `OptimizerConfig.check` holds of the settings."""
        config = self._spec.optimizer
        muon_lr = min(1.0, config.muon_lr * lr / config.lr)
        raised = msgspec.structs.replace(config, lr=lr, muon_lr=muon_lr)
        try:
            raised.check(self._spec.budget.steps, self._spec.budget.batch_size)
        except ValueError as error:
            raise _refusal(f"{error}.", "Give a lower learning rate.", "lr") from None

    def _leg(self, before: _Leg, change: PlanChanged) -> _Leg:
        """The plan from a change on."""
        config, end = self._spec.optimizer, self._spec.budget.steps
        position = before.position_at(change.step, config, end)
        lr = before.lr if change.lr is None else change.lr
        steps = before.steps if change.steps is None else change.steps
        rise_from, least = before.rise_from, before.least * before.lr / lr
        if position >= end and change.lr is not None and steps > change.step:  # once more
            least = self._factor(before, change.step) * before.lr / lr
            rise = min(float(config.warmup_steps), _SECOND_RISE * (steps - change.step))
            position = rise_from = config.warmup_steps - rise
        return _Leg(change.step, position, steps, lr, rise_from, least)

    def _leg_of(self, step: int) -> _Leg:
        """The plan that a step belongs to."""
        return next((leg for leg in reversed(self._legs) if leg.after < step), self._legs[0])

    def _factor(self, leg: _Leg, step: int) -> float:
        """Share of a leg's own peak at a step."""
        config, end = self._spec.optimizer, self._spec.budget.steps
        position = leg.position_at(step, config, end)
        begin, peak = leg.rise_from, config.warmup_steps
        if begin is not None and begin < position <= peak:
            return leg.least + (1.0 - leg.least) * (position - begin) / (peak - begin)
        return lr_factor(position, end, config)


def note_of(text: str) -> str:
    """A note as it can be kept: not too long, and nothing in it that is no text."""
    return text[:WHY_MOST].encode("utf-8", "replace").decode("utf-8")


def with_change(changes: Sequence[PlanChanged], new: PlanChanged) -> tuple[PlanChanged, ...]:
    """The changes with one more, by step.

    What was said before about later steps no longer counts as far as the new one says something
    else: a training that was killed goes on from before its last changes, and the newest word
    holds. Batches that are left out stay left out.
    """
    kept = []
    for change in changes:
        if change.step > new.step:
            if new.lr is not None:
                change = msgspec.structs.replace(change, lr=None)
            if new.steps is not None:
                change = msgspec.structs.replace(change, steps=None)
            if change.lr is None and change.steps is None and not change.skip:
                continue
        kept.append(change)
    return tuple(sorted((*kept, new), key=lambda change: change.step))


def without_changes_from(changes: Sequence[PlanChanged], step: int) -> tuple[PlanChanged, ...]:
    """The changes that are left when a training is taken back to a step.

    Those of its own and later steps are void, but batches that are left out stay left out: what is
    in them is no better now.
    """
    kept = []
    for change in changes:
        if change.step < step:
            kept.append(change)
        elif change.skip:
            kept.append(msgspec.structs.replace(change, lr=None, steps=None))
    return tuple(kept)


def _refusal(what: str, do: str, field: str) -> KnownError:
    return KnownError(what, safe="The plan is as it was.", do=do, field=field)

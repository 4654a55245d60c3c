"""How much room the checkpoints of a training take, worked out before it begins."""

from __future__ import annotations

from dataclasses import dataclass

from trainer_core.spec import TrainSpec

KEEP_MARK = "keep"
"""An empty file of this name in a checkpoint's folder: no rule removes that checkpoint."""
CALM_STEPS = 10
"""The guard is sure of a step only when so many more have passed; it may go back behind them."""


@dataclass(frozen=True)
class CheckpointSize:
    """Bytes of one checkpoint of a training.

    Attributes:
        weights_only: When its weights alone are kept.
        resumable: With all that a training needs to go on. As much memory is taken while it runs,
            for the copy that is written in the background.
    """

    weights_only: int
    resumable: int

    def most_on_disk(self, spec: TrainSpec) -> int:
        """The most that all checkpoints of a run take at a time.

        Besides the newest there are the best ones, those that stay for good, those that the guard
        could go back to, and the next while it is written.
        """
        counts = kept_checkpoints(spec)
        return counts.resumable * self.resumable + counts.weights_only * self.weights_only

    def at_end(self, spec: TrainSpec) -> int:
        """What is left on the disk when the run is finished, at the most."""
        config = spec.checkpoint
        saved = _ever_saved(spec)
        newest = min(saved, config.keep)
        full = newest if not config.resumable else min(newest, config.resumable)
        older = min(saved - newest, config.keep_best + _for_good(spec))
        old = self.weights_only if config.resumable else self.resumable
        return full * self.resumable + (newest - full) * self.weights_only + older * old


@dataclass(frozen=True)
class CheckpointCounts:
    """How many checkpoints there can be at a time, by their form."""

    resumable: int
    weights_only: int


def checkpoints_saved(spec: TrainSpec) -> int:
    """How many checkpoints a run saves by its schedule, the one at its end among them."""
    return -(-spec.budget.steps // spec.checkpoint.every_steps)


def kept_checkpoints(spec: TrainSpec) -> CheckpointCounts:
    """The most checkpoints that a run holds at a time, the one that is being written among them."""
    config = spec.checkpoint
    keep = min(config.keep, _ever_saved(spec))
    full = keep if not config.resumable else min(keep, config.resumable)
    at_once = (config.every_steps, spec.evaluation.every_steps)  # a best one is saved as well
    back = 1 + sum(-(-CALM_STEPS // every_steps) for every_steps in at_once)
    thin = keep - full
    old = min(config.keep_best + _for_good(spec), _ever_saved(spec))
    whole = max(full, back) + 1
    if config.resumable:
        return CheckpointCounts(whole, thin + old)
    return CheckpointCounts(whole + thin + old, 0)


def _ever_saved(spec: TrainSpec) -> int:
    """How many checkpoints a run can save: by schedule, and for each validation that is best."""
    return checkpoints_saved(spec) + spec.budget.steps // spec.evaluation.every_steps


def _for_good(spec: TrainSpec) -> int:
    """How many checkpoints stay because of their step, at the most."""
    every = spec.checkpoint.keep_every
    return spec.budget.steps // every if every else 0

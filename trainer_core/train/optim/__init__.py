"""Optimizers as the loop uses them: clipped, bad steps skipped, state by name, nobody waits."""

from trainer_core.train.optim.adamw import GuardedAdamW
from trainer_core.train.optim.optimizer import Optimizer, make_optimizer

__all__ = ["GuardedAdamW", "Optimizer", "make_optimizer"]

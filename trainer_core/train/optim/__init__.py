"""Optimizers as the loop uses them: clipped, bad steps skipped, state by name, nobody waits."""

from trainer_core.train.optim.choice import make_optimizer, state_tensors
from trainer_core.train.optim.optimizer import Optimizer

__all__ = ["Optimizer", "make_optimizer", "state_tensors"]

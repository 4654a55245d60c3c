"""The learning rate at each step: a linear warm-up, then half a cosine."""

from __future__ import annotations

import math

from trainer_core.spec import OptimizerConfig


def lr_factor(step: int, steps: int, config: OptimizerConfig) -> float:
    """Share of the peak learning rate at an optimizer step.

    It rises from `1 / warmup_steps` at step 1 to 1 at step `warmup_steps`, and falls to `lr_floor`
    at the last step.

    Source: Loshchilov and Hutter, "SGDR", 2017, without restarts.

    Args:
        step: 1 to `steps`.
        steps: The run's length.
        config: Floor and warm-up.
    """
    if step <= config.warmup_steps:
        return step / config.warmup_steps
    done = (step - config.warmup_steps) / (steps - config.warmup_steps)
    floor = config.lr_floor
    return floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))


def lr_at(step: int, steps: int, config: OptimizerConfig) -> float:
    """Learning rate of an optimizer step."""
    return config.lr * lr_factor(step, steps, config)

"""The learning rate at each step: a linear warm-up, then one of four courses."""

from __future__ import annotations

import math

from trainer_core.spec import OptimizerConfig


def lr_factor(step: float, steps: int, config: OptimizerConfig) -> float:
    """Share of the peak learning rates at an optimizer step.

    It rises from `1 / warmup_steps` at step 1 to 1 at step `warmup_steps`, and, unless it is
    constant, reaches `lr_floor` at the last step.

    Args:
        step: 1 to `steps`; a fraction where a course is stretched, see `training_plan`.
        steps: The run's length.
        config: Schedule, floor, warm-up and decay.
    """
    if step <= config.warmup_steps:
        return step / config.warmup_steps
    return config.lr_floor + (1.0 - config.lr_floor) * _height(step, steps, config)


def _height(step: float, steps: int, config: OptimizerConfig) -> float:
    """Where the course stands after the warm-up, from 1 at the peak to 0 at the floor.

    Source: the cosine is Loshchilov and Hutter's, "SGDR", 2017, without restarts; that the plateau
    ends in 1 - sqrt rather than a line is Hägele et al.'s finding, "Scaling laws and
    compute-optimal training beyond fixed training durations", 2024, figure 5.
    """
    falling = steps - config.warmup_steps
    if config.schedule == "wsd":
        falling = config.decay_steps(steps)
    done = min(1.0, max(0.0, 1.0 - (steps - step) / falling))
    match config.schedule:
        case "cosine":
            return 0.5 * (1.0 + math.cos(math.pi * done))
        case "wsd":
            return 1.0 - math.sqrt(done)
        case "linear":
            return 1.0 - done
        case "constant":
            return 1.0


def lr_at(step: int, steps: int, config: OptimizerConfig, batch_size: int) -> float:
    """Learning rate of an optimizer step, as it is logged: of what AdamW or Adafactor changes.

    Args:
        step: 1 to `steps`.
        steps: The run's length.
        config: Peak and schedule.
        batch_size: Sequences in one step over all devices.
    """
    return config.lr * config.lr_scale(batch_size) * lr_factor(step, steps, config)

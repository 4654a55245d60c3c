"""What the loop asks of an optimizer, and which one a training gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor, nn

from trainer_core.spec import OptimizerConfig
from trainer_core.train.optim.adamw import GuardedAdamW


class Optimizer(Protocol):
    """Updates the weights of one model from their gradients."""

    def guarded_step(self, loss: Tensor, factor: float, scale: Tensor | None = None) -> Tensor:
        """Clip the gradients and update the weights, unless loss or gradient is no number.

        Nothing waits for the device.

        Args:
            loss: The step's loss, a scalar on the device.
            factor: Share of the peak learning rates at this step, from 0 to 1.
            scale: What the gradients have been multiplied by, a scalar on the device; None is 1.

        Returns:
            The gradients' total norm before clipping, a scalar on the device.
        """

    def zero_grad(self) -> None:
        """Forget the gradients."""

    def tensors(self, names: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The state as `<kind>/<name>`, for a checkpoint.

        Args:
            names: The parameters by name.
        """

    def restore(self, names: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
        """Put back what `tensors` gave.

        Raises:
            KeyError: A tensor belongs to no parameter.
            ValueError: A tensor is of another shape than its parameter.
        """


def make_optimizer(model: nn.Module, config: OptimizerConfig, batch_size: int = 1) -> Optimizer:
    """The optimizer of a training.

    Args:
        model: On its device.
        config: Which one, and its settings.
        batch_size: Sequences in one step over all devices, for `lr_scaling`.
    """
    return GuardedAdamW(model, config)

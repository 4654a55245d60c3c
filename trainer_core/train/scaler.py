"""The loss scale of fp16: gradients too small for it are lifted, and nobody waits to find out."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

SCALER = "scaler/"
"""Prefix of its state among the optimizer's tensors in a checkpoint."""
FIRST_SCALE = 65_536.0
FLOOR = 1.0
"""Below this the scale would make gradients smaller than they are: what overflows is not its
fault any more."""
GROWTH_STEPS = 2000
"""Steps without an overflow after which the scale is doubled."""


class LossScaler:
    """Halves the scale when gradients overflow, doubles it when they have not for long.

    Source: Micikevicius et al., "Mixed precision training", 2018; the figures are those of torch's
    `GradScaler`, which reads the verdict on the host once per step and therefore is not used.

    Args:
        device: Where the losses are.
    """

    def __init__(self, device: torch.device) -> None:
        self.scale = torch.full((), FIRST_SCALE, device=device)
        self._good_steps = torch.zeros((), dtype=torch.int32, device=device)

    def update(self, loss: Tensor, norm: Tensor) -> Tensor:
        """Judge a step, and choose the scale of the next one.

        Args:
            loss: The step's loss, not scaled, a scalar on the device.
            norm: Its gradient norm, not scaled.

        Returns:
            The norm to report: 0 where the scale alone was to blame, as nothing was changed and
            nothing is wrong.
        """
        overflowed = loss.isfinite() & ~norm.isfinite()
        blamed = overflowed & (self.scale > FLOOR)
        torch._amp_update_scale_(
            self.scale, self._good_steps, overflowed.float(), 2.0, 0.5, GROWTH_STEPS
        )
        self.scale.clamp_(min=FLOOR)
        return norm.masked_fill(blamed, 0.0)

    def tensors(self) -> dict[str, Tensor]:
        """The state, for a checkpoint."""
        return {f"{SCALER}scale": self.scale, f"{SCALER}good_steps": self._good_steps}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `tensors` gave.

        Raises:
            KeyError: A tensor is missing.
        """
        self.scale.copy_(tensors[f"{SCALER}scale"])
        self._good_steps.copy_(tensors[f"{SCALER}good_steps"])

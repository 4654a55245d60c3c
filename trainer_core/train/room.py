"""Whether the memory can hold a model at all, asked before any of it is taken."""

from __future__ import annotations

import psutil
import torch

from trainer_core.errors import SpecError
from trainer_core.presets import parameter_count
from trainer_core.spec import ModelConfig

GIB = 1 << 30
BYTES_PER_PARAMETER = 8
"""Weight and gradient; no training does with less."""


def check_room(config: ModelConfig, device: torch.device, shares: int = 1) -> None:
    """Refuse a model whose weights and gradients alone are more than all the memory there is.

    Linux hands out memory that it does not have and ends a process of its choice once it is used,
    so the failure of an allocation cannot be waited for.

    Args:
        config: The shape.
        device: Where it is to be trained.
        shares: Devices that each hold a part of it.

    Raises:
        SpecError: It cannot fit.
    """
    count = parameter_count(config)
    needed = BYTES_PER_PARAMETER * count / shares
    where, there = "computer", psutil.virtual_memory().total
    if device.type == "cuda":
        where, there = "GPU", torch.cuda.mem_get_info(device)[1]
    if needed > there:
        raise SpecError(
            f"n_embd {config.n_embd:,} and n_layer {config.n_layer} make {count:,} parameters:"
            f" {needed / GIB:,.0f} GiB for weights and gradients alone, and the {where} has"
            f" {there / GIB:,.1f} GiB.",
            safe="Nothing was started.",
            do="Choose a smaller width, fewer layers or a smaller vocabulary.",
            field="model.n_embd",
        )

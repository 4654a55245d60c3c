"""Rotary positions: queries and keys turned by an angle that grows with the place.

Letters: B batch, T time, D head size.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trainer_core.spec import ModelConfig


def rotary_tables(config: ModelConfig) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the rotary angles, each (context_length, D / 2) float32.

    Source: Su et al., "RoFormer", 2021; computed in float32 in the order that transformers uses, so
    that both have the same bits.
    """
    with torch.device("cpu"):
        exponent = torch.arange(0, config.head_size, 2, dtype=torch.float32) / config.head_size
        frequency = 1.0 / (config.rope_theta**exponent)
        angle = torch.arange(config.context_length, dtype=torch.float32).outer(frequency)
    return angle.cos(), angle.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn channel i together with channel i + D/2, as Llama in transformers does.

    Args:
        x: (B, T, heads, D).
        cos: (T, 1, D / 2).
        sin: (T, 1, D / 2).
    """
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)

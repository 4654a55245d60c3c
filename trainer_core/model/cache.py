"""Keys and values of what was read before, so that each new token is read alone.

Letters: B batch, T time, S cached time + T, K key and value heads, D head size.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trainer_core.spec import ModelConfig


class KVCache:
    """Keys and values of the tokens read so far.

    Args:
        config: The model's shape.
        batch_size: Sequences that are read side by side, all of the same length.
        device: Where the model is.
        dtype: What the model's attention computes in.
    """

    def __init__(
        self,
        config: ModelConfig,
        batch_size: int = 1,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        shape = (config.n_layer, batch_size, config.kv_heads, config.context_length)
        self.keys = torch.zeros(*shape, config.head_size, device=device, dtype=dtype)
        self.values = torch.zeros_like(self.keys)
        self.length = 0
        self.capacity = config.context_length

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Add (B, K, T, D) of the new tokens; the keys and values of all of them, (B, K, S, D)."""
        end = self.length + keys.shape[2]
        self.keys[layer, :, :, self.length : end] = keys
        self.values[layer, :, :, self.length : end] = values
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def clear(self) -> None:
        """Forget every token."""
        self.length = 0

"""Causal self-attention: one product for queries, keys and values, then softmax over the past.

Letters: B batch, T time, S cached time + T, C channels, H heads, K key and value heads, D head
size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (the name that everybody knows)

from trainer_core.model.cache import KVCache
from trainer_core.model.masks import Mask, attend
from trainer_core.model.rotary import rotate
from trainer_core.spec import ModelConfig

Angles = tuple[Tensor, Tensor] | None
"""Cosines and sines of the new positions, (T, 1, D / 2) each; None without rotary positions."""


class HeadNorm(nn.Module):
    """RMSNorm over each head's channels, so that no query or key grows without bound.

    Source: Henry et al., "Query-key normalization for transformers", 2020, as Qwen3 does it.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.shape, self.eps = (config.head_size,), config.norm_eps
        self.weight = nn.Parameter(torch.ones(config.head_size))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, heads, D) to float32 or finer, (B, T, heads, D)."""
        # The fused kernel refuses a weight of another dtype than the input's, as under autocast.
        return F.rms_norm(x, self.shape, eps=self.eps) * self.weight


class Attention(nn.Module):
    """Self-attention with as many key and value heads as the shape says.

    Source: values of the first layer, mixed into the others', are Zhou et al.'s, "Value residual
    learning", 2024.
    """

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        recipe = config.recipe
        self.layer = layer
        self.n_head, self.kv_heads = config.n_head, config.kv_heads
        self.head_size = config.head_size
        self.dropout = config.dropout
        queries = self.n_head * self.head_size
        width = queries + 2 * self.kv_heads * self.head_size
        self.qkv = nn.Linear(config.n_embd, width, bias=recipe.biases and config.qkv_bias)
        self.out = nn.Linear(queries, config.n_embd, bias=recipe.biases)
        self.q_norm = self.k_norm = None
        if recipe.qk_norm:
            self.q_norm, self.k_norm = HeadNorm(config), HeadNorm(config)
        self.value_mix: nn.Parameter | None = None
        if recipe.value_residual and layer:
            self.value_mix = nn.Parameter(torch.full((2,), 0.5))

    def forward(
        self, x: Tensor, angles: Angles, mask: Mask, cache: KVCache | None, first: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """(B, T, C) to (B, T, C), and the values, (B, T, K, D).

        Args:
            x: (B, T, C).
            angles: Of the new positions.
            mask: Which tokens each one sees.
            cache: Of what was read before.
            first: The values of the first layer, (B, T, K, D), where this one mixes them in.
        """
        b, t, _ = x.shape
        # Split, not cut: the gradients of slices would each be as large as the whole.
        turned = self.n_head + self.kv_heads
        qkv = self.qkv(x).view(b, t, turned + self.kv_heads, self.head_size)
        qk, values = torch.split(qkv, [turned, self.kv_heads], dim=2)
        qk = self._turned(qk, angles)
        queries, keys = torch.split(qk, [self.n_head, self.kv_heads], dim=2)
        if self.value_mix is not None and first is not None:
            own, others = self.value_mix.to(values.dtype)
            values = own * values + others * first
        q, k, v = (part.transpose(1, 2) for part in (queries, keys, values))
        if cache is not None:
            k, v = cache.append(self.layer, k, v)
        y = attend(q, k, v, mask, self.dropout if self.training else 0.0)
        out = self.out(y.transpose(1, 2).reshape(b, t, -1))
        if self.dropout:
            out = F.dropout(out, self.dropout, self.training)
        return out, values

    def _turned(self, qk: Tensor, angles: Angles) -> Tensor:
        """Queries and keys normed and turned, (B, T, H + K, D)."""
        if self.q_norm is not None and self.k_norm is not None:
            n = self.n_head
            normed = self.q_norm(qk[:, :, :n]), self.k_norm(qk[:, :, n:])
            turned = torch.cat(normed, dim=2)
        else:
            turned = qk
        if angles is not None:
            turned = rotate(turned, *angles)
        return turned.to(qk.dtype)

"""Attention in blocks of queries: on a CPU in bf16 much faster than torch's kernel, where it fits.

Letters: B batch, T time, H heads, K key and value heads, D head size.
"""

from __future__ import annotations

import torch
from torch import Tensor

BLOCKS = 4
"""Into so many are queries divided: a block does not compute what comes after its last query."""
BLOCK_MIN = 64
TIME_MAX = 512
"""For longer contexts torch's kernel is as fast, and it keeps no probabilities."""
PROBABILITIES_MAX = 1 << 25
"""What may be kept of one layer for the backward pass."""


def fits_blocks(q: Tensor, k: Tensor) -> bool:
    """Whether this way is open and pays: in bf16 on a CPU, and from the first token on.

    In bf16 torch's kernel for CPUs takes 3 to 6 times as long backward as in float32 for short
    contexts. Measured forward and backward on one core, compiled: 32 × 4 heads, 64 × 16: 14.5 ms by
    torch's kernel, 1.9 ms here; 8 × 8 heads, 256 × 32: 32 ms and 9.7 ms; 12 heads, 1,024 × 64:
    66 to 72 ms and 63 to 79 ms.
    """
    b, h, t, _ = q.shape
    short = 1 < t == k.shape[2] <= TIME_MAX and b * h * t * t <= PROBABILITIES_MAX
    return short and q.device.type == "cpu" and q.dtype == torch.bfloat16


def attend_in_blocks(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Causal softmax attention, (B, H, T, D) bf16; products in bf16, the softmax in float32.

    Args:
        q: (B, H, T, D).
        k: (B, K, T, D).
        v: (B, K, T, D).
        mask: (B or 1, 1, T, T) bool, which of the earlier tokens each one sees; None is all.
    """
    t, groups = q.shape[2], q.shape[1] // k.shape[1]
    if groups > 1:
        k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
    keys = k.transpose(2, 3)
    places = torch.arange(t)
    scale = q.shape[3] ** -0.5
    size = max(BLOCK_MIN, -(-t // BLOCKS))
    blocks = []
    for start in range(0, t, size):
        end = min(start + size, t)
        scores = (q[:, :, start:end] @ keys[..., :end]).float() * scale  # (B, H, size, end)
        if mask is not None:
            seen = mask[:, :, start:end, :end]
        else:  # by comparing, which a compiler makes a part of the softmax
            seen = places[start:end, None] >= places[:end]
        scores = torch.where(seen, scores, -torch.inf)
        blocks.append(torch.softmax(scores, -1).to(v.dtype) @ v[:, :, :end])
    return torch.cat(blocks, 2)

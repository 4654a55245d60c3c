"""Which earlier tokens a token may see, and the attention kernel that each answer takes.

Letters: B batch, T time, S cached time + T, H heads, K key and value heads, D head size.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (the name that everybody knows)
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from trainer_core.model.block_attention import attend_in_blocks, fits_blocks

Mask = Tensor | BlockMask | None
"""(B or 1, 1, T, S) bool, true where a token may look; or blocks for flex attention; or None: all
that came before."""

FLEX_TIME_MIN = 256
"""Flex attention skips blocks of 128 × 128; with fewer than two each way there is none to skip."""
FLEX_HEAD_SIZES = range(16, 129)
"""What its kernel takes, and what fits a GPU's shared memory in float32 too."""


@functools.cache
def _compiled_flex_attention() -> Callable[..., Tensor]:
    """Flex attention as a kernel of its own; uncompiled, it keeps all scores in memory."""
    return torch.compile(flex_attention)  # not at import, where it would cost two seconds


def cache_mask(before: int, t: int, device: torch.device) -> Mask:
    """For T new tokens after those in the cache, (1, 1, T, S)."""
    if not before or t == 1:
        return None
    seen = torch.ones(t, before + t, dtype=torch.bool, device=device)
    return seen.tril(before)[None, None]


def document_mask(documents: Tensor) -> Tensor:
    """True at earlier tokens of the same document, (B, 1, T, T), from document numbers, (B, T)."""
    same = documents.unsqueeze(2) == documents.unsqueeze(1)
    return same.tril().unsqueeze(1)


def document_positions(documents: Tensor) -> Tensor:
    """The place of each token in its document, (B, T) from 0, from rising document numbers."""
    numbers = documents.contiguous()
    begin = torch.searchsorted(numbers, numbers)  # the first token with the same number
    return torch.arange(numbers.shape[1], device=numbers.device) - begin


def document_blocks(documents: Tensor) -> BlockMask:
    """The same for flex attention, which skips blocks that hold no pair of one document.

    Source: Dong et al., "Flex attention", 2024.
    """

    def visible(b: Tensor, _h: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (query >= key) & (documents[b, query] == documents[b, key])

    b, t = documents.shape
    return create_block_mask(visible, b, None, t, t, device=documents.device)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Mask, dropout: float) -> Tensor:
    """Softmax attention over what the mask shows, (B, H, T, D).

    Args:
        q: (B, H, T, D).
        k: (B, K, S, D).
        v: (B, K, S, D).
        mask: Which of the S each of the T sees.
        dropout: Share of the attention weights to leave out; 0 where the mask is in blocks.
    """
    grouped = q.shape[1] != k.shape[1]
    if isinstance(mask, BlockMask):
        flex: Callable[..., Tensor] = flex_attention
        if not torch.compiler.is_compiling():  # else it becomes a part of the larger graph
            flex = _compiled_flex_attention()
        seen = flex(q, k, v, block_mask=mask, enable_gqa=grouped)
        return seen
    if not dropout and fits_blocks(q, k):
        return attend_in_blocks(q, k, v, mask)
    return F.scaled_dot_product_attention(
        q,
        k,
        v,
        attn_mask=mask,
        dropout_p=dropout,
        is_causal=mask is None and q.shape[2] > 1,
        enable_gqa=grouped,
    )

"""Cross-entropy straight from hidden states: the logits are never all in fast memory at once.

On a CPU the pieces stay in its cache; on a GPU a large vocabulary does not fill the memory.

Letters: N tokens, C channels, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

CPU_PIECE = 1 << 20
"""Logits that are worked on at once on a CPU; 4 MiB in float32."""
LOGITS_KEPT = 1 << 26
"""Up to this many log-probabilities are kept for the backward pass, and this many are worked on at
once on a GPU; above, the backward pass computes them again."""
ROWS_MIN = 256
"""Each piece adds to the whole gradient of the matrix, which must not become the main work."""


class _LinearCrossEntropy(torch.autograd.Function):
    """Loss and gradients in pieces of `rows` tokens; log-probabilities are kept or not.

    The gradient by the logits is softmax - one_hot(target), times the gradient of the loss.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - torch's context has no type of its own
        hidden: Tensor,
        weight: Tensor,
        targets: Tensor,
        rows: int,
        keep: bool,
    ) -> Tensor:
        losses, kept = [], []
        for part, goals in zip(torch.split(hidden, rows), torch.split(targets, rows), strict=True):
            log_p = torch.log_softmax(part @ weight.t(), 1, dtype=torch.float32)
            losses.append(-log_p.gather(1, goals.unsqueeze(1)).squeeze(1))
            if keep:
                kept.append(log_p)
        ctx.rows = rows
        ctx.save_for_backward(hidden, weight, targets, *kept)
        return torch.cat(losses)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 - as above
        hidden, weight, targets, *kept = ctx.saved_tensors
        parts = torch.split(hidden, ctx.rows)
        grad_hidden = []
        grad_weight = torch.zeros_like(weight, dtype=torch.float32)
        pieces = zip(
            parts, torch.split(targets, ctx.rows), torch.split(grads[0], ctx.rows), strict=True
        )
        for number, (part, goals, grad) in enumerate(pieces):
            if kept:
                slope = kept[number].exp()
            else:
                slope = torch.softmax(part @ weight.t(), 1, dtype=torch.float32)
            scale = grad.unsqueeze(1)
            slope.mul_(scale).scatter_add_(1, goals.unsqueeze(1), -scale)
            slope = slope.to(hidden.dtype)
            grad_hidden.append(slope @ weight)
            _add_product(grad_weight, slope, part)
        return torch.cat(grad_hidden), grad_weight.to(weight.dtype), None, None, None


def _add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """Do total += left.T @ right, where the total may be of a finer dtype."""
    if total.dtype == left.dtype:
        total.addmm_(left.t(), right)
    else:
        total += left.t() @ right


def linear_cross_entropy(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """-log softmax(hidden @ weight.T)[target] in nats, (N,) float32.

    Products are in autocast's dtype where that is on; the softmax and all sums are in float32.

    Args:
        hidden: (N, C).
        weight: (V, C), the output matrix.
        targets: (N,) int64.
    """
    device = hidden.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        hidden, weight = hidden.to(dtype), weight.to(dtype)
    piece = CPU_PIECE if device == "cpu" else LOGITS_KEPT
    rows = max(ROWS_MIN, piece // len(weight))
    keep = torch.is_grad_enabled() and len(targets) * len(weight) <= LOGITS_KEPT
    with torch.autocast(device, enabled=False):
        loss: Tensor = _LinearCrossEntropy.apply(  # type: ignore[no-untyped-call]  # torch's is
            hidden, weight, targets, rows, keep
        )
    return loss

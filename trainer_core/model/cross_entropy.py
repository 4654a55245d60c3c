"""Cross-entropy straight from hidden states: the logits are never all in fast memory at once.

On a CPU the pieces stay in its cache; on a GPU a large vocabulary does not fill the memory.

Letters: N tokens, C channels, V vocabulary.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (the name that everybody knows)

ROWS_MIN = 256
"""Each piece adds to the whole gradient of the matrix, which must not become the main work."""


class Limits(NamedTuple):
    """How many logits there may be, and in rows of what length.

    Attributes:
        at_once: In one piece, in float32 for a moment.
        kept: Between the passes, in the dtype of the products; above, the backward pass computes
            them again.
        multiple: Rows of logits are filled up to a multiple of this length.
    """

    at_once: int
    kept: int
    multiple: int = 1


LIMITS = {"cpu": Limits(1 << 20, 1 << 26), "cuda": Limits(1 << 28, 1 << 30, 64)}
"""On a CPU 4 MiB at once; on a GPU 2 GiB kept in bf16, less than the layers keep for as many
tokens. Tensor cores want aligned rows, and GPT-2's 50,257 tokens are odd."""


class _LinearCrossEntropy(torch.autograd.Function):
    """Loss and gradients in pieces of `rows` tokens; the logits are kept or not.

    The gradient by the logits is softmax - one_hot(target), times the gradient of the loss. Logits
    that fill up a row are -inf, so that they have neither a share nor a gradient.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - torch's context has no type of its own
        hidden: Tensor,
        weight: Tensor,
        targets: Tensor,
        rows: int,
        keep: bool,
        multiple: int,
    ) -> Tensor:
        losses, log_sums, kept = [], [], []
        ctx.rows, ctx.vocab_size = rows, len(weight)
        if -len(weight) % multiple:
            weight = F.pad(weight, (0, 0, 0, -len(weight) % multiple))
        for part, goals in zip(torch.split(hidden, rows), torch.split(targets, rows), strict=True):
            logits = _logits(part, weight, ctx.vocab_size)
            place = goals.clamp_min(0).unsqueeze(1)
            log_p = torch.log_softmax(logits, 1, dtype=torch.float32).gather(1, place)
            log_sums.append(logits.gather(1, place).float() - log_p)
            losses.append(-log_p.squeeze(1))
            if keep:
                kept.append(logits)
        ctx.save_for_backward(hidden, weight, targets, torch.cat(log_sums), *kept)
        return torch.cat(losses).masked_fill(targets < 0, 0.0)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 - as above
        hidden, weight, targets, log_sums, *kept = ctx.saved_tensors
        grad_hidden = []
        grad_weight: Tensor | None = None
        scales = grads[0].masked_fill(targets < 0, 0.0).unsqueeze(1)
        places = targets.clamp_min(0).unsqueeze(1)
        pieces = zip(
            *(torch.split(rows, ctx.rows) for rows in (hidden, log_sums, scales, places)),
            strict=True,
        )
        for number, (part, log_sum, scale, place) in enumerate(pieces):
            logits = kept[number] if kept else _logits(part, weight, ctx.vocab_size)
            slope = torch.exp(logits - log_sum).mul_(scale)  # float32, as log_sum is
            slope = slope.scatter_add_(1, place, -scale).to(hidden.dtype)
            grad_hidden.append(slope @ weight)
            grad_weight = _added(grad_weight, slope, part)
        assert grad_weight is not None
        grad_weight = grad_weight[: ctx.vocab_size].to(weight.dtype)
        return torch.cat(grad_hidden), grad_weight, None, None, None, None


def _logits(hidden: Tensor, weight: Tensor, vocab_size: int) -> Tensor:
    """(rows, V) of hidden states, (rows, C); -inf where the matrix was filled up."""
    logits = hidden @ weight.t()
    if len(weight) > vocab_size:
        logits[:, vocab_size:] = -torch.inf
    return logits


def _added(total: Tensor | None, left: Tensor, right: Tensor) -> Tensor:
    """The total, of float32 where there is more than one piece, and left.T @ right."""
    if total is None:
        return left.t() @ right
    if total.dtype == left.dtype == torch.float32:
        return total.addmm_(left.t(), right)
    return total.float().add_(left.t() @ right)


def linear_cross_entropy(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """-log softmax(hidden @ weight.T)[target] in nats, (N,) float32; 0 where there is no target.

    Products are in autocast's dtype where that is on; the softmax and all sums are in float32.

    Args:
        hidden: (N, C).
        weight: (V, C), the output matrix.
        targets: (N,) int64; negative where there is none.
    """
    device = hidden.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        hidden, weight = hidden.to(dtype), weight.to(dtype)
    limits = LIMITS[device]
    rows = max(ROWS_MIN, limits.at_once // len(weight))
    keep = torch.is_grad_enabled() and len(targets) * len(weight) <= limits.kept
    with torch.autocast(device, enabled=False):
        loss: Tensor = _LinearCrossEntropy.apply(  # type: ignore[no-untyped-call]  # torch's is
            hidden, weight, targets, rows, keep, limits.multiple
        )
    return loss

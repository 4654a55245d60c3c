"""A mixture of a model's distribution and pointers to candidate tokens, exact and without logits.

With weights w₀ + w₁ + … = 1 the distribution is w₀ softmax(z) + w₁ δ(candidate 1) + …; weights are
given as log-odds against w₀, so that log w = log_softmax(0, a₁, …).

Source: Merity et al., "Pointer sentinel mixture models", 2016.

Letters: B batch, T time, K candidates, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trainer_core.data.batches.gather import IGNORED

ABSENT = -1e30
"""Log-odds of a candidate that is not there: its weight is exactly 0. Finite, because the gradient
of logsumexp is no number where all are -inf."""


def mixed_logits(logits: Tensor, odds: Tensor, candidates: Tensor) -> Tensor:
    """Logits whose softmax is the mixture, (B, T, V) float32; the logsumexp of `logits` is kept.

    Args:
        logits: (B, T, V) of the model alone.
        odds: (B, T, K) float32, log-odds of each candidate; `ABSENT` for none.
        candidates: (B, T, K) int64, where the pointers point.
    """
    logits = logits.float()
    whole = logits.logsumexp(-1, keepdim=True)
    norm = _log_norm(odds)  # (B, T, 1)
    mixed = logits - norm
    for place, odd in zip(candidates.unbind(-1), odds.unbind(-1), strict=True):
        place, odd = place.unsqueeze(-1), odd.unsqueeze(-1)
        pointed = torch.logaddexp(mixed.gather(-1, place), odd - norm + whole)
        mixed = mixed.scatter(-1, place, pointed)
    return mixed


def mixed_loss(loss: Tensor, odds: Tensor, candidates: Tensor, targets: Tensor) -> Tensor:
    """Loss of the mixture in nats, (B, T) float32, from the model's own; 0 where it is ignored.

    Args:
        loss: (B, T), -log p(target) of the model alone; 0 where the target is ignored.
        odds: (B, T, K) float32, log-odds of each candidate; `ABSENT` for none.
        candidates: (B, T, K) int64, where the pointers point.
        targets: (B, T) int64, or `IGNORED`.
    """
    targets = targets.unsqueeze(-1)
    named = torch.where(candidates == targets, odds, ABSENT)
    # What is ignored has a loss of 0 and no candidate that names it: then only the norm is left.
    norm = _log_norm(odds) * (targets != IGNORED)
    mixed = norm - torch.cat((-loss.unsqueeze(-1), named), -1).logsumexp(-1, keepdim=True)
    return mixed.squeeze(-1)


def _log_norm(odds: Tensor) -> Tensor:
    """-log w₀, (B, T, 1): the log-odds against the model's own weight, 0 for itself among them."""
    return torch.nn.functional.pad(odds, (1, 0)).logsumexp(-1, keepdim=True)

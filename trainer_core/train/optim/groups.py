"""Which parameters decay, which are matrices for Muon, and the gradients of either."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainer_core.model.attention import Attention


def decays(parameter: Tensor) -> bool:
    """Whether weight decay applies: to matrices and tables, not to norms, biases and gates.

    A gate is a vector even where it is stored as a matrix with one row or column.

    Source: nanoGPT's rule, whatever has two dimensions decays.
    """
    return sum(size > 1 for size in parameter.shape) >= 2


def by_decay(
    parameters: Sequence[nn.Parameter], weight_decay: float
) -> list[tuple[list[nn.Parameter], float]]:
    """The parameters in at most two groups, each with its decay; no group is empty."""
    groups = [
        ([p for p in parameters if decays(p)], weight_decay),
        ([p for p in parameters if not decays(p)], 0.0),
    ]
    return [group for group in groups if group[0]]


def gradients_of(parameters: Sequence[nn.Parameter]) -> list[Tensor]:
    """The gradient of each; one that got none has a gradient of zero from here on."""
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    return [parameter.grad for parameter in parameters if parameter.grad is not None]


def hidden_matrices(model: nn.Module) -> dict[nn.Parameter, tuple[int, ...]]:
    """The matrices of the layers, each with the rows of its parts.

    Embeddings, the head, learned positions and the match's tables are no hidden layers. A fused
    matrix has several parts: queries, keys and values in one, gate and up in another; they are
    separate maps that only share a product.
    """
    return {
        parameter: _parts(name, parameter, model)
        for name, parameter in model.named_parameters()
        if "blocks" in name.split(".") and parameter.ndim == 2 and decays(parameter)
    }


def _parts(name: str, parameter: nn.Parameter, model: nn.Module) -> tuple[int, ...]:
    rows = len(parameter)
    *path, kind, _ = name.split(".")
    if kind == "gate_up":
        return rows // 2, rows // 2
    if kind == "qkv":
        attention = model.get_submodule(".".join(path))
        assert isinstance(attention, Attention)
        query, key = (n * attention.head_size for n in (attention.n_head, attention.kv_heads))
        return query, key, key
    return (rows,)

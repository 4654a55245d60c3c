"""Which parameters decay, and which are matrices for Muon."""

from __future__ import annotations

from torch import Tensor, nn

from trainer_core.model.attention import Attention


def decays(parameter: Tensor) -> bool:
    """Whether weight decay applies: to matrices and tables, not to norms, biases and gates.

    A gate is a vector even where it is stored as a matrix with one row or column.

    Source: nanoGPT's rule, whatever has two dimensions decays.
    """
    return sum(size > 1 for size in parameter.shape) >= 2


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

"""Tensors of which FSDP2 leaves each rank a share: the whole of one, and one's share of a whole.

Outside FSDP2 tensors are whole, and nothing here does anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

from torch import Tensor

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor


def is_sharded(tensor: Tensor) -> TypeGuard[DTensor]:
    """Whether it is one of FSDP2's.

    Told by what it can do: importing the type takes a second that most trainings need not wait.
    """
    return hasattr(tensor, "full_tensor")


def whole(tensor: Tensor) -> Tensor:
    """The tensor with every rank's share; all ranks must ask together."""
    if not is_sharded(tensor):
        return tensor
    gathered: Tensor = tensor.full_tensor()
    return gathered


def shared_like(own: Tensor, tensor: Tensor) -> Tensor:
    """A tensor that every rank has whole, shared out as `own` is; no rank talks to another."""
    if not is_sharded(own) or is_sharded(tensor):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    placed = tensor.to(own.device)
    return distribute_tensor(placed, own.device_mesh, own.placements, src_data_rank=None)

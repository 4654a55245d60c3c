"""Moves what a training has on its GPU to main memory and back, bit for bit.

The tensors stay the objects that they are; only what they stand on is given up meanwhile. So
whatever points to them, views of them included, need not know.
"""

from __future__ import annotations

from collections.abc import Iterable

import psutil
import torch
from torch import Tensor, UntypedStorage

from trainer_core.train.optim.sharding import is_sharded

_SPARE_BYTES = 256 << 20
"""Main memory that is left to the rest of the computer."""


class Parked:
    """What stood on tensors until they were parked."""

    def __init__(self, copies: list[tuple[UntypedStorage, Tensor]]) -> None:
        self._copies = copies

    @property
    def size_bytes(self) -> int:
        """How much it is."""
        return sum(copy.nbytes for _, copy in self._copies)

    def bring_back(self) -> bool:
        """Put everything back; False: the GPU has no room for it, and nothing was changed."""
        done: list[UntypedStorage] = []
        try:
            for storage, copy in self._copies:
                done.append(storage)
                storage.resize_(copy.nbytes)
                _bytes_of(storage).copy_(copy)
        except RuntimeError as error:
            for storage in done:
                storage.resize_(0)
            _give_back_freed()
            if isinstance(error, torch.OutOfMemoryError):
                return False
            raise
        return True

    def leave_again(self) -> None:
        """Take back the last `bring_back`, before anything was changed."""
        for storage, _ in self._copies:
            storage.resize_(0)
        _give_back_freed()


def park(tensors: Iterable[Tensor], device: torch.device) -> Parked | None:
    """Move what stands on a device to main memory.

    Args:
        tensors: Any; those of other devices are passed over.
        device: What is to be freed.

    Returns:
        What brings it back; None where main memory has no room for it, and nothing was changed.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    storages = {
        storage.data_ptr(): storage
        for storage in (_local(tensor).untyped_storage() for tensor in tensors)
        if storage.device.type == device.type and storage.nbytes() and storage.resizable()
    }
    needed = sum(storage.nbytes() for storage in storages.values())
    if psutil.virtual_memory().available < needed + _SPARE_BYTES:
        return None
    try:
        copies = [(storage, _copied(storage)) for storage in storages.values()]
    except RuntimeError:  # there was no room after all
        return None
    for storage, _ in copies:
        storage.resize_(0)
    _give_back_freed()
    return Parked(copies)


def _local(tensor: Tensor) -> Tensor:
    """This process's share of a tensor."""
    return tensor.to_local() if is_sharded(tensor) else tensor.detach()


def _copied(storage: UntypedStorage) -> Tensor:
    return torch.empty(storage.nbytes(), dtype=torch.uint8).copy_(_bytes_of(storage))


def _bytes_of(storage: UntypedStorage) -> Tensor:
    found = torch.empty(0, dtype=torch.uint8, device=storage.device)
    return found.set_(storage)


def _give_back_freed() -> None:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()

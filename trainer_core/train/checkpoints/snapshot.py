"""What a checkpoint holds, and a copy of it that the training cannot change any more."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from trainer_core.spec import ModelConfig
from trainer_core.train.checkpoints.checkpoint import TrainState
from trainer_core.train.checkpoints.manifest import Ancestor, Fingerprints, LoaderPosition

_Key = tuple[str, str]


@dataclass(frozen=True)
class Snapshot:
    """All that a checkpoint holds, as the loop has it in memory.

    Attributes:
        config: Shape of the model.
        fingerprints: What it was fed with.
        state: Where the loop stands.
        weights: By name, on any device.
        optimizer: By name: the optimizer's state, the loss scale, the random states.
        val_loss: Of this very step, in nats per token, where it was measured.
        loader: Which text comes next.
        lineage: The runs that this one continues, the oldest first.
    """

    config: ModelConfig
    fingerprints: Fingerprints
    state: TrainState
    weights: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]
    val_loss: float | None
    loader: LoaderPosition | None = None
    lineage: tuple[Ancestor, ...] = ()


class SnapshotMemory:
    """Main memory that snapshots are copied to, kept from one to the next.

    From a GPU the copies go to page-locked memory behind the work that the GPU has been given, and
    nobody waits: whatever comes later on its stream changes the originals only after the copy.
    """

    def __init__(self) -> None:
        self._kept: dict[_Key, Tensor] = {}

    def missing_bytes(self, snapshot: Snapshot) -> int:
        """Memory that a copy would take beyond what is kept from the last one."""
        return sum(t.nbytes for key, t in _keyed(snapshot) if not _fits(self._kept.get(key), t))

    def copy(self, snapshot: Snapshot) -> tuple[Snapshot, torch.cuda.Event | None]:
        """A copy of a snapshot, which the next call overwrites.

        Returns:
            The copy, and what to wait for before it is read; None: it can be read now.

        Raises:
            RuntimeError: There is not enough memory.
        """
        copies = {key: self._filled(key, tensor) for key, tensor in _keyed(snapshot)}
        copied = replace(
            snapshot,
            state=copy.deepcopy(snapshot.state),
            weights={name: copies["weights", name] for name in snapshot.weights},
            optimizer={name: copies["optimizer", name] for name in snapshot.optimizer},
        )
        devices = {t.device for _, t in _keyed(snapshot) if t.is_cuda}
        if not devices:
            return copied, None
        done = torch.cuda.Event()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        done.record(torch.cuda.current_stream(devices.pop()))
        return copied, done

    def _filled(self, key: _Key, tensor: Tensor) -> Tensor:
        kept = self._kept.get(key)
        if kept is None or not _fits(kept, tensor):
            kept = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=tensor.is_cuda)
            self._kept[key] = kept
        return kept.copy_(tensor.detach(), non_blocking=tensor.is_cuda)


def _keyed(snapshot: Snapshot) -> Iterator[tuple[_Key, Tensor]]:
    for name, tensor in snapshot.weights.items():
        yield ("weights", name), tensor
    for name, tensor in snapshot.optimizer.items():
        yield ("optimizer", name), tensor


def _fits(kept: Tensor | None, tensor: Tensor) -> bool:
    return kept is not None and kept.shape == tensor.shape and kept.dtype == tensor.dtype

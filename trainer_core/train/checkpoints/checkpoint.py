"""Checkpoints: written whole or not at all, verified when opened, and chosen by best, last or step.

A checkpoint is a folder `checkpoints/step-00000500/` in the run's folder, with the weights and the
optimizer as safetensors, the loop's state as JSON, and a manifest with size and SHA-256 of each.
Nothing in it is ever unpickled.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import torch
from torch import Tensor

from trainer_core.errors import CheckpointError
from trainer_core.spec import ModelConfig
from trainer_core.train.checkpoints.folders import FOLDER, best_step, checkpoint_steps, folder_name
from trainer_core.train.checkpoints.manifest import (
    MANIFEST,
    OPTIMIZER,
    STATE,
    WEIGHTS,
    Manifest,
    NewerCheckpointError,
    damaged,
    read_manifest,
)
from trainer_core.train.checkpoints.tensor_file import file_fact, read_tensors
from trainer_core.train.optim.sharding import shared_like

if TYPE_CHECKING:
    from trainer_core.model.transformer import Transformer

_log = logging.getLogger(__name__)


class TrainState(msgspec.Struct, kw_only=True):
    """Where the loop stands, besides weights and optimizer."""

    step: int = 0
    tokens_seen: int = 0
    elapsed_s: float = 0.0
    """Active training time over all sessions."""
    validated_step: int = -1
    """The last step at which held-out text was measured."""
    val_loss: float | None = None
    bits_per_byte: float | None = None
    best_val_loss: float | None = None
    best_step: int | None = None
    bad_steps: int = 0
    """Steps in a row, up to now, whose loss or gradient was no number."""
    recent_norms: list[float] = msgspec.field(default_factory=list)
    """Gradient norms that a spike is told from."""
    loss_fast: float = 0.0
    """Recent mean of the training loss, as the guard keeps it, not yet corrected for its bias."""
    loss_slow: float = 0.0
    """Longer mean, likewise."""
    losses_seen: int = 0
    """Losses in both means."""
    loss_slow_least: float | None = None
    """The least that the longer mean has been, bias corrected."""
    calm_step: int = 0
    """The last step at which the loss was not on the rise."""
    high_steps: int = 0
    """Steps in a row, up to now, whose recent mean was beyond the guard's limit."""
    sampled_step: int = -1
    validation_s: float = 0.0
    """Time that all validations took."""
    last_validation_s: float = 0.0
    step_s: float = 0.0
    """How long a step takes; learned where validations keep to a share of the time."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on disk whose manifest has been read."""

    folder: Path
    manifest: Manifest

    @property
    def step(self) -> int:
        """Optimizer steps that led here."""
        return self.manifest.step

    @property
    def config(self) -> ModelConfig:
        """Shape of the model."""
        return self.manifest.config

    @property
    def size_bytes(self) -> int:
        """Size of all its files."""
        listed = sum(fact.size_bytes for fact in self.manifest.files.values())
        return listed + (self.folder / MANIFEST).stat().st_size

    def load_model(self, device: str = "cpu") -> Transformer:
        """The model in evaluation mode.

        Raises:
            CheckpointError: See `read_weights`.
        """
        from trainer_core.model.transformer import Transformer

        model = Transformer(self.config)
        put_weights(model, self.read_weights())
        return model.to(device).eval()

    def read_weights(self) -> dict[str, Tensor]:
        """The weights by name, on the CPU.

        Raises:
            CheckpointError: They cannot be read, are of another shape than the manifest names, or
                hold a number that is none.
        """
        from trainer_core.model.match_input import from_earlier_form
        from trainer_core.model.transformer import Transformer
        from trainer_core.model.undrawn import shapes_alone

        stored = from_earlier_form(read_tensors(self.folder / WEIGHTS))
        with shapes_alone():
            wanted = weights_of(Transformer(self.config))
        if _shapes(stored) != _shapes(wanted):
            raise CheckpointError(
                f"The weights in {self.folder} are not of the shape that its manifest names.",
                safe="Nothing was changed.",
                do="Use another checkpoint.",
            )
        self._check_finite(stored, "weights")
        return stored

    def load_optimizer(self) -> dict[str, Tensor]:
        """The optimizer's tensors, by name, and whatever else a resumed training needs.

        Raises:
            CheckpointError: They cannot be read, only the weights were kept, or the model has
                another form today.
        """
        if not self.manifest.resumable:
            raise CheckpointError(
                f"The checkpoint at step {self.step} holds weights only: a training cannot go on"
                " from it.",
                safe="It still serves for text, measurement and export.",
                do="Use a newer checkpoint, or set checkpoint.resumable higher in the next run.",
                field="checkpoint.resumable",
            )
        from trainer_core.model.match_input import EARLIER_GATE

        tensors = read_tensors(self.folder / OPTIMIZER)
        if any(name.endswith(EARLIER_GATE) for name in tensors):
            raise CheckpointError(
                f"The checkpoint at step {self.step} is of an earlier version of Hearth, in which"
                " models read matches in another way: a training cannot go on from it.",
                safe="It still serves for text, measurement and export.",
                do="Start a new run.",
                field="model.match_form",
            )
        self._check_finite(tensors, "optimizer's figures")
        return tensors

    def _check_finite(self, tensors: dict[str, Tensor], what: str) -> None:
        if not all_finite(tensors.values()):
            raise CheckpointError(
                f"The checkpoint {self.folder} is of no use: one of its {what} is not a finite"
                " number.",
                safe="The other checkpoints are not affected.",
                do="Use an earlier checkpoint.",
            )

    def load_state(self) -> TrainState:
        """Where the loop stood.

        Raises:
            CheckpointError: It cannot be read.
        """
        try:
            return msgspec.json.decode((self.folder / STATE).read_bytes(), type=TrainState)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise damaged(self.folder, str(error)) from None


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether every value is a number, and none is infinite; waits for the device once."""
    floating = [t for t in tensors if t.is_floating_point() and t.numel()]
    if not floating:
        return True
    ends = [end for tensor in floating for end in torch.aminmax(tensor.detach())]
    return bool(torch.stack([end.float() for end in ends]).isfinite().all().item())


def weights_of(model: Transformer) -> dict[str, Tensor]:
    """Parameters and saved buffers by name; tensors that are shared stand once."""
    names: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            names[name] = tensor
    return names


@torch.no_grad()
def put_weights(model: Transformer, weights: Mapping[str, Tensor]) -> None:
    """Copy whole weights into a model of their shape, wherever it is and however shared out."""
    for name, tensor in weights_of(model).items():
        tensor.copy_(shared_like(tensor, weights[name]))


def read_checkpoint(run_folder: Path, step: int, *, verify: bool = True) -> Checkpoint:
    """The checkpoint of one step.

    Args:
        run_folder: Job folder of the training.
        step: Its step.
        verify: Also compare each file with its hash; takes about a second for each 1.5 GB.

    Raises:
        CheckpointError: It is absent or damaged.
    """
    folder = run_folder / FOLDER / folder_name(step)
    manifest = read_manifest(folder)
    try:
        _check_files(folder, manifest, verify=verify)
    except CheckpointError:
        changed = read_manifest(folder)
        if changed == manifest:
            raise
        manifest = changed  # a running training has just given up the optimizer
        _check_files(folder, manifest, verify=verify)
    return Checkpoint(folder, manifest)


def _check_files(folder: Path, manifest: Manifest, *, verify: bool) -> None:
    for name, fact in manifest.files.items():
        path = folder / name
        try:
            whole = path.stat().st_size == fact.size_bytes
            if verify and whole:
                whole = file_fact(path) == fact
        except OSError as error:
            raise damaged(folder, f"{name}: {error.strerror}") from None
        if not whole:
            raise damaged(folder, f"{name} is not what was written")


def _wanted_steps(run_folder: Path, which: str) -> list[int]:
    """Steps to try, most wanted first."""
    newest_first = checkpoint_steps(run_folder)[::-1]
    if which == "best":
        best = best_step(run_folder)
        return newest_first if best is None else [best, *(s for s in newest_first if s != best)]
    if which == "last":
        return newest_first
    if which.isdecimal():
        return [int(which)]
    raise CheckpointError(
        f"“{which}” names no checkpoint.",
        safe="Nothing was changed.",
        do="Say best, last, or a step number.",
        field="checkpoint",
    )


def open_checkpoint(
    run_folder: Path,
    which: str = "best",
    *,
    verify: bool = True,
    on_damage: Callable[[CheckpointError], None] | None = None,
) -> Checkpoint:
    """Find a whole checkpoint.

    Args:
        run_folder: Job folder of the training.
        which: `best`, `last`, or a step number. The first two fall back to the newest whole one.
        verify: Compare each file with its hash.
        on_damage: Told about each damaged checkpoint that was passed over.

    Raises:
        CheckpointError: There is none, the wanted step is damaged, or no whole one is left.
    """
    if not run_folder.is_dir():
        raise CheckpointError(
            f"There is no run in {run_folder}: the folder does not exist.",
            safe="Nothing was changed.",
            do="Check the path.",
        )
    steps = _wanted_steps(run_folder, which)
    if not steps:
        raise CheckpointError(
            f"{run_folder} has no checkpoint yet.",
            safe="Nothing was changed.",
            do="Let the training reach its first checkpoint, then try again.",
        )
    problem: CheckpointError | None = None
    for step in steps:
        try:
            return read_checkpoint(run_folder, step, verify=verify)
        except NewerCheckpointError:
            raise
        except CheckpointError as error:
            problem = error
            _log.warning("%s", error)
            if on_damage is not None:
                on_damage(error)
    assert problem is not None  # the loop ran at least once
    raise problem

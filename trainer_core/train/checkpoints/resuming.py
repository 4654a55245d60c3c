"""Which checkpoint a training goes on from, and what becomes of those it does not go on from."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch
from torch import Tensor

from trainer_core.data.batches.order import ORDER_VERSION
from trainer_core.errors import CheckpointError
from trainer_core.model.transformer import Transformer
from trainer_core.spec import TrainSpec
from trainer_core.train.checkpoints.checkpoint import (
    Checkpoint,
    TrainState,
    put_weights,
    read_checkpoint,
    weights_of,
)
from trainer_core.train.checkpoints.continuing import Continued, continued, order_of
from trainer_core.train.checkpoints.folders import (
    FOLDER,
    checkpoint_steps,
    folder_name,
    forget_later,
)
from trainer_core.train.checkpoints.manifest import (
    Ancestor,
    LoaderPosition,
    NewerCheckpointError,
)
from trainer_core.train.checkpoints.saving import move_loader
from trainer_core.train.distributed.state import (
    RANDOM,
    Restored,
    given_to_all,
    restore_random,
)
from trainer_core.train.distributed.world import World
from trainer_core.train.inputs import Inputs, check_unchanged
from trainer_core.train.optim import Optimizer
from trainer_core.train.scaler import SCALER
from trainer_core.train.step import TrainStep


@dataclass
class Resumed:
    """What a training goes on from.

    Attributes:
        checkpoint: The newest that it can go on from; None on ranks other than 0, and when it
            begins anew.
        is_new: Whether it begins anew.
        state: Where the loop stands.
        loader: Which text comes next; None where a training begins with the first.
        lineage: The runs that it continues, the oldest first.
        problems: What was wrong with newer checkpoints.
        is_rewound: Whether a person took it back to there.
    """

    checkpoint: Checkpoint | None
    is_new: bool
    state: TrainState
    loader: LoaderPosition | None
    lineage: tuple[Ancestor, ...]
    problems: list[CheckpointError]
    is_rewound: bool = False

    @property
    def passed_over(self) -> int:
        """Batches that are left out before the next step."""
        return 0 if self.loader is None else self.loader.batch - (self.state.step + 1)


@dataclass(frozen=True)
class Restorable:
    """What takes the tensors of a checkpoint."""

    model: Transformer
    optimizer: Optimizer
    train_step: TrainStep
    device: torch.device


class _Facts(msgspec.Struct):
    """What is no tensor of what all ranks are given."""

    is_new: bool
    state: TrainState
    loader: LoaderPosition | None
    lineage: tuple[Ancestor, ...]


def resume(
    run_folder: Path, spec: TrainSpec, inputs: Inputs, parts: Restorable, world: World
) -> Resumed:
    """Restore the newest checkpoint that a training can go on from.

    Where there is none, it begins with the weights of the run that it continues, if it continues
    one. Damaged checkpoints are set aside as `*.damaged`, and so are whole ones that hold a number
    that is none. Rank 0 reads, and all ranks restore what it read.

    Args:
        run_folder: Job folder of the training.
        spec: Its settings.
        inputs: What it reads.
        parts: What is restored; as they were when there is no such checkpoint.
        world: The processes of this run.

    Raises:
        NewerCheckpointError: The newest one was written by a newer version.
        CheckpointError: It belongs to other settings or other text, or only checkpoints of weights
            are left; or the other run cannot be continued.
    """
    checkpoint, found, problems = None, None, list[CheckpointError]()
    if world.is_main:
        checkpoint, found, problems = _newest(run_folder, spec, inputs)
        if found is None and spec.continue_from:
            found = _first_of(continued(run_folder, spec, inputs))
    found = given_to_all(world, found)
    if found is None:
        return Resumed(None, True, TrainState(), None, (), problems)
    facts = msgspec.json.decode(found.facts, type=_Facts)
    if facts.is_new:
        put_weights(parts.model, found.weights)
    else:
        _put(parts, found.weights, found.tensors, world)
    return Resumed(checkpoint, facts.is_new, facts.state, facts.loader, facts.lineage, problems)


def _first_of(begin: Continued) -> Restored:
    """What a training that continues another one begins with."""
    facts = _Facts(True, TrainState(), begin.loader, begin.lineage)
    return Restored(msgspec.json.encode(facts), begin.weights, {})


def _newest(
    run_folder: Path, spec: TrainSpec, inputs: Inputs
) -> tuple[Checkpoint | None, Restored | None, list[CheckpointError]]:
    problems: list[CheckpointError] = []
    weights_only: list[int] = []
    for step in reversed(checkpoint_steps(run_folder)):
        try:
            checkpoint = read_checkpoint(run_folder, step)
            if not checkpoint.manifest.resumable:
                weights_only.append(step)
                continue
            tensors, weights, state = _read(checkpoint)
        except NewerCheckpointError:
            raise
        except CheckpointError as error:
            problems.append(error)
            _set_aside(run_folder / FOLDER / folder_name(step))
            continue
        _check_fits(checkpoint, spec, inputs)
        stored = checkpoint.manifest
        facts = msgspec.json.encode(_Facts(False, state, stored.loader, stored.lineage))
        return checkpoint, Restored(facts, weights, tensors), problems
    if weights_only:
        raise _weights_only(weights_only[0], problems)
    return None, None, problems


def _read(checkpoint: Checkpoint) -> tuple[dict[str, Tensor], dict[str, Tensor], TrainState]:
    """All of it, before anything is changed: half a checkpoint is worse than none."""
    tensors = checkpoint.load_optimizer()
    if f"{RANDOM}cpu" not in tensors:
        raise CheckpointError(
            f"The checkpoint at step {checkpoint.step} lacks the state of the random numbers.",
            safe="The other checkpoints are not affected.",
            do="Use an earlier checkpoint.",
        )
    return tensors, checkpoint.read_weights(), checkpoint.load_state()


def _check_fits(checkpoint: Checkpoint, spec: TrainSpec, inputs: Inputs) -> None:
    step = checkpoint.step
    check_unchanged(checkpoint.manifest.fingerprints, inputs, step)
    if checkpoint.config != spec.model:
        raise CheckpointError(
            f"The checkpoint at step {step} is of another shape than model asks for.",
            safe="The checkpoints were not touched.",
            do="Start a new run for the new shape.",
            field="model",
        )
    _check_order(checkpoint, spec)


def _check_order(checkpoint: Checkpoint, spec: TrainSpec) -> None:
    """Make sure that the text comes in the order that the checkpoint knows."""
    step, stored = checkpoint.step, checkpoint.manifest.loader
    if stored is None or stored.order != ORDER_VERSION:
        raise CheckpointError(
            f"The checkpoint at step {step} is of an earlier version of Hearth, in which the text"
            " came in another order: the training cannot go on exactly.",
            safe="The checkpoints were not touched.",
            do="Start a new run that begins with its weights (continue_from, with data.mixing).",
        )
    for name, field in (
        ("seed", "seed"),
        ("batch_size", "budget.batch_size"),
        ("context_length", "model.context_length"),
        ("packing", "data.packing"),
        ("mixing", "data.mixing"),
    ):
        before, now = getattr(stored, name), getattr(order_of(spec), name)
        if before != now:
            raise CheckpointError(
                f"The text would come in another order than up to the checkpoint at step {step}:"
                f" {field} was {before or 'empty'} and is {now or 'empty'}.",
                safe="The checkpoints were not touched.",
                do=f"Put {field} back as it was, or start a new run.",
                field=field,
            )


def _put(
    parts: Restorable, weights: dict[str, Tensor], tensors: dict[str, Tensor], world: World
) -> None:
    random = _taken(tensors, RANDOM)
    scaler = _taken(tensors, SCALER)
    put_weights(parts.model, weights)
    parts.optimizer.restore(weights_of(parts.model), tensors)
    parts.train_step.restore(scaler)
    restore_random(world, parts.device, random)


def _taken(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Those with this prefix, taken out of the others."""
    return {name: tensors.pop(name) for name in list(tensors) if name.startswith(prefix)}


def _weights_only(step: int, problems: list[CheckpointError]) -> CheckpointError:
    found = "".join(f"{problem.what} " for problem in problems)
    return CheckpointError(
        f"{found}The checkpoint at step {step} holds weights only: the training cannot go on from"
        " it.",
        safe="The weights are whole; they serve for text, measurement and export.",
        do="Start a new run; a higher checkpoint.resumable keeps more to go on from.",
        field="checkpoint.resumable",
    )


def _set_aside(folder: Path) -> None:
    number = 0
    while True:
        aside = folder.with_name(f"{folder.name}.damaged{f'-{number}' if number else ''}")
        if not aside.exists():
            break
        number += 1
    with contextlib.suppress(FileNotFoundError):
        folder.rename(aside)


def go_back(run_folder: Path, step: int, loader: LoaderPosition) -> list[int]:
    """Have a training go on from an earlier checkpoint with other text than it saw since.

    Source: Chowdhery et al., "PaLM", 2022, section 5.1: after a spike of the loss they went back to
    a checkpoint before it and left out the batches that had led to it, and it did not come again.

    Args:
        run_folder: Its job folder.
        step: Of the checkpoint; later ones are removed.
        loader: Position of the first batch that was not seen yet.

    Returns:
        The steps of the removed checkpoints.

    Raises:
        CheckpointError: The checkpoint is damaged.
        OSError: The disk is full or gone.
    """
    gone = forget_later(run_folder, step)
    move_loader(read_checkpoint(run_folder, step, verify=False), loader)
    return gone

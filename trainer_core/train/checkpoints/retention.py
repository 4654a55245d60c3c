"""Which checkpoints stay, in which form, and how much room that takes."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

from trainer_core.checkpoint_plan import CheckpointSize
from trainer_core.spec import CheckpointConfig, TrainSpec
from trainer_core.train.checkpoints.checkpoint import read_checkpoint, weights_of
from trainer_core.train.checkpoints.folders import (
    best_steps,
    checkpoint_steps,
    is_marked,
    is_resumable,
    remove_checkpoint,
)
from trainer_core.train.checkpoints.saving import keep_weights_only
from trainer_core.train.checkpoints.tensor_file import tensor_file_bytes
from trainer_core.train.guard import Calm

_RANDOM_BYTES = 5_056
_REST_BYTES = 2_048
"""State and manifest, about."""


def good_step(run_folder: Path, calm_step: int) -> int | None:
    """The newest resumable checkpoint that a training in trouble can go back to.

    Args:
        run_folder: Its job folder.
        calm_step: The last step at which nothing was wrong.
    """
    earlier = (step for step in checkpoint_steps(run_folder) if step <= calm_step)
    return max((s for s in earlier if is_resumable(run_folder, s)), default=None)


def way_back(run_folder: Path, calm: Calm) -> set[int]:
    """The checkpoints that a training may have to go back to.

    The newest that is known to be good, and those that may turn out to be good: were they given up
    one after the other before that is known, none would ever be.
    """
    steps = checkpoint_steps(run_folder)
    good = good_step(run_folder, calm.certain)
    back = {step for step in steps if calm.certain < step <= calm.likely}
    return back | ({good} if good is not None else set())


def retire_checkpoints(
    run_folder: Path, config: CheckpointConfig, back: Set[int] = frozenset()
) -> list[int]:
    """Remove the checkpoints that no rule keeps; the steps that went.

    The newest stay, the best, those of each so many steps, those that a person has marked, and the
    way back. The last one always does.

    Raises:
        OSError: A folder cannot be renamed.
    """
    steps = checkpoint_steps(run_folder)
    kept = {*steps[-config.keep :], *best_steps(run_folder, config.keep_best), *back}
    if config.keep_every:
        kept |= {step for step in steps if step % config.keep_every == 0}
    gone = [step for step in steps if step not in kept and not is_marked(run_folder, step)]
    for step in gone:
        remove_checkpoint(run_folder, step)
    return gone


def thin_checkpoints(
    run_folder: Path, resumable: int, back: Set[int] = frozenset()
) -> dict[int, int]:
    """Keep the weights alone of all but the newest `resumable` and the way back.

    Args:
        run_folder: Job folder of the training.
        resumable: How many stay as they are; 0 leaves all so.
        back: Steps that the training may have to go back to; they stay as they are.

    Returns:
        Size in bytes of each that was changed, by its step.

    Raises:
        OSError: The disk is full or gone; every checkpoint is whole in its old or its new form.
    """
    if not resumable:
        return {}
    thinned = {}
    for step in checkpoint_steps(run_folder)[:-resumable]:
        stays = step in back or is_marked(run_folder, step)
        if not stays and is_resumable(run_folder, step):
            checkpoint = read_checkpoint(run_folder, step, verify=False)
            thinned[step] = keep_weights_only(checkpoint).size_bytes
    return thinned


def checkpoint_size(spec: TrainSpec) -> CheckpointSize:
    """How large the checkpoints of a training will be, to within 1 %, before it begins."""
    from trainer_core.model.transformer import Transformer
    from trainer_core.model.undrawn import shapes_alone
    from trainer_core.train.optim import state_tensors

    with shapes_alone():
        weights = weights_of(Transformer(spec.model))
    weights_only = tensor_file_bytes(weights) + _REST_BYTES
    state = tensor_file_bytes(state_tensors(spec.model, spec.optimizer))
    return CheckpointSize(weights_only, weights_only + state + _RANDOM_BYTES)

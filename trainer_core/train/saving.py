"""Writing checkpoints whole or not at all, and removing those that are no longer kept."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch
from torch import Tensor

from trainer_core.errors import CheckpointError
from trainer_core.files import draft_beside, put_back, put_in_place, sync
from trainer_core.spec import ModelConfig
from trainer_core.train.checkpoint import (
    FOLDER,
    Checkpoint,
    TrainState,
    best_step,
    checkpoint_steps,
    folder_name,
    read_checkpoint,
    weights_of,
)
from trainer_core.train.manifest import (
    MANIFEST,
    OPTIMIZER,
    STATE,
    WEIGHTS,
    Fingerprints,
    LoaderPosition,
    Manifest,
    NewerCheckpointError,
    encode_manifest,
)
from trainer_core.train.tensor_file import tensor_file_bytes, write_pieces, write_tensors

_HIDDEN_NAME = re.compile(r"\.(step-\d+)\.(writing|removing|replaced)")


@dataclass(frozen=True)
class Snapshot:
    """All that a checkpoint holds, as the loop has it in memory."""

    config: ModelConfig
    fingerprints: Fingerprints
    state: TrainState
    weights: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]
    val_loss: float | None
    loader: LoaderPosition | None = None


def _doomed(folder: Path) -> Path:
    """Where a checkpoint's folder stands while it is removed."""
    return folder.with_name(f".{folder.name}.removing")


def save_checkpoint(run_folder: Path, snapshot: Snapshot) -> Checkpoint:
    """Write a checkpoint through to the disk; when this returns it is whole.

    One of the same step is replaced: a resumed training may learn more about its step than the
    session that saved it, such as its validation loss.

    Raises:
        OSError: The disk is full or gone; no trace of this checkpoint is left.
    """
    folder = run_folder / FOLDER
    target = folder / folder_name(snapshot.state.step)
    draft = draft_beside(target)
    folder.mkdir(exist_ok=True)
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir()
        manifest = _write(draft, snapshot)
        sync(draft)
        put_in_place(draft, target)  # after a crash in the middle, `clear_drafts` undoes it
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return Checkpoint(target, manifest)


def _write(draft: Path, snapshot: Snapshot) -> Manifest:
    state = snapshot.state
    facts = {
        WEIGHTS: write_tensors(draft / WEIGHTS, snapshot.weights),
        OPTIMIZER: write_tensors(draft / OPTIMIZER, snapshot.optimizer),
        STATE: write_pieces(draft / STATE, iter([memoryview(msgspec.json.encode(state))])),
    }
    manifest = Manifest(
        step=state.step,
        tokens_seen=state.tokens_seen,
        config=snapshot.config,
        fingerprints=snapshot.fingerprints,
        val_loss=snapshot.val_loss,
        saved_s=time.time(),
        files=facts,
        loader=snapshot.loader,
    )
    write_pieces(draft / MANIFEST, iter([memoryview(encode_manifest(manifest))]))
    return manifest


def remove_checkpoint(run_folder: Path, step: int) -> None:
    """Remove a checkpoint; a crash in the middle leaves no half one under its name.

    Raises:
        OSError: It cannot be renamed.
    """
    folder = run_folder / FOLDER / folder_name(step)
    doomed = _doomed(folder)
    shutil.rmtree(doomed, ignore_errors=True)
    folder.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def retire_checkpoints(run_folder: Path, keep: int) -> list[int]:
    """Remove all but the newest `keep` and the best; the steps that went.

    Raises:
        OSError: A folder cannot be renamed.
    """
    steps = checkpoint_steps(run_folder)
    kept = {*steps[-keep:], best_step(run_folder)}
    gone = [step for step in steps if step not in kept]
    for step in gone:
        remove_checkpoint(run_folder, step)
    return gone


def clear_drafts(run_folder: Path) -> None:
    """Remove what a killed process left half written, half removed or replaced."""
    folder = run_folder / FOLDER
    if not folder.is_dir():
        return
    for entry in list(folder.iterdir()):
        if found := _HIDDEN_NAME.fullmatch(entry.name):
            put_back(folder / found[1])
            shutil.rmtree(entry, ignore_errors=True)


def newest_whole(run_folder: Path) -> tuple[Checkpoint | None, list[CheckpointError]]:
    """The checkpoint to go on from; damaged newer ones are set aside as `*.damaged`.

    Returns:
        The newest whole checkpoint, or None when there is none, and what was wrong with the others.

    Raises:
        NewerCheckpointError: The newest one was written by a newer version.
    """
    problems: list[CheckpointError] = []
    for step in reversed(checkpoint_steps(run_folder)):
        try:
            return read_checkpoint(run_folder, step), problems
        except NewerCheckpointError:
            raise
        except CheckpointError as error:
            problems.append(error)
            _set_aside(run_folder / FOLDER / folder_name(step))
    return None, problems


def _set_aside(folder: Path) -> None:
    number = 0
    while True:
        aside = folder.with_name(f"{folder.name}.damaged{f'-{number}' if number else ''}")
        if not aside.exists():
            break
        number += 1
    with contextlib.suppress(FileNotFoundError):
        folder.rename(aside)


def checkpoint_size_bytes(config: ModelConfig) -> int:
    """Size of one checkpoint of a training with AdamW, known before the run, to within 1 %."""
    from trainer_core.model.transformer import Transformer

    with torch.device("meta"):
        model = Transformer(config)
    weights = weights_of(model)
    count = torch.zeros((), device="meta")
    moments: dict[str, Tensor] = {}
    for name, weight in weights.items():
        moments |= {f"exp_avg/{name}": weight, f"exp_avg_sq/{name}": weight, f"step/{name}": count}
    rest = 5_056 + 4_096  # torch's random state; state, manifest and headers
    return tensor_file_bytes(weights) + tensor_file_bytes(moments) + rest

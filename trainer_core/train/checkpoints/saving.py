"""Writing checkpoints whole or not at all, and changing or removing what was written."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from pathlib import Path

import msgspec

from trainer_core.checkpoint_plan import KEEP_MARK
from trainer_core.errors import CheckpointError
from trainer_core.files import draft_beside, put_back, put_in_place, sync, write_whole_file
from trainer_core.train.checkpoints.checkpoint import Checkpoint
from trainer_core.train.checkpoints.folders import FOLDER, checkpoint_steps, folder_name
from trainer_core.train.checkpoints.manifest import (
    MANIFEST,
    OPTIMIZER,
    STATE,
    VERSION,
    WEIGHTS,
    WEIGHTS_ONLY,
    LoaderPosition,
    Manifest,
    encode_manifest,
    read_manifest,
)
from trainer_core.train.checkpoints.snapshot import Snapshot
from trainer_core.train.checkpoints.tensor_file import write_pieces, write_tensors

_HIDDEN_NAME = re.compile(r"\.(step-\d+)\.(writing|removing|replaced)")


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
        if (target / KEEP_MARK).exists():
            (draft / KEEP_MARK).touch()
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
        lineage=snapshot.lineage,
    )
    write_pieces(draft / MANIFEST, iter([memoryview(encode_manifest(manifest))]))
    return manifest


def keep_weights_only(checkpoint: Checkpoint) -> Checkpoint:
    """Give up what a training would need to go on from a checkpoint.

    With the new manifest, which replaces the old one in one step, it is a whole checkpoint of the
    weights; the optimizer's file is removed after that, or by `clear_drafts`.

    Raises:
        OSError: The disk is full or gone; the checkpoint is as it was.
    """
    files = {name: checkpoint.manifest.files[name] for name in sorted(WEIGHTS_ONLY)}
    manifest = msgspec.structs.replace(checkpoint.manifest, version=VERSION, files=files)
    thinned = _replace_manifest(checkpoint, manifest)
    (checkpoint.folder / OPTIMIZER).unlink(missing_ok=True)
    return thinned


def move_loader(checkpoint: Checkpoint, loader: LoaderPosition) -> Checkpoint:
    """Have the training that goes on from a checkpoint begin with other text.

    Raises:
        OSError: The disk is full or gone; the checkpoint is as it was.
    """
    manifest = msgspec.structs.replace(checkpoint.manifest, version=VERSION, loader=loader)
    return _replace_manifest(checkpoint, manifest)


def _replace_manifest(checkpoint: Checkpoint, manifest: Manifest) -> Checkpoint:
    write_whole_file(checkpoint.folder / MANIFEST, encode_manifest(manifest))
    return Checkpoint(checkpoint.folder, manifest)


def clear_drafts(run_folder: Path) -> None:
    """Remove what a killed process left half written, half removed or replaced."""
    folder = run_folder / FOLDER
    if not folder.is_dir():
        return
    for entry in list(folder.iterdir()):
        if found := _HIDDEN_NAME.fullmatch(entry.name):
            put_back(folder / found[1])
            shutil.rmtree(entry, ignore_errors=True)
    for step in checkpoint_steps(run_folder):
        _clear_strays(folder / folder_name(step))


def _clear_strays(folder: Path) -> None:
    for draft in folder.glob(f".{MANIFEST}.*"):
        draft.unlink(missing_ok=True)
    with contextlib.suppress(CheckpointError):
        if not read_manifest(folder).resumable:
            (folder / OPTIMIZER).unlink(missing_ok=True)

"""The folders of a run's checkpoints: which there are, what they can serve for, and removing one.

Free of torch, so that commands on a run at rest answer at once.
"""

from __future__ import annotations

import logging
import re
import shutil
from pathlib import Path

from trainer_core.checkpoint_plan import KEEP_MARK
from trainer_core.errors import CheckpointError
from trainer_core.status import CHECKPOINTS_FOLDER
from trainer_core.train.checkpoints.manifest import Manifest, read_manifest

FOLDER = CHECKPOINTS_FOLDER
_NAME = re.compile(r"step-(\d{8,})")
_log = logging.getLogger(__name__)


def folder_name(step: int) -> str:
    """Name of the folder of a step's checkpoint."""
    return f"step-{step:08d}"


def checkpoint_steps(run_folder: Path) -> list[int]:
    """Steps that have a checkpoint, whole or not, ascending."""
    folder = run_folder / FOLDER
    if not folder.is_dir():
        return []
    found = (_NAME.fullmatch(entry.name) for entry in folder.iterdir())
    return sorted(int(match[1]) for match in found if match)


def manifest_of(run_folder: Path, step: int) -> Manifest | None:
    """What a checkpoint says of itself; None where it is absent or damaged."""
    try:
        return read_manifest(run_folder / FOLDER / folder_name(step))
    except CheckpointError as error:
        _log.debug("%s", error)
        return None


def is_resumable(run_folder: Path, step: int) -> bool:
    """Whether a training can go on from a checkpoint, by its manifest."""
    manifest = manifest_of(run_folder, step)
    return manifest is not None and manifest.resumable


def is_marked(run_folder: Path, step: int) -> bool:
    """Whether a person wants a checkpoint to stay, whatever the rules say."""
    return (run_folder / FOLDER / folder_name(step) / KEEP_MARK).exists()


def best_steps(run_folder: Path, count: int) -> list[int]:
    """The steps with the lowest validation losses among the checkpoints, the best first.

    Of equal ones the later come first; those that were not measured are left out.
    """
    found = []
    for step in checkpoint_steps(run_folder):
        manifest = manifest_of(run_folder, step)
        if manifest is not None and manifest.val_loss is not None:
            found.append((manifest.val_loss, -step))
    return [-step for _, step in sorted(found)[:count]]


def best_step(run_folder: Path) -> int | None:
    """The step with the lowest validation loss among the checkpoints; the later one of equals."""
    return next(iter(best_steps(run_folder, 1)), None)


def doomed(folder: Path) -> Path:
    """Where a checkpoint's folder stands while it is removed."""
    return folder.with_name(f".{folder.name}.removing")


def remove_checkpoint(run_folder: Path, step: int) -> None:
    """Remove a checkpoint; a crash in the middle leaves no half one under its name.

    Raises:
        OSError: It cannot be renamed.
    """
    folder = run_folder / FOLDER / folder_name(step)
    gone = doomed(folder)
    shutil.rmtree(gone, ignore_errors=True)
    folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def forget_later(run_folder: Path, step: int) -> list[int]:
    """Remove the checkpoints after a step; the steps that went, the newest first.

    Raises:
        OSError: A folder cannot be renamed.
    """
    gone = [later for later in reversed(checkpoint_steps(run_folder)) if later > step]
    for later in gone:
        remove_checkpoint(run_folder, later)
    return gone

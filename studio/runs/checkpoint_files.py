"""The checkpoints of a run at rest: how much room they take, which stays, and removing one.

Free of Qt. A run at work keeps its folder locked: what it saves is its own affair until it rests.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import filelock

from studio.storage.erasing import folder_bytes
from trainer_core.checkpoint_plan import KEEP_MARK
from trainer_core.errors import KnownError, LockedError, from_os_error
from trainer_core.journal import JournalWriter
from trainer_core.records import CheckpointRemoved
from trainer_core.spawn import process_of
from trainer_core.status import JOURNAL_FILE, LOCK_FILE, read_status

_SAFE = "Nothing was removed."


@dataclass(frozen=True)
class CheckpointFile:
    """A checkpoint on the disk."""

    step: int
    folder: Path
    size_bytes: int
    val_loss: float | None
    """In nats per token, None where it was not measured."""
    best: bool
    """Whether it has the lowest loss of those that are left."""
    resumable: bool
    """Whether the training can go on from it."""
    kept: bool
    """Whether a person wants it to stay, whatever the rules say."""


def checkpoint_files(run_folder: Path) -> list[CheckpointFile]:
    """The checkpoints that lie in a run's folder, the newest first.

    Raises:
        JobFolderError: Its journal is damaged at its head or of a newer version.
    """
    found = [
        saved
        for saved in read_status(run_folder).checkpoints
        if (run_folder / saved.folder).is_dir()
    ]
    measured = [each for each in found if each.val_loss is not None]
    best = min(measured, key=lambda each: (each.val_loss or 0.0, -each.step), default=None)
    return [
        CheckpointFile(
            step=saved.step,
            folder=run_folder / saved.folder,
            size_bytes=folder_bytes(run_folder / saved.folder),
            val_loss=saved.val_loss,
            best=best is saved,
            resumable=saved.resumable,
            kept=(run_folder / saved.folder / KEEP_MARK).exists(),
        )
        for saved in sorted(found, key=lambda each: -each.step)
    ]


def keep_checkpoint(checkpoint: CheckpointFile, *, kept: bool) -> None:
    """Have a checkpoint stay whatever the rules say, or no longer; a run at work obeys, too.

    Raises:
        DiskFullError: There is no room for the mark.
        KnownError: Its folder cannot be written.
    """
    mark = checkpoint.folder / KEEP_MARK
    try:
        if kept:
            mark.touch()
        else:
            mark.unlink(missing_ok=True)
    except OSError as error:
        raise from_os_error(error, "marking a checkpoint") from error


def delete_checkpoint(run_folder: Path, step: int) -> int:
    """Remove a checkpoint for good; the newest stays, since a run goes on from it.

    A crash in the middle leaves it whole, or gone with what is left of it out of the way.

    Returns:
        How many bytes that freed.

    Raises:
        LockedError: The run is at work.
        KnownError: There is no such checkpoint, it is the newest, or it cannot be removed.
    """
    if process_of(run_folder) is not None:
        raise _at_work(run_folder)
    lock = filelock.FileLock(run_folder / LOCK_FILE)
    try:
        with lock.acquire(timeout=0.5):
            return _delete(run_folder, step)
    except filelock.Timeout:
        raise _at_work(run_folder) from None
    except OSError as error:
        raise from_os_error(error, "removing a checkpoint") from error


def _delete(run_folder: Path, step: int) -> int:
    found = checkpoint_files(run_folder)
    wanted = next((each for each in found if each.step == step), None)
    if wanted is None:
        raise KnownError(
            f"There is no checkpoint of step {step:,} any more.",
            safe="Nothing was changed.",
            do="Look at the list again.",
        )
    if wanted is found[0]:
        raise KnownError(
            "The newest checkpoint stays: the run goes on from it.",
            safe=_SAFE,
            do="Remove older ones, or move the whole run to the trash.",
        )
    doomed = wanted.folder.with_name(f".{wanted.folder.name}.removing")
    shutil.rmtree(doomed, ignore_errors=True)
    wanted.folder.rename(doomed)
    with JournalWriter(run_folder / JOURNAL_FILE) as journal:
        journal.append(CheckpointRemoved(step=step, time_s=time.time()), sync=True)
    shutil.rmtree(doomed, ignore_errors=True)
    return wanted.size_bytes


def _at_work(run_folder: Path) -> LockedError:
    return LockedError(
        f"{run_folder.name} is at work.",
        safe=_SAFE,
        do="Pause it first, or wait until it has finished.",
    )

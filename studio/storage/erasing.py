"""Takes folders in the trash from the disk, for good, and counts what that frees."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from studio.storage.markers import MARKER
from trainer_core.errors import KnownError, from_os_error
from trainer_core.status import SPEC_FILE


def folder_bytes(folder: Path) -> int:
    """What a folder takes on the disk, in bytes, links not followed; 0 when it is gone."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(parent) / name).lstat().st_size
            except OSError:
                continue  # it went while we counted
    return total


def erase_folders(folders: Iterable[Path], home: Path) -> None:
    """Remove job folders that are marked as thrown away; those that are gone are no error.

    The settings go first: from then on a folder that was erased by half is no job any more, and
    erasing it again removes the rest. The mark goes last.

    Args:
        folders: Each with its mark.
        home: The data home, which is never removed, nor what it lies in.

    Raises:
        KnownError: A folder has no mark, or cannot be removed.
    """
    for folder in folders:
        if not folder.exists() and not folder.is_symlink():
            continue
        _check(folder, home)
        try:
            if folder.is_symlink():
                folder.unlink()
                continue
            (folder / SPEC_FILE).unlink(missing_ok=True)
            _remove_all_but_mark(folder)
            shutil.rmtree(folder)
        except OSError as error:
            raise from_os_error(error, f"erasing {folder}") from error


def _check(folder: Path, home: Path) -> None:
    if home.absolute().is_relative_to(folder.absolute()) or not (folder / MARKER).is_file():
        raise KnownError(
            f"{folder} is not marked as thrown away.",
            safe="It was not touched.",
            do="Restore it and throw it away again, or remove the folder by hand.",
        )


def _remove_all_but_mark(folder: Path) -> None:
    for entry in list(os.scandir(folder)):
        if entry.name == MARKER:
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            Path(entry.path).unlink(missing_ok=True)

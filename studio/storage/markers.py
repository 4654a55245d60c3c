"""The file that says that a folder lies in the trash: a library made anew leaves it there."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable
from pathlib import Path

import msgspec

from trainer_core.errors import from_os_error
from trainer_core.files import write_whole_file

MARKER = "trashed.json"
_log = logging.getLogger(__name__)


class Marker(msgspec.Struct, frozen=True, kw_only=True):
    """What the file holds."""

    trashed_s: float
    """Seconds since the epoch."""


def mark(folders: Iterable[Path], trashed_s: float) -> None:
    """Mark folders as thrown away, all or none; one that was removed by hand needs no mark.

    Raises:
        DiskFullError: There is no room.
        KnownError: A folder cannot be written.
    """
    data = msgspec.json.encode(Marker(trashed_s=trashed_s))
    done: list[Path] = []
    try:
        for folder in folders:
            if folder.is_dir():
                done.append(folder)
                write_whole_file(folder / MARKER, data)
    except OSError as error:
        unmark(done)
        raise from_os_error(error, "moving something to the trash") from error


def unmark(folders: Iterable[Path]) -> None:
    """Take the marks away; one that cannot be is logged: only a lost library would ask for it."""
    for folder in folders:
        try:
            (folder / MARKER).unlink(missing_ok=True)
        except OSError as error:
            if folder.exists():
                _log.warning("%s keeps its mark of the trash: %s", folder, error)


def marked_s(folder: Path) -> float | None:
    """When a folder was thrown away; None when it was not. A damaged mark counts as one of old."""
    try:
        data = (folder / MARKER).read_bytes()
    except OSError:
        return None
    with contextlib.suppress(msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        return msgspec.json.decode(data, type=Marker).trashed_s
    return 0.0

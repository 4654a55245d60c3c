"""The folder that an export becomes: written beside its place, then moved there whole."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from trainer_core.errors import KnownError, from_os_error
from trainer_core.files import whole_folder

MARKER = "hearth_export.json"
MARKER_VERSION = 1


class Marker(msgspec.Struct, frozen=True, kw_only=True):
    """Says that a folder is an export of ours, and which files of it we wrote."""

    version: int = MARKER_VERSION
    hearth: str
    run: str
    step: int
    files: tuple[str, ...]


def files_in(folder: Path) -> tuple[str, ...]:
    """Every file below a folder, relative to it, with forward slashes."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir())
    return tuple(sorted(path.as_posix() for path in found))


def _refused(destination: Path, why: str) -> KnownError:
    return KnownError(
        f"{destination} already exists and {why}.",
        safe="Nothing in it was changed.",
        do="Choose a new folder for the export, or move what is there.",
        field="destination",
    )


def check_destination(destination: Path) -> None:
    """Make sure that an export may take this place: nothing there, or an export and nothing else.

    Raises:
        KnownError: Something of the user's own stands there.
    """
    if destination.is_symlink() or (destination.exists() and not destination.is_dir()):
        raise _refused(destination, "is not a folder")
    if not destination.exists() or not any(destination.iterdir()):
        return
    try:
        marker = msgspec.json.decode((destination / MARKER).read_bytes(), type=Marker)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        raise _refused(destination, "is not an export of Hearth") from None
    added = sorted(set(files_in(destination)) - {*marker.files, MARKER})
    if added:
        raise _refused(destination, f"holds files that no export wrote, such as {added[0]}")


@contextlib.contextmanager
def whole_or_absent(destination: Path) -> Iterator[Path]:
    """Give an empty folder to write into; it becomes the destination when the block ends well.

    Raises:
        KnownError: The destination is taken, or the disk is full or cannot be written; what stood
            there before is as it was.
    """
    try:
        with whole_folder(destination, check_destination) as draft:
            yield draft
    except OSError as error:
        raise from_os_error(error, "writing the export") from None


def write_marker(folder: Path, *, hearth: str, run: str, step: int) -> None:
    """Leave the marker in a finished draft.

    Raises:
        OSError: The disk is full or gone.
    """
    marker = Marker(hearth=hearth, run=run, step=step, files=files_in(folder))
    (folder / MARKER).write_bytes(msgspec.json.format(msgspec.json.encode(marker), indent=1))

"""Errors that a user can act on, told apart from bugs by their type."""

from __future__ import annotations

import errno
from enum import IntEnum


class ExitCode(IntEnum):
    """What a `hearth-core` process returns to its parent.

    `STOPPED` does not exist on purpose: a job that was asked to stop and saved its work succeeded.
    """

    OK = 0
    BUG = 1
    USAGE = 2
    KNOWN_ERROR = 3
    LOCKED = 4
    DISK_FULL = 5


class KnownError(Exception):
    """A failure with a cause outside the program.

    Args:
        what: What happened, one sentence.
        safe: What is unharmed, one sentence.
        do: What the user can do now, one sentence.
        field: Path of the setting at fault, such as `model.n_head`, or an empty string.
    """

    exit_code = ExitCode.KNOWN_ERROR

    def __init__(self, what: str, *, safe: str = "", do: str = "", field: str = "") -> None:
        super().__init__(" ".join(part for part in (what, safe, do) if part))
        self.what = what
        self.safe = safe
        self.do = do
        self.field = field


class SpecError(KnownError):
    """A setting is missing, of the wrong type, out of range or at odds with another."""

    exit_code = ExitCode.USAGE


class DataError(KnownError):
    """A source, a tokenizer or a corpus cannot be used."""


class IndexFileError(KnownError):
    """An index is absent, damaged or belongs to another corpus or tokenizer."""


class CheckpointError(KnownError):
    """A checkpoint is absent, damaged or of another shape."""


class JobFolderError(KnownError):
    """A job folder is damaged, incomplete or written by a newer version."""


class ProtocolError(KnownError):
    """A peer on the job's socket sent something that the protocol does not allow."""


class LockedError(KnownError):
    """Another process works in this job folder."""

    exit_code = ExitCode.LOCKED


class DiskFullError(KnownError):
    """There was no room to write; what was there before is unharmed."""

    exit_code = ExitCode.DISK_FULL


def from_os_error(error: OSError, doing: str) -> KnownError:
    """The known error behind an `OSError`.

    Args:
        error: What the operating system said.
        doing: What was being done, such as "writing the corpus".

    Returns:
        `DiskFullError` for a full disk or an exhausted quota, else a plain `KnownError`.
    """
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFullError(
            f"The disk is full: {doing} stopped{where}.",
            safe="Everything saved before is whole.",
            do="Free some space, then start this again.",
        )
    return KnownError(
        f"{doing[:1].upper()}{doing[1:]} failed: {error.strerror or error}{where}.",
        safe="Everything saved before is whole.",
        do="Check the path, the permissions and the drive, then try again.",
    )

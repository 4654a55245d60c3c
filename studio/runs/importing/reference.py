"""What a folder of imported curves says of itself: its origin, and what is known of the model."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

from pathlib import Path
from typing import Literal

import msgspec

from trainer_core.errors import JobFolderError

REFERENCE_FILE = "reference.json"
VERSION = 1
VERB = "import"
"""In the journal, in place of the verb of a job."""


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """Where curves came from. None and empty texts are not known."""

    version: int = VERSION
    program: str
    """Whose format it was."""
    file: str
    """Name of the log, without its folder."""
    sha256: str
    """Of the log as it was read; of all its files one after the other."""
    size_bytes: int
    imported_s: float
    parameters: int | None = None
    tokens_per_step: int | None = None
    tokenizer: str = ""
    """Fingerprint of a tokenizer that is known here; losses per token compare with its runs."""
    tokenizer_name: str = ""
    bytes_per_token: float | None = None
    """Of the held-out text; turns losses into bits per byte."""
    losses: Literal["nats", "bits"] = "nats"
    """What the log counted losses in; they are kept in nats."""
    has_time: bool = False
    """Whether the log told any times."""
    notes: tuple[str, ...] = ()

    @property
    def flops_per_token(self) -> float | None:
        """Arithmetic for one token, 6 N: its shape, and so the part of attention, is not known.

        Source: Kaplan et al., "Scaling Laws for Neural Language Models", 2020, section 2.1.
        """
        return None if self.parameters is None else 6.0 * self.parameters


def read_reference(folder: Path) -> Reference | None:
    """What a run's folder says; None where it holds a training of Hearth's own.

    Raises:
        JobFolderError: It cannot be read, or a newer version wrote it.
    """
    path = folder / REFERENCE_FILE
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(path) from error
    try:
        found = msgspec.json.decode(data, type=Reference)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _unreadable(path) from error
    if found.version > VERSION:
        raise JobFolderError(
            f"{path} was written by a newer version of Hearth.",
            safe="Nothing was changed.",
            do="Update Hearth to open it.",
        )
    return found


def _unreadable(path: Path) -> JobFolderError:
    return JobFolderError(
        f"{path} cannot be read.",
        safe="The log that it was made from is untouched.",
        do="Import the log again.",
    )

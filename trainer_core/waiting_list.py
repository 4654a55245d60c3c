"""The trainings that wait for each other: `queue.json` in the folder of the queue's job.

The file, not the database, says what waits in which order: the queue goes on while no studio runs.
The studio writes it whole, the queue's process only reads it. What was started stands in the
journal of the queue (`ChildStarted` whose `name` is the entry's), what became of it in its folder.
An entry that was begun or gone on with since it was added is done, whoever started it. Why the
others wait stands beside the list, in `queue_reasons.json`.
"""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

from collections.abc import Mapping
from pathlib import Path

import msgspec

from trainer_core.errors import JobFolderError
from trainer_core.files import write_whole_file

QUEUE_FILE = "queue.json"
REASONS_FILE = "queue_reasons.json"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A training that waits; its conditions stand in the manners of its folder."""

    id: str
    """Unique in this list, also among those that have left it."""
    folder: str
    """Its job folder, absolute, with its spec frozen."""
    added_s: float = 0.0


class WaitingList(msgspec.Struct, frozen=True, kw_only=True):
    """All of them, the next first."""

    entries: tuple[Entry, ...] = ()
    held: bool = False
    """Whether nothing is started for now."""


def read_waiting_list(folder: Path) -> WaitingList:
    """The list in a queue's job folder; empty where there is none.

    Raises:
        JobFolderError: It is damaged.
    """
    path = folder / QUEUE_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=WaitingList)
    except FileNotFoundError:
        return WaitingList()
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise JobFolderError(
            f"{path} cannot be read: {error}.",
            safe="The trainings themselves are not touched.",
            do="Remove it and put the trainings into the queue again.",
        ) from None


def write_waiting_list(folder: Path, waiting: WaitingList) -> None:
    """Write the list in one step.

    Raises:
        OSError: It cannot be written.
    """
    write_whole_file(folder / QUEUE_FILE, msgspec.json.encode(waiting))


def read_reasons(folder: Path) -> dict[str, str]:
    """Why each entry waits, in words, by its id; empty where no queue is at work."""
    try:
        return msgspec.json.decode((folder / REASONS_FILE).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return {}


def write_reasons(folder: Path, reasons: Mapping[str, str]) -> None:
    """Write why each entry waits, in one step; for the queue alone.

    Raises:
        OSError: It cannot be written.
    """
    write_whole_file(folder / REASONS_FILE, msgspec.json.encode(dict(reasons)))

"""The queue's folder as the studio writes and reads it: who waits, in which order, and why.

Free of Qt. Functions here touch the disk: call them in one thread, the library's, so that no two of
them change the list at once.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from studio.storage.markers import MARKER
from studio.storage.rows import RunRow
from trainer_core import spec as specs
from trainer_core.errors import KnownError, from_os_error
from trainer_core.files import write_whole_file
from trainer_core.manners import Conditions, Manners, read_manners, write_manners
from trainer_core.spawn import read_launch
from trainer_core.spec import QueueSpec
from trainer_core.status import SPEC_FILE, read_status
from trainer_core.waiting_list import (
    Entry,
    WaitingList,
    read_reasons,
    read_waiting_list,
    write_waiting_list,
)

QUEUE_FOLDER = "queue"
PARENTS = ("runs", "tour", "rules")
"""Folders of the home where trainings may be at work."""
_IN_TURN = "it waits for its turn"
"""What the queue's process says of those that nothing keeps but the ones before them."""


@dataclass(frozen=True)
class Queued:
    """A training that waits.

    Args:
        id: Of its entry.
        folder: Its job folder.
        run: What the library knows of it; None where it knows nothing.
        conditions: When it would hold.
        missing: Whether its folder is gone.
    """

    id: str
    folder: Path
    run: RunRow | None
    conditions: Conditions = field(default_factory=Conditions)
    missing: bool = False
    why: str = ""
    """What the queue's process says; empty where it has not said."""

    @property
    def name(self) -> str:
        """As people call it."""
        return self.run.name if self.run is not None else self.folder.name


@dataclass(frozen=True)
class QueueFacts:
    """The queue at one moment."""

    entries: tuple[Queued, ...] = ()
    held: bool = False
    """Whether nothing is started for now, because the user said so."""
    alive: bool = False
    """Whether its process is there."""
    problem: str = ""
    """Why the process has failed."""


def queue_folder(home: Path) -> Path:
    """The job folder of the queue of a home."""
    return home / QUEUE_FOLDER


def enqueue(home: Path, folders: Sequence[Path]) -> None:
    """Put trainings at the end of the queue; those that wait already keep their place.

    Args:
        home: The data home.
        folders: Their job folders, with their specs frozen.

    Raises:
        KnownError: A folder holds no job, the list is damaged, or it cannot be written.
    """
    waiting = read_waiting_list(queue_folder(home))
    entries = [entry for entry in waiting.entries if not _was_begun(entry)]
    present = {entry.folder for entry in entries}
    for folder in dict.fromkeys(str(folder.absolute()) for folder in folders):
        if not (Path(folder) / SPEC_FILE).exists():
            raise KnownError(
                f"{folder} holds no job.",
                safe="The queue is as it was.",
                do="Put its folder back, or begin a new run.",
            )
        if folder not in present:
            entries.append(Entry(id=uuid.uuid4().hex, folder=folder, added_s=time.time()))
    _write(home, msgspec.structs.replace(waiting, entries=tuple(entries)))


def remove(home: Path, ids: Sequence[str]) -> None:
    """Take entries out of the queue; the trainings themselves are not touched.

    Raises:
        KnownError: The list is damaged or cannot be written.
    """
    waiting = read_waiting_list(queue_folder(home))
    left = tuple(entry for entry in waiting.entries if entry.id not in set(ids))
    _write(home, msgspec.structs.replace(waiting, entries=left))


def put_back(home: Path, entries: Sequence[Entry]) -> None:
    """Have exactly these entries wait, as they did before; what is new stays behind them.

    Raises:
        KnownError: The list is damaged or cannot be written.
    """
    waiting = read_waiting_list(queue_folder(home))
    known = {entry.id for entry in entries}
    new = [entry for entry in waiting.entries if entry.id not in known]
    _write(home, msgspec.structs.replace(waiting, entries=(*entries, *new)))


def move(home: Path, entry_id: str, to: int) -> None:
    """Give an entry another place; places count from 0 among those that wait.

    Raises:
        KnownError: The list is damaged or cannot be written.
    """
    waiting = read_waiting_list(queue_folder(home))
    entries = [entry for entry in waiting.entries if not _was_begun(entry)]
    moved = next((entry for entry in entries if entry.id == entry_id), None)
    if moved is None:
        return  # it has just been started
    entries.remove(moved)
    entries.insert(max(0, min(to, len(entries))), moved)
    _write(home, msgspec.structs.replace(waiting, entries=tuple(entries)))


def set_held(home: Path, held: bool) -> None:
    """Start nothing for now, or go on.

    Raises:
        KnownError: The list is damaged or cannot be written.
    """
    waiting = read_waiting_list(queue_folder(home))
    _write(home, msgspec.structs.replace(waiting, held=held))


def set_conditions(folder: Path, conditions: Conditions) -> None:
    """Have a training hold by other conditions, whether it waits, works or rests.

    Raises:
        KnownError: It cannot be written.
    """
    change_manners(folder, conditions=conditions)


def change_manners(folder: Path, **changes: object) -> Manners:
    """Change some of a job's manners; nothing is written where they are so already.

    Raises:
        KnownError: They cannot be written.
    """
    before = read_manners(folder)
    manners = msgspec.structs.replace(before, **changes)
    if manners != before:
        try:
            write_manners(folder, manners)
        except OSError as error:
            raise from_os_error(error, "writing what the training minds") from error
    return manners


def entries_of(home: Path) -> tuple[Entry, ...]:
    """The entries that wait, the next first.

    Raises:
        KnownError: The list is damaged.
    """
    waiting = read_waiting_list(queue_folder(home))
    return tuple(entry for entry in waiting.entries if not _was_begun(entry))


def read_queue(home: Path, runs: Sequence[RunRow], *, tidy: bool = True) -> QueueFacts:
    """Look at the queue.

    Args:
        home: The data home.
        runs: Those that the library knows.
        tidy: Take what was started out of the list.

    Raises:
        KnownError: The list is damaged, or cannot be written.
    """
    folder = queue_folder(home)
    waiting = read_waiting_list(folder)
    left = entries_of(home)
    if tidy and len(left) != len(waiting.entries):
        _write(home, msgspec.structs.replace(waiting, entries=left))
    known = {str(run.folder): run for run in runs}
    status = read_status(folder)
    reasons = read_reasons(folder) if status.alive else {}
    return QueueFacts(
        entries=tuple(_queued(e, known.get(e.folder), reasons.get(e.id, "")) for e in left),
        held=waiting.held,
        alive=status.alive,
        problem=status.ended.what if status.ended is not None and status.state == "failed" else "",
    )


def open_queue_folder(home: Path) -> Path:
    """Make the queue's job folder, or bring its spec up to date where the home has moved.

    Raises:
        KnownError: It cannot be written.
    """
    folder = queue_folder(home)
    spec = QueueSpec(runs=tuple(str(home / parent) for parent in PARENTS))
    path = folder / SPEC_FILE
    try:
        with contextlib.suppress(KnownError):
            if path.exists() and specs.load(path) == spec:
                return folder
        folder.mkdir(parents=True, exist_ok=True)
        write_whole_file(path, specs.to_toml(spec).encode())
    except OSError as error:
        raise from_os_error(error, "writing the queue") from error
    return folder


def why_words(facts: QueueFacts, place: int) -> str:
    """Why an entry waits, in a few words; places count from 0."""
    entry = facts.entries[place]
    if entry.missing:
        return "its folder is gone; it is passed over"
    if facts.held:
        return "the queue is on hold"
    if entry.why and entry.why != _IN_TURN:
        return entry.why
    if place:
        return f"comes after {facts.entries[place - 1].name}"
    return "begins in a moment"


# --- parts ---------------------------------------------------------------------------------------


def _queued(entry: Entry, run: RunRow | None, why: str) -> Queued:
    folder = Path(entry.folder)
    missing = not (folder / SPEC_FILE).exists() or (folder / MARKER).exists()
    conditions = Conditions() if missing else read_manners(folder).conditions
    return Queued(entry.id, folder, run, conditions, missing, why)


def _was_begun(entry: Entry) -> bool:
    """Whether the queue or a person has started the training since it was put into the queue."""
    folder = Path(entry.folder)
    launch = read_launch(folder)
    if launch is not None and launch.time_s >= entry.added_s:
        return True
    with contextlib.suppress(KnownError):
        return read_status(folder).started_s >= entry.added_s
    return False


def _write(home: Path, waiting: WaitingList) -> None:
    folder = queue_folder(home)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_waiting_list(folder, waiting)
    except OSError as error:
        raise from_os_error(error, "writing the queue") from error

"""Which training has the computer at the moment, and whether one has begun since it was queued."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil

from trainer_core import spec as specs
from trainer_core.errors import KnownError
from trainer_core.manners import read_manners
from trainer_core.protocol.address import OWNER_FILE, Owner, read_owner
from trainer_core.spawn import LAUNCH_FILE, read_launch
from trainer_core.status import JOURNAL_FILE, SPEC_FILE, read_status
from trainer_core.waiting_list import Entry

HEAVY_VERBS = frozenset({"train", "tour", "rules", "probe"})
"""What keeps a training waiting: two at once are slower than one after the other."""

_TRASH_MARK = "trashed.json"


def name_of(folder: Path) -> str:
    """What people call the job of a folder."""
    return read_manners(folder).title or folder.name


class Computer:
    """Looks for trainings at work in some folders, whoever started them.

    Args:
        folders: Each holds job folders.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = tuple(folders)
        self._last: Path | None = None
        self._gone: dict[Path, tuple[int, int]] = {}

    def at_work(self, others: Iterable[Path] = ()) -> Path | None:
        """The job folder of one that is at work, or None.

        Args:
            others: Job folders that may lie elsewhere.
        """
        last = [self._last] if self._last is not None else []
        for folder in (*last, *others, *self._jobs()):
            if self._is_at_work(folder):
                self._last = folder
                return folder
        self._last = None
        return None

    def _jobs(self) -> Iterator[Path]:
        for parent in self._folders:
            with contextlib.suppress(OSError), os.scandir(parent) as found:
                yield from (Path(entry.path) for entry in found if entry.is_dir())

    def _is_at_work(self, folder: Path) -> bool:
        """Thousands are looked at every few seconds: what was gone once, and has not changed, is
        gone.
        """
        stamp = _changed_ns(folder / LAUNCH_FILE), _changed_ns(folder / OWNER_FILE)
        if self._gone.get(folder) == stamp:
            return False
        if is_alive(folder):
            return _is_heavy(folder)
        self._gone[folder] = stamp
        return False


def _changed_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _is_heavy(folder: Path) -> bool:
    try:
        return specs.verb_of(specs.load(folder / SPEC_FILE)) in HEAVY_VERBS
    except (KnownError, OSError):
        return True


def is_alive(folder: Path) -> bool:
    """Whether a process of this computer works on a job, up to its very end.

    Unlike `spawn.process_of` this one counts a process that has said its last word: the memory of
    the GPU is free only when it has gone.
    """
    launch = read_launch(folder)
    owners = (read_owner(folder), launch.process if launch is not None else None)
    return any(owner is not None and _is_here(owner) for owner in owners)


def _is_here(owner: Owner) -> bool:
    return owner.host == socket.gethostname() and owner.alive


def is_starting(folder: Path) -> bool:
    """Whether a process was just started for a job and has not been able to say so.

    Whoever started it may have died before it could leave a note.
    """
    wanted = ["run", str(folder)]
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if command[-2:] == wanted:
            return True
    return False


def is_thrown_away(folder: Path) -> bool:
    """Whether a job lies in the trash of the studio."""
    return (folder / _TRASH_MARK).exists()


class Begun:
    """Tells whether a job was begun, or gone on with, since it was put into the queue."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[int, int], bool]] = {}

    def __call__(self, entry: Entry) -> bool:
        """Whether somebody has started this one, be it the queue or a person.

        Raises:
            JobFolderError: Its journal cannot be read.
        """
        folder = Path(entry.folder)
        launch = read_launch(folder)
        if launch is not None and launch.time_s >= entry.added_s:
            return True
        try:
            found = (folder / JOURNAL_FILE).stat()
        except OSError:
            return False
        stamp = found.st_mtime_ns, found.st_size
        known = self._known.get(entry.id)
        if known is None or known[0] != stamp:
            began = read_status(folder).started_s >= entry.added_s
            self._known[entry.id] = known = (stamp, began)
        return known[1]

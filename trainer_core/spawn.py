"""Starting a job as a process of its own, and finding the process that works on one.

Whoever starts a job leaves a note of it in the job folder: a process that dies before it can write
its journal (a broken installation, say) is told by it from one that never was.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import psutil

import trainer_core
from trainer_core.errors import JobFolderError, LockedError, from_os_error
from trainer_core.files import write_whole_file
from trainer_core.protocol.address import Owner, read_owner
from trainer_core.status import LOG_FILE, SPEC_FILE, read_status

LAUNCH_FILE = "launch.json"
CORE = (sys.executable, "-P", "-m", "trainer_core")
"""-P: a file in the current folder must not take the place of a module."""


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """A process that was started for a job folder."""

    time_s: float
    process: Owner

    @property
    def alive(self) -> bool:
        """Whether that very process still runs."""
        return self.process.alive


def write_launch(folder: Path, pid: int, time_s: float) -> None:
    """Note that a process was just started for this folder.

    Args:
        folder: The job folder.
        pid: The new process.
        time_s: A moment before it was started: whatever it writes is later.

    Raises:
        OSError: The folder cannot be written.
    """
    try:
        create_time = psutil.Process(pid).create_time()
    except psutil.Error:
        create_time = time.time()  # gone already
    owner = Owner(pid=pid, create_time=create_time, host=socket.gethostname(), address="")
    launch = Launch(time_s=time_s, process=owner)
    write_whole_file(folder / LAUNCH_FILE, msgspec.json.encode(launch))


def read_launch(folder: Path) -> Launch | None:
    """The last process that was started here, or None."""
    try:
        return msgspec.json.decode((folder / LAUNCH_FILE).read_bytes(), type=Launch)
    except (OSError, msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def start_job(
    folder: Path, command: Sequence[str] = CORE
) -> tuple[subprocess.Popen[bytes], OSError | None]:
    """Start the process of a job, or of one that goes on where it stopped.

    It runs in a session of its own, so that it outlives whoever starts it; what it says goes to its
    log.

    Args:
        folder: The job folder, with its spec frozen.
        command: What `run FOLDER` is appended to.

    Returns:
        The process, and why no note of it could be left; the job says itself what it lacks then.

    Raises:
        JobFolderError: The folder holds no job, or its journal cannot be read.
        LockedError: A process works in it already.
        KnownError: The process cannot be started.
    """
    folder = folder.absolute()
    if not (folder / SPEC_FILE).exists():
        raise JobFolderError(
            f"{folder} holds no job.",
            safe="Nothing was started.",
            do="Put its folder back, or begin a new job.",
        )
    if process_of(folder) is not None:
        raise LockedError(
            f"A process works in {folder} already.",
            safe="It goes on.",
            do="Watch it, or stop it first.",
        )
    began_s = time.time()
    try:
        with (folder / LOG_FILE).open("ab") as log:
            child = _spawn([*command, "run", str(folder)], folder, log.fileno())
    except OSError as error:
        raise from_os_error(error, "starting the job") from error
    try:
        write_launch(folder, child.pid, began_s)
    except OSError as error:
        return child, error
    return child, None


def _spawn(command: list[str], folder: Path, log: int) -> subprocess.Popen[bytes]:
    """Start a command, free of this process's session and files."""
    environment = dict(os.environ)
    source = str(Path(trainer_core.__file__).parents[1])
    others = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = os.pathsep.join([source, others] if others else [source])
    environment["PYTHONUNBUFFERED"] = environment["PYTHONFAULTHANDLER"] = "1"
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.DETACHED_PROCESS
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        creationflags=flags,
        start_new_session=sys.platform != "win32",
    )


def process_of(folder: Path) -> Owner | None:
    """The process at work in a folder: the one that took it, or one that was just started.

    One that has written its last record is on its way out and does not count.

    Raises:
        LockedError: It runs on another computer, out of reach.
        JobFolderError: The journal is damaged at its head or of a newer version.
    """
    owner = read_owner(folder)
    if owner is not None and owner.alive and not _has_ended(folder, owner):
        if owner.host != socket.gethostname():
            raise LockedError(
                f"This job runs on {owner.host}.",
                safe="It goes on.",
                do="Stop it on that computer.",
            )
        return owner
    launch = read_launch(folder)
    if launch is None or not launch.alive:
        return None
    status = read_status(folder)
    return launch.process if status.started_s < launch.time_s or status.ended is None else None


def _has_ended(folder: Path, owner: Owner) -> bool:
    status = read_status(folder)
    return status.ended is not None and status.pid == owner.pid

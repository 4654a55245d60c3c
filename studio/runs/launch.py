"""What the studio leaves in a job folder when it starts a process there.

A process that dies before it can write its journal (a broken installation, say) is told from one
that never was by this record.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from pathlib import Path

import msgspec
import psutil

from trainer_core.files import write_whole_file
from trainer_core.protocol import Owner
from trainer_core.status import LOG_FILE

LAUNCH_FILE = "launch.json"
_LOG_TAIL_BYTES = 16_384


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
    """The last process that a studio started here, or None."""
    try:
        return msgspec.json.decode((folder / LAUNCH_FILE).read_bytes(), type=Launch)
    except (OSError, msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def log_tail(folder: Path) -> str:
    """The end of the job's log, at most 16 KiB; empty when there is none."""
    with contextlib.suppress(OSError), (folder / LOG_FILE).open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - _LOG_TAIL_BYTES))
        return file.read().decode("utf-8", "replace").strip()
    return ""

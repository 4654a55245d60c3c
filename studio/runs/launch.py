"""What a job's process said on its way, for people; what started it is `trainer_core.spawn`."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from trainer_core.spawn import LAUNCH_FILE, Launch, read_launch, write_launch
from trainer_core.status import LOG_FILE

__all__ = ["LAUNCH_FILE", "Launch", "log_tail", "read_launch", "write_launch"]

_LOG_TAIL_BYTES = 16_384


def log_tail(folder: Path) -> str:
    """The end of the job's log, at most 16 KiB; empty when there is none."""
    with contextlib.suppress(OSError), (folder / LOG_FILE).open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - _LOG_TAIL_BYTES))
        return file.read().decode("utf-8", "replace").strip()
    return ""

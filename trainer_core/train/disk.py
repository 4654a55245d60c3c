"""Looks ahead to when the disk is full: it tells before it is, and no work is lost when it is."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from trainer_core.checkpoint_plan import CheckpointSize
from trainer_core.metrics import STEP_DTYPE, SYSTEM_DTYPE
from trainer_core.spec import TrainSpec
from trainer_core.status import CHECKPOINTS_FOLDER

if TYPE_CHECKING:
    from trainer_core.job import Job

LOOK_S = 30.0
"""How often to compare what is free with what is to come."""
SPARE_BYTES = 64 << 10
"""Left for journals and logs between two checkpoints."""
UNSURE = 1.02
"""Sizes of checkpoints are known to within 1 %."""
FEW = 2
"""With room for fewer further checkpoints than this the disk is nearly full."""


class DiskForecast:
    """What a training is still going to write, against what the disk has left.

    Args:
        job: Where it writes and tells.
        spec: What it keeps.
        size: Of one checkpoint.
    """

    def __init__(self, job: Job, spec: TrainSpec, size: CheckpointSize) -> None:
        self._job, self._spec, self.size = job, spec, size
        self._looked_s: float | None = None
        self._told_fills = self._told_few = False

    def look(self, step: int, steps: int, elapsed_s: float) -> None:
        """Compare, every half a minute, and tell once what is in view; cheap enough to call often.

        Args:
            step: The last one.
            steps: The run's length.
            elapsed_s: Active training time of those done.
        """
        now = time.monotonic()
        if self._looked_s is not None and now - self._looked_s < LOOK_S:
            return
        self._looked_s = now
        free = _free_bytes(self._job.folder)
        if free is None:
            return
        each = self._each_bytes
        written = _size_of(self._job.folder / CHECKPOINTS_FOLDER)
        most = self.size.most_on_disk(self._spec)
        to_come = max(0, most - written) + self._log_bytes(step, steps, elapsed_s)
        if free < each * FEW + SPARE_BYTES:
            self._tell_few(step, free)
        elif free < to_come:
            self._tell_fills(step, free, to_come)
        else:
            self._told_fills = self._told_few = False

    @property
    def _each_bytes(self) -> int:
        """What one checkpoint takes at the most."""
        return int(UNSURE * self.size.resumable)

    def lack(self) -> str | None:
        """Why the next checkpoint cannot be written, or None where it can."""
        free, needed = _free_bytes(self._job.folder), self._each_bytes + SPARE_BYTES
        if free is None or free >= needed:
            return None
        return (
            f"the disk has no room for the next checkpoint: {_megabytes(needed)} are needed and"
            f" {_megabytes(free)} are free"
        )

    def _log_bytes(self, step: int, steps: int, elapsed_s: float) -> int:
        """What the step log and the one of the system are still to grow by."""
        left = max(0, steps - step)
        seconds = left * elapsed_s / step if step else 0.0
        return int(left * STEP_DTYPE.itemsize + seconds * SYSTEM_DTYPE.itemsize)

    def _tell_fills(self, step: int, free: int, to_come: int) -> None:
        if self._told_fills:
            return
        self._told_fills = True
        self._job.note(
            "warning",
            "The disk may fill up",
            f"The checkpoints and logs of this run still grow by up to {_megabytes(to_come)}, and"
            f" {_megabytes(free)} are free. Free some space, or keep fewer checkpoints.",
            step,
        )

    def _tell_few(self, step: int, free: int) -> None:
        if self._told_few:
            return
        self._told_fills = self._told_few = True
        self._job.note(
            "error",
            "The disk is nearly full",
            f"{_megabytes(free)} are free, and a checkpoint takes"
            f" {_megabytes(self.size.resumable)}. When the next one has no room the training"
            " waits, with nothing lost, and goes on by itself once there is some: free it.",
            step,
        )


def _free_bytes(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:  # a drive that went away is told of by whoever writes to it
        return None


def _size_of(folder: Path) -> int:
    """Bytes of the files below a folder; what goes while it is counted counts nothing."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total


def _megabytes(size_bytes: int) -> str:
    if size_bytes >= 10**10:
        return f"{size_bytes / 1e9:,.0f} GB"
    return f"{size_bytes / 1e6:,.0f} MB" if size_bytes >= 10**7 else f"{size_bytes / 1e6:,.1f} MB"

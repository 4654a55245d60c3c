"""Writes checkpoints in a thread while the training goes on, and tells how that went."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Literal

import psutil
import torch

from trainer_core import records
from trainer_core.errors import KnownError, from_os_error
from trainer_core.job import Job
from trainer_core.metrics import StepLog
from trainer_core.spec import CheckpointConfig
from trainer_core.train.checkpoints.checkpoint import Checkpoint
from trainer_core.train.checkpoints.folders import best_step
from trainer_core.train.checkpoints.retention import retire_checkpoints, thin_checkpoints, way_back
from trainer_core.train.checkpoints.saving import save_checkpoint
from trainer_core.train.checkpoints.snapshot import Snapshot, SnapshotMemory
from trainer_core.train.guard import Calm

Reason = Literal["schedule", "best", "asked", "hold", "pause", "stop", "end"]
MUST_SAVE: frozenset[Reason] = frozenset({"pause", "stop", "end"})
"""Reasons to save after which the process ends: failing then is an error, not a warning."""
_SPARE_BYTES = 256 << 20
"""Memory that a copy leaves to the rest of the computer."""


@dataclass(frozen=True)
class SaveOrder:
    """What to save and why.

    Attributes:
        snapshot: Of the training as it is now.
        reason: Why.
        calm: Until when all was well; what may have to be gone back to is kept.
        began_s: When the training stopped for it, by `time.perf_counter`.
    """

    snapshot: Snapshot
    reason: Reason
    calm: Calm
    began_s: float

    @property
    def step(self) -> int:
        """The step that is saved."""
        return self.snapshot.state.step


class BackgroundSaver:
    """Saves one checkpoint at a time; the next one waits until the last is whole on disk.

    The training stands still while the weights and the optimizer are copied, and again only when
    the process is to end after the checkpoint, or when there is no memory for the copy.

    Args:
        job: Where to save and to tell.
        log: The step log, which reaches the disk before the checkpoint.
        config: What to keep.
    """

    def __init__(self, job: Job, log: StepLog, config: CheckpointConfig) -> None:
        self._job, self._log, self._config = job, log, config
        self.has_failed = False
        """Whether the last checkpoint could not be written."""
        self._memory = SnapshotMemory()
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    def save(self, order: SaveOrder) -> bool:
        """Save a snapshot; returns as soon as it may be changed again.

        Returns:
            Whether it is on the disk or on its way there.

        Raises:
            KnownError: The process ends after this checkpoint, and the disk is full or gone.
        """
        self.wait()
        waits = order.reason in MUST_SAVE or order.reason == "hold"
        copied = None if waits else self._copied(order.snapshot)
        if copied is None:
            return self._write(order, blocked_s=None)
        snapshot, ready = copied
        order = SaveOrder(snapshot, order.reason, order.calm, order.began_s)
        blocked_s = time.perf_counter() - order.began_s
        self._thread = threading.Thread(
            target=self._in_background, args=(order, blocked_s, ready), name="checkpoint"
        )
        self._thread.start()
        return True

    def wait(self) -> None:
        """Wait until the last checkpoint is on the disk, or has failed to get there.

        Raises:
            BaseException: What nobody expected to go wrong in the thread.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _copied(self, snapshot: Snapshot) -> tuple[Snapshot, torch.cuda.Event | None] | None:
        needed = self._memory.missing_bytes(snapshot)
        if needed and psutil.virtual_memory().available < needed + _SPARE_BYTES:
            return None
        try:
            return self._memory.copy(snapshot)
        except RuntimeError:  # out of memory after all, or of what can be page-locked
            self._memory = SnapshotMemory()
            return None

    def _in_background(
        self, order: SaveOrder, blocked_s: float, ready: torch.cuda.Event | None
    ) -> None:
        try:
            if ready is not None:
                ready.synchronize()
            self._write(order, blocked_s)
        except BaseException as error:  # noqa: BLE001 - handed over to the loop, which raises it
            self._failure = error

    def _write(self, order: SaveOrder, blocked_s: float | None) -> bool:
        """Write, tell, and tidy; whether it was written. None: the training waits for all of it."""
        try:
            self._log.sync()
            saved = save_checkpoint(self._job.folder, order.snapshot)
        except OSError as error:
            self.has_failed = True
            self._tell_failure(order, from_os_error(error, "saving the checkpoint"))
            return False
        self.has_failed = False
        seconds = time.perf_counter() - order.began_s
        self._tell_saved(saved, order.reason, seconds, seconds if blocked_s is None else blocked_s)
        self._tidy(order)
        return True

    def _tell_failure(self, order: SaveOrder, problem: KnownError) -> None:
        if order.reason in MUST_SAVE:
            raise problem from None
        text = f"{problem} The training goes on."
        self._job.note("error", "Checkpoint not saved", text, order.step)

    def _tell_saved(
        self, saved: Checkpoint, reason: Reason, seconds: float, blocked_s: float
    ) -> None:
        self._job.record(
            records.CheckpointSaved(
                step=saved.step,
                folder=saved.folder.relative_to(self._job.folder).as_posix(),
                size_bytes=saved.size_bytes,
                seconds=seconds,
                blocked_s=blocked_s,
                val_loss=saved.manifest.val_loss,
                best=best_step(self._job.folder) == saved.step,
                reason=reason,
            )
        )

    def _tidy(self, order: SaveOrder) -> None:
        folder, config = self._job.folder, self._config
        back = way_back(folder, order.calm)
        try:
            for gone in retire_checkpoints(folder, config, back):
                self._job.record(records.CheckpointRemoved(step=gone))
            for step, size_bytes in thin_checkpoints(folder, config.resumable, back).items():
                self._job.record(records.CheckpointThinned(step=step, size_bytes=size_bytes))
        except OSError as error:
            text = str(from_os_error(error, "removing old checkpoints"))
            self._job.note("warning", "Old checkpoints not removed", text, order.step)

"""Jobs that serve a view alone: each has a folder of its own, removed once the job is over."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.context import Context
from studio.runs.model import JobModel
from studio.runs.supervisor import Supervisor
from trainer_core.errors import KnownError
from trainer_core.records import END_STATES
from trainer_core.spec import JobSpec
from trainer_core.status import read_status


@dataclass(eq=False)
class _Started:
    """A job on its way; `folder` is None until its process was started."""

    folder: Path | None = None
    dropped: bool = False


class PassingJob(QObject):
    """Runs one such job at a time: a new one takes the place of the one before.

    Args:
        context: The studio.
        place: Name of the folder in the home that holds the jobs' folders.
        read: Gives what the view needs of a job that has finished, from its folder and its
            result; runs in a thread.
        owner: The view; nothing is told after it is gone.
        salvage: Read what a job that failed has left, too; where that can be read, it is told as
            if the job had finished.

    Signals:
        progressed (object): The job went on; carries its `JobStatus`.
        finished (object): The job has finished; carries what `read` gave.
        failed (object): There will be no result; carries a `KnownError`, or a bug.
    """

    progressed = Signal(object)
    finished = Signal(object)
    failed = Signal(object)

    def __init__(
        self,
        context: Context,
        place: str,
        read: Callable[[Path, dict[str, Any]], object],
        owner: QObject,
        *,
        salvage: bool = False,
    ) -> None:
        super().__init__(owner)
        self._context = context
        self._place = context.home / place
        self._read = read
        self._salvage = salvage
        self._job: _Started | None = None
        self._by_folder: dict[str, _Started] = {}
        self._swept = False
        context.watcher.job_updated.connect(self._on_job_updated)

    @property
    def is_open(self) -> bool:
        """Whether a result is waited for."""
        return self._job is not None

    def start(self, spec: JobSpec) -> None:
        """Start a job, and end the one before."""
        self.drop()
        job = self._job = _Started()
        self._context.tasks.run_op(
            lambda: self._launch(spec),
            lambda folder: self._follow(job, folder),
            lambda error: self._give_up(job, error),
            owner=self,
            lane="work",
        )

    def drop(self) -> None:
        """Nobody waits for the result any more: end the job, remove its folder."""
        job, self._job = self._job, None
        if job is not None:
            job.dropped = True
            self._end(job)

    def _end(self, job: _Started) -> None:
        """Stop a job; when its process is gone, its folder goes too."""
        folder = job.folder
        if folder is not None:
            self._context.tasks.follow(
                self._context.supervisor.stop(folder),
                lambda _how: self._forget(job),
                lambda _error: self._forget(job),
                owner=self,
            )

    def _launch(self, spec: JobSpec) -> Path:
        """Runs in a thread."""
        if not self._swept:
            self._swept = True
            remove_ended(self._place)
        return launch(self._context.supervisor, self._place, spec)

    def _follow(self, job: _Started, folder: Path) -> None:
        job.folder = folder
        self._by_folder[str(folder)] = job
        if job.dropped:
            self._end(job)
            return
        self._context.watcher.watch(folder, self)
        self._context.watcher.look_now(folder)

    def _give_up(self, job: _Started, error: Exception) -> None:
        if job is self._job:
            self._job = None
            self.failed.emit(error)

    def _on_job_updated(self, key: str) -> None:
        job = self._by_folder.get(key)
        model = self._context.watcher.model(Path(key)) if job is not None else None
        if job is None or job.dropped or model is None or not model.caught_up:
            return
        if model.alive:
            self.progressed.emit(model.status)
        elif model.state == "finished" or (self._salvage and model.state == "failed"):
            self._take(job, model)
        elif model.state in END_STATES or model.state == "killed":
            error = why_it_ended(model)
            self._forget(job)
            self._give_up(job, error)

    def _take(self, job: _Started, model: JobModel) -> None:
        """Read the result, then remove the folder."""
        folder = job.folder
        if folder is None or self._by_folder.pop(str(folder), None) is None:
            return

        def tell(result: object) -> None:
            self._forget(job)
            if job is self._job:
                self._job = None
                self.finished.emit(result)

        def refuse(error: Exception) -> None:
            self._forget(job)
            self._give_up(job, why_it_ended(model) if model.state == "failed" else error)

        read, status = self._read, model.status
        self._context.tasks.run_op(
            lambda: read(folder, status.result), tell, refuse, owner=self, lane="work"
        )

    def _forget(self, job: _Started) -> None:
        folder = job.folder
        if folder is not None:
            self._by_folder.pop(str(folder), None)
            self._context.watcher.unwatch(folder, self)
            self._context.tasks.run_op(lambda: _remove(folder), lane="work")


def launch(supervisor: Supervisor, place: Path, spec: JobSpec) -> Path:
    """Start a job in a new folder; returns the folder.

    Raises:
        KnownError: It cannot be started.
    """
    folder = place / f"job-{time.time_ns()}"
    supervisor.start(spec, folder)
    return folder


def remove_ended(place: Path) -> None:
    """Remove the folders of jobs whose studio was closed before they were over."""
    folders: list[Path] = []
    with contextlib.suppress(OSError):
        folders = list(place.iterdir())
    for folder in folders:
        with contextlib.suppress(KnownError):
            if not read_status(folder).alive:
                _remove(folder)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def why_it_ended(model: JobModel) -> KnownError:
    """Why a job has no result."""
    ended = model.status.ended
    if ended is not None and ended.what:
        return KnownError(ended.what, safe=ended.safe, do=ended.do, field=ended.field)
    if model.error is not None:
        return KnownError(model.error.what, safe=model.error.safe, do=model.error.do)
    return KnownError(
        "The job was ended before it was done.", safe="Your files were only read.", do="Try again."
    )

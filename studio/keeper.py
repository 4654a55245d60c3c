"""Copies what the watcher sees of runs into the library: lists are right at the next start too."""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from studio.runs.facts import facts_of
from studio.runs.lineage import origin_in
from studio.runs.model import JobModel
from studio.storage.library import Library, RunRow
from studio.tasks import JobWatcher, Tasks
from trainer_core.errors import KnownError
from trainer_core.records import END_STATES

PERIOD_S = 5.0
_log = logging.getLogger(__name__)
_AT_REST = END_STATES | {"killed"}


@dataclass
class _Kept:
    """A run under watch and what the library knows of it."""

    run_id: int
    folder: Path
    state: str = ""
    kept_s: float = 0.0
    checkpoints: tuple[int, ...] = ()
    writing: bool = False
    parent_known: bool = False
    """Whether the library was told whose weights it began with."""


class Keeper(QObject):
    """Follows runs that may still change until they rest, and remembers their figures.

    Signals:
        run_remembered(int): The library has newer figures of this run.
        run_followed(RunRow): A run is watched from now on; it was started, resumed or found.
    """

    run_remembered = Signal(int)
    run_followed = Signal(object)

    def __init__(
        self, library: Library, tasks: Tasks, watcher: JobWatcher, parent: QObject | None = None
    ) -> None:
        """Listen to the watcher; `follow_all` or `follow` name the runs."""
        super().__init__(parent)
        self._library = library
        self._tasks = tasks
        self._watcher = watcher
        self._kept: dict[str, _Kept] = {}
        watcher.job_updated.connect(self._on_job_updated)

    def follow_all(self) -> None:
        """Follow every run that was not at rest when the library last heard of it."""
        self._tasks.run_op(lambda: self._library.runs(archived=True), self._follow_restless)

    def follow(self, run: RunRow) -> JobModel:
        """Follow a run; one that was at rest, once `Supervisor.resume` has returned."""
        key = str(run.folder)
        if key not in self._kept:
            self._kept[key] = _Kept(run.id, run.folder)
        model = self._watcher.watch(run.folder, self)
        self.run_followed.emit(run)
        return model

    def _follow_restless(self, runs: list[RunRow]) -> None:
        for run in runs:
            if run.facts.state not in _AT_REST:
                self.follow(run)

    def _on_job_updated(self, key: str) -> None:
        kept = self._kept.get(key)
        model = self._watcher.model(Path(key))
        if kept is None or model is None or kept.writing or model.behind:
            return
        changed = model.state != kept.state or time.monotonic() - kept.kept_s >= PERIOD_S
        if changed and model.state != "unborn":
            self._remember(kept, model)

    def _remember(self, kept: _Kept, model: JobModel) -> None:
        facts = facts_of(model)
        checkpoints = model.checkpoints
        steps = tuple(saved.step for saved in checkpoints)
        at_rest = not model.alive and facts.state in _AT_REST
        kept.state, kept.kept_s = facts.state, time.monotonic()
        if not self._library.read_only:
            is_new = steps != kept.checkpoints

            begun_with = origin_in(model.spec) if not kept.parent_known else None

            def write() -> None:
                self._library.remember_run(kept.run_id, facts)
                if begun_with is not None:
                    self._remember_parent(kept.run_id, begun_with)
                if is_new:
                    self._library.remember_checkpoints(kept.run_id, checkpoints)

            def written(_none: None) -> None:
                kept.writing, kept.checkpoints, kept.parent_known = False, steps, True
                self.run_remembered.emit(kept.run_id)

            def failed(error: Exception) -> None:
                kept.writing = False  # the next update tries again; the folder has it all anyway
                _log.warning("run %d was not remembered: %s", kept.run_id, error)

            kept.writing = True
            self._tasks.run_op(write, written, failed, owner=self)
        if at_rest:
            del self._kept[str(kept.folder)]
            self._watcher.unwatch(kept.folder, self)

    def _remember_parent(self, run_id: int, folder: Path) -> None:
        """Say which run's weights a run began with, where the library knows that run."""
        parent = self._library.run_of_folder(str(folder))
        if parent is None or self._library.run(run_id).parent_id is not None:
            return
        with contextlib.suppress(KnownError):  # settings that go round in a circle tell nothing
            self._library.set_parent(run_id, parent.id)

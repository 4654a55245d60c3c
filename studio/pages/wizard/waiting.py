"""Starts runs whose index has become ready, also after the studio was closed in between."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject, Qt

from studio.context import Context
from studio.pages.wizard.start import Waiting, launch_waiting, read_waiting
from studio.storage.rows import RunRow
from trainer_core.errors import KnownError

_GAVE_UP = frozenset({"failed", "killed", "stopped"})


class WaitingRuns(QObject):
    """Watches the indexes that runs wait for; there is one in each studio."""

    def __init__(self, context: Context) -> None:
        """Begin to listen; `look` reads who waits."""
        super().__init__(context.watcher)
        self.setObjectName("waiting_runs")
        self._context = context
        self._waiting: list[Waiting] = []
        self._told: set[int] = set()
        context.watcher.job_updated.connect(self._on_job_updated)

    @classmethod
    def of(cls, context: Context) -> WaitingRuns:
        """The one of this studio, made when first asked for."""
        found = context.watcher.findChild(
            cls, "waiting_runs", Qt.FindChildOption.FindDirectChildrenOnly
        )
        return found if found is not None else cls(context)

    def look(self) -> None:
        """Read who waits, and start what need not wait any more."""
        library = self._context.library
        if library.read_only:
            return
        self._context.tasks.run_op(lambda: read_waiting(library), self._on_read, owner=self)

    def _on_read(self, waiting: list[Waiting]) -> None:
        self._waiting = waiting
        for each in waiting:
            self._context.keeper.follow(each.run)
            self._context.watcher.watch(each.index_folder, self)
            self._on_job_updated(str(each.index_folder))

    def _on_job_updated(self, folder: str) -> None:
        for each in [w for w in self._waiting if str(w.index_folder) == folder]:
            model = self._context.watcher.model(each.index_folder)
            if model is None or not model.caught_up or model.alive:
                continue
            if model.state == "finished":
                self._launch(each)
            elif model.state in _GAVE_UP:
                self._tell(each)

    def _launch(self, waiting: Waiting) -> None:
        self._waiting.remove(waiting)
        library, supervisor = self._context.library, self._context.supervisor
        self._context.tasks.run_op(
            lambda: launch_waiting(library, supervisor, waiting),
            partial(self._on_launched, waiting),
            self._context.toast,
            owner=self,
        )

    def _on_launched(self, waiting: Waiting, run: RunRow | None) -> None:
        if run is None:
            self._waiting.append(waiting)
            return
        self._context.keeper.follow(run)
        self._context.watcher.look_now(run.folder)
        self._context.watcher.unwatch(waiting.index_folder, self)

    def _tell(self, waiting: Waiting) -> None:
        if waiting.run.id in self._told:
            return
        self._told.add(waiting.run.id)
        self._context.toast(
            KnownError(
                f"The run {waiting.run.name} waits: its index was not built to the end.",
                safe="Its settings are saved.",
                do="Build the index on the Data page; the run then starts by itself.",
            )
        )

"""Tells the desktop what became of the trainings, and the trainings what their user wants."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QSettings, Signal

from studio.runs.manners import fit_run
from studio.runs.news import News, NewsDesk
from trainer_core.manners import OCCASIONS, Occasion
from trainer_core.records import END_STATES

if TYPE_CHECKING:
    from studio.keeper import Keeper
    from studio.runs.model import JobModel
    from studio.storage.library import Library
    from studio.storage.rows import RunRow
    from studio.tasks import JobWatcher, Tasks

NOTIFY_SETTING = "notify/"
"""Followed by an occasion: whether this desktop is told of it."""
USUAL: dict[Occasion, bool] = {"finished": True, "failed": True, "guardian": True, "best": False}
_AT_REST = END_STATES | {"killed"}


class Notifier(QObject):
    """Watches the runs that are followed.

    Args:
        library: Knows what trainings are to mind.
        tasks: Writes that into their folders.
        watcher: Live models of jobs.
        keeper: Says which runs are followed.
        settings: Which occasions this desktop is told of.
        is_looking: Whether the user looks at the window: then it shows everything by itself.

    Signals:
        wanted(str, str, int): The desktop is to show a title and a text; the run's id.
    """

    wanted = Signal(str, str, int)

    def __init__(
        self,
        library: Library,
        tasks: Tasks,
        watcher: JobWatcher,
        keeper: Keeper,
        settings: QSettings,
        is_looking: Callable[[], bool] = lambda: False,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._library, self._tasks, self._watcher = library, tasks, watcher
        self._settings, self._is_looking = settings, is_looking
        self._began_s = time.time()
        self._runs: dict[str, RunRow] = {}
        self._desks: dict[str, NewsDesk] = {}
        keeper.run_followed.connect(self._on_run_followed)
        watcher.job_updated.connect(self._on_job_updated)

    def name_of(self, folder: Path) -> str:
        """What the user calls the run of a folder."""
        run = self._runs.get(str(folder))
        return folder.name if run is None else run.name

    def tells(self, kind: Occasion) -> bool:
        """Whether this desktop is told of an occasion."""
        kept = self._settings.value(NOTIFY_SETTING + kind, USUAL[kind])
        return kept in (True, "true", "1", 1)

    def set_tells(self, kind: Occasion, on: bool) -> None:
        """Tell this desktop of an occasion from now on, or no longer."""
        self._settings.setValue(NOTIFY_SETTING + kind, on)

    def _on_run_followed(self, run: RunRow) -> None:
        key = str(run.folder)
        self._runs[key] = run
        self._desks.setdefault(key, NewsDesk(self._began_s))
        # Held until its end was told: others let go of a run as soon as it rests.
        self._watcher.watch(run.folder, self)
        if not self._library.read_only:
            library = self._library
            # Quietly: a folder that is gone, say, is shown where the run is shown.
            self._tasks.run_op(lambda: fit_run(library, run), failure=lambda _error: None)

    def _on_job_updated(self, key: str) -> None:
        desk, model = self._desks.get(key), self._watcher.model(Path(key))
        if desk is None or model is None:
            return
        for news in desk.read(model):
            self._tell(self._runs[key], news)
        if model.caught_up and not model.alive and model.state in _AT_REST:
            self._watcher.unwatch(model.folder, self)

    def _tell(self, run: RunRow, news: News) -> None:
        if news.kind in OCCASIONS and self.tells(news.kind) and not self._is_looking():
            self.wanted.emit(f"{run.name}: {news.title}", news.text, run.id)


def trainings_at_work(watcher: JobWatcher, notifier: Notifier) -> list[tuple[str, JobModel]]:
    """Trainings with a process, each with its name."""
    return [
        (notifier.name_of(model.folder), model)
        for model in watcher.models
        if model.alive and model.verb == "train"
    ]

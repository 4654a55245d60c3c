"""Takes the tour and follows it, wherever in the studio the user is meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QObject, Signal

from studio.keeper import Keeper
from studio.runs.model import JobModel
from studio.runs.supervisor import Supervisor
from studio.runs.tour import HIDDEN, TourRows, find_tour, new_tour, register_tour
from studio.storage.library import Library
from studio.tasks import JobWatcher, Tasks
from trainer_core.records import ChildStarted
from trainer_core.spec import TourSpec
from trainer_core.status import JobStatus

TourState = Literal["unknown", "offered", "running", "interrupted", "finished", "hidden"]
"""`interrupted`: paused, stopped, failed or killed; it can go on. `hidden`: nothing to show."""


@dataclass(frozen=True)
class _Found:
    """What the disk and the library know of tours at the start."""

    folder: Path | None
    hidden: bool


class Tour(QObject):
    """The newest tour of this home.

    Signals:
        changed: State, progress or result are others than before.
        registered: The library has more of the tour's parts.
    """

    changed = Signal()
    registered = Signal()

    def __init__(
        self,
        home: Path,
        library: Library,
        tasks: Tasks,
        watcher: JobWatcher,
        supervisor: Supervisor,
        keeper: Keeper,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._home = home
        self._library = library
        self._tasks = tasks
        self._watcher = watcher
        self._supervisor = supervisor
        self._keeper = keeper
        self._folder: Path | None = None
        self._hidden: bool | None = None
        self._was_finished_at_start: bool | None = None
        self._starting = False
        self._registered = ""
        self._children: dict[str, Path] = {}
        self.rows: TourRows | None = None
        watcher.job_updated.connect(self._on_job_updated)

    # --- what it is ---

    @property
    def state(self) -> TourState:
        """What Home has to show."""
        if self._hidden is None:
            return "unknown"
        model = self.model
        if self._starting or (model is not None and model.alive):
            return "running"
        if self._hidden:
            return "hidden"
        if model is None:
            return "offered"
        if not model.caught_up:
            return "unknown"
        if model.state != "finished":
            return "interrupted"
        return "hidden" if self._was_finished_at_start else "finished"

    @property
    def folder(self) -> Path | None:
        """Its job folder."""
        return self._folder

    @property
    def model(self) -> JobModel | None:
        """Its job."""
        return None if self._folder is None else self._watcher.model(self._folder)

    @property
    def child(self) -> ChildStarted | None:
        """The part that is at work, or was last."""
        model = self.model
        return model.children[-1] if model is not None and model.children else None

    @property
    def child_model(self) -> JobModel | None:
        """The job of that part."""
        child, folder = self.child, self._folder
        if child is None or folder is None:
            return None
        return self._watcher.model(folder / child.folder)

    @property
    def result(self) -> JobStatus | None:
        """The facts of a finished tour."""
        model = self.model
        return model.status if model is not None and model.state == "finished" else None

    # --- what can be done ---

    def look(self) -> None:
        """Find the tour of an earlier start, in a thread."""

        def find() -> _Found:
            return _Found(find_tour(self._home), self._library.setting(HIDDEN, False))

        self._tasks.run_op(find, self._on_found, owner=self)

    def start(self) -> None:
        """Begin a new tour, and show it again if it was hidden."""
        if self.state == "running":
            return
        self._begin(self._launch_new)

    def resume(self) -> None:
        """Go on with one that was interrupted."""
        folder = self._folder
        if folder is None or self.state == "running":
            return

        def launch() -> Path:
            self._supervisor.resume(folder)
            return folder

        self._begin(launch)

    def stop(self) -> None:
        """End it; what it has saved stays, and it can go on later."""
        if self._folder is not None:
            self._tasks.follow(self._supervisor.stop(self._folder), owner=self)

    def hide(self) -> None:
        """Show no more of it on Home."""
        self._hidden = True
        self.changed.emit()
        if not self._library.read_only:
            self._tasks.run_op(lambda: self._library.set_setting(HIDDEN, True), owner=self)

    def show_again(self) -> None:
        """Offer it on Home again."""
        self._hidden = False
        self._was_finished_at_start = False
        self.changed.emit()
        if not self._library.read_only:
            self._tasks.run_op(lambda: self._library.set_setting(HIDDEN, False), owner=self)

    # --- parts ---

    def _launch_new(self) -> Path:
        folder = new_tour(self._home)
        self._supervisor.start(TourSpec(), folder)
        return folder

    def _begin(self, launch: Callable[[], Path]) -> None:
        self._starting = True
        self._was_finished_at_start = False
        self.show_again()
        self._tasks.run_op(launch, self._on_launched, self._on_refused, owner=self, lane="work")

    def _on_found(self, found: _Found) -> None:
        self._hidden = found.hidden
        if found.folder is not None and self._folder is None:
            self._follow(found.folder)
        self.changed.emit()

    def _on_launched(self, folder: Path) -> None:
        self._follow(folder)
        self._watcher.look_now(folder)
        self.changed.emit()

    def _on_refused(self, error: Exception) -> None:
        self._starting = False
        self.changed.emit()
        self._tasks.failed.emit(error)

    def _follow(self, folder: Path) -> None:
        if folder != self._folder:
            self._let_go()
            self._folder = folder
            self._watcher.watch(folder, self)

    def _let_go(self) -> None:
        for child in self._children.values():
            self._watcher.unwatch(child, self)
        self._children.clear()
        self._registered = ""
        self.rows = None
        if self._folder is not None:
            self._watcher.unwatch(self._folder, self)

    def _on_job_updated(self, key: str) -> None:
        folder, model = self._folder, self.model
        if folder is None or model is None:
            return
        if key == str(folder):
            if model.alive or model.state not in ("unborn", "starting"):
                self._starting = False
            if model.caught_up and self._was_finished_at_start is None:
                self._was_finished_at_start = model.state == "finished"
            self._take_children(folder, model)
            self.changed.emit()
        elif key in {str(child) for child in self._children.values()}:
            self._take_children(folder, model)
            self.changed.emit()

    def _take_children(self, folder: Path, model: JobModel) -> None:
        for child in model.children:
            if child.folder not in self._children:
                self._children[child.folder] = folder / child.folder
                self._watcher.watch(folder / child.folder, self)
        # Once for each part whose settings are on disk, and once at the end when all is counted.
        parts = [self._watcher.model(child) for child in self._children.values()]
        begun = sum(part is not None and part.spec is not None for part in parts)
        wanted = f"{begun} {model.state == 'finished'}"
        if wanted == self._registered or not begun:
            return
        self._registered = wanted
        children = tuple(model.children)
        self._tasks.run_op(
            lambda: register_tour(self._library, folder, children),
            self._on_registered,
            self._on_not_registered,
            owner=self,
        )

    def _on_registered(self, rows: TourRows) -> None:
        self.rows = rows
        for run in (rows.plain, rows.with_index):
            if run is not None and run.facts.state != "finished":
                self._keeper.follow(run)
        self.registered.emit()
        self.changed.emit()

    def _on_not_registered(self, error: Exception) -> None:
        if not self._library.read_only:  # the other window registers it
            self._tasks.failed.emit(error)

"""Starts rule tasks, and follows them until their run is in the library."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from studio.keeper import Keeper
from studio.runs.model import JobModel
from studio.runs.rules import RuleRows, find_rules_at_work, new_rules, register_rules
from studio.runs.supervisor import Supervisor
from studio.storage.library import Library
from studio.tasks import JobWatcher, Tasks
from trainer_core.errors import KnownError
from trainer_core.spec import RulesSpec, TaskName


@dataclass
class _Followed:
    """A rule task at work.

    Attributes:
        folder: Its job folder.
        opens: Whether its run is shown as soon as there is one.
        children: Folders of its parts that are watched.
        registered: How far the library knew of it.
    """

    folder: Path
    opens: bool
    children: set[Path]
    registered: str = ""


class RuleRuns(QObject):
    """The rule tasks that are at work.

    Signals:
        run_begun(int): A run that was asked for here is in the library.
        registered: The library has more of their parts.
        starting_changed: Another task is being started, or none any more.
    """

    run_begun = Signal(int)
    registered = Signal()
    starting_changed = Signal()

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
        self._followed: dict[str, _Followed] = {}
        self._starting: TaskName | None = None
        watcher.job_updated.connect(self._on_job_updated)

    @property
    def starting(self) -> TaskName | None:
        """The task that is being started: its text is made before there is a run to show."""
        return self._starting

    def look(self) -> None:
        """Find what an earlier studio started and is at work still, in a thread."""

        def follow_all(folders: list[Path]) -> None:
            for folder in folders:
                self._follow(folder, opens=False)

        self._tasks.run_op(lambda: find_rules_at_work(self._home), follow_all, owner=self)

    def start(self, task: TaskName) -> None:
        """Train on a task with the settings that are known to do; its run opens when it begins."""
        if self._starting is not None:
            return

        def launch() -> Path:
            folder = new_rules(self._home, task)
            self._supervisor.start(RulesSpec(task=task), folder)
            return folder

        self._set_starting(task)
        self._tasks.run_op(launch, self._on_launched, self._on_refused, owner=self, lane="work")

    # --- parts ---

    def _set_starting(self, task: TaskName | None) -> None:
        self._starting = task
        self.starting_changed.emit()

    def _on_launched(self, folder: Path) -> None:
        self._follow(folder, opens=True)
        self._watcher.look_now(folder)

    def _on_refused(self, error: Exception) -> None:
        self._set_starting(None)
        self._tasks.failed.emit(error)

    def _follow(self, folder: Path, *, opens: bool) -> None:
        self._followed[str(folder)] = _Followed(folder, opens, set())
        self._watcher.watch(folder, self)

    def _on_job_updated(self, key: str) -> None:
        for followed in list(self._followed.values()):
            if key == str(followed.folder) or Path(key) in followed.children:
                self._take_children(followed)

    def _take_children(self, followed: _Followed) -> None:
        model = self._watcher.model(followed.folder)
        if model is None:
            return
        for child in model.children:
            folder = followed.folder / child.folder
            if folder not in followed.children:
                followed.children.add(folder)
                self._watcher.watch(folder, self)
        parts = [self._watcher.model(child) for child in followed.children]
        begun = sum(part is not None and part.spec is not None for part in parts)
        at_rest = model.caught_up and not model.alive and model.state not in ("unborn", "starting")
        wanted = f"{begun} {at_rest}"
        if wanted == followed.registered or not (begun or at_rest):
            return
        followed.registered = wanted
        if at_rest:
            self._let_go(followed, model)
        children = tuple(model.children)
        self._tasks.run_op(
            lambda: register_rules(self._library, followed.folder, children),
            lambda rows: self._on_registered(followed, rows),
            self._on_not_registered,
            owner=self,
        )

    def _let_go(self, followed: _Followed, model: JobModel) -> None:
        del self._followed[str(followed.folder)]
        for folder in (followed.folder, *followed.children):
            self._watcher.unwatch(folder, self)
        if followed.opens and model.error is not None:  # it failed before there was a run to show
            self._set_starting(None)
            problem = model.error
            error = KnownError(problem.what, safe=problem.safe, do=problem.do)
            self._tasks.failed.emit(error)

    def _on_registered(self, followed: _Followed, rows: RuleRows) -> None:
        if rows.run is not None and rows.run.facts.state != "finished":
            self._keeper.follow(rows.run)
        self.registered.emit()
        if rows.run is not None and followed.opens:
            followed.opens = False
            self._set_starting(None)
            self.run_begun.emit(rows.run.id)

    def _on_not_registered(self, error: Exception) -> None:
        self._set_starting(None)
        if not self._library.read_only:
            self._tasks.failed.emit(error)

"""The queue in the studio: its list, its process, and who is told when it changes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from studio.runs import waiting
from studio.runs.manners import fit_run
from studio.runs.waiting import Queued, QueueFacts
from trainer_core.errors import KnownError, LockedError
from trainer_core.manners import Conditions
from trainer_core.waiting_list import Entry

if TYPE_CHECKING:
    from studio.keeper import Keeper
    from studio.runs.supervisor import Supervisor
    from studio.storage.library import Library, RunRow
    from studio.tasks import JobWatcher, Tasks
    from studio.undo import UndoStack

LOOK_MS = 2000
"""How often the reasons are read while somebody waits."""
PATIENCE_S = 20.0
"""A process that ends sooner than so long after its start is not started at once again."""
MOST_LAUNCHES = 3
"""In vain, one after the other; then the user is to do something."""
_log = logging.getLogger(__name__)


class Queue(QObject):
    """Trainings that wait for each other on this computer.

    Its process is started when somebody waits and none is at work; it goes on without the studio.

    Signals:
        changed: `facts` are new.
        started(int): A run that waited has begun; carries its id.
    """

    changed = Signal()
    started = Signal(int)

    def __init__(
        self,
        library: Library,
        tasks: Tasks,
        watcher: JobWatcher,
        supervisor: Supervisor,
        keeper: Keeper,
        undo: UndoStack,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._library, self._tasks, self._watcher = library, tasks, watcher
        self._supervisor, self._keeper, self._undo = supervisor, keeper, undo
        self._home = library.home
        self._facts = QueueFacts()
        self._names: dict[str, str] = {}
        self._launched_s = 0.0
        self._launches = 0
        self._reading = self._again = False
        self._told = ""
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self.refresh)
        watcher.job_updated.connect(self._on_job_updated)
        keeper.run_followed.connect(self._on_run_followed)
        undo.changed.connect(self.refresh)

    @property
    def facts(self) -> QueueFacts:
        """The queue as it was last read."""
        return self._facts

    @property
    def entries(self) -> tuple[Queued, ...]:
        """Who waits, the next first."""
        return self._facts.entries

    @property
    def training(self) -> str:
        """Name of a training that is at work, of those that are watched; empty where none is."""
        return self.training_besides(None)

    def training_besides(self, folder: Path | None) -> str:
        """Name of a training that is at work in another folder; empty where none is."""
        for model in self._watcher.models:
            if model.alive and model.verb == "train" and model.folder != folder:
                return self._names.get(str(model.folder), model.folder.name)
        return ""

    def entry_of(self, folder: Path) -> Queued | None:
        """The entry of a training that waits; None where it does not."""
        return next((entry for entry in self.entries if entry.folder == folder), None)

    def look(self) -> None:
        """Read the list, and see to it that its process is there; once, at the start."""
        self.refresh()

    # --- what the user asks for ----------------------------------------------------------------

    def add(self, folders: Sequence[Path]) -> None:
        """Put trainings at the end; their specs are frozen already."""
        library, wanted = self._library, tuple(folders)
        self._do(lambda: put_into_queue(library, wanted))

    def remove(self, entry_ids: Sequence[str]) -> None:
        """Take trainings out; this can be undone."""
        gone = [entry.name for entry in self.entries if entry.id in entry_ids]
        what = gone[0] if len(gone) == 1 else f"{len(gone)} runs"
        if not gone or self._refuses():
            return
        ids, before = tuple(entry_ids), list[Entry]()

        def take_out() -> None:
            before[:] = waiting.entries_of(self._home)
            waiting.remove(self._home, ids)

        self._undo.do(
            f"{what} taken out of the queue",
            take_out,
            lambda: waiting.put_back(self._home, before),
        )

    def move(self, entry_id: str, to: int) -> None:
        """Give a training another place; places count from 0."""
        self._do(partial(waiting.move, self._home, entry_id, to))

    def hold(self, held: bool) -> None:
        """Start nothing for now, or go on. What is at work goes on either way."""
        self._do(partial(waiting.set_held, self._home, held))

    def set_conditions(self, entry_id: str, conditions: Conditions) -> None:
        """Have a training begin, and hold later, by other conditions."""
        entry = next((each for each in self.entries if each.id == entry_id), None)
        if entry is not None:
            self._do(partial(waiting.set_conditions, entry.folder, conditions))

    # --- in step with the disk -----------------------------------------------------------------

    def refresh(self) -> None:
        """Read the list again."""
        if self._reading:
            self._again = True
            return
        self._reading = True
        library, home = self._library, self._home

        def read() -> tuple[QueueFacts, dict[str, str]]:
            runs = library.runs(archived=True)
            names = {str(run.folder): run.name for run in runs}
            return waiting.read_queue(home, runs, tidy=not library.read_only), names

        self._tasks.run_op(read, self._on_read, self._on_refused, owner=self)

    def _do(self, op: Callable[[], object]) -> None:
        if not self._refuses():
            self._launches = 0
            self._tasks.run_op(op, lambda _done: self.refresh(), owner=self)

    def _refuses(self) -> bool:
        """Whether another studio holds the library; the user is told so."""
        if not self._library.read_only:
            return False
        self._tasks.failed.emit(
            KnownError(
                self._library.read_only_reason,
                safe="This one shows the queue, but cannot change it.",
                do="Change the queue there.",
            )
        )
        return True

    def _on_read(self, found: tuple[QueueFacts, dict[str, str]]) -> None:
        facts, self._names = found
        self._reading = False
        left = {entry.id for entry in facts.entries}
        gone = [entry for entry in self._facts.entries if entry.id not in left]
        news = facts != self._facts
        self._facts, self._told = facts, ""
        for entry in gone:
            self._follow(entry)
        self._see_to_process()
        if facts.entries:
            self._watcher.watch(waiting.queue_folder(self._home), self)
        if facts.entries and not self._timer.isActive():
            self._timer.start()
        elif not facts.entries:
            self._timer.stop()
        if news:
            self.changed.emit()
        if self._again:
            self._again = False
            self.refresh()

    def _on_refused(self, error: Exception) -> None:
        self._reading = False
        if str(error) != self._told:  # it is tried again and again, but told once
            self._told = str(error)
            self._tasks.failed.emit(error)

    def _follow(self, entry: Queued) -> None:
        """What has left the list may have begun: from now on it is watched."""
        if entry.run is None or entry.missing:
            return
        self._keeper.follow(entry.run)
        self._watcher.look_now(entry.folder)
        self.started.emit(entry.run.id)

    def _see_to_process(self) -> None:
        waits = [entry for entry in self._facts.entries if not entry.missing]
        recently = time.monotonic() - self._launched_s < PATIENCE_S
        if self._facts.alive:
            self._launches = 0
            return
        if not waits or recently or self._launches >= MOST_LAUNCHES or self._library.read_only:
            return
        self._launched_s = time.monotonic()
        self._launches += 1
        home, supervisor = self._home, self._supervisor

        def launch() -> None:
            try:
                supervisor.resume(waiting.open_queue_folder(home))
            except LockedError:
                _log.info("the queue is at work already")

        def launched(_none: None) -> None:
            self._watcher.look_now(waiting.queue_folder(home))

        self._tasks.run_op(launch, launched, owner=self)

    def _on_run_followed(self, run: RunRow) -> None:
        self._names[str(run.folder)] = run.name

    def _on_job_updated(self, key: str) -> None:
        if key == str(waiting.queue_folder(self._home)):
            self.refresh()


def put_into_queue(library: Library, folders: Sequence[Path]) -> None:
    """Put trainings at the end of the queue, with what the user wants all trainings to mind.

    Runs on the library's thread, such as within the op that makes the runs.

    Args:
        library: Knows the runs.
        folders: Their job folders, with their specs frozen.

    Raises:
        KnownError: A folder holds no job, or the disk refuses.
    """
    waiting.enqueue(library.home, folders)
    wanted = set(folders)
    for run in library.runs(archived=True):
        if run.folder in wanted:
            fit_run(library, run)

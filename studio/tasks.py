"""Work that must not block the window: database calls, slow calls, and watching jobs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

import shiboken6
from PySide6.QtCore import QObject, Qt, Signal

from studio.runs.model import JobModel
from studio.runs.tail import JobTail, Update
from trainer_core.errors import KnownError

T = TypeVar("T")
Lane = Literal["database", "work"]
ACTIVE_PERIOD_S = 0.25
IDLE_PERIOD_S = 2.0
_log = logging.getLogger(__name__)


class Tasks(QObject):
    """Runs functions in threads and brings what they return back to the UI thread.

    Signals:
        failed(object): An exception that nobody took: a `KnownError`, or a bug that was logged.
    """

    failed = Signal(object)
    _returned = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        """Prepare the threads; they start with the first task."""
        super().__init__(parent)
        self._lanes = {
            "database": ThreadPoolExecutor(1, thread_name_prefix="database"),
            "work": ThreadPoolExecutor(2, thread_name_prefix="work"),
        }
        self._closed = False
        self._returned.connect(self._on_returned, Qt.ConnectionType.QueuedConnection)

    def run_op(
        self,
        op: Callable[[], T],
        success: Callable[[T], object] | None = None,
        failure: Callable[[Exception], object] | None = None,
        *,
        owner: QObject | None = None,
        lane: Lane = "database",
    ) -> None:
        """Run a function that touches no widget; then one of the others on the UI thread.

        Args:
            op: Runs in a thread. In the lane `database` tasks run one after another.
            success: Gets what `op` returned.
            failure: Gets what it raised; without one, `failed` is emitted.
            owner: When it is destroyed before the task ends, nothing is called.
            lane: `work` for what takes longer than a database call.
        """
        if not self._closed:
            self.follow(self._lanes[lane].submit(op), success, failure, owner=owner)

    def follow(
        self,
        future: Future[T],
        success: Callable[[T], object] | None = None,
        failure: Callable[[Exception], object] | None = None,
        *,
        owner: QObject | None = None,
    ) -> None:
        """Bring the outcome of a future, such as a supervisor's, to the UI thread."""

        def deliver(done: Future[T]) -> None:
            if owner is not None and not shiboken6.isValid(owner):
                return
            try:
                value = done.result()
            except CancelledError:
                return
            except Exception as error:  # noqa: BLE001 - the outermost border of a task
                self._take_failure(error, failure)
            else:
                if success is not None:
                    success(value)

        def hand_over(done: Future[T]) -> None:
            if not self._closed:
                self._returned.emit(lambda: deliver(done))

        future.add_done_callback(hand_over)

    def close(self) -> None:
        """Finish what runs, drop what waits, and deliver nothing more; may be called twice."""
        self._closed = True
        for lane in self._lanes.values():
            lane.shutdown(wait=True, cancel_futures=True)

    def _take_failure(
        self, error: Exception, failure: Callable[[Exception], object] | None
    ) -> None:
        if not isinstance(error, KnownError):
            _log.error("a task failed", exc_info=error)
        if failure is not None:
            failure(error)
        else:
            self.failed.emit(error)

    def _on_returned(self, call: Callable[[], None]) -> None:
        if not self._closed:
            call()


@dataclass
class _Watched:
    """A folder under watch. The tail belongs to the thread, the rest to the lock."""

    folder: Path
    tail: JobTail
    due_s: float = 0.0
    in_flight: bool = False
    """An update is on its way; the next poll waits, so that a frozen window gathers no pile."""
    holders: set[object] = field(default_factory=set)


class JobWatcher(QObject):
    """Follows job folders in one thread and keeps a model of each on the UI thread.

    Signals:
        job_updated(str): A folder's model has taken in something new.
    """

    job_updated = Signal(str)
    _polled = Signal(str, object)

    def __init__(
        self, *, on_tick: Callable[[], object] | None = None, parent: QObject | None = None
    ) -> None:
        """Prepare the thread; it starts with the first folder.

        Args:
            on_tick: Called in the thread a few times a second, such as `Supervisor.reap`.
            parent: The owner.
        """
        super().__init__(parent)
        self._opened_s = time.time()
        self._on_tick = on_tick
        self._models: dict[str, JobModel] = {}
        self._watched: dict[str, _Watched] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._polled.connect(self._on_polled, Qt.ConnectionType.QueuedConnection)

    def watch(self, folder: Path, holder: object = None) -> JobModel:
        """Follow a folder from now on.

        Args:
            folder: The job folder; it may still be absent.
            holder: Who wants it. The folder is followed until every holder has let go; asking
                twice is asking once.

        Returns:
            The folder's model; it fills as updates come in.
        """
        key = str(folder)
        with self._changed:
            watched = self._watched.get(key)
            if watched is None:
                watched = self._watched[key] = _Watched(folder, JobTail(folder))
                self._models[key] = JobModel(folder, self._opened_s)
                self._changed.notify()
            watched.holders.add(holder)
        self._start()
        return self._models[key]

    def unwatch(self, folder: Path, holder: object = None) -> None:
        """Let go of a folder; its model is dropped with the last holder."""
        key = str(folder)
        with self._changed:
            watched = self._watched.get(key)
            if watched is None:
                return
            watched.holders.discard(holder)
            if not watched.holders:
                del self._watched[key]
                del self._models[key]

    def model(self, folder: Path) -> JobModel | None:
        """The model of a folder under watch."""
        return self._models.get(str(folder))

    @property
    def models(self) -> list[JobModel]:
        """Every model."""
        return list(self._models.values())

    def look_now(self, folder: Path) -> None:
        """Poll a folder at once, such as after it was started."""
        with self._changed:
            if watched := self._watched.get(str(folder)):
                watched.due_s = 0.0
                self._changed.notify()

    def close(self) -> None:
        """End the thread; may be called twice."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    # --- on the UI thread ----------------------------------------------------------------------

    def _start(self) -> None:
        if self._thread is None and not self._closing:
            self._thread = threading.Thread(target=self._run, name="job-watcher", daemon=True)
            self._thread.start()

    def _on_polled(self, key: str, update: Update) -> None:
        model = self._models.get(key)
        if model is None or self._closing:
            return
        model.apply(update)
        with self._changed:
            if watched := self._watched.get(key):
                watched.in_flight = False
                if update.more:
                    watched.due_s = 0.0
                self._changed.notify()
        self.job_updated.emit(key)

    # --- in the thread -------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._closing:
                    return
                due = self._next_due()
                if due is None:
                    self._changed.wait(self._idle_s())
            if due is not None:
                self._poll(*due)
            elif self._on_tick is not None:
                self._on_tick()

    def _next_due(self) -> tuple[str, _Watched] | None:
        now = time.monotonic()
        ready = [
            (watched.due_s, key)
            for key, watched in self._watched.items()
            if not watched.in_flight and watched.due_s <= now
        ]
        if not ready:
            return None
        key = min(ready)[1]
        return key, self._watched[key]

    def _idle_s(self) -> float:
        now = time.monotonic()
        waits = [w.due_s - now for w in self._watched.values() if not w.in_flight]
        return min([ACTIVE_PERIOD_S, *(max(0.0, wait) for wait in waits)])

    def _poll(self, key: str, watched: _Watched) -> None:
        try:
            update = watched.tail.poll()
        except Exception:  # noqa: BLE001 - the outermost border of the thread
            _log.exception("watching %s failed", key)
            with self._changed:
                watched.due_s = time.monotonic() + IDLE_PERIOD_S
            return
        with self._changed:
            if self._closing:
                return
            busy = update.alive or update.spec is None
            watched.due_s = time.monotonic() + (ACTIVE_PERIOD_S if busy else IDLE_PERIOD_S)
            watched.in_flight = update.is_news
        if update.is_news:
            self._polled.emit(key, update)

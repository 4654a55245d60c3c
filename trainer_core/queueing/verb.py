"""The verb `queue`: a light process that starts the trainings of a list, each when its time comes.

It owns nothing of them: they run in sessions of their own, and go on when it ends. What has begun
is read from their own folders, so that no crash in between starts one twice or leaves one out.
"""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from trainer_core.conduct.judging import Judge, Reason
from trainer_core.conduct.sensors import OneLook, Senses, Sensors
from trainer_core.errors import JobFolderError, KnownError
from trainer_core.job import Job
from trainer_core.manners import Conditions, read_manners
from trainer_core.queueing.at_work import (
    Begun,
    Computer,
    is_alive,
    is_starting,
    is_thrown_away,
    name_of,
)
from trainer_core.records import ChildStarted, Held, Released
from trainer_core.spawn import CORE, start_job
from trainer_core.spec import QueueSpec
from trainer_core.status import SPEC_FILE
from trainer_core.waiting_list import (
    QUEUE_FILE,
    Entry,
    WaitingList,
    read_waiting_list,
    write_reasons,
)

IDLE_POLLS = 15
"""After so many looks at a list without anything to do the queue ends."""
RETRY_S = 60.0
"""What could not be started is tried again after so long."""
IN_TURN = "it waits for its turn"
ON_HOLD = "the queue is on hold"
_SLICE_S = 0.25
_log = logging.getLogger(__name__)


def run(job: Job, spec: QueueSpec) -> dict[str, Any]:
    """Work through the list until it is empty.

    Returns:
        `started`: how many trainings were started.

    Raises:
        JobStopped: It was asked to; the training that it has started goes on.
        OSError: The journal cannot be written.
    """
    queue = Queue(job, spec, CORE)
    try:
        queue.work()
    finally:
        queue.close()
    return {"started": queue.started}


class Queue:
    """The list and what has become of it.

    Args:
        job: The queue's own.
        spec: Where to look for trainings, and how often.
        command: What `run FOLDER` is appended to.
    """

    def __init__(self, job: Job, spec: QueueSpec, command: Sequence[str]) -> None:
        self._job, self._spec, self._command = job, spec, command
        self._computer = Computer(Path(folder) for folder in spec.runs)
        self._begun = Begun()
        self._list = WaitingList()
        self._stamp: tuple[int, int, int] | None = None
        self._senses: Senses | None = None
        self._judges: dict[str, Judge] = {}
        self._children: list[tuple[Path, subprocess.Popen[bytes]]] = []
        self._passed: dict[str, str] = {}
        self._told: dict[str, str] = {}
        self._failed: dict[str, tuple[str, float]] = {}
        self._reasons: dict[str, str] | None = None
        self._held: tuple[str, float] | None = None
        self.started = 0

    def work(self) -> None:
        """Look again and again, until the list has been empty for a while."""
        idle = 0
        while idle < IDLE_POLLS:
            self._read_list()
            due = self._due()
            if due:
                idle = 0
                self._look(due)
            else:
                idle += 1
                self._say({}, None)
            self._wait()

    def close(self) -> None:
        """Leave what is at work alone."""
        self._write_reasons({})
        for _, child in self._children:
            if child.poll() is None:
                child.returncode = 0  # it outlives us on purpose: keep Popen from complaining

    def _wait(self) -> None:
        """Until the next look.

        Raises:
            JobStopped: The queue is to end.
        """
        until = time.monotonic() + self._spec.poll_s
        while True:
            self._job.check_stop()
            left = until - time.monotonic()
            if left <= 0:
                return
            self._job.wait_for_commands(min(left, _SLICE_S))

    # --- the list -------------------------------------------------------------------------------

    def _read_list(self) -> None:
        """Take over the list when it has changed; one that is damaged leaves the last one."""
        try:
            found = (self._job.folder / QUEUE_FILE).stat()
            stamp = found.st_mtime_ns, found.st_size, found.st_ino
        except OSError:
            stamp = 0, 0, 0
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._list = read_waiting_list(self._job.folder)
        except JobFolderError as error:
            self._tell_once("", "The list cannot be read", error)
            return
        self._told.pop("", None)
        ids = {entry.id for entry in self._list.entries}
        self._judges = {key: judge for key, judge in self._judges.items() if key in ids}

    def _due(self) -> list[Entry]:
        """What has not begun since it was put here and could, the next first."""
        found = []
        self._passed.clear()
        for entry in self._list.entries:
            folder = Path(entry.folder)
            try:
                if self._begun(entry):
                    continue
                if is_thrown_away(folder):
                    self._passed[entry.id] = "it lies in the trash"
                elif not (folder / SPEC_FILE).exists():
                    self._passed[entry.id] = "its folder is gone"
                else:
                    found.append(entry)
            except (KnownError, OSError) as error:
                self._passed[entry.id] = "its folder cannot be read"
                self._tell_once(entry.id, "A training is passed over", error)
        return found

    # --- one look -------------------------------------------------------------------------------

    def _look(self, due: Sequence[Entry]) -> None:
        """Start the next one, or say why none is started."""
        busy = self._busy()
        if busy is not None:
            why = f"{name_of(busy)} is at work"
            self._say({entry.id: IN_TURN for entry in due} | {due[0].id: why}, why)
            return
        if self._list.held:
            self._say({entry.id: ON_HOLD for entry in due}, ON_HOLD)
            return
        reasons = self._judged(due)
        texts = {key: reason.text for key, reason in reasons.items()}
        for entry in due:
            if entry.id in texts:
                continue
            problem = self._start(entry)
            if problem is None:
                self._say({e.id: texts.get(e.id, IN_TURN) for e in due if e is not entry}, None)
                return
            texts[entry.id] = problem
        by_clock = any(reason.kind == "hours" for reason in reasons.values())
        self._say(texts, texts[due[0].id], by_clock=by_clock)

    def _busy(self) -> Path | None:
        """The training that has the computer, or None."""
        self._children = [pair for pair in self._children if pair[1].poll() is None]
        if self._children:
            return self._children[0][0]
        return self._computer.at_work(Path(entry.folder) for entry in self._list.entries)

    def _judged(self, due: Iterable[Entry]) -> dict[str, Reason]:
        """Why each of them should not begin now, by their own conditions."""
        found: dict[str, Reason] = {}
        now: Senses | None = None
        for entry in due:
            conditions = read_manners(Path(entry.folder)).conditions
            if conditions == Conditions():
                self._judges.pop(entry.id, None)
                continue
            if self._senses is None:
                self._senses = Sensors()
            now = now or OneLook(self._senses)
            judge = self._judges.setdefault(entry.id, Judge(now))
            judge.senses = now
            if (reason := judge.reason(conditions)) is not None:
                found[entry.id] = reason
        return found

    def _start(self, entry: Entry) -> str | None:
        """Start a training; None when it runs, else why it cannot."""
        folder = Path(entry.folder)
        failed = self._failed.get(entry.id)
        if failed is not None and time.monotonic() - failed[1] < RETRY_S:
            return failed[0]
        if is_starting(folder) or is_alive(folder):
            return "a process works on it already"
        try:
            # Before the start: whoever reads it finds in the folder what came of it.
            self._job.record(
                ChildStarted(verb="train", name=entry.id, folder=str(folder.absolute()))
            )
            child, problem = start_job(folder, self._command)
        except KnownError as error:
            self._tell_once(entry.id, "A training cannot be started", error)
            self._failed[entry.id] = error.what, time.monotonic()
            return error.what
        if problem is not None:
            _log.warning("%s: %s", folder.name, problem)
        self._children.append((folder, child))
        self.started += 1
        _log.info("%s: started as process %d", folder.name, child.pid)
        return None

    # --- what is said ---------------------------------------------------------------------------

    def _say(self, reasons: dict[str, str], why: str | None, *, by_clock: bool = False) -> None:
        """Say why each one waits, and why the queue as a whole does.

        Args:
            reasons: In words, by entry.
            why: Of all; None: it does not wait.
            by_clock: Whether one waits for a time of day, which comes only to a computer awake.
        """
        self._write_reasons(reasons | self._passed)
        if why is None:
            if self._held is not None:
                seconds = time.monotonic() - self._held[1]
                self._held = None
                self._job.record(Released(step=0, seconds=seconds))
            self._job.state("running")
            return
        self._job.state("waiting")
        if self._held is None or why != self._held[0]:
            self._held = why, self._held[1] if self._held is not None else time.monotonic()
            self._job.record(Held(step=0, reason=why))
        if self._job.conduct is not None:
            self._job.conduct.rest(not by_clock)

    def _write_reasons(self, reasons: dict[str, str]) -> None:
        if reasons == self._reasons:
            return
        self._reasons = reasons
        try:
            write_reasons(self._job.folder, reasons)
        except OSError as error:
            _log.warning("the reasons cannot be written: %s", error)

    def _tell_once(self, key: str, title: str, error: Exception) -> None:
        if self._told.get(key) != str(error):
            self._told[key] = str(error)
            self._job.note("error", title, str(error))

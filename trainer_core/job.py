"""One way for everything that takes long: lock, recover, listen, run a verb, say how it ended."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import msgspec

from trainer_core import __version__, protocol, status
from trainer_core import spec as specs
from trainer_core.conduct.conduct import Conduct
from trainer_core.conduct.judging import Reason
from trainer_core.ending import JobStopped, ended_by
from trainer_core.errors import ExitCode, from_os_error
from trainer_core.job_folder import freeze_spec, locked, logging_to
from trainer_core.journal import JournalWriter
from trainer_core.metrics import StepLog, SystemLog
from trainer_core.protocol.messages import name_of
from trainer_core.records import (
    Ended,
    JobStarted,
    Level,
    Noted,
    Progress,
    Record,
    Result,
    State,
    StateChanged,
)
from trainer_core.system import SystemSampler
from trainer_core.verbs import VERB_MODULES

__all__ = [
    "Job",
    "JobStopped",
    "Wanted",
    "ended_by",
    "freeze_spec",
    "locked",
    "run_alone",
    "run_job",
    "signals_to",
]

Wanted = Literal["", "pause", "stop"]

_VERB_COMMANDS: dict[str, tuple[type, ...]] = {
    "train": (protocol.CheckpointNow, protocol.ChangePlan),
    "generate": (protocol.Generate, protocol.Cancel, protocol.FindSources),
}
"""What a verb takes besides Pause and Stop, which every job takes."""
_ANSWERED_LATER = (protocol.ChangePlan,)
"""What a verb judges and answers by itself."""

_HOLDING_VERBS = frozenset({"train", "tour", "rules"})
"""Those that hold by themselves when it is wanted: a training is a part of each."""
_QUIET_VERBS = frozenset({"generate", "lookup", "preview", "inspect"})
"""Those that the computer need not stay awake for: somebody sits before it, or nobody cares."""

PROGRESS_PERIOD_S = 0.25
_log = logging.getLogger(__name__)


@dataclass
class _Wish:
    """What a signal or a command asked for; shared by a job and the jobs that it runs."""

    wanted: Wanted = ""


class Job:
    """A running job, as its verb sees it."""

    def __init__(
        self,
        folder: Path,
        verb: str,
        journal: JournalWriter,
        server: protocol.Server,
        parent: Job | None = None,
        conduct: Conduct | None = None,
    ) -> None:
        self.folder = folder
        self.verb = verb
        self.server = server
        self.step = 0
        """The training step that system readings are filed under; kept by the verb."""
        self.conduct: Conduct | None = parent.conduct if parent is not None else conduct
        """Says when to hold; None in processes that only help another."""
        self._journal = journal
        self._parent = parent
        self._wish: _Wish = parent._wish if parent is not None else _Wish()
        self._state: State = "starting"
        self._last_progress_s = 0.0
        self._last_phase = ""
        self._guard = threading.Lock()
        self._commands: list[tuple[protocol.Peer, protocol.Message]] = []

    @property
    def wanted(self) -> Wanted:
        """What the user or the system asks of the job; verbs look at it between steps."""
        self._take_messages()
        return self._wish.wanted

    @property
    def hold_reason(self) -> Reason | None:
        """Why the job should wait for a while, by its manners, or None; costs nothing."""
        return self.conduct.reason if self.conduct is not None else None

    def record(self, record: Record) -> None:
        """Append a record, stamped with the time, and hint to whoever watches.

        Raises:
            OSError: The journal cannot be written.
        """
        stamped = msgspec.structs.replace(record, time_s=time.time())
        with self._guard:
            self._journal.append(stamped, sync=not isinstance(record, Progress | StateChanged))
        if self.conduct is not None and self._parent is None:
            self.conduct.observe(stamped)
        self.hint()

    def state(self, state: State) -> None:
        """Say what the job does now."""
        if state != self._state:
            self._state = state
            self.record(StateChanged(state=state))
            if self.conduct is not None:
                self.conduct.rest(state == "waiting")

    def progress(
        self,
        phase: str,
        done: float,
        total: float,
        unit: str = "",
        whole: float | None = None,
        left_out: int = 0,
    ) -> None:
        """Say how far a phase has come; cheap enough to call often.

        Args:
            phase: What is done now.
            done: How much of it is finished.
            total: How much there is.
            unit: Of both.
            whole: Share of the whole job, 0 to 1, where it is known.
            left_out: Files and documents that could not be used so far.

        Raises:
            JobStopped: The job was asked to stop; for verbs without work to save.
        """
        self.check_stop()
        now = time.monotonic()
        due = now - self._last_progress_s >= PROGRESS_PERIOD_S
        if due or phase != self._last_phase or done >= total:
            self._last_progress_s, self._last_phase = now, phase
            self.record(
                Progress(
                    phase=phase, done=done, total=total, unit=unit, whole=whole, left_out=left_out
                )
            )

    def check_stop(self) -> None:
        """End here when asked to.

        Raises:
            JobStopped: A stop or a pause is wanted.
        """
        if wanted := self.wanted:
            raise JobStopped("paused" if wanted == "pause" else "stopped")

    def note(self, level: Level, title: str, text: str = "", step: int | None = None) -> None:
        """Tell the user something that stays in the job's events."""
        self.record(Noted(level=level, title=title, text=text, step=step))

    def commands(self) -> list[tuple[protocol.Peer, protocol.Message]]:
        """Messages for the verb that came in since the last call; never waits."""
        self._take_messages()
        taken, self._commands = self._commands, []
        return taken

    def wait_for_commands(self, timeout_s: float) -> list[tuple[protocol.Peer, protocol.Message]]:
        """Like `commands`, but waits up to this long for the first one."""
        if not self._commands and (first := self.server.wait(timeout_s)) is not None:
            self._take(*first)
        return self.commands()

    def hint(self) -> None:
        """Tell peers how far the files have grown; never waits."""
        self.server.hint(
            protocol.Changed(
                journal_bytes=self._journal.size,
                step_rows=_rows(self.folder / status.STEPS_FILE, StepLog),
                system_rows=_rows(self.folder / status.SYSTEM_FILE, SystemLog),
            )
        )

    def run_child(self, folder: Path, spec: specs.JobSpec) -> ExitCode:
        """Run a job within this one, in this process, sharing what is wanted of either."""
        return run_job(folder, spec, parent=self)

    def ask_to_stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Want the job to end; a signal handler, so it sets a flag and nothing else."""
        self._wish.wanted = "stop"

    def _take_messages(self) -> None:
        if self._parent is not None:
            self._parent._take_messages()
        for peer, message in self.server.receive():
            self._take(peer, message)

    def _take(self, peer: protocol.Peer, message: protocol.Message) -> None:
        name = name_of(message)
        if isinstance(message, protocol.Pause | protocol.Stop):
            self._wish.wanted = "pause" if isinstance(message, protocol.Pause) else "stop"
        elif isinstance(message, _VERB_COMMANDS.get(self.verb, ())):
            self._commands.append((peer, message))
            if isinstance(message, _ANSWERED_LATER):
                return
        else:
            what = f"A job of the kind `{self.verb}` does not take `{name}`."
            self.server.send(peer, protocol.Refused(command=name, what=what))
            return
        self.server.send(peer, protocol.Accepted(command=name))


def _rows(path: Path, kind: type[StepLog] | type[SystemLog]) -> int:
    try:
        return max(0, path.stat().st_size - 16) // kind.dtype.itemsize
    except FileNotFoundError:
        return 0


@contextlib.contextmanager
def signals_to(job: Job) -> Iterator[None]:
    """SIGTERM and SIGINT ask the job to stop; its verb decides when to end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {s: signal.signal(s, job.ask_to_stop) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run_verb(job: Job, spec: specs.JobSpec) -> Ended:
    """Carry out the spec; whatever goes wrong becomes the job's last record."""
    verb = specs.verb_of(spec)
    sampler: SystemSampler | None = None
    try:
        if verb == "train":
            log = SystemLog(job.folder / status.SYSTEM_FILE)
            sampler = SystemSampler(log, lambda: job.step)
            sampler.start()
        values: dict[str, Any] = importlib.import_module(VERB_MODULES[verb]).run(job, spec)
        job.record(Result(values=values))
        return Ended(state="finished", exit_code=ExitCode.OK)
    except Exception as error:  # noqa: BLE001 - the outermost border of every job
        ended = ended_by(error)
        if ended.exit_code == ExitCode.BUG:
            _log.exception("the job failed")
        elif ended.what:
            _log.error("%s %s %s", ended.what, ended.safe, ended.do)
        return ended
    finally:
        if sampler is not None:
            sampler.stop()


def run_job(
    folder: Path, spec: specs.JobSpec | None = None, *, parent: Job | None = None
) -> ExitCode:
    """Run the job of a folder to its end, or go on with it where it stopped.

    Args:
        folder: The job folder; made when a spec is given.
        spec: What to do; None takes the frozen spec of the folder.
        parent: The job that this one is a part of, for `Job.run_child`.

    Returns:
        The exit code; how the job ended stands in its journal. Errors before the journal could be
        opened are raised.

    Raises:
        SpecError: The folder has no valid spec.
        LockedError: Another process works in the folder.
        JobFolderError: The journal is damaged at its head or of a newer version.
        KnownError: The folder cannot be written.
    """
    if spec is None:
        spec = specs.load(folder / status.SPEC_FILE)
    else:
        freeze_spec(folder, spec)
    folder = folder.resolve()
    if parent is None and isinstance(spec, specs.TrainSpec) and spec.distributed.world_size > 1:
        start = importlib.import_module("trainer_core.train.distributed.start")
        return ExitCode(start.run(folder, spec))
    return run_alone(folder, spec, parent=parent)


def run_alone(folder: Path, spec: specs.JobSpec, *, parent: Job | None = None) -> ExitCode:
    """Run the job of a folder in this process; see `run_job`.

    Args:
        folder: The job folder, resolved.
        spec: What is frozen in it.
        parent: The job that this one is a part of.
    """
    verb = specs.verb_of(spec)
    with contextlib.ExitStack() as stack:
        conduct: Conduct | None = None
        if parent is None:  # entered before the lock: last messages go out when it is free again
            holds, awake = verb in _HOLDING_VERBS, verb not in _QUIET_VERBS
            conduct = stack.enter_context(Conduct(folder, holds=holds, awake=awake))
        stack.enter_context(locked(folder))
        try:
            stack.enter_context(logging_to(folder / status.LOG_FILE))
            journal = stack.enter_context(JournalWriter(folder / status.JOURNAL_FILE))
            server = protocol.Server(folder, verb)
        except OSError as error:
            raise from_os_error(error, "opening the job folder") from None
        stack.callback(server.close)
        job = Job(folder, verb, journal, server, parent, conduct)
        if parent is None:
            stack.enter_context(signals_to(job))
        return _run_in(job, spec, own=parent is None)


@contextlib.contextmanager
def _minded(job: Job) -> Iterator[None]:
    """Have the job's manners minded meanwhile."""
    if job.conduct is None:
        yield
        return
    job.conduct.start(lambda level, title, text: job.note(level, title, text, job.step or None))
    try:
        yield
    finally:
        job.conduct.end()


def _run_in(job: Job, spec: specs.JobSpec, *, own: bool) -> ExitCode:
    """Everything between the first and the last record of a session; `own`: of a whole process."""
    try:
        job.record(
            JobStarted(
                verb=job.verb, pid=os.getpid(), host=socket.gethostname(), version=__version__
            )
        )
        with _minded(job) if own else contextlib.nullcontext():
            ended = _run_verb(job, spec)
        job.record(ended)
    except OSError as error:
        _log.error("the journal cannot be written: %s", error)
        return from_os_error(error, "writing the journal").exit_code
    if ended.exit_code == ExitCode.BUG and ended.details:
        print(ended.details, file=sys.stderr)
    return ExitCode(ended.exit_code)

"""Starts jobs as processes of their own, passes commands on, and ends those that will not listen.

A job outlives the studio: it runs in a session of its own, and nothing here keeps it alive. What is
asked of a job, and what became of it, is written to `studio.log` in the home.
"""

from __future__ import annotations

import contextlib
import logging
import subprocess
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from studio.runs.commands import send_patiently
from studio.runs.plan_commands import (
    change_arguments,
    change_plan,
    rewind_arguments,
    run_command,
)
from trainer_core import spec as specs
from trainer_core.errors import JobFolderError, KnownError, from_os_error
from trainer_core.files import write_whole_file
from trainer_core.protocol import (
    CheckpointNow,
    Message,
    Owner,
    Pause,
    Stop,
    read_owner,
)
from trainer_core.protocol.client import ConnectionLostError
from trainer_core.protocol.messages import name_of
from trainer_core.spawn import CORE, process_of, read_launch, start_job
from trainer_core.status import SPEC_FILE, read_status

STUDIO_LOG = "studio.log"
HowEnded = Literal["asked", "terminated", "killed", "not_running", "left"]
"""Which rung of the ladder ended a job; `left`: the studio closed before it did."""

_POLL_S = 0.05
_LOOK_S = 0.25


@dataclass(frozen=True)
class Patience:
    """How long each rung of the stop ladder waits, in seconds."""

    listen_s: float = 20.0
    """For a process that was just started to listen."""
    answer_s: float = 60.0
    """For the answer to a command, which comes between two steps."""
    ask_s: float = 120.0
    """After the command; the time it takes to save does not count."""
    save_s: float = 900.0
    """For saving at most."""
    terminate_s: float = 60.0
    """After SIGTERM."""
    kill_s: float = 10.0
    """After SIGKILL, for the system to take the process away."""


class Supervisor:
    """The studio's hand on its jobs. Methods may be called from any thread.

    `start` and `resume` return when the process exists. All else works in threads of its own and
    returns futures; `tasks.Tasks.follow` brings those to the UI.
    """

    def __init__(
        self, home: Path, patience: Patience | None = None, command: Sequence[str] = CORE
    ) -> None:
        """Open `studio.log` in the home folder.

        Args:
            home: The data home.
            patience: How long to wait where.
            command: What `run FOLDER` is appended to.
        """
        self.home = home
        self._patience = patience or Patience()
        self._command = tuple(command)
        self._children: list[tuple[str, subprocess.Popen[bytes]]] = []
        self._guard = threading.Lock()
        self._closing = threading.Event()
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="supervisor")
        home.mkdir(parents=True, exist_ok=True)
        self._handler = logging.FileHandler(home / STUDIO_LOG, encoding="utf-8", delay=True)
        self._handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        self._log = logging.Logger("studio.supervisor", logging.INFO)  # of this home alone
        self._log.addHandler(self._handler)

    def close(self) -> None:
        """End the threads, leave the jobs at work; may be called twice."""
        self._closing.set()
        self._threads.shutdown(wait=True, cancel_futures=True)
        self.reap()
        with self._guard:
            for _, child in self._children:
                child.returncode = 0  # it outlives us on purpose: keep Popen from complaining
            self._children.clear()
        self._log.removeHandler(self._handler)
        self._handler.close()

    # --- starting ------------------------------------------------------------------------------

    def start(self, spec: specs.JobSpec, folder: Path) -> int:
        """Begin a job.

        Args:
            spec: What to do; it is frozen in the folder first.
            folder: The job folder; made when absent.

        Returns:
            The process id.

        Raises:
            JobFolderError: The folder belongs to a job with another spec.
            LockedError: A process works in it already.
            KnownError: It cannot be written, or the process cannot be started.
        """
        try:
            freeze_spec(folder, spec)
        except OSError as error:
            raise from_os_error(error, "writing the job's settings") from error
        return self._launch(folder, "started")

    def resume(self, folder: Path) -> int:
        """Go on with a job where it stopped; see `start` for the errors."""
        return self._launch(folder, "resumed")

    def _launch(self, folder: Path, how: str) -> int:
        folder = folder.absolute()
        self.reap()
        child, problem = start_job(folder, self._command)
        if problem is not None:
            self._log.warning("%s: %s", folder.name, problem)
        with self._guard:
            self._children.append((folder.name, child))
        self._log.info("%s: %s as process %d", folder.name, how, child.pid)
        return child.pid

    def reap(self) -> None:
        """Take away what is left of ended processes; cheap, called often."""
        with self._guard:
            ended = [pair for pair in self._children if pair[1].poll() is not None]
            self._children = [pair for pair in self._children if pair not in ended]
        for name, child in ended:
            self._log.info("%s: process %d ended with %s", name, child.pid, child.returncode)

    # --- the plan of a training -----------------------------------------------------------------

    def change(
        self, folder: Path, lr: float | None = None, steps: int | None = None, why: str = ""
    ) -> Future[None]:
        """Change the learning rate or the end of a training, at work or at rest.

        Args:
            folder: Its job folder.
            lr: New peak of the schedule; None leaves it.
            steps: New length of the run in steps; None leaves it.
            why: A note for the run's record.
        """
        return self._threads.submit(self._change, folder, lr, steps, why)

    def extend(
        self, folder: Path, steps: int, lr: float | None = None, why: str = ""
    ) -> Future[None]:
        """Give a training at rest a later end and have it go on; see `change`."""
        return self._threads.submit(self._extend, folder, steps, lr, why)

    def rewind(
        self,
        folder: Path,
        step: int,
        skip: tuple[int, int] | None = None,
        *,
        resume: bool = False,
    ) -> Future[None]:
        """Take a training back to a checkpoint; one at work is paused first.

        Args:
            folder: Its job folder.
            step: Of the checkpoint; later ones are removed.
            skip: First and last step whose batches are left out from now on.
            resume: Whether it goes on at once.
        """
        return self._threads.submit(self._rewind, folder, step, skip, resume)

    def _change(self, folder: Path, lr: float | None, steps: int | None, why: str) -> None:
        process = process_of(folder)
        if process is not None:
            try:
                self._ask(folder, change_plan(lr, steps, why))
            except ConnectionLostError:  # it has just ended
                self._wait_until_gone(folder, process, self._patience.ask_s)
            else:
                return
        self._carry_out(folder, *change_arguments(lr, steps, why))

    def _extend(self, folder: Path, steps: int, lr: float | None, why: str) -> None:
        self._await_the_leaving(folder)
        self._change(folder, lr, steps, why)
        if process_of(folder) is None:
            self.resume(folder)

    def _await_the_leaving(self, folder: Path) -> None:
        """Wait for a process that has written its last record: with a later end or another
        checkpoint to go on from, that is its last one no more, and it would count as at work.
        """
        launch = read_launch(folder)
        for process in (read_owner(folder), launch.process if launch is not None else None):
            if process is not None and process_of(folder) is None:
                self._wait_until_gone(folder, process, self._patience.ask_s)

    def _rewind(self, folder: Path, step: int, skip: tuple[int, int] | None, resume: bool) -> None:
        process = process_of(folder)
        if process is not None:
            self._pause(folder)
            self._wait_until_gone(folder, process, self._patience.ask_s)
        self._await_the_leaving(folder)
        self._carry_out(folder, *rewind_arguments(step, skip))
        if resume:
            self.resume(folder)

    def _carry_out(self, folder: Path, command: str, *options: str) -> None:
        """Run a command on a job at rest."""
        try:
            run_command([*self._command, command, str(folder.absolute()), *options])
        except KnownError as error:
            self._log.warning("%s: %s was not done: %s", folder.name, command, error.what)
            raise
        self._log.info("%s: %s %s", folder.name, command, " ".join(options))

    # --- commands ------------------------------------------------------------------------------

    def pause(self, folder: Path) -> Future[None]:
        """Have a job save, free its memory and end; a job that does not listen gets SIGTERM."""
        return self._threads.submit(self._pause, folder)

    def checkpoint_now(self, folder: Path) -> Future[None]:
        """Have a training save a checkpoint and go on."""
        return self._threads.submit(self._ask, folder, CheckpointNow())

    def stop(self, folder: Path) -> Future[HowEnded]:
        """End a job: ask, wait, terminate, wait, kill. Each rung is logged."""
        return self._threads.submit(self._stop, folder)

    def _ask(self, folder: Path, message: Message) -> None:
        """Send a command; a process that was just started is given time to listen."""
        name = name_of(message)
        deadline = time.monotonic() + self._patience.listen_s
        while True:
            try:
                send_patiently(folder, message, self._patience.answer_s, self._closing)
            except KnownError as error:
                starting = process_of(folder) is not None and not _listens(folder)
                if starting and time.monotonic() < deadline and not self._closing.wait(_POLL_S):
                    continue
                self._log.warning("%s: %s was not taken: %s", folder.name, name, error.what)
                raise
            self._log.info("%s: %s was accepted", folder.name, name)
            return

    def _pause(self, folder: Path) -> None:
        try:
            self._ask(folder, Pause())
        except ConnectionLostError:
            process = process_of(folder)
            if process is None:
                raise
            self._signal(folder, process, "SIGTERM")

    def _stop(self, folder: Path) -> HowEnded:
        process = process_of(folder)
        if process is None:
            return "not_running"
        heard = True
        try:
            self._ask(folder, Stop())
        except ConnectionLostError:
            heard = False  # there is nobody to wait for: on to the next rung
        except KnownError:
            pass  # logged; it may still do as it was asked
        if heard and self._wait_until_gone(folder, process, self._patience.ask_s):
            return self._ended(folder, "asked")
        rungs: tuple[tuple[str, HowEnded, float], ...] = (
            ("SIGTERM", "terminated", self._patience.terminate_s),
            ("SIGKILL", "killed", self._patience.kill_s),
        )
        for name, rung, patience_s in rungs:
            if self._closing.is_set():
                return self._ended(folder, "left")
            self._signal(folder, process, name)
            if self._wait_until_gone(folder, process, patience_s):
                return self._ended(folder, rung)
        self._log.error("%s: process %d cannot be ended", folder.name, process.pid)
        raise KnownError(
            f"Process {process.pid} cannot be ended.",
            safe="Its saved work is whole.",
            do="Restart the computer if it holds memory that you need.",
        )

    def _ended(self, folder: Path, how: HowEnded) -> HowEnded:
        self.reap()
        self._log.info("%s: stop: %s", folder.name, how)
        return how

    def _signal(self, folder: Path, process: Owner, name: str) -> None:
        """Send a signal to the very process that works in a folder."""
        self._log.warning("%s: %s to process %d", folder.name, name, process.pid)
        with contextlib.suppress(psutil.NoSuchProcess):
            found = psutil.Process(process.pid)
            if name == "SIGTERM":
                found.terminate()
                return
            for child in found.children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
            found.kill()

    def _wait_until_gone(self, folder: Path, process: Owner, patience_s: float) -> bool:
        """Wait until a process has ended; time that it spends on saving does not count."""
        left_s, saving_s, looked = patience_s, self._patience.save_s, 0.0
        saving = False
        while process.alive:
            if left_s <= 0 or self._closing.wait(_POLL_S):
                return not process.alive
            if time.monotonic() - looked > _LOOK_S:
                looked, saving = time.monotonic(), _is_saving(folder)
            if saving and saving_s > 0:
                saving_s -= _POLL_S
            else:
                left_s -= _POLL_S
        return True


def freeze_spec(folder: Path, spec: specs.JobSpec) -> None:
    """Write the spec of a new job folder in one step.

    Raises:
        JobFolderError: The folder belongs to a job with another spec.
        SpecError: The spec in it cannot be read.
        OSError: It cannot be written.
    """
    path = folder / SPEC_FILE
    if path.exists():
        if specs.load(path) != spec:
            raise JobFolderError(
                f"{folder} already belongs to another job.",
                safe="That job was not touched.",
                do="Choose another name.",
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_whole_file(path, specs.to_toml(spec).encode())


def _listens(folder: Path) -> bool:
    owner = read_owner(folder)
    return owner is not None and owner.alive


def _is_saving(folder: Path) -> bool:
    try:
        return read_status(folder).state == "saving"
    except (KnownError, OSError):
        return False

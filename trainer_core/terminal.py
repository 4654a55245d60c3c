"""Follow a job in the terminal: progress bars from its files, as the studio reads them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from trainer_core import spec as specs
from trainer_core.errors import ExitCode, KnownError
from trainer_core.job import run_job
from trainer_core.journal import read_records
from trainer_core.metrics import read_rows
from trainer_core.records import ChildStarted, Held, Noted, PlanChanged, Record, Released, Validated
from trainer_core.records import Progress as ProgressRecord
from trainer_core.status import JOURNAL_FILE, SPEC_FILE, STEPS_FILE, JobStatus, read_status
from trainer_core.training_plan import TrainingPlan

PERIOD_S = 0.2


class _Follower:
    """Turns one job's journal and step log into bars; children get followers of their own."""

    def __init__(self, folder: Path, name: str, bars: Progress, offset: int = 0) -> None:
        self._folder = folder
        self._name = name
        self._bars = bars
        self._offset = offset
        self._tasks: dict[str, TaskID] = {}
        self._children: list[_Follower] = []
        self._loss = ""
        self._steps = 0
        self._spec: specs.TrainSpec | None = None

    def update(self) -> None:
        """Read what is new and draw it."""
        records, self._offset = read_records(self._folder / JOURNAL_FILE, self._offset)
        for record in records:
            self._show(record)
        self._show_steps()
        for child in self._children:
            child.update()

    def _show(self, record: Record) -> None:
        match record:
            case ProgressRecord():
                self._bar(record.phase, record.done, record.total, record.unit)
            case PlanChanged():
                self._count_steps()
            case Validated():
                self._loss = f"loss {record.loss:.3f}"
            case Noted() if record.level in ("warning", "error"):
                self._bars.console.print(f"  {record.title}. {record.text}", highlight=False)
            case Held():
                self._bars.console.print(f"  Waiting: {record.reason}.", highlight=False)
            case Released():
                self._bars.console.print("  It goes on.", highlight=False)
            case ChildStarted():
                child = self._folder / record.folder
                self._children.append(_Follower(child, record.name, self._bars))

    def _show_steps(self) -> None:
        if not (self._folder / STEPS_FILE).exists():
            return
        if self._spec is None:
            spec = specs.load(self._folder / SPEC_FILE)
            if not isinstance(spec, specs.TrainSpec):
                return
            self._spec = spec
            self._count_steps()
        done = len(read_rows(self._folder / STEPS_FILE))
        self._bar("training", done, self._steps, "steps")

    def _count_steps(self) -> None:
        """Take the length of the training as it stands now."""
        if self._spec is not None:
            changes = read_status(self._folder).changes
            self._steps = TrainingPlan(self._spec, changes).steps

    def _bar(self, phase: str, done: float, total: float, unit: str) -> None:
        label = f"{self._name}: {phase}" if self._name else phase
        if phase not in self._tasks:
            self._tasks[phase] = self._bars.add_task(label, total=total, amount="", loss="")
            if not self._bars.console.is_terminal:
                self._bars.console.print(label, highlight=False)
        loss = self._loss if phase == "training" else ""
        amount = _amount(done, total, unit)
        self._bars.update(self._tasks[phase], completed=done, total=total, amount=amount, loss=loss)


def _amount(done: float, total: float, unit: str) -> str:
    """How far, in words such as `12.4 of 24.0 MB`; empty where there is nothing to count."""
    if total <= 1:
        return ""
    if unit == "bytes":
        return f"{done / 1e6:,.1f} of {total / 1e6:,.1f} MB"
    return f"{done:,.0f} of {total:,.0f} {unit}".rstrip()


@contextlib.contextmanager
def progress_bars(folder: Path, console: Console) -> Iterator[None]:
    """Show how a job gets on while the body runs it."""
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[amount]}"),
        TextColumn("{task.fields[loss]}"),
        console=console,
        disable=not console.is_terminal,
    )
    # An earlier session's records are history, not progress.
    follower = _Follower(folder, "", bars, read_records(folder / JOURNAL_FILE)[1])
    ended = threading.Event()

    def follow_along() -> None:
        while not ended.wait(PERIOD_S):
            follower.update()
        follower.update()

    thread = threading.Thread(target=follow_along, name="progress-bars")
    with bars:
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def raise_failure(status: JobStatus) -> None:
    """Raise what the job failed with, so that the command line prints it like any other error.

    Raises:
        KnownError: The job failed, or paused because something was wrong.
    """
    ended = status.ended
    if ended is not None and ended.exit_code != ExitCode.OK:
        error = KnownError(ended.what, safe=ended.safe, do=ended.do, field=ended.field)
        error.exit_code = ExitCode(ended.exit_code)
        raise error


def run_with_bars(
    folder: Path, spec: specs.JobSpec | None, console: Console
) -> tuple[ExitCode, JobStatus]:
    """Run a job in this process with progress bars; how it ended.

    Raises:
        KnownError: The job could not start, or failed.
    """
    with progress_bars(folder, console):
        code = run_job(folder, spec)
    status = read_status(folder)
    raise_failure(status)
    return code, status


def follow(folder: Path, spec: specs.JobSpec | None) -> ExitCode:
    """Run a job in this process with progress bars and say how it ended.

    Raises:
        KnownError: The job could not start, or failed.
    """
    console = Console(stderr=True)
    code, status = run_with_bars(folder, spec, console)
    place = status.result.get("output", folder)  # a dump writes elsewhere
    console.print(f"{status.verb}: {status.state}. Everything is in {place}", highlight=False)
    if status.resumable:
        console.print(f"Go on with: hearth-core resume {folder}", highlight=False)
    return code

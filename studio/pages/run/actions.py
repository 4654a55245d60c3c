"""Pause, stop, save now, resume, export: what a person can have a run do, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QObject, Signal

from studio.context import Context
from studio.runs.model import JobModel
from studio.storage.rows import RunRow
from trainer_core.errors import KnownError
from trainer_core.spec import ExportSpec
from trainer_core.status import read_status

Outcome = TypeVar("Outcome")
EXPORTS = "exports"
_JOBS = "jobs"


class RunActions(QObject):
    """Passes a person's wishes to the supervisor, off the UI thread.

    Args:
        context: The studio.
        run: The run.
        model: What is known of it.

    Signals:
        busy_changed: A wish is on its way (carries what is being done), or done (empty).
        export_started: An export began; carries its job folder.
    """

    busy_changed = Signal(str)
    export_started = Signal(object)

    def __init__(
        self, context: Context, run: RunRow, model: JobModel, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._context = context
        self._run = run
        self._model = model
        self.busy = ""

    def pause(self) -> None:
        """Have the run save, free its memory and end."""
        self._begin("Pausing: saving a checkpoint")
        self._follow(self._context.supervisor.pause(self._run.folder), keep_busy=True)

    def stop(self) -> None:
        """Have the run save and end."""
        self._begin("Stopping: saving a checkpoint")
        self._follow(self._context.supervisor.stop(self._run.folder), keep_busy=False)

    def checkpoint_now(self) -> None:
        """Have the run save and go on."""
        self._begin("Saving a checkpoint")
        self._follow(self._context.supervisor.checkpoint_now(self._run.folder), keep_busy=False)

    def resume(self) -> None:
        """Go on from the last good checkpoint."""
        self._begin("Resuming")
        run, context = self._run, self._context

        def resumed(_pid: int) -> None:
            context.keeper.follow(run)
            context.watcher.look_now(run.folder)
            self.settle()

        context.tasks.run_op(
            lambda: context.supervisor.resume(run.folder),
            resumed,
            self._failed,
            owner=self,
            lane="work",
        )

    def change(
        self,
        lr: float | None,
        steps: int | None,
        why: str,
        then: Callable[[], object] | None = None,
    ) -> None:
        """Give the run another peak learning rate or another end; then do something else."""
        self._begin("Changing the plan")
        future = self._context.supervisor.change(self._run.folder, lr, steps, why)
        self._follow(future, keep_busy=False, then=then)

    def extend(self, steps: int, lr: float | None, why: str) -> None:
        """Give the run a later end and go on with it."""
        self._begin("Extending")
        future = self._context.supervisor.extend(self._run.folder, steps, lr, why)
        self._follow(future, keep_busy=False, goes_on=True)

    def rewind(
        self,
        step: int,
        skip: tuple[int, int] | None,
        go_on: bool,
        then: Callable[[], object] | None = None,
    ) -> None:
        """Take the run back to a checkpoint, without the batches of some steps behind it."""
        self._begin(f"Going back to step {step:,}")
        future = self._context.supervisor.rewind(self._run.folder, step, skip, resume=go_on)
        self._follow(future, keep_busy=False, goes_on=go_on, then=then)

    def export_model(self) -> None:
        """Write the best checkpoint as a Hugging Face model folder."""
        best = self._model.best
        saved = [each.step for each in self._model.checkpoints]
        if not saved:
            self._failed(
                KnownError(
                    "This run has no checkpoint to export yet.",
                    safe="Nothing was changed.",
                    do="Save one now, or wait for the first.",
                )
            )
            return
        by_loss = [each for each in self._model.checkpoints if each.val_loss is not None]
        step = min(by_loss, key=lambda each: each.val_loss or 0.0).step if by_loss else saved[-1]
        if best is not None and best.step in saved:
            step = best.step
        home, run, supervisor = self._context.home, self._run, self._context.supervisor
        self._begin("Starting the export")

        def start() -> Path:
            job, spec = export_job(home, run.folder, step)
            if spec is not None:
                supervisor.start(spec, job)
            return job

        def started(job: Path) -> None:
            self.settle()
            self.export_started.emit(job)

        self._context.tasks.run_op(start, started, self._failed, owner=self, lane="work")

    def settle(self) -> None:
        """What was wished for has happened."""
        self._begin("")

    def _follow(
        self,
        future: Future[Outcome],
        *,
        keep_busy: bool,
        goes_on: bool = False,
        then: Callable[[], object] | None = None,
    ) -> None:
        def done(_result: Outcome) -> None:
            if goes_on:
                self._context.keeper.follow(self._run)
            self._context.watcher.look_now(self._run.folder)
            if not keep_busy:
                self.settle()
            if then is not None:
                then()

        self._context.tasks.follow(future, done, self._failed, owner=self)

    def _failed(self, error: Exception) -> None:
        self.settle()
        self._context.toast(error)

    def _begin(self, what: str) -> None:
        if what != self.busy:
            self.busy = what
            self.busy_changed.emit(what)


def export_job(home: Path, run: Path, step: int) -> tuple[Path, ExportSpec | None]:
    """The job folder of an export, and what to start there; None when it is done already.

    Args:
        home: The data home.
        run: Job folder of the run.
        step: The checkpoint.
    """
    for number in range(1, 1000):
        again = f"-{number}" if number > 1 else ""
        name = f"{run.name}-step-{step}{again}"
        job, destination = home / EXPORTS / _JOBS / name, home / EXPORTS / name
        if not job.exists():
            if destination.exists():
                continue  # something of the user's own
            spec = ExportSpec(run=str(run), destination=str(destination), checkpoint=str(step))
            return job, spec
        status = read_status(job)
        if status.alive or (status.state == "finished" and destination.exists()):
            return job, None
        if status.state != "finished":
            return job, ExportSpec(run=str(run), destination=str(destination), checkpoint=str(step))
    raise KnownError(
        "There are too many exports of this checkpoint.",
        safe="All of them are whole.",
        do=f"Remove some from {home / EXPORTS}.",
    )

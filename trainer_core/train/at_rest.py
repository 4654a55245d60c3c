"""Changes to a training at rest: of its plan, and the way back to one of its checkpoints.

What is wanted is in the journal, in one stroke, before anything else is touched: a command that is
killed has been carried out, or will be when the training goes on, or was never given. Free of
torch, so that the commands answer at once.
"""

from __future__ import annotations

import time
from pathlib import Path

from trainer_core import spec as specs
from trainer_core.errors import KnownError, from_os_error
from trainer_core.job import locked
from trainer_core.journal import JournalWriter
from trainer_core.metrics import StepLog, count_rows
from trainer_core.records import PlanChanged, Record, Rewound
from trainer_core.spec import TrainSpec
from trainer_core.status import JOURNAL_FILE, SPEC_FILE, STEPS_FILE, JobStatus, read_status
from trainer_core.train.checkpoints.folders import (
    checkpoint_steps,
    forget_later,
    is_resumable,
    manifest_of,
)
from trainer_core.training_plan import TrainingPlan, note_of

SKIP_MOST = 100_000
"""Batches that are left out at once; whoever wants more wants another corpus."""
_SAFE = "Nothing was changed."


def change(folder: Path, lr: float | None, steps: int | None, why: str = "") -> PlanChanged:
    """Change the plan of a training, from the checkpoint that it goes on from.

    Args:
        folder: Its job folder.
        lr: New peak of the schedule; None leaves it.
        steps: New length of the run; None leaves it.
        why: A note for the run's record.

    Returns:
        What was recorded.

    Raises:
        LockedError: A process works on it.
        KnownError: It is no training, or the change makes no sense.
    """
    spec = _spec_of(folder)
    with locked(folder):
        status = read_status(folder)
        step = goes_on_from(folder, status)
        TrainingPlan(spec, status.changes).check(step, lr, steps)
        record = PlanChanged(time_s=time.time(), step=step, lr=lr, steps=steps, why=note_of(why))
        _write(folder, [record])
    return record


def rewind(folder: Path, to: int, skip: tuple[int, int] | None = None) -> list[int]:
    """Take a training back to a checkpoint; what came later is void.

    Args:
        folder: Its job folder.
        to: Step of the checkpoint; 0 is the beginning.
        skip: First and last step whose batches are left out from now on.

    Returns:
        The steps of the checkpoints that were removed.

    Raises:
        LockedError: A process works on it.
        KnownError: It is no training, there is no such checkpoint, or these steps were not done.
    """
    _spec_of(folder)
    with locked(folder):
        status = read_status(folder)
        done = max([count_rows(folder / STEPS_FILE), *checkpoint_steps(folder)])
        if status.rewind_to is not None:
            done = min(done, status.rewind_to)
        _check_goal(folder, to, done)
        now = time.time()
        records: list[Record] = [Rewound(time_s=now, step=to, from_step=done)]
        if skip is not None:
            first, last = skip
            _check_skip(to, done, first, last)
            records.append(PlanChanged(time_s=now, step=first - 1, skip=last - first + 1))
        elif to == done:
            raise KnownError(
                f"The training is at step {to:,} already.", safe=_SAFE, do="Resume it."
            )
        _write(folder, records)
        return _tidy(folder, to)


def goes_on_from(folder: Path, status: JobStatus) -> int:
    """Step of the checkpoint that a training goes on from; 0 where it begins anew."""
    steps = checkpoint_steps(folder)
    if status.rewind_to is not None:
        steps = [step for step in steps if step <= status.rewind_to]
    return next((step for step in reversed(steps) if is_resumable(folder, step)), 0)


def _spec_of(folder: Path) -> TrainSpec:
    if not folder.is_dir():
        raise KnownError(f"{folder} is not a job folder.", safe=_SAFE, do="Check the path.")
    spec = specs.load(folder / SPEC_FILE)
    if not isinstance(spec, TrainSpec):
        raise KnownError(
            f"{folder} is no training, and has no plan to change.",
            safe=_SAFE,
            do="Choose the folder of a training; a tour has some within.",
        )
    return spec


def _check_goal(folder: Path, to: int, done: int) -> None:
    if to == 0 and done > 0:
        return
    there = [step for step in checkpoint_steps(folder) if step <= done]
    whole = [step for step in there if is_resumable(folder, step)]
    if to in whole:
        return
    what = f"There is no checkpoint of step {to:,}."
    if to in there:
        is_thin = manifest_of(folder, to) is not None
        why = "holds weights only" if is_thin else "is damaged"
        what = f"The checkpoint of step {to:,} {why}, and no training can go on from it."
    can = ", ".join(f"{step:,}" for step in (0, *whole[-12:]))
    raise KnownError(what, safe=_SAFE, do=f"Choose one of these: {can}.", field="to")


def _check_skip(to: int, done: int, first: int, last: int) -> None:
    if not to < first <= last <= done:
        steps = f"{first:,}" if first == last else f"{first:,} to {last:,}"
        raise KnownError(
            f"The batches of steps {steps} cannot be left out: the training would go from"
            f" {to:,}, and had come to {done:,}.",
            safe=_SAFE,
            do=f"Name steps from {to + 1:,} to {done:,}, the first one first."
            if to < done
            else "Choose an earlier checkpoint.",
            field="skip",
        )
    if last - first >= SKIP_MOST:
        raise KnownError(
            f"{last - first + 1:,} batches cannot be left out at once.",
            safe=_SAFE,
            do=f"Name {SKIP_MOST:,} at most.",
            field="skip",
        )


def _write(folder: Path, records: list[Record]) -> None:
    try:
        with JournalWriter(folder / JOURNAL_FILE) as journal:
            journal.append_all(records)
    except OSError as error:
        raise from_os_error(error, "writing the journal") from None


def _tidy(folder: Path, to: int) -> list[int]:
    """Remove what is void; what stays behind is removed when the training goes on."""
    try:
        gone = forget_later(folder, to)
        if count_rows(folder / STEPS_FILE) > to:
            log = StepLog(folder / STEPS_FILE)
            try:
                log.truncate(to)
            finally:
                log.close()
    except OSError as error:
        raise from_os_error(error, "removing later checkpoints") from None
    return gone

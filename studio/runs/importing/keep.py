"""Keeps curves as a job folder: a journal, a dense file of steps, and where they came from."""

from __future__ import annotations

import math
import shutil
import time
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from studio.runs.importing.curves import Curves, Doubles, Points, Series, check_steps
from studio.runs.importing.reference import REFERENCE_FILE, VERB, Reference
from trainer_core.errors import KnownError, from_os_error
from trainer_core.files import write_whole_file
from trainer_core.journal import JournalWriter
from trainer_core.metrics import STEP_DTYPE, Rows, StepLog
from trainer_core.records import Ended, JobStarted, Noted, Validated
from trainer_core.status import JOURNAL_FILE, STEPS_FILE

_CHUNK: Final = 200_000
_LN2: Final = math.log(2)
_COPIED: Final[tuple[Series, ...]] = ("loss", "lr", "grad_norm", "tokens_per_s")


def write_reference(folder: Path, curves: Curves, reference: Reference) -> Reference:
    """Write a reference run into a new, empty folder; `reference.json` comes last.

    Args:
        folder: It exists and is empty.
        curves: What was read.
        reference: Where from, and what a person said of it.

    Returns:
        What was written of its origin.

    Raises:
        DataError: There is nothing to keep, or too much.
        KnownError: The disk is full or gone; the folder is removed.
    """
    check_steps(curves)
    reference = msgspec.structs.replace(
        reference, has_time=len(curves.points("elapsed_s")) > 0, notes=curves.notes
    )
    try:
        _write_steps(folder / STEPS_FILE, curves, reference)
        _write_journal(folder / JOURNAL_FILE, curves, reference)
        data = msgspec.json.format(msgspec.json.encode(reference), indent=2)
        write_whole_file(folder / REFERENCE_FILE, data)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise from_os_error(error, "keeping the imported curves") from error
    except KnownError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return reference


def nats(reference: Reference) -> float:
    """What a loss of the log is multiplied by."""
    return _LN2 if reference.losses == "bits" else 1.0


def validations(curves: Curves, reference: Reference) -> list[Validated]:
    """The held-out losses of a log, by step; NaN stands for bits per byte that nobody told.

    Where a log tells bits per byte alone, losses follow from the bytes per token, or are NaN.
    """
    losses, bits = curves.points("val_loss"), curves.points("val_bits")
    steps = np.union1d(losses.steps, bits.steps)
    of_loss = dict(zip(losses.steps.tolist(), losses.values.tolist(), strict=True))
    of_bits = dict(zip(bits.steps.tolist(), bits.values.tolist(), strict=True))
    tokens = tokens_at(curves, reference, steps)
    made: list[Validated] = []
    best = math.inf
    for step, seen in zip(steps.tolist(), tokens.tolist(), strict=True):
        loss = of_loss.get(step, math.nan) * nats(reference)
        per_byte = of_bits.get(step, math.nan)
        if reference.bytes_per_token:
            if math.isnan(per_byte):
                per_byte = loss / _LN2 / reference.bytes_per_token
            if math.isnan(loss):
                loss = per_byte * _LN2 * reference.bytes_per_token
        is_best = loss < best
        best = min(best, loss) if not math.isnan(loss) else best
        made.append(
            Validated(
                step=step,
                tokens_seen=int(seen),
                loss=loss,
                bits_per_byte=per_byte,
                tokens=0,
                best=is_best,
            )
        )
    return made


def tokens_at(curves: Curves, reference: Reference, steps: np.ndarray) -> Doubles:
    """Training tokens at steps, (n,); 0 where the log does not tell and nobody did."""
    told = curves.points("tokens_seen")
    if len(told):
        return _between(told, steps)
    per_step = reference.tokens_per_step or 0
    return np.asarray(steps, np.float64) * per_step


def _between(points: Points, steps: np.ndarray) -> Doubles:
    """Values at steps, (n,), between points by interpolation; they start at 0 and never fall."""
    known = np.concatenate([[0.0], points.steps.astype(np.float64)])
    values = np.maximum.accumulate(np.concatenate([[0.0], points.values]))
    if len(points) and points.steps[0] == 0:
        known, values = known[1:], values[1:]
    return np.interp(np.asarray(steps, np.float64), known, values)


def _write_steps(path: Path, curves: Curves, reference: Reference) -> None:
    last = curves.last_step
    log = StepLog(path)
    try:
        for first in range(1, last + 1, _CHUNK):
            steps = np.arange(first, min(first + _CHUNK, last + 1))
            log.append(_rows(curves, reference, steps))
        log.sync()
    finally:
        log.close()


def _rows(curves: Curves, reference: Reference, steps: np.ndarray) -> Rows:
    rows = np.zeros(len(steps), STEP_DTYPE)
    rows["step"] = steps
    rows["tokens_seen"] = tokens_at(curves, reference, steps)
    rows["elapsed_s"] = _between(curves.points("elapsed_s"), steps)
    rows["hit_rate"] = rows["mean_match"] = np.nan
    for name in _COPIED:
        points = curves.points(name)
        rows[name] = np.nan
        first, end = np.searchsorted(points.steps, [steps[0], steps[-1] + 1])
        factor = nats(reference) if name == "loss" else 1.0
        rows[name][points.steps[first:end] - steps[0]] = points.values[first:end] * factor
    if not len(curves.points("tokens_per_s")):
        rows["tokens_per_s"] = _speeds(curves, reference, steps)
    return rows


def _speeds(curves: Curves, reference: Reference, steps: np.ndarray) -> Doubles:
    """Tokens per second at steps, (n,), between the two times around each; NaN without times."""
    times = curves.points("elapsed_s")
    if len(times) < 2:
        return np.full(len(steps), np.nan)
    tokens = tokens_at(curves, reference, times.steps)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = np.diff(tokens) / np.diff(times.values)
    between[~np.isfinite(between) | (between <= 0)] = np.nan
    place = np.searchsorted(times.steps, steps, side="left") - 1
    return between[np.clip(place, 0, len(between) - 1)]


def _write_journal(path: Path, curves: Curves, reference: Reference) -> None:
    now = time.time()
    with JournalWriter(path) as journal:
        journal.append(JobStarted(time_s=now, verb=VERB, pid=0, host="", version=""), sync=False)
        journal.append(
            Noted(
                time_s=now,
                level="info",
                title="Imported",
                text=f"From {reference.file}, in the format of {reference.program}.",
            ),
            sync=False,
        )
        for note in curves.notes:
            journal.append(
                Noted(time_s=now, level="warning", title="On reading it", text=note), sync=False
            )
        for each in validations(curves, reference):
            journal.append(msgspec.structs.replace(each, time_s=now), sync=False)
        journal.append(Ended(time_s=now, state="finished", exit_code=0, step=curves.last_step))

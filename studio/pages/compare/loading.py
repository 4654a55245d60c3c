"""Reads the runs of a comparison from their folders. Knows nothing of Qt."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from studio.charts.lines import Doubles
from studio.pages.compare.facts import Compared, CorpusMark, Training
from studio.runs.facts import facts_of
from studio.runs.importing.reference import VERB, Reference, read_reference
from studio.runs.model import JobModel
from studio.runs.whole import read_whole
from studio.storage.rows import RunRow
from trainer_core.errors import KnownError
from trainer_core.spec import TrainSpec

_MANIFEST: Final = "manifest.json"


def load_run(row: RunRow, slot: int) -> Compared:
    """Read a run's folder. Takes a while for a long run: call it in a thread."""
    model = read_whole(row.folder)
    if model.verb == VERB:
        try:
            reference = read_reference(row.folder)
        except KnownError as error:
            return Compared(row, slot, row.facts, problem=error.what)
        if reference is not None:
            return of_model(row, slot, model, mark_of(reference, row.folder), reference)
    if not isinstance(model.spec, TrainSpec):
        problem = model.error.what if model.error is not None else "Its settings cannot be read."
        return Compared(row, slot, row.facts, problem=problem)
    return of_model(row, slot, model, corpus_mark(Path(model.spec.corpus)))


def of_model(
    row: RunRow,
    slot: int,
    model: JobModel,
    corpus: CorpusMark,
    reference: Reference | None = None,
) -> Compared:
    """A run whose job is followed, as it is now."""
    elapsed = model.steps.column("elapsed_s")
    steps = [min(each.step, len(elapsed)) for each in model.validations]
    return Compared(
        row=row,
        slot=slot,
        facts=facts_of(model),
        spec=model.spec if isinstance(model.spec, TrainSpec) else None,
        validations=model.validations,
        elapsed_s=tuple(float(elapsed[step - 1]) if step else 0.0 for step in steps),
        corpus=corpus,
        reference=reference,
        training=_training(model),
    )


def corpus_mark(folder: Path) -> CorpusMark:
    """The corpus's marks; its path stands in where it is gone."""
    try:
        mark = msgspec.json.decode((folder / _MANIFEST).read_bytes(), type=CorpusMark)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        mark = CorpusMark()
    path = str(folder)
    return CorpusMark(mark.tokenizer_fingerprint or path, mark.fingerprint or path)


def mark_of(reference: Reference, folder: Path) -> CorpusMark:
    """The marks of imported curves: what a person said of the tokenizer; their own documents."""
    named = reference.tokenizer_name.casefold().strip()
    tokenizer = reference.tokenizer or (f"named {named}" if named else "")
    return CorpusMark(tokenizer, str(folder))


def _training(model: JobModel) -> Training:
    losses: Doubles = np.asarray(model.steps.column("loss"), np.float64)
    there = np.isfinite(losses)

    def column(name: str) -> Doubles:
        values: Doubles = np.asarray(model.steps.column(name), np.float64)[there]
        return values

    return Training(column("step"), column("tokens_seen"), column("elapsed_s"), losses[there])

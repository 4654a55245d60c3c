"""Turns batches into plain values. B batch, T time (context length)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from trainer_core.data.batches.gather import IGNORED, Batch
from trainer_core.data.batches.loader import TrainBatches
from trainer_core.data.corpus import Corpus, CorpusSplit
from trainer_core.data.matches import MatchTensors
from trainer_core.index import COUNT_BUCKETS
from trainer_core.inspecting.report import (
    NOTHING,
    Batches,
    DocumentRun,
    Row,
    RowMatches,
    ShownBatch,
    ShownDocument,
)
from trainer_core.spec import InspectSpec

Report = Callable[[str, float, float, str], None]


def shown_batches(
    spec: InspectSpec, corpus: Corpus, batches: TrainBatches, report: Report
) -> Batches:
    """The first rows of some batches, with all that they name.

    Args:
        spec: Which steps, and how many rows of each.
        corpus: Whose training part they are made of.
        batches: Those of the training.
        report: Told of the progress; may raise to give up.
    """
    shown = []
    for number in range(spec.batches):
        report("reading batches", number, spec.batches, "batches")
        step = spec.first_step + number
        batch, places = batches.batch(step), batches.places(step)
        n_rows = min(spec.rows, len(batch.inputs))
        rows = tuple(
            _row(corpus.train, batch, places[row, : spec.context_length], row)
            for row in range(n_rows)
        )
        shown.append(ShownBatch(step=step, rows=rows))
    report("reading batches", spec.batches, spec.batches, "batches")
    rows = tuple(row for batch in shown for row in batch.rows)
    return Batches(
        context_length=spec.context_length,
        batch_size=spec.batch_size,
        packing=spec.data.packing,
        masked=spec.data.masks,
        separator=corpus.separator,
        count_buckets=tuple(map(_bucket_words, COUNT_BUCKETS)) if spec.index else (),
        batches=tuple(shown),
        documents=_documents(corpus.train, rows),
        tokens=_tokens(corpus, rows),
    )


def _row(split: CorpusSplit, batch: Batch, places: NDArray[np.int64], row: int) -> Row:
    """One sequence; `places` (T,) says where its tokens stand in the stream."""
    targets = batch.targets[row].numpy()
    masks: tuple[int, ...] = ()
    positions = np.arange(len(targets))
    if batch.documents is not None:
        starts = np.flatnonzero(_changes(batch.documents[row].numpy()))
        positions = positions - np.repeat(starts, np.diff(starts, append=len(positions)))
        masks = tuple(starts.tolist())
    return Row(
        ids=tuple(batch.inputs[row].tolist()),
        targets=tuple(np.where(targets == IGNORED, NOTHING, targets).tolist()),
        positions=tuple(positions.tolist()),
        documents=_runs(split, places),
        masks=masks,
        matches=None if batch.matches is None else _matches(batch.matches, row),
    )


def _changes(values: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where a value is another one than that before, (T,); the first one is."""
    return np.concatenate([[True], values[1:] != values[:-1]])


def _runs(split: CorpusSplit, places: NDArray[np.int64]) -> tuple[DocumentRun, ...]:
    """The documents that the tokens at these places, (T,), belong to."""
    numbers = np.searchsorted(split.document_start, places, side="right") - 1  # -1: padding
    apart = _changes(numbers) | _changes(places - np.arange(len(places))) & (numbers >= 0)
    starts = np.flatnonzero(apart)
    stops = np.append(starts[1:], len(places))
    runs = []
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        document = int(numbers[start])
        offset = int(places[start] - split.document_start[document]) if document >= 0 else 0
        runs.append(DocumentRun(start=start, stop=stop, document=document, offset=offset))
    return tuple(runs)


def _matches(matches: MatchTensors, row: int) -> RowMatches | None:
    """The matches of one sequence; None where it has none at all, as under dropout."""
    length = matches.length[row].numpy()
    if not length.any():
        return None
    following = np.where(length > 0, matches.next[row].numpy(), NOTHING)
    second = np.where(matches.has_second[row].numpy(), matches.second[row].numpy(), NOTHING)
    return RowMatches(
        length=tuple(length.tolist()),
        next=tuple(following.tolist()),
        second=tuple(second.tolist()),
        count=tuple(matches.count_bucket[row].tolist()),
    )


def _bucket_words(bucket: tuple[int, int]) -> str:
    low, high = bucket
    if bucket == COUNT_BUCKETS[-1]:
        return f"{low:,} or more"
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _documents(split: CorpusSplit, rows: Iterable[Row]) -> dict[int, ShownDocument]:
    numbers = {run.document for row in rows for run in row.documents} - {NOTHING}
    found = {}
    for number in sorted(numbers):
        info = split.document(number)
        found[number] = ShownDocument(
            title=info.title, path=info.path, source=info.source, tokens=info.n_tokens
        )
    return found


def _tokens(corpus: Corpus, rows: Iterable[Row]) -> dict[int, str]:
    ids = {corpus.separator}
    for row in rows:
        ids.update(row.ids, row.targets)
        if row.matches is not None:
            ids.update(row.matches.next, row.matches.second)
    tokenizer = corpus.tokenizer
    return {
        token: base64.b64encode(tokenizer.token_bytes(token)).decode("ascii")
        for token in sorted(ids - {NOTHING})
    }

"""The verb `inspect`: write the first batches of a training down, token by token.

Values of its result:
    batches: Name of the file inside the job folder; see `report.Batches`.
    steps, rows: How many steps it shows, and rows of each.
    tokens: Inputs shown.
    padding, ignored: How many of them are padding, and how many targets are ignored.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from trainer_core.data.batches.loader import TrainBatches, open_batches
from trainer_core.data.batches.text import text_of
from trainer_core.data.corpus import Corpus, open_corpus
from trainer_core.data.matches import Matches
from trainer_core.errors import DataError, IndexFileError, SpecError, from_os_error
from trainer_core.files import write_whole_file
from trainer_core.index import open_index
from trainer_core.inspecting.report import BATCHES_NAME, NOTHING, Batches
from trainer_core.inspecting.showing import shown_batches
from trainer_core.spec import InspectSpec

if TYPE_CHECKING:
    from trainer_core.job import Job

MOST_TOKENS = 1 << 20
"""Inputs that are shown at most, one row of the longest context: the file takes some 25 bytes for
each, and the work some 300."""
MOST_STEP_TOKENS = 1 << 23
"""Inputs of one step at most: a batch is made as a whole before its first rows are shown."""
MOST_SEQUENCES = 1_000_000_000
"""Sequences up to the last step at most: how many are of each source may have to be counted."""
_SAFE = "Nothing was written."


def run(job: Job, spec: InspectSpec) -> dict[str, Any]:
    """Carry out an `inspect` job.

    Args:
        job: The running job; its folder takes the file.
        spec: Which training, and how much of it.

    Returns:
        The result's values, as the module says.

    Raises:
        JobStopped: The job was asked to stop.
        SpecError: More is asked for than can be shown.
        DataError: The corpus cannot be used, or is smaller than one context.
        IndexFileError: The index cannot be used, or is of another corpus.
        KnownError: The file cannot be written.
    """
    _check_size(spec)
    job.state("running")
    corpus = open_corpus(Path(spec.corpus))
    matches = _matches(spec, corpus) if spec.index else None
    batches = training_batches(spec, corpus, matches)
    found = shown_batches(spec, corpus, batches, job.progress)
    try:
        write_whole_file(job.folder / BATCHES_NAME, msgspec.json.encode(found))
    except OSError as error:
        raise from_os_error(error, "writing the batches") from None
    return _values(found)


def training_batches(spec: InspectSpec, corpus: Corpus, matches: Matches | None) -> TrainBatches:
    """The batches that a training with these settings sees.

    Raises:
        DataError: The text is shorter than one context.
        SpecError: A weight names no source.
    """
    try:
        return open_batches(
            text_of(corpus),
            matches,
            spec.data,
            spec.batch_size,
            spec.context_length,
            spec.seed,
            match_dropout=spec.match_dropout,
            steps=spec.steps,
            vocab_size=corpus.vocab_size,
        )
    except DataError as error:  # in a training the setting has another place
        error.field = error.field.removeprefix("model.")
        error.do = error.do.replace("model.context_length", "context_length")
        raise


def _check_size(spec: InspectSpec) -> None:
    rows = min(spec.rows, spec.batch_size)
    tokens = spec.batches * rows * spec.context_length
    if tokens > MOST_TOKENS:
        raise SpecError(
            f"{spec.batches:,} batches of {rows:,} rows of {spec.context_length:,} tokens are"
            f" {tokens:,} tokens, more than the {MOST_TOKENS:,} that can be shown.",
            safe=_SAFE,
            do="Set a smaller rows or batches.",
            field="rows",
        )
    if spec.batch_size * spec.context_length > MOST_STEP_TOKENS:
        raise SpecError(
            f"A step of {spec.batch_size:,} sequences of {spec.context_length:,} tokens has more"
            f" than the {MOST_STEP_TOKENS:,} tokens that can be made at once.",
            safe=_SAFE,
            do="Set a smaller batch_size or context_length.",
            field="batch_size",
        )
    _check_steps(spec)


def _check_steps(spec: InspectSpec) -> None:
    last = spec.first_step + spec.batches - 1
    if last <= spec.steps and last * spec.batch_size <= MOST_SEQUENCES:
        return
    where = f"the training's end, which is at steps {spec.steps:,}"
    if last <= spec.steps:
        where = f"the {MOST_SEQUENCES:,} sequences that can be counted"
    raise SpecError(
        f"first_step {spec.first_step:,} and batches {spec.batches:,} lead behind {where}.",
        safe=_SAFE,
        do="Set a smaller first_step or batches, or the steps of the training.",
        field="first_step",
    )


def _matches(spec: InspectSpec, corpus: Corpus) -> Matches:
    index = open_index(Path(spec.index))
    if index.corpus_fingerprint != corpus.fingerprint:
        raise IndexFileError(
            f"The index {spec.index} was built over another corpus.",
            safe=_SAFE,
            do="Build the index again over this corpus, or leave index empty.",
            field="index",
        )
    return index.train_features()


def _values(found: Batches) -> dict[str, Any]:
    rows = [row for batch in found.batches for row in batch.rows]
    runs = [run for row in rows for run in row.documents if run.document == NOTHING]
    return {
        "batches": BATCHES_NAME,
        "steps": len(found.batches),
        "rows": len(found.batches[0].rows),
        "tokens": len(rows) * found.context_length,
        "padding": sum(run.stop - run.start for run in runs),
        "ignored": sum(row.targets.count(NOTHING) for row in rows),
    }

"""The verb `prepare`: read text, split it by document, tokenise it, write a corpus.

Values of its result:
    corpus: Name of the corpus folder inside the job folder.
    name, fingerprint, tokenizer_fingerprint, tokenizer, vocab_size: As in the manifest.
    documents, tokens, bytes: Of both sides; bytes are those of the text.
    train_documents, train_tokens, validation_documents, validation_tokens: Of each side.
    bytes_per_token: Bytes of text per token, separators not counted.
    skipped: How many files or documents were left out, by reason.
    duplicates: How many of these were equal to an earlier one.
    seconds: How long it took; 0 when the corpus was there already.
"""

from __future__ import annotations

import shutil
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer_core.data.corpus import Corpus, open_corpus
from trainer_core.data.preparing.build import CORPUS_FOLDER, build_corpus, partial_of
from trainer_core.data.preparing.progress import WholeProgress
from trainer_core.data.tokenizers.json_kind import JsonTokenizer
from trainer_core.ending import JobStopped
from trainer_core.errors import from_os_error
from trainer_core.spec import PrepareSpec

if TYPE_CHECKING:
    from trainer_core.job import Job

_PATHS_NOTED = 5
_CHARACTERS_NOTED = 80


def run(job: Job, spec: PrepareSpec) -> dict[str, Any]:
    """Carry out a `prepare` job. A corpus that is whole already stays as it is.

    Args:
        job: The running job; its folder takes the corpus.
        spec: What to read and how.

    Returns:
        The result's values, as the module says.

    Raises:
        JobStopped: The job was asked to stop; run again, it goes on where it ended.
        DataError: The source, the tokenizer or the corpus that is there cannot be used.
        KnownError: The corpus cannot be written.
    """
    folder: Path = job.folder / CORPUS_FOLDER
    if folder.exists():
        # A kill between the last rename and the end leaves this.
        shutil.rmtree(partial_of(folder), ignore_errors=True)
        return _values(open_corpus(folder), seconds=0.0)
    job.state("running")
    begun_s = time.monotonic()
    try:
        progress = WholeProgress(spec, job.progress)
        say = partial(job.note, "info")
        corpus = build_corpus(spec, folder, report=progress.report, say=say, watch=progress.watch)
    except JobStopped:
        if partial_of(folder).exists():
            job.note(
                "info", "What was done so far is kept", "Started again, the work goes on there."
            )
        raise
    except OSError as error:
        raise from_os_error(error, "writing the corpus") from None
    _note_what_was_left_out(job, corpus)
    _note_near_duplicates(job, corpus)
    _note_what_was_not_found(job, corpus, spec)
    _note_what_the_tokenizer_loses(job, corpus)
    return _values(corpus, seconds=time.monotonic() - begun_s)


def _note_what_was_left_out(job: Job, corpus: Corpus) -> None:
    report = corpus.manifest.source
    for group in report.skipped:
        more = group.count - _PATHS_NOTED
        lines = [*group.examples[:_PATHS_NOTED], *([f"and {more:,} more"] if more > 0 else [])]
        job.note(group.level, f"Left out {group.count:,}: {group.meaning}", "\n".join(lines))
    if report.cut_document:
        job.note(
            "info",
            "The end of one document validates",
            f"There were too few documents to hold out a whole one: {report.cut_document}",
        )


def _note_near_duplicates(job: Job, corpus: Corpus) -> None:
    near = corpus.manifest.near_duplicates
    if near is None or not near.held_out:
        return
    pairs = [f"{pair.later}\n    like {pair.first}" for pair in near.held_out_pairs]
    words = (
        "The validation loss will be better than it is on new text. A preparation that removes near"
        " duplicates has none of these."
    )
    title = f"{near.held_out:,} held-out documents are nearly equal to one that is trained on"
    job.note("warning", title, "\n".join([words, *pairs[:_PATHS_NOTED]]))


def _note_what_was_not_found(job: Job, corpus: Corpus, spec: PrepareSpec) -> None:
    steps = (step for source in corpus.manifest.sources for step in source.cleaning)
    found = sum(step.left_out for step in steps if step.step == "exclude")
    if (missing := len(set(spec.cleaning.exclude)) - found) > 0:
        words = "They are not in these sources, or have another path or text by now."
        job.note("warning", f"{missing:,} of the documents to leave out were not found", words)


def _note_what_the_tokenizer_loses(job: Job, corpus: Corpus) -> None:
    tokenizer = corpus.tokenizer
    trip = tokenizer.round_trip if isinstance(tokenizer, JsonTokenizer) else None
    if trip is not None and trip.words:
        before, after = (text[:_CHARACTERS_NOTED] for text in trip.examples[0])
        words = f"{trip.words} For example:\n{before}\n{after}"
        job.note("warning", "The tokenizer does not give all of the text back", words)


def _values(corpus: Corpus, *, seconds: float) -> dict[str, Any]:
    manifest, train, validation = corpus.manifest, corpus.train, corpus.validation
    documents = train.n_documents + validation.n_documents
    tokens = train.n_tokens + validation.n_tokens
    n_bytes = train.n_bytes + validation.n_bytes
    skipped = {group.reason: group.count for group in manifest.source.skipped}
    return {
        "corpus": CORPUS_FOLDER,
        "name": manifest.name,
        "fingerprint": manifest.fingerprint,
        "tokenizer": manifest.tokenizer_kind,
        "tokenizer_fingerprint": manifest.tokenizer_fingerprint,
        "vocab_size": manifest.vocab_size,
        "documents": documents,
        "tokens": tokens,
        "bytes": n_bytes,
        "train_documents": train.n_documents,
        "train_tokens": train.n_tokens,
        "validation_documents": validation.n_documents,
        "validation_tokens": validation.n_tokens,
        "bytes_per_token": n_bytes / max(tokens - documents, 1),
        "skipped": skipped,
        "duplicates": skipped.get("duplicate", 0),
        "seconds": seconds,
    }

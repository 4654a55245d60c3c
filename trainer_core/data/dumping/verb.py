"""The verb `dump`: write a corpus's documents as text, or its tokens, into a folder.

`jsonl` and `parquet`: `train` and `validation`, each document with `text`, `title`, `path` and,
where there are several, `source`. `bin`: token ids as nanoGPT reads them; see `tokens`. The folder
is whole or absent.

Values of its result:
    output: The folder.
    format: As in the settings.
    files: Names of the files in it.
    documents, tokens, bytes: What was written; tokens with one separator for each document, bytes
        of text.
    size_bytes: Of all files.
    seconds: How long it took.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer_core.data.corpus import Corpus, open_corpus
from trainer_core.data.dumping import parquet, texts, tokens
from trainer_core.data.sources.files import path_of_user
from trainer_core.data.sources.skipped import printable
from trainer_core.data.tokenizers.json_kind import JsonTokenizer
from trainer_core.errors import DataError, from_os_error
from trainer_core.files import whole_folder
from trainer_core.spec import DumpSpec

if TYPE_CHECKING:
    from trainer_core.job import Job

PHASE = "writing documents"

_WRITERS: dict[str, Callable[[Corpus, Path, Callable[[int], None]], None]] = {
    "jsonl": texts.write_jsonl,
    "parquet": parquet.write_parquet,
    "bin": tokens.write_bin,
}


def run(job: Job, spec: DumpSpec) -> dict[str, Any]:
    """Carry out a `dump` job.

    Args:
        job: The running job; its folder takes nothing but the journal.
        spec: What to write, and where.

    Returns:
        The result's values, as the module says.

    Raises:
        JobStopped: The job was asked to stop; nothing is left behind.
        DataError: The corpus cannot be used, or a document is too large for the format.
        KnownError: The folder is taken, or cannot be written.
    """
    output = path_of_user(spec.output)
    corpus = open_corpus(Path(spec.corpus))
    _check_free(output)
    job.state("running")
    begun_s = time.monotonic()
    total = corpus.train.n_tokens + corpus.validation.n_tokens
    done = 0

    def advance(n: int) -> None:
        nonlocal done
        done += n
        job.progress(PHASE, done, total, "tokens")

    try:
        with whole_folder(output, _check_free) as draft:
            _WRITERS[spec.format](corpus, draft, advance)
            files = sorted(path.name for path in draft.iterdir())
            size_bytes = sum(path.stat().st_size for path in draft.iterdir())
    except OSError as error:
        raise from_os_error(error, "writing the documents") from None
    if spec.format != "bin":
        _note_losses(job, corpus)
    return {
        "output": str(output),
        "format": spec.format,
        "files": files,
        "documents": corpus.train.n_documents + corpus.validation.n_documents,
        "tokens": total,
        "bytes": corpus.train.n_bytes + corpus.validation.n_bytes,
        "size_bytes": size_bytes,
        "seconds": time.monotonic() - begun_s,
    }


def _note_losses(job: Job, corpus: Corpus) -> None:
    """Say so where the tokens do not hold all of the text: what was written is what they hold."""
    tokenizer = corpus.tokenizer
    trip = tokenizer.round_trip if isinstance(tokenizer, JsonTokenizer) else None
    if trip is not None and trip.words:
        job.note("warning", "Not all of the text is in the tokens", trip.words)


def _check_free(output: Path) -> None:
    """Make sure that a folder can be made there, and that nothing of the user's own stands there.

    Raises:
        KnownError: It cannot, or something does.
    """
    if "\0" in str(output):  # which `exists` calls absent, and `mkdir` no path at all
        raise _refused(output, "cannot be the name of a folder")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        taken = output.is_symlink() or (output.exists() and not output.is_dir())
        taken = taken or (output.is_dir() and any(output.iterdir()))
    except OSError as error:
        failed = from_os_error(error, "making the folder to write")
        failed.field = "output"
        raise failed from None
    if taken:
        raise _refused(output, "already exists and is not an empty folder")


def _refused(output: Path, why: str) -> DataError:
    return DataError(
        f"{printable(str(output))} {why}.",
        safe="Nothing was changed.",
        do="Choose a new folder, or move what is there.",
        field="output",
    )

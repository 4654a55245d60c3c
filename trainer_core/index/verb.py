"""The verb `index`: build the index of a corpus into the job's folder and say what it is worth."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer_core.data.corpus import Corpus, open_corpus
from trainer_core.errors import IndexFileError
from trainer_core.index.building.assembly import Built, Settings
from trainer_core.index.building.build import build, source_of_corpus, warm_up
from trainer_core.index.building.whole import ALMOST, WholeBuild
from trainer_core.index.compiled import COMPILED
from trainer_core.index.duplicates import duplicates_of
from trainer_core.index.lookups.lookup import MatchIndex, open_index
from trainer_core.index.store import INDEX_FOLDER
from trainer_core.index.value import value_of
from trainer_core.spec import IndexSpec

if TYPE_CHECKING:
    from trainer_core.job import Job

CHECKING = "checking the index"
MEASURING = "measuring what it is worth"
COUNTING = "measuring what is repeated"


def run(job: Job, spec: IndexSpec) -> dict[str, Any]:
    """Build the index into `<job folder>/index`, or keep the one that is whole there.

    Returns:
        tokens, documents: Of the training part.
        validation_tokens: Of the held-out part.
        max_length: Longest match that is told apart.
        folder: Of the index, relative to the job folder.
        built: False where an index that was already whole was kept.
        appended: Whether documents were added to an older index.
        resumed: Whether an interrupted build was gone on with.
        chunks: How many the text was sorted in, one where it fitted into memory; 0 where nothing
            was built.
        compiled: Whether numba did the work.
        seconds: What the build took; what checking took where nothing was built.
        ns_per_token: Build time per training token; None where not all of it was built now.
        size_bytes, bytes_per_token: Of the folder.
        hit_rate: Share of held-out tokens whose match names the next token.
        mean_match: Mean match length on held-out text, in tokens.
        repeated_share: Share of held-out text in repeats of 32 tokens or more, or None.
        buckets: By match length: low, high, tokens, share, hit_rate.
        duplicates: The figures of `Duplicates`: what stands more than once in the training text.

    Raises:
        DataError: The corpus is absent or damaged.
        IndexFileError: The corpus cannot be indexed.
        DiskFullError: There is no room; nothing half-written stays.
        JobStopped: The job was asked to stop; there is no index then. A long build goes on from its
            last finished step when the job is run again.
    """
    corpus = open_corpus(Path(spec.corpus))
    folder = job.folder / INDEX_FOLDER
    begun_s = time.perf_counter()
    index = _kept(job, folder, corpus, spec.max_length)
    built: Built | None = None
    if index is None:
        job.state("compiling")
        warm_up(corpus.train.dtype)
        job.check_stop()
        job.state("running")
        begun_s = time.perf_counter()
        built = _build(job, spec, corpus, folder)
        index = open_index(folder)
    seconds = time.perf_counter() - begun_s
    job.progress(MEASURING, 0, 1, whole=ALMOST)
    worth = value_of(index.validation_features(), corpus.validation.tokens(), index.max_length)
    duplicates = duplicates_of(
        index, 0, advance=lambda done, of: job.progress(COUNTING, done, of, "tokens", whole=ALMOST)
    )
    job.progress(MEASURING, 1, 1, whole=1.0)
    anew = built is not None and not (built.appended or built.resumed)
    return {
        "tokens": index.n_tokens,
        "documents": index.manifest.n_documents,
        "validation_tokens": index.manifest.n_validation_tokens,
        "max_length": index.max_length,
        "folder": INDEX_FOLDER,
        "built": built is not None,
        "appended": built is not None and built.appended,
        "resumed": built is not None and built.resumed,
        "chunks": 0 if built is None else built.chunks,
        "compiled": COMPILED,
        "seconds": seconds,
        "ns_per_token": seconds * 1e9 / index.n_tokens if anew else None,
        "size_bytes": index.size_bytes,
        "bytes_per_token": index.size_bytes / index.n_tokens,
        "hit_rate": worth.hit_rate,
        "mean_match": worth.mean_length,
        "repeated_share": worth.repeated_share,
        "buckets": [asdict(bucket) for bucket in worth.buckets],
        "duplicates": duplicates.summary(),
    }


def _build(job: Job, spec: IndexSpec, corpus: Corpus, folder: Path) -> Built:
    """Build the index and say how, where it was not built from scratch."""
    built = build(
        source_of_corpus(spec.corpus),
        folder,
        Settings(
            max_length=spec.max_length,
            memory_limit_bytes=spec.memory_limit_bytes or None,
            threads=spec.threads or None,
            append_to="what fits",
            older_index=Path(spec.older_index) if spec.older_index else None,
        ),
        WholeBuild(job.progress, corpus.train.n_tokens, corpus.validation.n_tokens),
    )
    if built.resumed:
        job.note("info", "An interrupted build was gone on with")
    if built.appended:
        job.note("info", "What is new was added to the older index")
    elif spec.older_index:
        why = "It is not an index over the beginning of this text, or it is damaged."
        job.note("warning", "The older index could not be used", why)
    return built


def _kept(job: Job, folder: Path, corpus: Corpus, max_length: int) -> MatchIndex | None:
    """The index that an earlier session finished, if every byte of it is as it should be."""
    if not folder.exists():
        return None
    job.state("running")
    job.progress(CHECKING, 0, 1)
    try:
        index = open_index(folder, verify=True, corpus_fingerprint=corpus.fingerprint)
    except IndexFileError as error:
        job.note("warning", "The index that is there does not fit", error.what)
        return None
    job.progress(CHECKING, 1, 1)
    return index if index.max_length == max_length else None

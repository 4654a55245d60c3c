"""The verb `index`: build the index of a corpus into the job's folder and say what it is worth."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer_core.data.corpus import Corpus, open_corpus
from trainer_core.errors import IndexFileError
from trainer_core.index.build import build_index, warm_up
from trainer_core.index.compiled import COMPILED
from trainer_core.index.lookup import MatchIndex, open_index
from trainer_core.index.value import value_of
from trainer_core.index.whole import ALMOST, WholeBuild
from trainer_core.spec import IndexSpec

if TYPE_CHECKING:
    from trainer_core.job import Job

INDEX_FOLDER = "index"
"""Name of the index folder within the job folder."""

CHECKING = "checking the index"
MEASURING = "measuring what it is worth"


def run(job: Job, spec: IndexSpec) -> dict[str, Any]:
    """Build the index into `<job folder>/index`, or keep the one that is whole there.

    Returns:
        tokens, documents: Of the training part.
        validation_tokens: Of the held-out part.
        max_length: Longest match that is told apart.
        folder: Of the index, relative to the job folder.
        built: False where an index that was already whole was kept.
        compiled: Whether numba did the work.
        seconds: What the build took; what checking took where nothing was built.
        ns_per_token: Build time per training token; None where nothing was built.
        size_bytes, bytes_per_token: Of the folder.
        hit_rate: Share of held-out tokens whose match names the next token.
        mean_match: Mean match length on held-out text, in tokens.
        repeated_share: Share of held-out text in repeats of 32 tokens or more, or None.
        buckets: By match length: low, high, tokens, share, hit_rate.

    Raises:
        DataError: The corpus is absent or damaged.
        IndexFileError: The corpus cannot be indexed.
        DiskFullError: There is no room; nothing half-written stays.
        JobStopped: The job was asked to stop; there is no index then.
    """
    corpus = open_corpus(Path(spec.corpus))
    folder = job.folder / INDEX_FOLDER
    begun_s = time.perf_counter()
    index = _kept(job, folder, corpus, spec.max_length)
    built = index is None
    if index is None:
        job.state("compiling")
        warm_up(corpus.train.dtype)
        job.check_stop()
        job.state("running")
        begun_s = time.perf_counter()
        whole = WholeBuild(job.progress, corpus.train.n_tokens, corpus.validation.n_tokens)
        build_index(spec.corpus, folder, max_length=spec.max_length, progress=whole)
        index = open_index(folder)
    seconds = time.perf_counter() - begun_s
    job.progress(MEASURING, 0, 1, whole=ALMOST)
    worth = value_of(index.validation_features(), corpus.validation.tokens(), index.max_length)
    job.progress(MEASURING, 1, 1, whole=1.0)
    return {
        "tokens": index.n_tokens,
        "documents": index.manifest.n_documents,
        "validation_tokens": index.manifest.n_validation_tokens,
        "max_length": index.max_length,
        "folder": INDEX_FOLDER,
        "built": built,
        "compiled": COMPILED,
        "seconds": seconds,
        "ns_per_token": seconds * 1e9 / index.n_tokens if built else None,
        "size_bytes": index.size_bytes,
        "bytes_per_token": index.size_bytes / index.n_tokens,
        "hit_rate": worth.hit_rate,
        "mean_match": worth.mean_length,
        "repeated_share": worth.repeated_share,
        "buckets": [asdict(bucket) for bucket in worth.buckets],
    }


def _kept(job: Job, folder: Path, corpus: Corpus, max_length: int) -> MatchIndex | None:
    """The index that an earlier session finished, if every byte of it is as it should be."""
    if not folder.exists():
        return None
    job.state("running")
    job.progress(CHECKING, 0, 1)
    try:
        index = open_index(folder, verify=True, corpus_fingerprint=corpus.fingerprint)
    except IndexFileError as error:
        job.note("warning", "The index is built again", error.what)
        return None
    job.progress(CHECKING, 1, 1)
    return index if index.max_length == max_length else None

"""Builds an index folder from a corpus: in memory or larger than memory, anew or by appending.

n training tokens, m held-out tokens, D training documents.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from trainer_core.errors import DiskFullError
from trainer_core.files import put_back
from trainer_core.index import store
from trainer_core.index.building.assembly import Assembly, Built, Settings
from trainer_core.index.building.draft import Draft, draft_of
from trainer_core.index.building.source import IndexSource as IndexSource
from trainer_core.index.building.source import check_parts
from trainer_core.index.building.stages import Progress
from trainer_core.index.sorting.engine import check_size
from trainer_core.index.store import IndexManifest
from trainer_core.index.tokens import check_max_length
from trainer_core.index_plan import expected_bytes


def build_index(
    corpus_folder: str | Path,
    index_folder: str | Path,
    *,
    max_length: int = 32,
    memory_limit_bytes: int | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> IndexManifest:
    """Build the index over the training part of a corpus; it is whole or absent.

    Where `index_folder` holds an index of the same settings over the beginning of this training
    part, what is new is appended to it. A long build that was interrupted is gone on with when it
    is asked for again. Neither makes a difference to what is written, and nor do the memory limit
    and the number of threads.

    Args:
        corpus_folder: What `prepare` wrote.
        index_folder: Where the index will be; one that is there is replaced when the new one is
            whole.
        max_length: Matches are followed back this many tokens at most, 1 to 64.
        memory_limit_bytes: Memory for arrays that grow with the text; None takes half of what is
            free, 256 MB at least. Less makes more chunks, which are merged one after the other.
        threads: How many to use; None takes one for each core.
        progress: Called with phase, done, total and unit; what it raises ends the build.

    Raises:
        DataError: The corpus is absent or damaged.
        IndexFileError: The corpus is not one that can be indexed, or `index_folder` holds something
            else than an index.
        DiskFullError: There is no room; nothing half-written stays.
        ValueError: A setting is out of range.
    """
    settings = Settings(max_length, memory_limit_bytes, threads, append_to="what fits")
    return build(source_of_corpus(corpus_folder), Path(index_folder), settings, progress).manifest


def append_documents(
    corpus_folder: str | Path,
    index_folder: str | Path,
    *,
    memory_limit_bytes: int | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> IndexManifest:
    """Add to an index what a corpus has more than it; the result is that of a build from scratch.

    The older index stays until the new one is whole.

    Args:
        corpus_folder: A corpus whose training part begins with the text of the index.
        index_folder: The index.
        memory_limit_bytes: As for `build_index`.
        threads: As for `build_index`.
        progress: As for `build_index`.

    Raises:
        DataError: The corpus is absent or damaged.
        IndexFileError: There is no index, it is damaged, or the corpus does not begin with its
            text; the index is as it was.
        DiskFullError: There is no room; the index is as it was.
        ValueError: A setting is out of range.
    """
    folder = Path(index_folder)
    with contextlib.suppress(OSError):  # the build itself says what is wrong with the folder
        put_back(folder)
    max_length = store.read_manifest(folder).max_length
    settings = Settings(max_length, memory_limit_bytes, threads, append_to="what is there")
    return build(source_of_corpus(corpus_folder), folder, settings, progress).manifest


def build_from(
    source: IndexSource,
    index_folder: str | Path,
    *,
    max_length: int = 32,
    memory_limit_bytes: int | None = None,
    threads: int | None = None,
    range_entries: int = store.RANGE_ENTRIES,
    progress: Progress | None = None,
) -> IndexManifest:
    """`build_index` from arrays, always from scratch.

    Args:
        source: The text.
        index_folder: As for `build_index`.
        max_length: As for `build_index`.
        memory_limit_bytes: As for `build_index`.
        threads: As for `build_index`.
        range_entries: Entries that a key range has at most, unless one token alone has more.
        progress: As for `build_index`.

    Raises:
        IndexFileError: The source is not one that can be indexed.
        DiskFullError: There is no room; nothing half-written stays.
        ValueError: A setting is out of range.
    """
    settings = Settings(max_length, memory_limit_bytes, threads, range_entries)
    return build(source, Path(index_folder), settings, progress).manifest


def source_of_corpus(corpus_folder: str | Path) -> IndexSource:
    """A corpus as the source of an index; its training tokens are read in parts.

    Raises:
        DataError: The corpus is absent or damaged.
    """
    from trainer_core.data.corpus import open_corpus

    corpus = open_corpus(corpus_folder)
    return IndexSource(
        tokens=corpus.train,
        document_start=corpus.train.document_start,
        validation_tokens=corpus.validation.tokens(),
        validation_document_start=corpus.validation.document_start,
        vocab_size=corpus.vocab_size,
        separator=corpus.separator,
        corpus_fingerprint=corpus.fingerprint,
        tokenizer_fingerprint=corpus.manifest.tokenizer_fingerprint,
    )


def build(
    source: IndexSource, folder: Path, settings: Settings, progress: Progress | None = None
) -> Built:
    """Build an index; what all public functions come down to.

    Raises:
        IndexFileError: As for `build_index` and `append_documents`.
        DiskFullError: There is no room; what was there before is unharmed.
        ValueError: A setting is out of range.
    """
    _check_settings(settings)
    check_size(source.n_tokens)
    check_parts(source)
    with draft_of(folder) as draft:
        _check_room(source, draft)
        return Assembly(source, settings, draft, progress or _nothing).make(folder)


def warm_up(dtype: np.dtype[Any]) -> None:
    """Have the machine code for tokens of this kind compiled, or loaded; some seconds, once."""
    tokens = np.array([0, 1, 2, 1, 2], dtype=dtype)
    start = np.zeros(1, dtype=np.int64)
    with tempfile.TemporaryDirectory() as folder:
        build_from(IndexSource(tokens, start, tokens, start, 3, 0, "", ""), Path(folder) / "index")


def _nothing(_phase: str, _done: float, _total: float, _unit: str) -> None:
    """Progress that nobody follows."""


def _check_settings(settings: Settings) -> None:
    check_max_length(settings.max_length)
    if settings.memory_limit_bytes is not None and settings.memory_limit_bytes < 1:
        raise ValueError(f"memory_limit_bytes is {settings.memory_limit_bytes}")
    if settings.threads is not None and settings.threads < 1:
        raise ValueError(f"threads is {settings.threads}")


def _check_room(source: IndexSource, draft: Draft) -> None:
    """Refuse what the disk has no room for, before hours of work."""
    wanted = expected_bytes(
        source.n_tokens,
        source.validation_tokens.size,
        source.document_start.size,
        source.vocab_size,
    )
    there = sum(path.stat().st_size for path in draft.folder.iterdir())
    free = shutil.disk_usage(draft.folder).free
    if there + free < wanted:
        raise DiskFullError(
            f"The index takes {wanted / 1e6:,.0f} MB, and the disk has {free / 1e6:,.0f} MB free.",
            safe="Nothing was changed.",
            do="Free some space, then start this again.",
        )

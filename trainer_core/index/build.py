"""Builds an index folder from a corpus: sort, settle, match the held-out text, write.

n training tokens, D training documents.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer_core.errors import IndexFileError
from trainer_core.index import store
from trainer_core.index.engine import Advance, settle
from trainer_core.index.features import MatchFeatures, features_of
from trainer_core.index.held_out import features_against
from trainer_core.index.store import IndexManifest
from trainer_core.index.tables import make_tables
from trainer_core.index.tokens import Tokens, check_max_length, frozen

Progress = Callable[[str, float, float, str], None]
"""Told the phase, what is done, of how much, and the unit."""

SORTING = "sorting the training text"
MATCHING = "matching the held-out text"
WRITING = "writing the index"


@dataclass(frozen=True)
class IndexSource:
    """What an index is built from.

    Attributes:
        tokens: (n,) training tokens; each document begins with the separator.
        document_start: (D,) int64, where the training documents begin.
        validation_tokens: (m,) held-out tokens of the same kind; may be empty.
        validation_document_start: int64, where the held-out documents begin.
        vocab_size: Different tokens that there may be.
        separator: The token that opens documents and stands nowhere else.
        corpus_fingerprint: Names the corpus.
        tokenizer_fingerprint: Names its tokenizer.
    """

    tokens: Tokens
    document_start: NDArray[np.int64]
    validation_tokens: Tokens
    validation_document_start: NDArray[np.int64]
    vocab_size: int
    separator: int
    corpus_fingerprint: str
    tokenizer_fingerprint: str


@dataclass
class SortedText:
    """The training text as lookups need it, in memory."""

    tokens: Tokens
    order: NDArray[np.uint32]
    bounds: NDArray[np.int64]
    max_length: int


def _nothing(_phase: str, _done: float, _total: float, _unit: str) -> None:
    """Progress that nobody follows."""


def build_index(
    corpus_folder: str | Path,
    index_folder: str | Path,
    *,
    max_length: int = 32,
    progress: Progress | None = None,
) -> IndexManifest:
    """Build the index over the training part of a corpus; it is whole or absent.

    Args:
        corpus_folder: What `prepare` wrote.
        index_folder: Where the index will be; one that is there is replaced when the new one is
            whole.
        max_length: Matches are followed back this many tokens at most, 1 to 64.
        progress: Called with phase, done, total and unit; what it raises ends the build.

    Raises:
        DataError: The corpus is absent or damaged.
        IndexFileError: The corpus is not one that can be indexed, or `index_folder` holds something
            else than an index.
        DiskFullError: There is no room; nothing half-written stays.
        ValueError: `max_length` is out of range.
    """
    from trainer_core.data.corpus import open_corpus

    corpus = open_corpus(corpus_folder)
    source = IndexSource(
        tokens=corpus.train.tokens(),
        document_start=corpus.train.document_start,
        validation_tokens=corpus.validation.tokens(),
        validation_document_start=corpus.validation.document_start,
        vocab_size=corpus.vocab_size,
        separator=corpus.separator,
        corpus_fingerprint=corpus.fingerprint,
        tokenizer_fingerprint=corpus.manifest.tokenizer_fingerprint,
    )
    return build_from(source, index_folder, max_length=max_length, progress=progress)


def build_from(
    source: IndexSource,
    index_folder: str | Path,
    *,
    max_length: int = 32,
    range_entries: int = store.RANGE_ENTRIES,
    progress: Progress | None = None,
) -> IndexManifest:
    """`build_index` from arrays.

    Args:
        source: The text.
        index_folder: As for `build_index`.
        max_length: As for `build_index`.
        range_entries: Entries that a key range has at most, unless one token alone has more.
        progress: As for `build_index`.

    Raises:
        IndexFileError: The source is not one that can be indexed.
        DiskFullError: There is no room; nothing half-written stays.
        ValueError: `max_length` is out of range.
    """
    check_max_length(max_length)
    _check_source(source)
    report = progress or _nothing
    with store.draft_of(Path(index_folder)) as draft:
        text, train = _sorted_text(source, max_length, _advance(report, SORTING))
        validation = features_against(
            text,
            source.validation_tokens,
            source.validation_document_start,
            _advance(report, MATCHING),
        )
        return _write(draft, source, text, train, validation, range_entries, report)


def warm_up(dtype: np.dtype[Any]) -> None:
    """Have the machine code for tokens of this kind compiled, or loaded; some seconds, once."""
    tokens = np.array([0, 1, 2, 1, 2], dtype=dtype)
    start = np.zeros(1, dtype=np.int64)
    source = IndexSource(tokens, start, tokens, start, 3, 0, "", "")
    text, _ = _sorted_text(source, 8, lambda _done, _total: None)
    features_against(text, tokens, start)


def _advance(report: Progress, phase: str) -> Advance:
    return lambda done, total: report(phase, done, total, "tokens")


def _check_source(source: IndexSource) -> None:
    """Lookups rely on it that separators open documents and stand nowhere else.

    Raises:
        IndexFileError: They do not, or a token is outside the vocabulary.
    """
    parts = (
        ("training", source.tokens, source.document_start),
        ("held-out", source.validation_tokens, source.validation_document_start),
    )
    for name, tokens, document_start in parts:
        if tokens.size and int(tokens.max()) >= source.vocab_size:
            raise _unfit(f"its {name} part has tokens outside the vocabulary")
        found = np.flatnonzero(tokens == source.separator)
        if not np.array_equal(found, document_start) or (tokens.size and found[:1] != 0):
            raise _unfit(f"separators in its {name} part are not where its documents begin")
    if not source.tokens.size:
        raise _unfit("its training part is empty")


def _unfit(why: str) -> IndexFileError:
    return IndexFileError(
        f"The corpus cannot be indexed: {why}.",
        safe="Nothing was written.",
        do="Prepare the data again.",
    )


def _sorted_text(
    source: IndexSource, max_length: int, advance: Advance
) -> tuple[SortedText, MatchFeatures]:
    """The sorted positions and the training features."""
    tokens = source.tokens
    settled = settle(tokens, source.document_start, max_length, advance=advance)
    features = features_of(settled, tokens, source.document_start)
    # Nothing is known to follow the last token, so it is no occurrence of anything.
    order = settled.order[settled.order != tokens.size - 1]
    bounds = np.zeros(source.vocab_size + 1, dtype=np.int64)
    np.cumsum(np.bincount(tokens[:-1], minlength=source.vocab_size), out=bounds[1:])
    # Read-only like mapped files: kernels are compiled for such arrays alone.
    return SortedText(frozen(tokens), frozen(order), frozen(bounds), max_length), features


def _write(
    draft: Path,
    source: IndexSource,
    text: SortedText,
    train: MatchFeatures,
    validation: MatchFeatures,
    range_entries: int,
    report: Progress,
) -> IndexManifest:
    arrays: dict[str, NDArray[Any]] = {
        store.TOKENS_FILE: text.tokens,
        store.BUCKETS_FILE: text.bounds,
        store.DOCUMENTS_FILE: np.asarray(source.document_start, dtype=np.int64),
    }
    ranges = store.cut_ranges(text.bounds, range_entries)
    for number, part_of in enumerate(ranges):
        stop_rank = part_of.first_rank + part_of.entries
        order = text.order[part_of.first_rank : stop_rank]
        tables = make_tables(
            text.tokens, order, separator=source.separator, max_length=text.max_length
        )
        arrays[store.range_file("sorted", number)] = order
        arrays[store.range_file("keys", number)] = tables.keys
        arrays[store.range_file("latest", number)] = tables.latest
        arrays[store.range_file("far", number)] = tables.far
    for part, features in zip(store.PARTS, (train, validation), strict=True):
        for field in store.FEATURE_FIELDS:
            arrays[store.feature_file(part, field)] = getattr(features, field)
    total = sum(array.nbytes for array in arrays.values())
    done = 0

    def advance(n_bytes: int) -> None:
        nonlocal done
        done += n_bytes
        report(WRITING, done, total, "bytes")

    entries = tuple(
        store.write_array(draft, name, array, advance) for name, array in arrays.items()
    )
    manifest = IndexManifest(
        version=store.INDEX_VERSION,
        corpus_fingerprint=source.corpus_fingerprint,
        tokenizer_fingerprint=source.tokenizer_fingerprint,
        vocab_size=source.vocab_size,
        separator=source.separator,
        dtype="uint16" if text.tokens.dtype == np.uint16 else "uint32",
        max_length=text.max_length,
        n_tokens=text.tokens.size,
        n_documents=source.document_start.size,
        n_validation_tokens=source.validation_tokens.size,
        ranges=ranges,
        files=entries,
    )
    return store.write_manifest(draft, manifest)

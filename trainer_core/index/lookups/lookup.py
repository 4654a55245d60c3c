"""An opened index: the longest match of a context, its occurrences, and what followed them.

n training tokens, V vocabulary, D training documents.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trainer_core.errors import IndexFileError
from trainer_core.index import store
from trainer_core.index.features import MatchFeatures
from trainer_core.index.lookups.desk import IndexArrays, RangeArrays
from trainer_core.index.lookups.held_out import features_against
from trainer_core.index.lookups.match import NO_MATCH, Continuation, Match, MatchBatch
from trainer_core.index.lookups.runs import count_longer, latest_of, most_frequent_next
from trainer_core.index.lookups.searcher import last_tokens, searcher_of
from trainer_core.index.lookups.tables import Tables
from trainer_core.index.store import IndexManifest
from trainer_core.index.tokens import Tokens, as_document_start, as_tokens, like
from trainer_core.index_plan import FAR, NEAR, SAMPLE

if TYPE_CHECKING:
    from trainer_core.index.lookups.stream import MatchStream


class MatchIndex:
    """An index opened for reading; everything is memory-mapped. Made by `open_index`.

    An occurrence is usable when the token after it is known. That is every position of the
    training text but the very last one, which therefore is found and counted by nothing.

    Attributes:
        folder: Where it is.
        manifest: What it was built from.
        tokens: (n,) training tokens, read-only.
        bounds: (V + 1,) int64, the rank at which each token's usable positions begin, when all are
            sorted by their contexts read backwards.
        arrays: Everything that lookups read, the sorted positions among it.
        document_start: (D,) int64, where documents begin.
    """

    def __init__(self, folder: Path, manifest: IndexManifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self.max_length = manifest.max_length
        self.n_tokens = manifest.n_tokens
        self.separator = manifest.separator
        self.corpus_fingerprint = manifest.corpus_fingerprint
        self.tokenizer_fingerprint = manifest.tokenizer_fingerprint
        self.fingerprint = manifest.fingerprint
        self.tokens: Tokens = self._map(store.TOKENS_FILE, manifest.dtype, manifest.n_tokens)
        self.bounds = self._map(store.BUCKETS_FILE, "int64", manifest.vocab_size + 1)
        self.document_start = self._map(store.DOCUMENTS_FILE, "int64", manifest.n_documents)
        _check_rising(folder / store.BUCKETS_FILE, self.bounds, max(self.n_tokens - 1, 0))
        _check_rising(folder / store.DOCUMENTS_FILE, self.document_start, self.n_tokens - 1)
        ranges = [self._range(number) for number in range(len(manifest.ranges))]
        self.arrays = IndexArrays(
            self.tokens, self.bounds, ranges, manifest.separator, manifest.max_length
        )
        self._searcher = searcher_of(self.arrays)

    def _map(self, name: str, dtype: str, size: int) -> NDArray[Any]:
        values = store.map_array(self.folder, self.manifest, name, dtype)
        if values.size != size:
            raise store.damaged(
                self.folder / name, f"it has {values.size:,} numbers instead of {size:,}"
            )
        return values

    def _range(self, number: int) -> RangeArrays:
        part = self.manifest.ranges[number]

        def rows(kind: store.RangeKind, dtype: str, size: int) -> NDArray[Any]:
            return self._map(store.range_file(kind, number), dtype, size)

        tables = Tables(
            keys=rows("keys", "uint64", -(-part.entries // SAMPLE)),
            shared=rows("shared", "uint64", -(-part.entries // SAMPLE)),
            latest=rows("latest", "uint32", 2 * -(-part.entries // NEAR)).reshape(-1, 2),
            far=rows("far", "uint32", 2 * -(-part.entries // FAR)).reshape(-1, 2),
        )
        order = rows("sorted", "uint32", part.entries)
        return RangeArrays(part.first_token, part.stop_token, part.first_rank, order, tables)

    @cached_property
    def size_bytes(self) -> int:
        """Bytes of all its files."""
        manifest_bytes = (self.folder / store.MANIFEST_NAME).stat().st_size
        return manifest_bytes + sum(entry.size_bytes for entry in self.manifest.files)

    # --- features ------------------------------------------------------------------------------

    def train_features(self) -> MatchFeatures:
        """Features of the n training tokens, mapped."""
        return self._features("train", self.manifest.n_tokens)

    def validation_features(self) -> MatchFeatures:
        """Features of the corpus's held-out tokens, mapped; see `held_out_features`."""
        return self._features("validation", self.manifest.n_validation_tokens)

    def _features(self, part: str, size: int) -> MatchFeatures:
        kinds = {"length": "uint8", "marks": "uint8"}
        return MatchFeatures(
            **{
                field: self._map(
                    store.feature_file(part, field), kinds.get(field, self.manifest.dtype), size
                )
                for field in store.FEATURE_FIELDS
            }
        )

    # --- lookups -------------------------------------------------------------------------------

    def lookup(self, context: ArrayLike) -> Match:
        """The longest match of a context in the training text.

        Args:
            context: (t,) tokens, the latest last. What stands before its last separator, and before
                its last `max_length` tokens, plays no part.
        """
        length, following, position, count, second = self._searcher.answer(context)
        if not length:
            return NO_MATCH
        return Match(length, following, position, count, second if second >= 0 else None, "index")

    def lookup_batch(self, contexts: Sequence[ArrayLike]) -> MatchBatch:
        """The longest matches of several contexts in the training text.

        Args:
            contexts: q times (t,) tokens, as for `lookup`.
        """
        windows = [last_tokens(context, self.max_length) for context in contexts]
        sizes = np.array([window.size for window in windows], dtype=np.int64)
        query = np.concatenate([np.zeros(0, dtype=np.uint16), *windows])
        stops = np.cumsum(sizes)
        separators = np.flatnonzero(query == self.separator)
        if separators.size:
            last = separators[np.searchsorted(separators, stops) - 1]
            behind = np.where(last < stops, stops - last, sizes)
            sizes = np.minimum(sizes, behind)
        return self.answers(query, stops - 1, sizes.astype(np.uint8))

    def answers(
        self, query: Tokens, ends: NDArray[np.int64], limits: NDArray[np.uint8]
    ) -> MatchBatch:
        """The longest matches of contexts that lie in one array, such as all of a text.

        Args:
            query: (m,) tokens.
            ends: (q,) where each context ends among them. Rising by one is fastest.
            limits: (q,) how many of its tokens belong to it, none of them but the first a
                separator; 0 gives no match.

        Raises:
            IndexError: A context reaches out of `query`.
        """
        ends = np.ascontiguousarray(ends, dtype=np.int64)
        if ends.size and not -1 <= int(ends.min()) <= int(ends.max()) < query.size:
            raise IndexError(f"a context ends outside of {query.size} tokens")
        limits = np.minimum(limits, self.max_length)
        limits = np.minimum(limits, self._known_before(query, ends)).astype(np.uint8)
        found = self._searcher.answer_many(like(self.tokens, query), ends, limits)
        return MatchBatch.of(found, np.zeros(ends.size, dtype=np.bool_))

    def _known_before(self, query: Tokens, ends: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many tokens up to each end lie behind the last one that the vocabulary lacks."""
        if not query.size or int(query.max()) < self.manifest.vocab_size:
            return ends + 1
        places = np.where(query < self.manifest.vocab_size, -1, np.arange(query.size))
        known: NDArray[np.int64] = ends - np.maximum.accumulate(places)[ends]
        return known

    def stream(self, *, own_context: bool = True) -> MatchStream:
        """A reader that is given one token after the other and tells each one's longest match.

        Args:
            own_context: Also seek matches in what it was given before; the longer match wins and a
                tie goes to the own context.
        """
        from trainer_core.index.lookups.stream import MatchStream

        return MatchStream(self, own_context=own_context)

    # --- occurrences ---------------------------------------------------------------------------

    def occurrences(self, context: ArrayLike, limit: int = 10) -> NDArray[np.int64]:
        """Where the longest match of a context stands in the training text.

        Args:
            context: (t,) tokens, as for `lookup`.
            limit: How many to give at most.

        Returns:
            (m,) positions of the matched runs' last tokens, most recent first: a match of length L
            at position p is `tokens[p - L + 1 : p + 1]`, and `tokens[p + 1]` followed it.
        """
        return latest_of(self.run(context)[1], limit, self.n_tokens - 2)

    def continuations(self, context: ArrayLike, k: int = 10) -> list[Continuation]:
        """What followed the longest match of a context most often.

        Args:
            context: (t,) tokens, as for `lookup`.
            k: How many to give at most.

        Returns:
            The most frequent tokens first; among equals the smaller token.
        """
        best = most_frequent_next(self.tokens, self.run(context)[1], k)
        return [Continuation(token, count) for token, count in best]

    def count(self, ngram: ArrayLike) -> int:
        """How often exactly these tokens stand in the training text, within one document.

        Args:
            ngram: (t,) tokens, also more than `max_length`.
        """
        tokens = as_tokens(ngram)
        if not tokens.size or np.any(tokens[1:] == self.separator):
            return 0
        length, run = self.run(tokens)
        if length < min(tokens.size, self.max_length):
            return 0
        return int(run.size) if length == tokens.size else count_longer(self.tokens, run, tokens)

    def document_at(self, position: int) -> int:
        """Number of the training document that holds a position.

        Raises:
            IndexError: The position is not inside the training text.
        """
        if not 0 <= position < self.n_tokens:
            raise IndexError(f"token {position} of {self.n_tokens}")
        return int(np.searchsorted(self.document_start, position, side="right")) - 1

    def run(self, context: ArrayLike) -> tuple[int, NDArray[np.uint32]]:
        """Length of a context's longest match, and where all its occurrences end.

        Args:
            context: (t,) tokens, as for `lookup`.

        Returns:
            (m,) positions as they stand in the index, in no order of time; nothing is copied or
            read, however many they are.
        """
        return self._searcher.run(context)


def _check_rising(path: Path, values: NDArray[Any], highest: int) -> None:
    """Refuse ranks and starts that would lead a lookup astray.

    Raises:
        IndexFileError: They do not rise from 0 to at most `highest`.
    """
    numbers = values.astype(np.int64, copy=False)
    if numbers[0] != 0 or numbers[-1] > highest or np.any(np.diff(numbers) < 0):
        raise store.damaged(path, "its numbers are out of order")


def open_index(
    folder: str | Path,
    *,
    verify: bool = False,
    corpus_fingerprint: str = "",
    tokenizer_fingerprint: str = "",
) -> MatchIndex:
    """Open an index that `build_index` wrote.

    Version, sizes and the manifest's fingerprint are always checked, which takes no time; damage
    inside a file of the right size is found by `verify`, which reads everything.

    Args:
        folder: The index folder.
        verify: Also compare the hash of every file.
        corpus_fingerprint: The corpus that it must belong to; empty takes any.
        tokenizer_fingerprint: The tokenizer that it must belong to; empty takes any.

    Raises:
        IndexFileError: There is no index, it is damaged, it was written by a newer version, or it
            belongs to another corpus or tokenizer.
    """
    folder = Path(folder)
    manifest = store.read_manifest(folder)
    expected = (
        ("corpus", corpus_fingerprint, manifest.corpus_fingerprint),
        ("tokenizer", tokenizer_fingerprint, manifest.tokenizer_fingerprint),
    )
    for what, wanted, found in expected:
        if wanted and wanted != found:
            raise IndexFileError(
                f"The index {folder / store.MANIFEST_NAME} belongs to another {what}.",
                safe="Nothing was changed.",
                do=f"Choose the index of this {what}, or build one over this corpus.",
            )
    store.check_files(folder, manifest, verify=verify)
    return MatchIndex(folder, manifest)


def held_out_features(
    index: MatchIndex,
    tokens: ArrayLike,
    document_start: ArrayLike,
    advance: Callable[[int, int], None] | None = None,
) -> MatchFeatures:
    """The longest match of each held-out token, in the training part and its own document so far.

    The longer match wins and a tie goes to the own document: a document is read as if it came right
    after the training part. On a tie the occurrences of both count.

    Args:
        index: The index of the training part.
        tokens: (n,) held-out tokens.
        document_start: (D,) rising positions at which documents begin; position 0 always does.
        advance: Called now and then with the tokens done and all of them; may raise to end.

    Returns:
        Features of the n tokens; `same_document` is true where the own document gave the match.

    Raises:
        ValueError: An argument has the wrong shape or is out of range.
    """
    checked = as_tokens(tokens)
    starts = as_document_start(document_start, checked.size)
    return features_against(index, checked, starts, advance)

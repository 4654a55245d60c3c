"""How much of a training text is there more than once: repeated stretches, documents, passages.

n training tokens, D documents, c occurrences of a passage.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from trainer_core.index.features import COUNT_BUCKETS
from trainer_core.index.lookups.lookup import MatchIndex
from trainer_core.index.passages import Passage, distinct, passage_at
from trainer_core.index.value import REPEAT_TOKENS

Advance = Callable[[int, int], None]
"""Called now and then with the tokens done and all of them."""

_BLOCK_TOKENS = 1 << 20
_PROBES = 8
_CANDIDATES_PER_PASSAGE = 16
_LEAST_COUNT = np.array([low for low, _ in COUNT_BUCKETS], dtype=np.int64)


@dataclass(frozen=True)
class DocumentGroup:
    """Documents with the same tokens.

    Attributes:
        documents: Their numbers, rising.
        tokens: Tokens of each, without its separator.
    """

    documents: tuple[int, ...]
    tokens: int


@dataclass(frozen=True)
class Duplicates:
    """What a training text says more than once.

    A repeat is a run of `least_tokens` tokens or more that also stands earlier in the training
    text; the earlier text is not counted, so the shares are what could be left out.

    Attributes:
        tokens: Of the training text.
        documents: Of the training text.
        least_tokens: Shorter repeats do not count.
        repeated_share: Share of all tokens inside repeats; None where the index tells no matches
            of that length apart, and then there are no passages either.
        repeated_same_document_share: The part of it that repeats its own document.
        repeated_other_document_share: The part of it that repeats another document.
        exact_duplicate_documents: Documents that are copies of an earlier one.
        exact_duplicate_share: That, as a share of all documents.
        exact_duplicate_token_share: Their share of all tokens.
        exact_duplicate_groups: Different texts that several documents have.
        groups: These, those that take most tokens first.
        passages: What is repeated most, by the tokens that the repeats take.
    """

    tokens: int
    documents: int
    least_tokens: int
    repeated_share: float | None
    repeated_same_document_share: float | None
    repeated_other_document_share: float | None
    exact_duplicate_documents: int
    exact_duplicate_share: float
    exact_duplicate_token_share: float
    exact_duplicate_groups: int
    groups: tuple[DocumentGroup, ...]
    passages: tuple[Passage, ...]

    def summary(self) -> dict[str, float | None]:
        """The figures alone, by name."""
        names = [field.name for field in fields(self) if field.name not in ("groups", "passages")]
        return {name: getattr(self, name) for name in names}


def duplicates_of(
    index: MatchIndex, top: int = 10, *, advance: Advance | None = None
) -> Duplicates:
    """Measure the repeats of an index's training text in one pass over its features.

    Args:
        index: The opened index.
        top: How many groups of documents and passages to give at most; 0 gives figures alone,
            which is fastest.
        advance: Called now and then; may raise to end the work.
    """
    tells = index.max_length >= REPEAT_TOKENS
    repeats = _Repeats(index, _CANDIDATES_PER_PASSAGE * top)
    if tells:
        for first in range(0, index.n_tokens, _BLOCK_TOKENS):
            repeats.read(first, min(first + _BLOCK_TOKENS, index.n_tokens))
            if advance is not None:
                advance(min(first + _BLOCK_TOKENS, index.n_tokens), index.n_tokens)
    n = max(index.n_tokens, 1)
    copies, copied_tokens, groups = _equal_documents(index)
    n_documents = index.document_start.size
    return Duplicates(
        tokens=index.n_tokens,
        documents=n_documents,
        least_tokens=REPEAT_TOKENS,
        repeated_share=repeats.covered / n if tells else None,
        repeated_same_document_share=repeats.covered_same / n if tells else None,
        repeated_other_document_share=(
            (repeats.covered - repeats.covered_same) / n if tells else None
        ),
        exact_duplicate_documents=copies,
        exact_duplicate_share=copies / max(n_documents, 1),
        exact_duplicate_token_share=copied_tokens / n,
        exact_duplicate_groups=len(groups),
        groups=tuple(groups[:top]),
        passages=distinct((passage_at(index, at) for at in repeats.candidates()), top),
    )


# --- repeated stretches ------------------------------------------------------------------------


class _Repeats:
    """Adds up, block by block, what long matches cover, and keeps where most is repeated.

    Matches grow by at most one token per position, so where they begin never falls. A stretch of
    positions with long matches therefore covers everything from its first match's begin to its
    last position, and stretches can be cut anywhere and added up from left to right.
    """

    def __init__(self, index: MatchIndex, n_candidates: int) -> None:
        self._tokens = index.tokens
        self._features = index.train_features()
        self._n_candidates = n_candidates
        self._best: dict[int, tuple[int, int]] = {}  # window's hash -> weight, position
        self._ends = {"all": 0, "same": 0}  # first position that is not yet counted
        self.covered = 0
        self.covered_same = 0

    def read(self, first: int, stop: int) -> None:
        """Take in the positions of a block; blocks come in order."""
        block = self._features[first:stop]
        length = np.asarray(block.length)
        long = length >= REPEAT_TOKENS
        if not long.any():
            return
        self.covered += self._cover("all", long, length, first)
        self.covered_same += self._cover("same", long & block.same_document, length, first)
        if self._n_candidates:
            self._find_candidates(np.where(long, block.count, np.uint8(0)), first)

    def _cover(
        self, what: str, long: NDArray[np.bool_], length: NDArray[np.uint8], first: int
    ) -> int:
        """Tokens that a block's long matches cover and that were not counted before."""
        begins, stops = _stretches(long)
        if not begins.size:
            return 0
        lows = first + begins - length[begins].astype(np.int64) + 1
        highs = first + stops
        lows = np.maximum(lows, np.concatenate([[self._ends[what]], highs[:-1]]))
        self._ends[what] = int(highs[-1])
        return int((highs - lows).sum())

    def _find_candidates(self, count: NDArray[np.uint8], first: int) -> None:
        """Keep the stretches of like counts that stand for most repeated text."""
        begins, stops = _stretches(count)
        weights = (stops - begins + REPEAT_TOKENS - 1) * _LEAST_COUNT[count[begins]]
        best = np.argsort(-weights, kind="stable")[: 4 * self._n_candidates]
        least = min((weight for weight, _ in self._best.values()), default=0)
        if len(self._best) >= self._n_candidates:
            best = best[weights[best] > least]
        for begin, weight in zip(begins[best].tolist(), weights[best].tolist(), strict=True):
            at = first + begin
            key = hash(self._tokens[at - REPEAT_TOKENS + 1 : at + 1].tobytes())
            if weight > self._best.get(key, (0, 0))[0]:
                self._best[key] = (weight, at)
        kept = sorted(self._best.items(), key=lambda entry: -entry[1][0])[: self._n_candidates]
        self._best = dict(kept)

    def candidates(self) -> Iterator[int]:
        """Last positions of windows that are repeated most, likeliest first."""
        return (at for _, at in sorted(self._best.values(), reverse=True))


def _stretches(
    values: NDArray[np.bool_] | NDArray[np.uint8],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Begins and ends (excluded) of the stretches of equal values that are not 0."""
    if not values.size:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    changes = np.flatnonzero(values[1:] != values[:-1]) + 1
    begins = np.concatenate([[0], changes])
    stops = np.concatenate([changes, [values.size]])
    filled = values[begins] != 0
    return begins[filled], stops[filled]


# --- equal documents ---------------------------------------------------------------------------


def _equal_documents(index: MatchIndex) -> tuple[int, int, list[DocumentGroup]]:
    """Copies of earlier documents, their tokens, and the groups; those of most tokens first.

    Only documents that agree in size and in a few tokens are read.
    """
    starts = np.append(index.document_start, index.n_tokens)
    sizes = np.diff(starts) - 1  # without the separator
    probes = [sizes]
    for probe in range(_PROBES):
        at = starts[:-1] + 1 + sizes * probe // _PROBES
        probes.append(index.tokens[np.minimum(at, index.n_tokens - 1)].astype(np.int64))
    order = np.lexsort(probes)
    alike = np.ones(max(order.size - 1, 0), dtype=np.bool_)
    for values in probes:
        alike &= values[order[1:]] == values[order[:-1]]
    alike &= sizes[order[1:]] > 0
    begins, stops = _stretches(alike)
    found: dict[tuple[int, bytes], list[int]] = {}
    for begin, stop in zip(begins.tolist(), stops.tolist(), strict=True):
        for document in sorted(order[begin : stop + 1].tolist()):
            content = index.tokens[starts[document] + 1 : starts[document + 1]]
            digest = hashlib.blake2b(content.tobytes(), digest_size=16).digest()
            found.setdefault((int(sizes[document]), digest), []).append(document)
    groups = [
        DocumentGroup(tuple(documents), tokens)
        for (tokens, _), documents in found.items()
        if len(documents) > 1
    ]
    groups.sort(key=lambda group: (-(len(group.documents) - 1) * group.tokens, group.documents))
    copies = sum(len(group.documents) - 1 for group in groups)
    copied = sum((len(group.documents) - 1) * (group.tokens + 1) for group in groups)
    return copies, copied, groups

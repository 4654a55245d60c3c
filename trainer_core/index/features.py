"""Match features: what the longest earlier occurrence of each token's context says comes next.

For each position t, the longest run of tokens that ends at t (inclusive) and also ended at an
earlier position; at most `max_length` tokens, never across a document's start, history only, and
among the longest the most recent occurrence. n tokens, D documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trainer_core.index.compiled import COMPILED
from trainer_core.index.records import Records, empty_records
from trainer_core.index.sorting.engine import check_size, sort_range
from trainer_core.index.sorting.framing import frame
from trainer_core.index.sorting.packing import fields_of
from trainer_core.index.tokens import Tokens, as_document_start, as_tokens, check_max_length

if COMPILED:
    from trainer_core.index.sorting import unpacking

COUNT_BUCKETS: tuple[tuple[int, int], ...] = (
    (0, 0),
    (1, 1),
    (2, 2),
    (3, 3),
    *((1 << bit, (2 << bit) - 1) for bit in range(2, 13)),
    (1 << 13, (1 << 24) - 1),
)
"""Inclusive ranges of occurrences that `MatchFeatures.count` tells apart; the last one is open."""

_COUNT_MASK = 15
_HAS_SECOND = 16
_SAME_DOCUMENT = 32

_BLOCK_TOKENS = 1 << 20

_BUCKET_OF_COUNT = np.searchsorted(
    [low for low, _ in COUNT_BUCKETS[1:]], np.arange((1 << 13) + 1), side="right"
).astype(np.uint8)


def count_bucket(count: int) -> int:
    """Number of the bucket in `COUNT_BUCKETS` that a number of occurrences belongs to."""
    return int(_BUCKET_OF_COUNT[min(count, 1 << 13)])


@dataclass(frozen=True)
class MatchFeatures:
    """The longest earlier match of each token; arrays may be memory-mapped.

    Attributes:
        length: (n,) uint8, tokens in the match; 0 where the token is new.
        next: (n,) like the tokens, what followed its most recent occurrence; 0 without a match.
        second: (n,) like the tokens, the latest other token that followed; 0 where all agree.
        marks: (n,) uint8, the packed form of the four properties below.
    """

    length: NDArray[np.uint8]
    next: Tokens
    second: Tokens
    marks: NDArray[np.uint8]

    @property
    def count(self) -> NDArray[np.uint8]:
        """(n,) uint8, number of the bucket in `COUNT_BUCKETS` of how often the run occurred."""
        return np.asarray(self.marks) & np.uint8(_COUNT_MASK)

    @property
    def has_second(self) -> NDArray[np.bool_]:
        """(n,) bool, whether another token has followed too."""
        return self._marked(_HAS_SECOND)

    @property
    def agree(self) -> NDArray[np.bool_]:
        """(n,) bool, whether there is a match and all its occurrences were followed alike."""
        return (np.asarray(self.length) > 0) & ~self.has_second

    @property
    def same_document(self) -> NDArray[np.bool_]:
        """(n,) bool, whether the most recent occurrence is in the token's own document."""
        return self._marked(_SAME_DOCUMENT)

    def at(self, places: NDArray[np.int64]) -> MatchFeatures:
        """The features of the tokens at these positions, in the shape of `places`."""
        return MatchFeatures(
            self.length[places], self.next[places], self.second[places], self.marks[places]
        )

    def _marked(self, mark: int) -> NDArray[np.bool_]:
        marked: NDArray[np.bool_] = np.asarray(self.marks) & np.uint8(mark) != 0
        return marked

    def __len__(self) -> int:
        return int(self.length.size)

    def __getitem__(self, part: slice) -> MatchFeatures:
        """The features of a range of positions, without a copy."""
        return MatchFeatures(
            self.length[part], self.next[part], self.second[part], self.marks[part]
        )


def join(parts: Sequence[MatchFeatures], dtype: np.dtype[Any]) -> MatchFeatures:
    """Features of consecutive stretches as one."""
    empty = np.zeros(0, dtype=np.uint8)
    tokens: Any = np.zeros(0, dtype=dtype)
    return MatchFeatures(
        length=np.concatenate([empty, *(part.length for part in parts)]),
        next=np.concatenate([tokens, *(part.next for part in parts)]),
        second=np.concatenate([tokens, *(part.second for part in parts)]),
        marks=np.concatenate([empty, *(part.marks for part in parts)]),
    )


def pack(
    *,
    length: NDArray[np.uint8],
    following: Tokens,
    second: NDArray[Any],
    count: NDArray[Any],
    same_document: NDArray[np.bool_],
) -> MatchFeatures:
    """Features from plain arrays of one length.

    Args:
        length: Tokens in each match, 0 without one; then the others are ignored.
        following: What followed.
        second: What else followed, + 1; 0 for nothing else.
        count: Occurrences.
        same_document: Whether the most recent one is in the same document.
    """
    found = length > 0
    has_second = found & (second > 0)
    marks = _BUCKET_OF_COUNT[np.minimum(count, 1 << 13)]
    marks |= np.where(has_second, np.uint8(_HAS_SECOND), np.uint8(0))
    marks |= np.where(same_document, np.uint8(_SAME_DOCUMENT), np.uint8(0))
    zero = following.dtype.type(0)
    return MatchFeatures(
        length=length,
        next=np.where(found, following, zero),
        # mypy cannot see that the dtype is one of the two that tokens have
        second=np.where(has_second, second - 1, 0).astype(following.dtype),  # type: ignore[arg-type]
        marks=np.where(found, marks, np.uint8(0)),
    )


def features_from(records: Records, dtype: np.dtype[Any]) -> MatchFeatures:
    """What records say, as features.

    Args:
        records: (n, words), see `records`.
        dtype: Of the tokens.
    """
    n_tokens = len(records)
    length = np.empty(n_tokens, dtype=np.uint8)
    following, second = np.empty(n_tokens, dtype=dtype), np.empty(n_tokens, dtype=dtype)
    marks = np.empty(n_tokens, dtype=np.uint8)
    if COMPILED:
        unpacking.unpack(
            records, dtype.itemsize, _HAS_SECOND, _SAME_DOCUMENT, length, following, second, marks
        )
        return MatchFeatures(length, following, second, marks)
    for first in range(0, n_tokens, _BLOCK_TOKENS):
        block = slice(first, first + _BLOCK_TOKENS)
        found = fields_of(records[block], dtype)
        features = pack(
            length=found.length,
            following=found.next,
            second=np.where(found.second != found.next, found.second.astype(np.int64) + 1, 0),
            count=found.count,
            same_document=found.same_document,
        )
        length[block], marks[block] = features.length, features.marks
        following[block], second[block] = features.next, features.second
    return MatchFeatures(length, following, second, marks)


def match_features(
    tokens: ArrayLike, *, document_start: ArrayLike, max_length: int = 32
) -> MatchFeatures:
    """The longest earlier match of each token of an array.

    Args:
        tokens: (n,) token ids; uint16 and uint32 are taken as they are, others as uint32.
        document_start: (D,) rising positions at which documents begin; position 0 always does.
        max_length: Matches are followed back this many tokens at most, 1 to 64.

    Returns:
        Features of the n tokens. An occurrence at a document's last token is followed by the
        first token of the next document, its separator in a corpus: "the text ended here".

    Raises:
        ValueError: An argument has the wrong shape or is out of range.
        IndexFileError: There are 2^32 tokens or more.
    """
    checked = as_tokens(tokens)
    starts = as_document_start(document_start, checked.size)
    check_max_length(max_length)
    check_size(checked.size)
    framed = frame(checked, starts, max_length)
    records = empty_records(framed.text.tokens.size, framed.text.tokens.dtype)
    sort_range(
        framed.text,
        low=1 - framed.text.keeps_end,
        high=int(framed.text.tokens.max(initial=0)) + 1,
        first=0,
        stop=framed.text.tokens.size,
        document_begin=0,
        records=records,
    )
    found = features_from(records, framed.text.tokens.dtype)
    return MatchFeatures(
        length=framed.rows_of(found.length),
        next=framed.tokens_of(found.next, found.length > 0),
        second=framed.tokens_of(found.second, found.has_second),
        marks=framed.rows_of(found.marks),
    )

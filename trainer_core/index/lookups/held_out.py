"""Match features of held-out text: against the whole training part and its own document so far.

The longer match wins and a tie goes to the own document, as if it had been read after the training
part. On a tie the occurrences of both count. n held-out tokens, D documents.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trainer_core.index.features import MatchFeatures, join, pack
from trainer_core.index.lookups.match import MatchBatch
from trainer_core.index.sorting.engine import Advance
from trainer_core.index.sorting.own_documents import matches_in_own_documents
from trainer_core.index.sorting.packing import Fields
from trainer_core.index.tokens import Tokens, document_begin

_BLOCK_TOKENS = 1 << 18


class TrainingText(Protocol):
    """What is needed of an index."""

    tokens: Tokens
    max_length: int

    def answers(
        self, query: Tokens, ends: NDArray[np.int64], limits: NDArray[np.uint8]
    ) -> MatchBatch:
        """See `MatchIndex.answers`."""


def features_against(
    index: TrainingText,
    tokens: Tokens,
    document_start: NDArray[np.int64],
    advance: Advance | None = None,
) -> MatchFeatures:
    """Features of held-out documents, each read on its own after the training part.

    Args:
        index: The training text.
        tokens: (n,) held-out tokens.
        document_start: (D,) where its documents begin.
        advance: Called now and then with the tokens done and all of them.
    """
    tokens = tokens.astype(np.result_type(tokens, index.tokens), copy=False)
    own = matches_in_own_documents(tokens, document_start, index.max_length)
    room = np.arange(tokens.size) - document_begin(document_start, tokens.size) + 1
    limits = np.minimum(room, index.max_length).astype(np.uint8)
    parts = []
    for first in range(0, tokens.size, _BLOCK_TOKENS):
        block = slice(first, min(first + _BLOCK_TOKENS, tokens.size))
        low = max(first - index.max_length, 0)
        ends = np.arange(first, block.stop) - low
        found = index.answers(tokens[low : block.stop], ends, limits[block])
        parts.append(_joined(found, own, block))
        if advance is not None:
            advance(block.stop, tokens.size)
    return join(parts, tokens.dtype)


def _joined(found: MatchBatch, own: Fields, block: slice) -> MatchFeatures:
    """The longer of both matches; where they tie, the own one backed by both."""
    length = own.length[block]
    following = own.next[block]
    is_own = length >= found.length
    tie = (length == found.length) & (length > 0)
    own_second = np.where(own.second[block] != following, own.second[block].astype(np.int64), -1)
    both = second_of_both(following.astype(np.int64), own_second, found.next, found.second)
    second = np.where(tie, both, np.where(is_own, own_second, found.second))
    count = np.where(is_own, own.count[block], 0) + np.where(is_own & ~tie, 0, found.count)
    return pack(
        length=np.maximum(length, found.length).astype(np.uint8),
        following=np.where(is_own, following, found.next.astype(following.dtype)),
        second=second + 1,
        count=count,
        same_document=is_own,
    )


def second_of_both(
    own_next: NDArray[np.int64],
    own_second: NDArray[np.int64],
    following: NDArray[np.int64],
    second: NDArray[np.int64],
) -> NDArray[np.int64]:
    """The latest token other than `own_next` that followed a run, which both sides have.

    Args:
        own_next: What followed it last in the own document.
        own_second: What else did there; -1 for nothing.
        following: What followed it last in the training text.
        second: What else did there; -1 for nothing.
    """
    older = np.where(following != own_next, following, second)
    return np.where(own_second >= 0, own_second, older)

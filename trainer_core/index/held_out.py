"""Match features of held-out text: against the whole training part and its own document so far.

The longer match wins and a tie goes to the own document, as if it had been read after the training
part. On a tie the occurrences of both count. n held-out tokens, D documents.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trainer_core.index import search
from trainer_core.index.engine import Advance, settle
from trainer_core.index.features import MatchFeatures, join, pack
from trainer_core.index.tokens import Tokens, document_begin, frozen

_BLOCK_TOKENS = 1 << 15


class TrainingText(Protocol):
    """What a lookup needs of an index."""

    tokens: Tokens
    order: NDArray[np.uint32]
    bounds: NDArray[np.int64]
    max_length: int


def features_against(
    text: TrainingText,
    tokens: Tokens,
    document_start: NDArray[np.int64],
    advance: Advance | None = None,
) -> MatchFeatures:
    """Features of held-out documents, each read on its own after the training part.

    Args:
        text: The training text.
        tokens: (n,) held-out tokens.
        document_start: (D,) where its documents begin.
        advance: Called now and then with the tokens done and all of them.
    """
    tokens = tokens.astype(np.result_type(tokens, text.tokens), copy=False)
    own = settle(tokens, document_start, text.max_length, within="document")
    room = np.arange(tokens.size) - document_begin(document_start, tokens.size) + 1
    limits = np.minimum(room, text.max_length).astype(np.uint8)
    query = frozen(tokens.astype(np.uint32))
    parts = []
    for first in range(0, tokens.size, _BLOCK_TOKENS):
        block = slice(first, min(first + _BLOCK_TOKENS, tokens.size))
        ends = np.arange(block.start, block.stop)
        found = np.zeros((ends.size, 4), dtype=np.int64)
        search.answer_many(text.tokens, text.order, text.bounds, query, ends, limits[block], found)
        own_follows = tokens[np.minimum(own.match[block].astype(np.int64) + 1, tokens.size - 1)]
        parts.append(
            _joined(
                text,
                found,
                own_length=own.length[block],
                own_follows=own_follows,
                own_second=own.second[block].astype(np.int64),
                own_count=own.count[block].astype(np.int64),
            )
        )
        if advance is not None:
            advance(block.stop, tokens.size)
    return join(parts, tokens.dtype)


def second_of_both(
    own_follows: NDArray[np.int64],
    own_second: NDArray[np.int64],
    follows: NDArray[np.int64],
    second: NDArray[np.int64],
) -> NDArray[np.int64]:
    """The latest token other than `own_follows` that followed a run, which both sides have.

    All arguments are tokens + 1; 0 stands for none.
    """
    older = np.where(follows != own_follows, follows, second)
    return np.where(own_second > 0, own_second, older)


def _joined(
    text: TrainingText,
    found: NDArray[np.int64],
    *,
    own_length: NDArray[np.uint8],
    own_follows: Tokens,
    own_second: NDArray[np.int64],
    own_count: NDArray[np.int64],
) -> MatchFeatures:
    """The longer of both matches; where they tie, the own one backed by both."""
    length = found[:, search.LENGTH]
    tie = (own_length == length) & (length > 0)
    own = own_length >= length
    if text.tokens.size > 1:
        follows = text.tokens[found[:, search.POSITION] + 1].astype(own_follows.dtype)
    else:
        follows = np.zeros_like(own_follows)
    both = second_of_both(
        own_follows.astype(np.int64) + 1,
        own_second,
        follows.astype(np.int64) + 1,
        found[:, search.SECOND],
    )
    second = np.where(tie, both, np.where(own, own_second, found[:, search.SECOND]))
    count = np.where(own, own_count, 0) + np.where(own & ~tie, 0, found[:, search.COUNT])
    return pack(
        length=np.maximum(own_length, length).astype(np.uint8),
        following=np.where(own, own_follows, follows),
        second=second,
        count=count,
        same_document=own,
    )

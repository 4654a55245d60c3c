"""What the index is worth on a text: how often a match names the next token.

By the match's length, by where it is, and by what speaks for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer_core.index.features import MatchFeatures
from trainer_core.index.tokens import Tokens
from trainer_core.records import MATCH_BUCKETS

REPEAT_TOKENS = 32
"""From this length on, a run counts as repeated text rather than as a turn of phrase."""


@dataclass(frozen=True)
class BucketValue:
    """Tokens whose match has a length from `low` to `high`.

    Attributes:
        low: Shortest match, in tokens.
        high: Longest match, in tokens.
        tokens: How many tokens have such a match.
        share: That, as a share of all tokens.
        hit_rate: Share of them whose match names the token that follows; 0 where there are none.
    """

    low: int
    high: int
    tokens: int
    share: float
    hit_rate: float


@dataclass(frozen=True)
class IndexValue:
    """What matches say of a text.

    Attributes:
        tokens: Tokens that another one follows; only they are counted.
        hit_rate: Share of them whose match names the token that follows.
        mean_length: Mean match length in tokens, 0 for tokens without a match.
        repeated_share: Share of the text inside repeats of `REPEAT_TOKENS` or more; None where the
            index does not tell such matches apart.
        buckets: The same by match length, in the order of `MATCH_BUCKETS`.
    """

    tokens: int
    hit_rate: float
    mean_length: float
    repeated_share: float | None
    buckets: tuple[BucketValue, ...]


def value_of(features: MatchFeatures, tokens: Tokens, max_length: int) -> IndexValue:
    """Measure features against the text that they belong to.

    Args:
        features: Of the n tokens.
        tokens: (n,).
        max_length: Longest match that the features tell apart.
    """
    length = np.asarray(features.length[:-1])
    hit = (length > 0) & (features.next[:-1] == tokens[1:])
    buckets = []
    for low, high in MATCH_BUCKETS:
        inside = (length >= low) & (length <= high)
        count = int(inside.sum())
        buckets.append(
            BucketValue(
                low=low,
                high=high,
                tokens=count,
                share=count / max(length.size, 1),
                hit_rate=float(hit[inside].mean()) if count else 0.0,
            )
        )
    return IndexValue(
        tokens=int(length.size),
        hit_rate=float(hit.mean()) if hit.size else 0.0,
        mean_length=float(length.mean()) if length.size else 0.0,
        repeated_share=_repeated_share(features) if max_length >= REPEAT_TOKENS else None,
        buckets=tuple(buckets),
    )


def _repeated_share(features: MatchFeatures) -> float:
    """Share of tokens that lie in the match of a token at or after them, if it is long enough."""
    if not len(features):
        return 0.0
    ends = np.flatnonzero(np.asarray(features.length) >= REPEAT_TOKENS)
    changes = np.zeros(len(features) + 1, dtype=np.int64)
    np.add.at(changes, ends - features.length[ends] + 1, 1)
    np.add.at(changes, ends + 1, -1)
    return float((np.cumsum(changes[:-1]) > 0).mean())


# --- by where the match is, and what speaks for it ----------------------------------------------

GROUPS = ("own_document", "training", "one", "agree", "disagree")
"""The most recent occurrence in the token's own document, or in the training text; one occurrence,
several that were followed alike, several that were not."""

_ONE, _AGREE, _DISAGREE = range(3)
_BLOCK_TOKENS = 1 << 20


@dataclass(frozen=True)
class Share:
    """Some of a text's tokens.

    Attributes:
        tokens: How many.
        share: That, as a share of all tokens.
        hit_rate: Share of them whose match names the token that follows; 0 where there are none.
    """

    tokens: int
    share: float
    hit_rate: float


@dataclass(frozen=True)
class LengthValue:
    """Tokens whose match has a length from `low` to `high`, in all and by kind of match.

    Attributes:
        low: Shortest match, in tokens.
        high: Longest match, in tokens.
        all: Those of this length; with low 0, those without a match among them.
        groups: The matched ones by each name of `GROUPS`.
    """

    low: int
    high: int
    all: Share
    groups: dict[str, Share]


def value_by_kind(features: MatchFeatures, tokens: Tokens) -> list[LengthValue]:
    """Measure matches by length, by where they are, and by what speaks for them.

    Args:
        features: Of the n tokens, as `held_out_features` gives them.
        tokens: (n,).

    Returns:
        One for each of `MATCH_BUCKETS`, and one for all lengths at the end.
    """
    counts = np.zeros((2, len(MATCH_BUCKETS), 3, 3), dtype=np.int64)  # tokens and hits
    size = max(len(features) - 1, 0)
    for first in range(0, size, _BLOCK_TOKENS):
        stop = min(first + _BLOCK_TOKENS, size)
        counts += _counts(features[first:stop], tokens[first + 1 : stop + 1])
    rows = [
        _length_value(low, high, counts[:, place], size)
        for place, (low, high) in enumerate(MATCH_BUCKETS)
    ]
    whole = _length_value(MATCH_BUCKETS[0][0], MATCH_BUCKETS[-1][1], counts.sum(axis=1), size)
    return [*rows, whole]


def _counts(features: MatchFeatures, following: Tokens) -> NDArray[np.int64]:
    """(2, lengths, 3 places, 3 kinds of evidence), tokens and hits.

    Places are the own document, the training text, and nowhere.
    """
    length = np.asarray(features.length)
    matched = length > 0
    lows = [low for low, _ in MATCH_BUCKETS]
    cell = np.searchsorted(lows, length, side="right").astype(np.int64) - 1
    cell = 3 * cell + np.where(matched, np.where(features.same_document, 0, 1), 2)
    several = np.where(features.has_second, _DISAGREE, _AGREE)
    cell = 3 * cell + np.where(features.count <= 1, _ONE, several)
    hit = matched & (features.next == following)
    shape = (len(MATCH_BUCKETS), 3, 3)
    sizes = [np.bincount(part, minlength=9 * shape[0]) for part in (cell, cell[hit])]
    return np.stack([size.reshape(shape) for size in sizes])


def _length_value(low: int, high: int, counts: NDArray[np.int64], size: int) -> LengthValue:
    own, training = counts[:, 0], counts[:, 1]
    matched = own + training
    parts = [own.sum(axis=1), training.sum(axis=1), *matched.T]
    return LengthValue(
        low=low,
        high=high,
        all=_share(counts.sum(axis=(1, 2)), size),
        groups={name: _share(part, size) for name, part in zip(GROUPS, parts, strict=True)},
    )


def _share(counted: NDArray[np.int64], size: int) -> Share:
    tokens, hits = counted.tolist()
    return Share(tokens=tokens, share=tokens / max(size, 1), hit_rate=hits / max(tokens, 1))

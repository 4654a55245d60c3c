"""What the index is worth on a text: how often a match names the next token, by its length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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

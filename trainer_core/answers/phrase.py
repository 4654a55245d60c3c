"""Every place in the training text where a phrase stands, however it was cut into tokens there.

The same words are cut otherwise when other letters stand right before or after them: "descent" is
not " descent", and " desc" begins both. Within, tokens are the same, because the cuts between words
depend on nothing far away. V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer_core.answers.asked import Asked

EDGE_TOKENS = 4
"""So many tokens at either end of a phrase may be cut otherwise in the training text."""
ANCHORS_MAX = 1 << 24
"""A phrase is not counted where more places than this would have to be looked at."""

Positions = NDArray[np.int64]


@dataclass(frozen=True)
class Phrase:
    """Where a phrase stands.

    Attributes:
        count: How often; None where it is too short to be counted.
        documents: In how many documents; None like `count`.
        same_tokens: How often it stands there in the tokens that it has by itself.
    """

    count: int | None
    documents: int | None
    same_tokens: int


class _TooManyAnchors(Exception):  # noqa: N818 - an outcome, told by None
    """The phrase is so short that it stands almost everywhere."""


def find_phrase(asked: Asked, text: str) -> Phrase:
    """Count a phrase in the training text, within documents.

    Found are the places where its inner tokens are those of the phrase and the tokens at its edges
    begin or end with the rest of it, up to `EDGE_TOKENS` tokens at either end, also as if a space
    stood before it. Where a token holds the phrase several times it counts once.

    Args:
        asked: The index and its corpus.
        text: At least one character, no lone surrogates.
    """
    tokens = asked.tokenizer.encode(text)
    same_tokens = _exact(asked, tokens)
    try:
        ends = np.unique(np.concatenate([*_occurrences(asked, text)]))
    except _TooManyAnchors:
        return Phrase(None, None, same_tokens)
    documents = np.unique(np.searchsorted(asked.index.document_start, ends, side="right"))
    return Phrase(int(ends.size), int(documents.size), same_tokens)


def _exact(asked: Asked, tokens: NDArray[np.uint32]) -> int:
    """How often exactly these tokens stand there; stops as soon as it is none."""
    if tokens.size > asked.index.max_length and not asked.index.count(
        tokens[: asked.index.max_length]
    ):
        return 0
    return asked.index.count(tokens)


def _occurrences(asked: Asked, text: str) -> Iterator[Positions]:
    """Positions of the phrase's last tokens, the same ones perhaps several times."""
    data = text.encode()
    yield _positions_of(asked, np.array([data in token for token in asked.vocabulary]))
    for variant in (text, " " + text):
        tokens = asked.tokenizer.encode(variant)
        pieces = [asked.vocabulary[token] for token in tokens.tolist()]
        if variant != text and pieces[0] == b" ":
            continue  # the space is a token of its own, so the rest is as without it
        pieces[0] = pieces[0] if variant == text else pieces[0][1:]
        for left in range(1, min(EDGE_TOKENS, tokens.size - 1) + 1):
            opens = _which(asked, b"".join(pieces[:left]), at_end=True)
            if not opens.any():
                break
            for right in range(1, min(EDGE_TOKENS, tokens.size - left) + 1):
                closes = _which(asked, b"".join(pieces[tokens.size - right :]), at_end=False)
                if not closes.any():
                    break
                yield _between(asked, opens, tokens[left : tokens.size - right], closes)


def _which(asked: Asked, data: bytes, *, at_end: bool) -> NDArray[np.bool_]:
    """(V,) bool, whether a token ends or begins with some bytes."""
    if at_end:
        return np.array([token.endswith(data) for token in asked.vocabulary])
    return np.array([token.startswith(data) for token in asked.vocabulary])


def _positions_of(asked: Asked, wanted: NDArray[np.bool_]) -> Positions:
    """Positions of any of these tokens.

    Raises:
        _TooManyAnchors: There are more than `ANCHORS_MAX`.
    """
    singles = np.flatnonzero(wanted)
    if _total(asked, singles) > ANCHORS_MAX:
        raise _TooManyAnchors
    found = [asked.index.run([token])[1] for token in singles.tolist()]
    return np.concatenate([np.zeros(0, dtype=np.int64), *found])


def _total(asked: Asked, singles: NDArray[np.int64]) -> int:
    return int(asked.index.lookup_batch([[token] for token in singles.tolist()]).count.sum())


def _between(
    asked: Asked, opens: NDArray[np.bool_], inner: NDArray[np.uint32], closes: NDArray[np.bool_]
) -> Positions:
    """Last positions of runs: one token of a set, the inner tokens, one token of another set.

    Raises:
        _TooManyAnchors: More than `ANCHORS_MAX` places would have to be looked at.
    """
    tokens = asked.index.tokens
    if inner.size:
        ends = _runs(asked, inner)
    elif _total(asked, np.flatnonzero(opens)) <= _total(asked, np.flatnonzero(closes)):
        ends = _positions_of(asked, opens)
    else:
        ends = _positions_of(asked, closes) - 1
    ends = ends[(ends >= inner.size) & (ends + 1 < tokens.size)]
    ends = ends[opens[tokens[ends - inner.size]] & closes[tokens[ends + 1]]]
    return ends + 1


def _runs(asked: Asked, inner: NDArray[np.uint32]) -> Positions:
    """Last positions of runs of exactly these tokens."""
    tokens, window = asked.index.tokens, inner[-asked.index.max_length :]
    match = asked.index.lookup(window)
    if match.length < window.size:
        return np.zeros(0, dtype=np.int64)
    if match.count > ANCHORS_MAX:
        raise _TooManyAnchors
    ends = asked.index.run(window)[1].astype(np.int64)
    for offset in range(window.size, inner.size):
        ends = ends[ends >= offset]
        ends = ends[tokens[ends - offset] == inner[-1 - offset]]
        if not ends.size:
            break
    return ends

"""Text in the training tokens by its bytes, however it was cut into tokens there.

The same letters are cut otherwise when others stand right before or after them: "descent" may be
one token, " descent" another, and " desc" may begin both. V vocabulary, m places.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer_core.answers.asked import Asked

FOLLOWED_MAX = 4096
"""A beginning that stands in no more places is followed in each of them, else through the index."""
PLACES_MAX = 1 << 22
"""A phrase is not counted where more places than this would have to be looked at."""

_PAIRS_MAX = 1 << 16

Positions = NDArray[np.int64]
_NONE: Positions = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Phrase:
    """Where a phrase stands.

    Attributes:
        count: How often; None where it is too short to be counted.
        documents: In how many documents; None like `count`.
    """

    count: int | None
    documents: int | None


@dataclass(frozen=True)
class Spelled:
    """Places where some bytes follow.

    Attributes:
        begins: (m,) where the tokens began that were given.
        ends: (m,) last tokens that lie within the bytes.
        inside: (m,) how many bytes of the following token belong to them still; 0 for none.
    """

    begins: Positions
    ends: Positions
    inside: NDArray[np.int64]


NOWHERE = Spelled(_NONE, _NONE, _NONE)


class _TooManyPlaces(Exception):  # noqa: N818 - an outcome, told by None
    """The phrase is so short that it stands almost everywhere."""


def find_phrase(asked: Asked, data: bytes) -> Phrase:
    """Count each place of a phrase within the training documents; they may overlap.

    Args:
        asked: The index and its corpus.
        data: UTF-8 of the phrase, at least one byte.
    """
    try:
        count, within = _within_tokens(asked, data)
        places = np.concatenate([within, *_across_tokens(asked, data)])
    except _TooManyPlaces:
        return Phrase(None, None)
    documents = np.unique(np.searchsorted(asked.index.document_start, places, side="right"))
    return Phrase(count + int(places.size - within.size), int(documents.size))


def _within_tokens(asked: Asked, data: bytes) -> tuple[int, Positions]:
    """How often the bytes stand inside single tokens, and where these tokens are.

    Raises:
        _TooManyPlaces: There are more than `PLACES_MAX`.
    """
    holding = [token for token, piece in enumerate(asked.vocabulary) if data in piece]
    counts = _counts(asked, [[token] for token in holding])
    times = [_times_within(asked.vocabulary[token], data) for token in holding]
    return int(counts @ np.array(times, dtype=np.int64)), _exactly(asked, [], holding)


def _times_within(piece: bytes, data: bytes) -> int:
    return sum(piece.startswith(data, at) for at in range(len(piece) - len(data) + 1))


def _across_tokens(asked: Asked, data: bytes) -> Iterator[Positions]:
    """Where the bytes stand with a token's end inside, by where the first such end is.

    Raises:
        _TooManyPlaces: More than `PLACES_MAX` places would have to be looked at.
    """
    tokens = asked.index.tokens
    for cut in range(1, min(len(data), asked.longest + 1)):
        opening = asked.tokens_ending(data[:cut])
        if not opening:
            continue
        yield _pairs(asked, opening, asked.tokens_beginning(data[cut:]))
        opens = np.zeros(len(asked.vocabulary), dtype=np.bool_)
        opens[opening] = True
        for begins in _from_token_start(asked, data[cut:]):
            begins = begins[begins > 0]
            yield begins[opens[tokens[begins - 1]]]


def _pairs(asked: Asked, opening: list[int], closing: list[int]) -> Positions:
    """Where a token of one set is followed by one of another: the second one's positions."""
    if len(opening) * len(closing) <= _PAIRS_MAX:
        found = [_exactly(asked, [first], closing) for first in opening]
        return np.concatenate([_NONE, *(part + 1 for part in found)])
    wanted = np.zeros((2, len(asked.vocabulary)), dtype=np.bool_)
    wanted[0, opening] = wanted[1, closing] = True
    sizes = [int(_counts(asked, [[token] for token in side]).sum()) for side in (opening, closing)]
    first_is_rarer = sizes[0] <= sizes[1]
    begins = _exactly(asked, [], opening if first_is_rarer else closing) - (not first_is_rarer)
    begins = begins[(begins >= 0) & (begins + 1 < asked.index.n_tokens)]
    tokens = asked.index.tokens
    places: Positions = begins[wanted[0, tokens[begins]] & wanted[1, tokens[begins + 1]]] + 1
    return places


def _from_token_start(asked: Asked, data: bytes) -> Iterator[Positions]:
    """First tokens of runs of two and more that spell the bytes from a token's start."""
    paths: list[tuple[list[int], bytes]] = [([], data)]
    while paths:
        path, rest = paths.pop()
        for token in _proper_prefixes(asked, rest):
            longer, left = [*path, token], rest[len(asked.vocabulary[token]) :]
            match = asked.index.lookup(longer)
            if match.length < len(longer):
                continue
            if match.count > FOLLOWED_MAX and len(longer) < asked.index.max_length:
                yield _exactly(asked, longer, asked.tokens_beginning(left))
                paths.append((longer, left))
                continue
            ends = _run(asked, longer)
            yield spelled_after(asked, ends - len(longer) + 1, ends, left).begins


def _proper_prefixes(asked: Asked, data: bytes) -> list[int]:
    """Tokens that are the beginning of the bytes, but not all of them."""
    sizes = range(1, min(len(data), asked.longest + 1))
    found = (asked.numbers.get(data[:size]) for size in sizes)
    return [token for token in found if token is not None]


def _exactly(asked: Asked, path: list[int], last: list[int]) -> Positions:
    """First tokens of the runs of a path and one of some tokens behind it.

    Raises:
        _TooManyPlaces: There are more than `PLACES_MAX`.
    """
    runs = [[*path, token] for token in last]
    counts = _counts(asked, runs)
    if int(counts.sum()) > PLACES_MAX:
        raise _TooManyPlaces
    places = [
        _run(asked, run) - len(path) for run, count in zip(runs, counts, strict=True) if count
    ]
    return np.concatenate([_NONE, *places])


def _counts(asked: Asked, runs: list[list[int]]) -> NDArray[np.int64]:
    """How often each of some runs stands there, of at most as many tokens as the index follows."""
    found = asked.index.lookup_batch(runs)
    sizes = np.array([len(run) for run in runs], dtype=np.int64)
    return np.where(found.length == sizes, found.count, 0)


def _run(asked: Asked, tokens: list[int]) -> Positions:
    """Last positions of exactly these tokens, which the training text has, in no order."""
    return asked.index.run(tokens)[1].astype(np.int64)


def spelled_after(asked: Asked, begins: Positions, ends: Positions, data: bytes) -> Spelled:
    """The places among some behind which the bytes follow, however they are cut.

    Args:
        asked: The index and its corpus.
        begins: (m,) carried along.
        ends: (m,) the tokens behind which the bytes are sought.
        data: At least one byte.
    """
    tokens = asked.index.tokens
    found = [NOWHERE]
    waiting = [(begins, ends, data)]
    while waiting:
        begins, ends, rest = waiting.pop()
        known = ends + 1 < tokens.size
        begins, ends = begins[known], ends[known]
        following = tokens[ends + 1]
        closes = np.zeros(len(asked.vocabulary), dtype=np.bool_)
        closes[asked.tokens_beginning(rest)] = True
        here = closes[following]
        whole = following[here] == asked.numbers.get(rest, asked.index.separator)
        inside = np.where(whole, 0, len(rest))
        found.append(Spelled(begins[here], ends[here] + whole, inside))
        for token in _proper_prefixes(asked, rest):
            here = following == token
            if here.any():
                left = rest[len(asked.vocabulary[token]) :]
                waiting.append((begins[here], ends[here] + 1, left))
    return Spelled(
        np.concatenate([part.begins for part in found]),
        np.concatenate([part.ends for part in found]),
        np.concatenate([part.inside for part in found]),
    )

"""Text in the training tokens by its letters, however it was cut into tokens there.

The same letters are cut otherwise when others stand right before or after them: "descent" may be
one token, " descent" another, and " desc" may begin both. V vocabulary, m places.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer_core.answers.asked import Asked

FOLLOWED_MAX = 4096
"""A beginning that stands in no more places is followed in each of them, else through the index."""
PLACES_MAX = 1 << 22
"""What would need more places than this to be looked at is not sought."""
_PAIRS_MAX = 1 << 16

Positions = NDArray[np.int64]
_NONE: Positions = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Spelled:
    """Places in the training text that spell some bytes.

    Attributes:
        begins: (m,) first tokens that have a part in them.
        ends: (m,) last tokens that end within them or with them; one before `begins` where a single
            token holds them all and more.
        inside: (m,) how far they reach into the following token, in bytes; 0 for not at all.
    """

    begins: Positions
    ends: Positions
    inside: NDArray[np.int64]

    def latest_first(self) -> Spelled:
        """The same places, the most recent one first."""
        order = np.argsort(-self.begins, kind="stable")
        return Spelled(self.begins[order], self.ends[order], self.inside[order])


NOWHERE = Spelled(_NONE, _NONE, _NONE)


class _TooManyPlaces(Exception):  # noqa: N818 - an outcome, told by None
    """The phrase is so short that it stands almost everywhere."""


def find_phrase(asked: Asked, data: bytes) -> Spelled | None:
    """Every place of a phrase within the training documents; they may overlap.

    Args:
        asked: The index and its corpus.
        data: UTF-8 of the phrase, at least one byte.

    Returns:
        The places in no order; None where the phrase is too short for that.
    """
    try:
        return _joined([*_within_tokens(asked, data), *_across_tokens(asked, data)])
    except _TooManyPlaces:
        return None


def _joined(parts: Iterable[Spelled]) -> Spelled:
    parts = [NOWHERE, *parts]
    return Spelled(
        np.concatenate([part.begins for part in parts]),
        np.concatenate([part.ends for part in parts]),
        np.concatenate([part.inside for part in parts]),
    )


def _ending(asked: Asked, begins: Positions, last: Positions, used: int) -> Spelled:
    """Places whose last tokens are known, and how many bytes of these belong to them."""
    whole = asked.byte_lengths[asked.index.tokens[last]] == used
    return Spelled(begins, last - ~whole, np.where(whole, 0, used))


def _within_tokens(asked: Asked, data: bytes) -> Iterator[Spelled]:
    """Where the bytes stand inside single tokens.

    Raises:
        _TooManyPlaces: There are more than `PLACES_MAX`.
    """
    holding = [token for token, piece in enumerate(asked.vocabulary) if data in piece]
    if int(_counts(asked, [[token] for token in holding]).sum()) > PLACES_MAX:
        raise _TooManyPlaces
    for token in holding:
        piece = asked.vocabulary[token]
        places = _exactly(asked, [], [token])
        for at in range(len(piece) - len(data) + 1):
            if piece.startswith(data, at):
                yield _ending(asked, places, places, at + len(data))


def _across_tokens(asked: Asked, data: bytes) -> Iterator[Spelled]:
    """Where the bytes stand with a token's end inside, by where the first such end is.

    Raises:
        _TooManyPlaces: More than `PLACES_MAX` places would have to be looked at.
    """
    tokens = asked.index.tokens
    for cut in range(1, min(len(data), asked.longest + 1)):
        opening = asked.tokens_ending(data[:cut])
        if not opening:
            continue
        last = _pairs(asked, opening, asked.tokens_beginning(data[cut:]))
        yield _ending(asked, last - 1, last, len(data) - cut)
        opens = np.zeros(len(asked.vocabulary), dtype=np.bool_)
        opens[opening] = True
        for part in _from_token_start(asked, data[cut:]):
            here = part.begins > 0
            here[here] = opens[tokens[part.begins[here] - 1]]
            yield Spelled(part.begins[here] - 1, part.ends[here], part.inside[here])


def _pairs(asked: Asked, opening: list[int], closing: list[int]) -> Positions:
    """Where a token of one set is followed by one of another: the second one's positions."""
    if len(opening) * len(closing) <= _PAIRS_MAX:
        found = [_exactly(asked, [first], closing) for first in opening]
        return np.concatenate([_NONE, *found])
    wanted = np.zeros((2, len(asked.vocabulary)), dtype=np.bool_)
    wanted[0, opening] = wanted[1, closing] = True
    sizes = [int(_counts(asked, [[token] for token in side]).sum()) for side in (opening, closing)]
    first_is_rarer = sizes[0] <= sizes[1]
    places = _exactly(asked, [], opening if first_is_rarer else closing) + first_is_rarer
    places = places[(places > 0) & (places < asked.index.n_tokens)]
    tokens = asked.index.tokens
    last: Positions = places[wanted[0, tokens[places - 1]] & wanted[1, tokens[places]]]
    return last


def _from_token_start(asked: Asked, data: bytes) -> Iterator[Spelled]:
    """Runs of two tokens and more that spell the bytes from a token's start."""
    paths: list[tuple[list[int], bytes]] = [([], data)]
    while paths:
        path, rest = paths.pop()
        for token in _proper_prefixes(asked, rest):
            longer, left = [*path, token], rest[len(asked.vocabulary[token]) :]
            match = asked.index.lookup(longer)
            if match.length < len(longer):
                continue
            if match.count > FOLLOWED_MAX and len(longer) < asked.index.max_length:
                last = _exactly(asked, longer, asked.tokens_beginning(left))
                yield _ending(asked, last - len(longer), last, len(left))
                paths.append((longer, left))
                continue
            ends = asked.index.run(longer)[1].astype(np.int64)
            yield spelled_after(asked, ends - len(longer) + 1, ends, left)


def _proper_prefixes(asked: Asked, data: bytes) -> list[int]:
    """Tokens that are the beginning of the bytes, but not all of them."""
    sizes = range(1, min(len(data), asked.longest + 1))
    return [token for size in sizes for token in asked.numbers.get(data[:size], ())]


def _exactly(asked: Asked, path: list[int], last: list[int]) -> Positions:
    """Last tokens of the runs of a path and one of some tokens behind it.

    Raises:
        _TooManyPlaces: There are more than `PLACES_MAX`.
    """
    runs = [[*path, token] for token in last]
    counts = _counts(asked, runs)
    if int(counts.sum()) > PLACES_MAX:
        raise _TooManyPlaces
    found = [asked.index.run(run)[1] for run, count in zip(runs, counts, strict=True) if count]
    return np.concatenate([_NONE, *found])


def _counts(asked: Asked, runs: list[list[int]]) -> NDArray[np.int64]:
    """How often each of some runs stands there, of at most as many tokens as the index follows."""
    found = asked.index.lookup_batch(runs)
    sizes = np.array([len(run) for run in runs], dtype=np.int64)
    return np.where(found.length == sizes, found.count, 0)


def spelled_after(asked: Asked, begins: Positions, ends: Positions, data: bytes) -> Spelled:
    """The places among some behind which the bytes follow, however they are cut.

    Args:
        asked: The index and its corpus.
        begins: (m,) carried along.
        ends: (m,) the tokens behind which the bytes are sought.
        data: At least one byte.
    """
    tokens = asked.index.tokens
    found = []
    waiting = [(begins, ends, data)]
    while waiting:
        begins, ends, rest = waiting.pop()
        known = ends + 1 < tokens.size
        begins, ends = begins[known], ends[known]
        following = tokens[ends + 1]
        closes = np.zeros(len(asked.vocabulary), dtype=np.bool_)
        closes[asked.tokens_beginning(rest)] = True
        here = closes[following]
        found.append(_ending(asked, begins[here], ends[here] + 1, len(rest)))
        for token in _proper_prefixes(asked, rest):
            here = following == token
            if here.any():
                left = rest[len(asked.vocabulary[token]) :]
                waiting.append((begins[here], ends[here] + 1, left))
    return _joined(found)

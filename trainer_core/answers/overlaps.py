"""What a text has in common with the training text: match lengths, and its longest overlap.

n tokens of a text, m places in the training text.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer_core.index import MatchIndex

PLACES_MAX = 1 << 16
"""An overlap longer than the index's matches is followed in so many places, the latest ones."""

_BLOCK_TOKENS = 1 << 17
_COMPARED_MAX = 1 << 20


@dataclass(frozen=True)
class Overlap:
    """A run of tokens that the text and the training text have in common.

    Attributes:
        begin: Where it begins in the text.
        tokens: How long it is.
        position: Where it begins in the training text, the latest such place.
    """

    begin: int = 0
    tokens: int = 0
    position: int = -1


def match_lengths(
    index: MatchIndex, tokens: NDArray[np.uint32], begins: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """Length of the longest match that ends at each token, in the training text.

    Args:
        index: The opened index.
        tokens: (n,) of several texts, one after the other.
        begins: Where these begin; matches do not reach across.
    """
    starts = np.zeros(tokens.size, dtype=np.int64)
    starts[begins] = begins
    room = np.arange(tokens.size) - np.maximum.accumulate(starts) + 1
    limits = np.minimum(room, index.max_length).astype(np.uint8)
    lengths = np.zeros(tokens.size, dtype=np.uint8)
    for first in range(0, tokens.size, _BLOCK_TOKENS):
        block = slice(first, min(first + _BLOCK_TOKENS, tokens.size))
        low = max(0, first - index.max_length)
        ends = np.arange(block.start, block.stop) - low
        lengths[block] = index.answers(tokens[low : block.stop], ends, limits[block]).length
    return lengths


def covered_tokens(lengths: NDArray[np.uint8], least: int) -> int:
    """How many of a text's tokens lie in overlaps of at least `least` tokens.

    Args:
        lengths: (n,) of the text's matches.
        least: At most what the index tells apart.
    """
    ends = np.flatnonzero(lengths >= least)
    if not ends.size:
        return 0
    # where matches begin never falls, so what is new in each begins where the one before ended
    lows = ends - lengths[ends].astype(np.int64) + 1
    lows = np.maximum(lows, np.concatenate([[0], ends[:-1] + 1]))
    return int((ends + 1 - lows).sum())


def longest_overlap(
    index: MatchIndex, tokens: NDArray[np.uint32], lengths: NDArray[np.uint8]
) -> Overlap:
    """The longest run that a text has in common with the training text; the first among equals.

    Args:
        index: The opened index.
        tokens: (n,) of the text.
        lengths: (n,) of its matches.
    """
    longest = int(lengths.max(initial=0))
    if not longest:
        return Overlap()
    if longest < index.max_length:
        end = int(lengths.argmax())
        match = index.lookup(tokens[end + 1 - longest : end + 1])
        return Overlap(end + 1 - longest, longest, int(match.position) + 1 - longest)
    best = Overlap()
    full = np.flatnonzero(lengths == longest)
    cuts = np.flatnonzero(np.diff(full) > 1) + 1
    for stretch in np.split(full, cuts):
        first, last = int(stretch[0]), int(stretch[-1])
        if longest + last - first > best.tokens:
            best = max(best, _longest_within(index, tokens, first, last), key=lambda o: o.tokens)
    return best


def _longest_within(
    index: MatchIndex, tokens: NDArray[np.uint32], first: int, last: int
) -> Overlap:
    """The longest overlap that ends between two positions, all of whose matches are full.

    Each overlap is followed as far as it goes; the next one that goes further is, of those that end
    one token behind it, the one that begins first. So none is missed.
    """
    size = index.max_length
    best = Overlap()
    begin, end = first - size, first
    while end <= last and last - begin > best.tokens:  # the next one begins behind this one
        places = index.occurrences(tokens[end + 1 - size : end + 1], PLACES_MAX)
        begin = end + 1 - size
        back, places = _follow(index, places - size, tokens[:begin][::-1], -1)
        begin -= back
        on, places = _follow(index, places + size + 1, tokens[end + 1 : last + 1], 1)
        found = Overlap(begin, end + 1 - begin + on, int(places.max()) - (end + 1 - begin))
        best = max(best, found, key=lambda o: o.tokens)
        end += on + 1
    return best


def _follow(
    index: MatchIndex, places: NDArray[np.int64], tokens: NDArray[np.uint32], step: int
) -> tuple[int, NDArray[np.int64]]:
    """How far a text goes on like the training text, and in which of these places.

    Args:
        index: The opened index.
        places: (m,) where the first of `tokens` would stand.
        tokens: What the text goes on with.
        step: 1 to follow to the right, -1 to the left.
    """
    agreed = 0
    width = 16
    last = index.n_tokens - 1
    while agreed < tokens.size:
        width = max(1, min(2 * width, tokens.size - agreed, _COMPARED_MAX // places.size))
        at = places[:, None] + step * np.arange(agreed, agreed + width)
        same = index.tokens[np.clip(at, 0, last)] == tokens[agreed : agreed + width]
        same &= (at >= 0) & (at <= last)
        goes = np.where(same.all(axis=1), width, np.argmin(same, axis=1))
        farthest = int(goes.max())
        agreed += farthest
        places = places[goes == farthest]
        if farthest < width:
            break
    return agreed, places

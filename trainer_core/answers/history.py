"""What more training text brings: matches of held-out text in the first part of it alone.

n training tokens, q sampled positions, m occurrences of a run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer_core.answers.asked import Asked, Report
from trainer_core.data.corpus import Tokens
from trainer_core.index import MatchIndex

SHARES = (1 / 64, 1 / 16, 1 / 4, 1.0)
"""Parts of the training text, from its beginning, that held-out text is matched against."""

_BLOCK_POSITIONS = 1 << 20
_BATCH = 256


@dataclass(frozen=True)
class HistoryPoint:
    """How good matches are in the first part of the training text.

    Attributes:
        history_share: Size of the part, as a share of the training text.
        history_tokens: Size of the part.
        hit_rate: Share of the positions whose match names the token that follows.
        matched_share: Share of the positions that have a match.
        mean_length: Mean match length in tokens, 0 where there is no match.
        margin: Half the width of the interval around `hit_rate` that covers the rate of all
            held-out tokens in 19 of 20 samples.
        hit_rate_with_own: As `hit_rate`, of the longer match in the part or in what comes before
            in the held-out document, which wins a tie.
        mean_length_with_own: Mean length of that match.
    """

    history_share: float
    history_tokens: int
    hit_rate: float
    matched_share: float
    mean_length: float
    margin: float
    hit_rate_with_own: float
    mean_length_with_own: float


def history_curve(asked: Asked, positions: int, report: Report) -> tuple[int, list[HistoryPoint]]:
    """Match evenly spread held-out positions against growing parts of the training text.

    A part ends at a position, and only what stood before it counts: the most recent of the longest
    matches there, as an index of that part alone would give it. With q positions a rate is known to
    0.98 / sqrt(q) in 19 of 20 samples: to one percentage point with 9,604.

    Args:
        asked: The index and its corpus.
        positions: How many to sample at most.
        report: Told how far it is.

    Returns:
        How many positions were sampled, and a point for each of `SHARES`.
    """
    index, split = asked.index, asked.corpus.validation
    sampled = _spread(split.n_tokens - 1, positions)
    limits = [max(1, round(index.n_tokens * share)) for share in SHARES]
    seen = np.zeros((len(SHARES), 2, 2, sampled.size), dtype=np.int64)
    for number, at in enumerate(sampled.tolist()):
        begin = int(split.document_start[split.document_at(at)])
        text, following = split.read(begin, at + 1), int(split.read(at + 1, at + 2)[0])
        own = _own_match(text, index.max_length)
        window = text[-index.max_length :].astype(np.uint32)
        for place, (length, position) in enumerate(_matches(index, window, limits)):
            there = (length, int(index.tokens[position + 1]) if length else -1)
            longer = own if own[0] >= length else there
            seen[place, 0, :, number] = there[0], there[1] == following
            seen[place, 1, :, number] = longer[0], longer[1] == following
        if number % _BATCH == 0 or number + 1 == sampled.size:
            report("matching against less text", number + 1, sampled.size, "positions")
    return int(sampled.size), [
        _point(share, limit, seen[place])
        for place, (share, limit) in enumerate(zip(SHARES, limits, strict=True))
    ]


def _own_match(text: Tokens, max_length: int) -> tuple[int, int]:
    """The longest earlier match of a text's end in itself: its length, and what followed it."""
    last = text.size - 1
    places = np.flatnonzero(text[:-1] == text[last])
    length, following = 0, -1
    while places.size and length < max_length:
        following = int(text[places[-1] + 1])
        length += 1
        places = places[places >= length]
        places = places[text[places - length] == text[last - length]]
    return length, following


def _spread(size: int, positions: int) -> NDArray[np.int64]:
    """Evenly spread positions below `size`, all of them where there are not more."""
    if size <= positions:
        return np.arange(max(size, 0))
    return (np.arange(positions) * size + size // 2) // positions


def _point(share: float, limit: int, seen: NDArray[np.int64]) -> HistoryPoint:
    """A point from (2, 2, q) lengths and hits: in the part alone, and with the own document."""
    size = max(seen.shape[-1], 1)
    (lengths, hits), (lengths_with_own, hits_with_own) = seen.sum(axis=-1).tolist()
    rate = hits / size
    return HistoryPoint(
        history_share=share,
        history_tokens=limit,
        hit_rate=rate,
        matched_share=int(np.count_nonzero(seen[0, 0])) / size,
        mean_length=lengths / size,
        margin=1.96 * math.sqrt(rate * (1 - rate) / size),
        hit_rate_with_own=hits_with_own / size,
        mean_length_with_own=lengths_with_own / size,
    )


def _matches(
    index: MatchIndex, window: NDArray[np.uint32], limits: list[int]
) -> list[tuple[int, int]]:
    """Length and position of the longest match before each limit; limits rise.

    An occurrence at p counts below a limit when p + 1, what followed it, lies below. Whatever has
    an occurrence before a limit has one of each shorter length too, so lengths are halved to.
    """
    found = []
    longest = index.lookup(window).length
    runs: dict[int, tuple[int, NDArray[np.uint32]]] = {}

    def latest(length: int, limit: int) -> int:
        if length not in runs:
            runs[length] = index.run(window[window.size - length :])
        return _latest_before(runs[length][1], limit - 1)

    for limit in reversed(limits):
        low, high, best = 0, longest, -1
        while low < high:
            # the match is often as long as with more text, so that is tried first
            middle = high if high == longest else (low + high + 1) // 2
            position = latest(middle, limit)
            if position >= 0:
                low, best = middle, position
            else:
                high = middle - 1
        longest = low
        found.append((low, best))
    return found[::-1]


def _latest_before(run: NDArray[np.uint32], limit: int) -> int:
    """The largest of some positions below a limit; -1 where there is none."""
    best = -1
    for first in range(0, run.size, _BLOCK_POSITIONS):
        block = run[first : first + _BLOCK_POSITIONS]
        block = block[block < limit]
        if block.size:
            best = max(best, int(block.max()))
    return best

"""One repeated passage: its occurrences, how far they agree, and passages that are the same one.

n training tokens, c occurrences.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer_core.index.lookups.lookup import MatchIndex
from trainer_core.index.tokens import Tokens
from trainer_core.index.value import REPEAT_TOKENS

OCCURRENCES_MAX = 1 << 20
"""So many of a passage's most recent occurrences are looked at."""

_GATHERED_MAX = 1 << 20
_SAME_SHARE = 0.5


@dataclass(frozen=True)
class Passage:
    """A run of tokens that stands in the training text several times.

    It is maximal: one token more on either side, and it stands there less often.

    Attributes:
        tokens: How long it is.
        positions: (c,) int64 where it begins, rising; occurrences may overlap.
        count: How often it stands there without overlap, read from the left.
        documents: In how many documents.
        repeated_tokens: Tokens that all its occurrences cover, less those of the first.
    """

    tokens: int
    positions: NDArray[np.int64]
    count: int
    documents: int
    repeated_tokens: int


def passage_at(index: MatchIndex, at: int) -> Passage:
    """The passage whose occurrences are those of the `REPEAT_TOKENS` tokens that end at a position.

    Args:
        index: The opened index.
        at: A position whose match has that many tokens.
    """
    window = index.tokens[at - REPEAT_TOKENS + 1 : at + 1]
    ends = np.sort(index.occurrences(window, OCCURRENCES_MAX))
    if np.array_equal(index.tokens[index.n_tokens - REPEAT_TOKENS :], window):
        ends = np.append(ends, index.n_tokens - 1)  # nothing follows it, so it is in no index
    after = _agreement(index.tokens, index.separator, ends, 1)
    before = 0
    if window[0] != index.separator:
        before = _agreement(index.tokens, index.separator, ends - REPEAT_TOKENS + 1, -1)
    positions = ends - REPEAT_TOKENS + 1 - before
    length = before + REPEAT_TOKENS + after
    documents = np.searchsorted(index.document_start, positions, side="right")
    return Passage(
        tokens=length,
        positions=positions,
        count=_apart(positions, length),
        documents=int(np.count_nonzero(np.diff(documents)) + 1),
        repeated_tokens=int(np.minimum(np.diff(positions), length).sum()),
    )


def _agreement(tokens: Tokens, separator: int, places: NDArray[np.int64], step: int) -> int:
    """How many tokens beside all these places are the same, within their documents.

    Args:
        tokens: (n,).
        separator: No passage reaches across it.
        places: (c,) rising positions.
        step: 1 to look behind them, -1 to look before them.
    """
    room = int(tokens.size - 1 - places[-1]) if step > 0 else int(places[0])
    agreed = 0
    width = 8
    while agreed < room:
        width = max(1, min(2 * width, room - agreed, _GATHERED_MAX // places.size))
        offsets = step * np.arange(agreed + 1, agreed + 1 + width)
        first = tokens[places[0] + offsets]
        same = (tokens[places[:, None] + offsets] == first).all(axis=0) & (first != separator)
        if not same.all():
            return agreed + int(np.argmin(same))
        agreed += width
    return agreed


def _apart(positions: NDArray[np.int64], length: int) -> int:
    """How many of the occurrences remain when each that overlaps one before it is left out."""
    if positions.size < 2 or int(np.diff(positions).min()) >= length:
        return int(positions.size)
    count, at = 0, 0
    while at < positions.size:
        count += 1
        at = int(np.searchsorted(positions, positions[at] + length))
    return count


def distinct(found: Iterable[Passage], top: int) -> tuple[Passage, ...]:
    """The passages that repeat most, without those that are for the most part in one before them.

    Args:
        found: Passages, several of them perhaps the same one or shifted.
        top: How many to give at most.
    """
    kept: list[Passage] = []
    repeated = [passage for passage in found if passage.count > 1]
    for passage in sorted(repeated, key=lambda p: (-p.repeated_tokens, int(p.positions[0]))):
        if len(kept) >= top:
            break
        if not any(_is_within(passage, other) for other in kept):
            kept.append(passage)
    return tuple(kept)


def _is_within(passage: Passage, other: Passage) -> bool:
    """Whether most of a passage's text is covered by occurrences of another one."""
    begin = int(passage.positions[-1])
    stop = begin + passage.tokens
    low = int(np.searchsorted(other.positions, begin - other.tokens, side="right"))
    high = int(np.searchsorted(other.positions, stop))
    covered, reached = 0, begin
    for at in other.positions[low:high].tolist():
        covered += max(0, min(at + other.tokens, stop) - max(at, reached))
        reached = max(reached, min(at + other.tokens, stop))
    return covered > _SAME_SHARE * passage.tokens

"""What a look-up answers: one match, the matches of several contexts, a continuation.

q contexts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

Kind = Literal["none", "context", "index"]


class Match(msgspec.Struct, frozen=True, gc=False):
    """The longest match of a context.

    Attributes:
        length: Tokens in it; 0 without a match, and then the other numbers are 0, `position` -1.
        next: What followed its most recent occurrence.
        position: Where that occurrence's last token stands: in the training text for the kind
            `index`, in the stream for the kind `context`.
        count: How often the run occurs, in the training text and, in a stream, before in the
            stream's document.
        second: The latest other token that followed it; None where all agree.
        kind: Where the most recent occurrence is.
    """

    length: int = 0
    next: int = 0
    position: int = -1
    count: int = 0
    second: int | None = None
    kind: Kind = "none"


NO_MATCH = Match()


@dataclass(frozen=True)
class MatchBatch:
    """The matches of several contexts, or of the tokens of a stream; `batch[i]` is a `Match`.

    Attributes:
        length: (q,) int64, tokens matched; 0 without a match.
        next: (q,) int64, what followed; 0 without a match.
        position: (q,) int64, the most recent occurrence's last token, as in `Match`; -1 without a
            match.
        count: (q,) int64, occurrences.
        second: (q,) int64, the latest other token that followed; -1 where there is none.
        in_context: (q,) bool, whether the match is of the kind `context`.
    """

    length: NDArray[np.int64]
    next: NDArray[np.int64]
    position: NDArray[np.int64]
    count: NDArray[np.int64]
    second: NDArray[np.int64]
    in_context: NDArray[np.bool_]

    @classmethod
    def of(cls, answers: NDArray[np.int64], in_context: NDArray[np.bool_]) -> MatchBatch:
        """From (q, 5) numbers: length, next, position, count and second."""
        length, following, position, count, second = answers.T
        return cls(length, following, position, count, second, in_context)

    def __len__(self) -> int:
        return int(self.length.size)

    def __getitem__(self, number: int) -> Match:
        if not self.length[number]:
            return NO_MATCH
        second = int(self.second[number])
        return Match(
            length=int(self.length[number]),
            next=int(self.next[number]),
            position=int(self.position[number]),
            count=int(self.count[number]),
            second=None if second < 0 else second,
            kind="context" if self.in_context[number] else "index",
        )

    def __iter__(self) -> Iterator[Match]:
        return (self[number] for number in range(len(self)))


@dataclass(frozen=True, slots=True)
class Continuation:
    """A token that followed, and how often."""

    token: int
    count: int

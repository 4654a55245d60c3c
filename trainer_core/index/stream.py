"""Longest matches of a text that grows by one token at a time, its own earlier part included.

t tokens given so far in the present document.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trainer_core.index.lookup import MatchIndex
from trainer_core.index.match import NO_MATCH, Match

_FIRST_CAPACITY = 1024


@dataclass(frozen=True, slots=True)
class _OwnMatch:
    """The longest match in the own context; `second` is -1 where all agree."""

    length: int
    next: int
    position: int
    count: int
    second: int


class OwnContext:
    """The tokens of one document and, for each, how long a run ends both there and at its end.

    A new token makes each of these runs one longer or ends it, so each step looks at all t tokens
    once, without a search.

    Args:
        max_length: Runs are told apart up to this length.
    """

    def __init__(self, max_length: int) -> None:
        self.size = 0
        self._max_length = max_length
        self._tokens = np.zeros(_FIRST_CAPACITY, dtype=np.uint32)
        self._runs = np.zeros(_FIRST_CAPACITY, dtype=np.uint8)

    def clear(self) -> None:
        """Forget everything: a new document begins."""
        self.size = 0

    def tail(self, length: int) -> NDArray[np.uint32]:
        """The last tokens, (min(t, length),)."""
        return self._tokens[max(self.size - length, 0) : self.size]

    def append(self, token: int) -> _OwnMatch | None:
        """Add a token and give the longest run before it that ends like the text does now."""
        if self.size == self._tokens.size:
            self._tokens = np.concatenate([self._tokens, np.zeros_like(self._tokens)])
            self._runs = np.concatenate([self._runs, np.zeros_like(self._runs)])
        t = self.size
        self._tokens[t] = token
        self._runs[t] = 0
        self.size = t + 1
        runs = self._runs[:t]
        runs[1:] = runs[:-1]
        runs[:1] = 0
        np.minimum(runs, self._max_length - 1, out=runs)
        runs += 1
        runs *= self._tokens[:t] == token
        return self._longest(runs)

    def _longest(self, runs: NDArray[np.uint8]) -> _OwnMatch | None:
        length = int(runs.max(initial=0))
        if not length:
            return None
        places = np.flatnonzero(runs == length)
        follows = self._tokens[places + 1]
        others = follows[follows != follows[-1]]
        return _OwnMatch(
            length=length,
            next=int(follows[-1]),
            position=int(places[-1]),
            count=int(places.size),
            second=int(others[-1]) if others.size else -1,
        )


class MatchStream:
    """Reads one token after the other. A separator begins a new document and a new own context.

    Args:
        index: The index.
        own_context: Whether matches are also sought in the document's tokens so far.
    """

    def __init__(self, index: MatchIndex, *, own_context: bool = True) -> None:
        self._index = index
        self._own_context = own_context
        self._own = OwnContext(index.max_length)
        self._document_begin = 0
        self._given = 0
        self._found = NO_MATCH

    def advance(self, token: int) -> Match:
        """Read a token and give the longest match of the text that it ends.

        Args:
            token: A token id.

        Returns:
            Of the kind `context`, `index` or `none`; a tie goes to the own context, and then the
            occurrences of both are counted. The position of a `context` match counts the stream's
            tokens from 0.
        """
        if token == self._index.separator:
            self._own.clear()
            self._document_begin = self._given
            self._found = NO_MATCH
        first = self._own.size == 0
        own = self._own.append(token)
        self._given += 1
        # A match grows by one token at most, so what is longer need not be looked at.
        limit = self._index.max_length if first else self._found.length + 1
        self._found = self._index.lookup_window(self._own.tail(min(limit, self._index.max_length)))
        if own is None or not self._own_context or own.length < self._found.length:
            return self._found
        match = Match(
            length=own.length,
            next=own.next,
            position=self._document_begin + own.position,
            count=own.count,
            second=None if own.second < 0 else own.second,
            kind="context",
        )
        return match if own.length > self._found.length else _tied(match, self._found)


def _tied(own: Match, found: Match) -> Match:
    """The own match, backed by the occurrences of the same run in the training text."""
    older = found.next if found.next != own.next else found.second
    return replace(
        own,
        count=own.count + found.count,
        second=own.second if own.second is not None else older,
    )

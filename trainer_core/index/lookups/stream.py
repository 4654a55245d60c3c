"""Longest matches of a text that grows by one token at a time, its own earlier part included."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trainer_core.index.compiled import COMPILED
from trainer_core.index.lookups.desk import KEEP_MAX, STREAM_FIELDS, Desk
from trainer_core.index.lookups.lookup import MatchIndex
from trainer_core.index.lookups.match import NO_MATCH, Match, MatchBatch
from trainer_core.index.lookups.own_context import (
    CAPACITY,
    SIZE,
    add_token,
    clear,
    grown,
    new_context,
    own_match,
)
from trainer_core.index.tokens import as_tokens

if COMPILED:
    from trainer_core.index.lookups import search

I64 = NDArray[np.int64]


class Reader(Protocol):
    """Reads tokens by whatever means; an answer is length, next, position in the training text or
    in the own document, count, second or -1, and 1 where the own document has the match.
    """

    def read(self, token: int) -> list[int]:
        """The answer after one token more."""

    def read_many(self, tokens: I64) -> I64:
        """(q, 6), the answers after each of some tokens."""


class MatchStream:
    """Reads one token after the other. A separator begins a new document and a new own context.

    Args:
        index: The index.
        own_context: Whether matches are also sought in the document's tokens so far.
    """

    def __init__(self, index: MatchIndex, *, own_context: bool = True) -> None:
        reader = CompiledReader if COMPILED else PlainReader
        self._reader: Reader = reader(index, own_context)
        self._separator = index.separator
        self._document_begin = 0
        self._given = 0

    def advance(self, token: int) -> Match:
        """Read a token and give the longest match of the text that it ends.

        Args:
            token: A token id.

        Returns:
            Of the kind `context`, `index` or `none`; a tie goes to the own context, and then the
            occurrences of both are counted. The position of a `context` match counts the stream's
            tokens from 0.
        """
        length, following, position, count, second, own = self._reader.read(token)
        if token == self._separator:
            self._document_begin = self._given
        self._given += 1
        if not length:
            return NO_MATCH
        other = second if second >= 0 else None
        if own:
            position += self._document_begin
            return Match(length, following, position, count, other, "context")
        return Match(length, following, position, count, other, "index")

    def read(self, tokens: ArrayLike) -> MatchBatch:
        """Read some tokens and give what `advance` would after each; much faster for many.

        Args:
            tokens: (q,) token ids.
        """
        read = as_tokens(tokens).astype(np.int64)
        answers = self._reader.read_many(read)
        numbers = self._given + np.arange(read.size)
        begins = np.where(read == self._separator, numbers, self._document_begin)
        begins = np.maximum.accumulate(begins)
        own = answers[:, -1] > 0
        answers[own, 2] += begins[own]
        if read.size:
            self._document_begin = int(begins[-1])
            self._given += read.size
        return MatchBatch.of(answers[:, :-1], own)


class CompiledReader:
    """Reads by machine code."""

    def __init__(self, index: MatchIndex, own_context: bool) -> None:
        self._desk = Desk(index.arrays)
        self._desk.keep(KEEP_MAX)
        self._own = new_context(index.max_length)
        self._own_context = own_context
        search.begin_stream(self._desk.address)

    def read(self, token: int) -> list[int]:
        """See `Reader`."""
        while not search.advance_one(self._desk.address, self._own, self._own_context, token):
            self._own = grown(self._own)
        answer: list[int] = self._desk.stream_answer.tolist()
        return answer

    def read_many(self, tokens: I64) -> I64:
        """See `Reader`."""
        answers = np.zeros((tokens.size, STREAM_FIELDS), dtype=np.int64)
        done = 0
        while done < tokens.size:
            done = search.advance_many(
                self._desk.address, self._own, self._own_context, tokens, answers, done
            )
            if done < tokens.size:
                self._own = grown(self._own)
        return answers


class PlainReader:
    """Reads without machine code."""

    def __init__(self, index: MatchIndex, own_context: bool) -> None:
        self._index = index
        self._own = new_context(index.max_length)
        self._own_context = own_context
        self._window: list[int] = []

    def read(self, token: int) -> list[int]:
        """See `Reader`."""
        if token == self._index.separator:
            self._window.clear()
            clear(self._own)
        self._window = [*self._window[1 - self._index.max_length :], token]
        match = self._index.lookup(self._window[-self._index.max_length :])
        second = -1 if match.second is None else match.second
        found = [match.length, match.next, match.position, match.count, second, 0]
        if not self._own_context:
            return found
        if self._own[SIZE] >= self._own[CAPACITY]:
            self._own = grown(self._own)
        add_token(self._own, token)
        return _with_own([int(value) for value in own_match(self._own)], found)

    def read_many(self, tokens: I64) -> I64:
        """See `Reader`."""
        answers = [self.read(token) for token in tokens.tolist()]
        return np.array(answers, dtype=np.int64).reshape(-1, STREAM_FIELDS)


def _with_own(own: list[int], found: list[int]) -> list[int]:
    """The own match where it is no shorter; on a tie the occurrences of both count."""
    length, following, position, count, second = own
    if not length or length < found[0]:
        return found
    if length == found[0]:
        count += found[3]
        if second < 0:
            second = found[1] if found[1] != following else found[4]
    return [length, following, position, count, second, 1]

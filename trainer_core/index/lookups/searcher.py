"""Looks contexts up in an opened index, by machine code where it can be had.

q queries.
"""

from __future__ import annotations

import time
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trainer_core.index.compiled import COMPILED
from trainer_core.index.lookups import read_ahead
from trainer_core.index.lookups.desk import (
    ANSWER_FIELDS,
    KEEP_FROM_DISK,
    KEEP_MAX,
    KEEP_RANDOM,
    Desk,
    IndexArrays,
)
from trainer_core.index.lookups.search_plain import PlainSearcher
from trainer_core.index.tokens import Tokens, as_tokens, frozen

if COMPILED:
    from trainer_core.index.lookups import search

I64 = NDArray[np.int64]

_IN_FLIGHT = 16
_IN_FLIGHT_FROM_DISK = 128
_TRIAL_QUERIES = 16
_PIECE_QUERIES = 1 << 14
_QUERY_FROM_DISK_S = 2e-5  # ten times what one takes in memory
_PADDING_TOKENS = 8  # kernels read whole keys, which may begin before the first token


class Searcher(Protocol):
    """An index's lookups, by whatever means."""

    def answer(self, context: ArrayLike) -> list[int]:
        """Length, next, position, count and second, or -1, of a context's longest match.

        Args:
            context: (t,) tokens, the latest last.

        Raises:
            ValueError: The context holds something that is no token.
        """

    def run(self, context: ArrayLike) -> tuple[int, NDArray[np.uint32]]:
        """Length of a context's longest match, and where all its occurrences end, (m,)."""

    def answer_many(self, query: Tokens, ends: I64, limits: NDArray[np.uint8]) -> I64:
        """(q, 5), the answers for contexts that lie in one array.

        Args:
            query: (m,) tokens of the index's kind.
            ends: (q,) where each context ends among them.
            limits: (q,) how many of its tokens belong to it, none of them but the first a
                separator; 0 gives no match.
        """


class CompiledSearcher:
    """Lookups by machine code; any number of threads may use it at once."""

    def __init__(self, arrays: IndexArrays) -> None:
        self._arrays = arrays
        self._max_length = arrays.max_length
        self._scattered = [arrays.tokens, *(part.order for part in arrays.ranges)]
        self._idle: list[Desk] = []
        self._idle_large: list[Desk] = []

    def answer(self, context: ArrayLike) -> list[int]:
        """See `Searcher`."""
        desk = self._look_up(context)
        answer: list[int] = desk.answer.tolist()
        self._idle.append(desk)
        return answer

    def run(self, context: ArrayLike) -> tuple[int, NDArray[np.uint32]]:
        """See `Searcher`."""
        desk = self._look_up(context)
        length = int(desk.answer[0])
        number, begin, end = desk.ranks()
        self._idle.append(desk)
        return length, self._arrays.ranges[number].order[begin:end]

    def answer_many(self, query: Tokens, ends: I64, limits: NDArray[np.uint8]) -> I64:
        """See `Searcher`."""
        padded = np.zeros(_PADDING_TOKENS + query.size, dtype=self._arrays.tokens.dtype)
        padded[_PADDING_TOKENS:] = query
        if 2 * np.count_nonzero(np.diff(ends) == 1) > ends.size:
            return self._answer_in_pieces(padded, ends, limits, True)
        order = _by_last_tokens(padded, ends)
        answers = np.empty((ends.size, ANSWER_FIELDS), dtype=np.int64)
        answers[order] = self._answer_in_pieces(padded, ends[order], limits[order], False)
        return answers

    def _answer_in_pieces(
        self, padded: Tokens, ends: I64, limits: NDArray[np.uint8], rising: bool
    ) -> I64:
        """Answer queries in the order in which they are given.

        Args:
            padded: The queries' tokens behind `_PADDING_TOKENS` others.
            ends: (q,) where each context ends among the queries' tokens.
            limits: (q,) how many tokens it has.
            rising: Whether most contexts go on from the one before by a token.
        """
        answers = np.empty((ends.size, ANSWER_FIELDS), dtype=np.int64)
        first = int(padded.ctypes.data) + _PADDING_TOKENS * padded.itemsize
        ends, limits = frozen(ends), frozen(limits)
        done, size, ahead = 0, _TRIAL_QUERIES, False
        while done < ends.size:
            part = slice(done, done + size)
            begun_s = time.perf_counter()
            work = self._read_many_ahead if ahead else self._read_many
            with read_ahead.single_pages(self._scattered if size == _TRIAL_QUERIES else []):
                work(first, ends[part], limits[part], answers[part], rising)
            took_s = time.perf_counter() - begun_s
            done += size
            if ahead:  # pages may all be in memory by now
                size, ahead = _TRIAL_QUERIES, False
            else:
                ahead = read_ahead.can_read_ahead() and took_s > size * _QUERY_FROM_DISK_S
                size = _PIECE_QUERIES
        return answers

    def _read_many(
        self, query: int, ends: I64, limits: NDArray[np.uint8], answers: I64, rising: bool
    ) -> None:
        desk = self._idle_large.pop() if self._idle_large else Desk(self._arrays, _IN_FLIGHT)
        desk.keep(KEEP_MAX if rising else KEEP_RANDOM)
        search.begin_many(desk.address, desk.rows)
        search.answer_many(desk.address, desk.rows, query, ends, limits, answers)
        self._idle_large.append(desk)

    def _read_many_ahead(
        self, query: int, ends: I64, limits: NDArray[np.uint8], answers: I64, rising: bool
    ) -> None:
        """The same from a disk that is slow: all searches' pages are read side by side."""
        desk = Desk(self._arrays, _IN_FLIGHT_FROM_DISK)
        desk.keep(KEEP_MAX if rising else KEEP_FROM_DISK)
        for part in self._arrays.ranges:
            tables = part.tables
            for table in (tables.keys, tables.shared, tables.latest, tables.far):
                read_ahead.read_whole(table)
        with read_ahead.single_pages(self._scattered):
            search.begin_many(desk.address, desk.rows)
            desk.note_addresses()
            asked: set[int] = set()
            while search.answer_many(desk.address, desk.rows, query, ends, limits, answers):
                read_ahead.read_at(desk.take_notes(), asked)

    def _look_up(self, context: ArrayLike) -> Desk:
        """A desk with the answer; the caller puts it back."""
        try:
            desk = self._idle.pop()
        except IndexError:
            desk = Desk(self._arrays)
        size = self._max_length
        if (
            isinstance(context, np.ndarray)
            and context.dtype.kind in "iu"
            and context.ndim == 1
            and len(context) >= size
        ):
            desk.query[:] = context if len(context) == size else context[-size:]
        else:
            tokens = last_tokens(context, size)
            size = tokens.size
            desk.query[:size] = tokens
        if not search.answer_one(desk.address, size):
            raise ValueError("a context holds something that is no token")
        return desk


def _by_last_tokens(padded: Tokens, ends: I64) -> I64:
    """An order in which contexts with the same last two tokens follow each other.

    They are found in the same places. The first few contexts stay in front: they tell how fast the
    disk is.
    """
    order = np.arange(ends.size)
    rest = order[_TRIAL_QUERIES:]
    for back in (1, 0):
        tokens = padded[ends[rest] + (_PADDING_TOKENS - back)]
        rest = rest[np.argsort(tokens.astype(np.uint16), kind="stable")]  # 16 bits: sorted by radix
    order[_TRIAL_QUERIES:] = rest
    return order


def last_tokens(context: ArrayLike, size: int) -> Tokens:
    """The last tokens of a context, at most `size` of them.

    Raises:
        ValueError: One of them is no token.
    """
    if isinstance(context, np.ndarray | list | tuple):
        context = context[-size:]  # before it is converted: it may be long
    tokens = as_tokens(context)
    return tokens if tokens.size <= size else tokens[-size:]


def searcher_of(arrays: IndexArrays) -> Searcher:
    """The fastest there is."""
    return CompiledSearcher(arrays) if COMPILED else PlainSearcher(arrays)

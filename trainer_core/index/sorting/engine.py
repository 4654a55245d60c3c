"""Sorts contexts in memory and finds each token's longest earlier match.

A *chunk* is a range of positions, [first, stop): matches are sought in it, while contexts reach
back before it. A *span* is a range of tokens, [low, high): the positions of its tokens are sorted
by one thread, apart from all others. m entries: positions of the chunk whose token lies in the
range that is sorted. n tokens.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer_core.errors import IndexFileError
from trainer_core.index.compiled import COMPILED
from trainer_core.index.records import Records
from trainer_core.index.sorting import plain
from trainer_core.index.tokens import Text, frozen

if COMPILED:
    from trainer_core.index.sorting import gathering, items, large_groups, settling, small_groups

U8 = NDArray[np.uint8]
U32 = NDArray[np.uint32]
I64 = NDArray[np.int64]
Span = tuple[int, int]

TOKENS_MAX = (1 << 32) - 2
"""Positions are 32 bits wide."""

SPAN_ENTRIES = 1 << 24
"""Entries that a thread sorts at a time, where no token alone has more."""

_RETURNED_BYTES = 5
"""Of each entry: its position and what it shares."""

_STEP_ENTRIES = 1 << 19
"""Entries between two looks at whether to go on."""
_PIECE_TOKENS = 1 << 24
"""Tokens looked through between two looks at whether to go on."""
_POLL_S = 0.1

Advance = Callable[[int, int], None]
"""Told how many entries are done, and of how many. What it raises ends the work."""


@dataclass(frozen=True)
class SortedRange:
    """The positions of some tokens, sorted.

    Attributes:
        order: (m,) uint32, positions sorted by their contexts read backwards, by time where equal.
        shared: (m,) uint8, how many tokens each context shares with the one before it, 0 for the
            first of each token; None where it was not asked for.
    """

    order: U32
    shared: U8 | None


def check_size(n_tokens: int) -> None:
    """Refuse more tokens than positions can count.

    Raises:
        IndexFileError: There are 2^32 - 1 tokens or more.
    """
    if n_tokens > TOKENS_MAX:
        raise IndexFileError(
            f"{n_tokens:,} tokens are more than one index can hold ({TOKENS_MAX:,}).",
            safe="Nothing was written.",
            do="Prepare a smaller part of the data.",
        )


def working_bytes(entries: int, largest: int, threads: int, token_bytes: int) -> int:
    """Memory that `sort_range` takes, what it returns included, without text and records.

    Each thread keeps the items of a span, and as much again as the largest token in it needs.

    Args:
        entries: Of the range.
        largest: Entries of its most frequent token.
        threads: How many are used.
        token_bytes: 2 or 4.
    """
    item_bytes = 16 if token_bytes == 2 else 24
    in_spans = min(threads * max(SPAN_ENTRIES, largest), entries)
    return _RETURNED_BYTES * entries + item_bytes * (in_spans + threads * largest)


def sort_range(
    text: Text,
    *,
    low: int,
    high: int,
    first: int,
    stop: int,
    document_begin: int,
    records: Records,
    with_shared: bool = False,
    threads: int = 1,
    advance: Advance | None = None,
) -> SortedRange:
    """Sort the positions of some tokens in a chunk and find their longest matches in it.

    Args:
        text: The text, contexts before the chunk included.
        low: The first token of the range.
        high: The token behind its last.
        first: The chunk's first position.
        stop: The position behind its last.
        document_begin: Where the document begins that holds `first`.
        records: (stop - first, words) zeros, filled for the positions of the range.
        with_shared: Whether to tell what neighbours share.
        threads: How many to use; what comes out is the same for any number.
        advance: Called now and then, in this thread.

    Raises:
        IndexFileError: There are more tokens than positions can count.
    """
    check_size(text.tokens.size)
    if not COMPILED:
        return SortedRange(
            *plain.sort_range(
                text,
                low=low,
                high=high,
                first=first,
                stop=stop,
                document_begin=document_begin,
                records=records,
                advance=advance,
            )
        )
    chunk = _Chunk(text._replace(tokens=frozen(text.tokens)), first, stop, document_begin, records)
    watch = _Watch(advance)
    bounds = _group_bounds(chunk, low, high, watch)
    watch.total = int(bounds[-1])
    order = np.empty(watch.total, dtype=np.uint32)
    shared = np.empty(watch.total if with_shared else 0, dtype=np.uint8)

    spans = _spans(bounds, threads)
    rooms = _Rooms(chunk.text, spans, bounds)

    def sort_span(span: Span) -> None:
        work = rooms.own()
        ranks = slice(int(bounds[span[0]]), int(bounds[span[1]]))
        groups = bounds[span[0] : span[1] + 1] - ranks.start
        result = chunk.result(order[ranks], shared[ranks])
        chunk.gather(low + span[0], groups, work.items, result.landmarks, watch)
        ended = text.end - low - span[0]
        _sort_in_steps(chunk.text, work, result, groups, 1, ended, watch)

    _work_through(spans, sort_span, threads, watch)
    return SortedRange(order, shared if with_shared else None)


def own_matches(text: Text, *, records: Records, advance: Advance | None = None) -> None:
    """Find each token's longest earlier match in its own document.

    Args:
        text: The text.
        records: (n, words) zeros, filled.
        advance: Called now and then.

    Raises:
        IndexFileError: There are more tokens than positions can count.
    """
    check_size(text.tokens.size)
    if not COMPILED:
        plain.own_matches(text, records=records, advance=advance)
        return
    text = text._replace(tokens=frozen(text.tokens))
    watch = _Watch(advance, total=text.tokens.size)
    starts = np.append(np.flatnonzero(text.tokens == text.end), text.tokens.size)
    spans = _spans(starts, 1)
    work = _Rooms(text, spans, starts).own()
    for begin, end in spans:
        chunk = _Chunk(text, int(starts[begin]), int(starts[end]), int(starts[begin]), records)
        size = chunk.stop - chunk.first
        result = chunk.result(np.empty(size, dtype=np.uint32), np.empty(0, dtype=np.uint8))
        groups = np.zeros(end - begin + 1, dtype=np.int64)
        gathering.gather_documents(
            text, chunk.first, chunk.stop, work.items, result.landmarks, groups
        )
        _sort_in_steps(text, work, result, groups, 0, -1, watch)


class _StoppedError(Exception):
    """Another thread has failed, or the work is to end."""


class _Watch:
    """Counts what all threads have done, and tells one of them to go on or to end."""

    def __init__(self, advance: Advance | None, total: int = 0) -> None:
        self.total = total
        self.stopped = False
        self._done = 0
        self._advance = advance
        self._lock = threading.Lock()
        self._owner = threading.get_ident()

    def step(self, entries: int) -> None:
        """Called by whoever has done some entries.

        Raises:
            _StoppedError: The work is to end.
        """
        with self._lock:
            self._done += entries
        if self.stopped:
            raise _StoppedError
        self.report()

    def report(self) -> None:
        """Tell whoever asked for it, in its own thread."""
        if self._advance is not None and threading.get_ident() == self._owner:
            self._advance(self._done, self.total)


@dataclass(frozen=True)
class _Chunk:
    """What is sorted; see `sort_range`."""

    text: Text
    first: int
    stop: int
    document_begin: int
    records: Records

    def result(self, order: U32, shared: U8) -> settling.Result:
        """What is to be found out about the positions of a span."""
        blocks = (max(self.stop - 1, 0) >> items.BLOCK_BITS) - (self.first >> items.BLOCK_BITS) + 1
        landmarks = np.zeros(max(blocks, 1), dtype=np.int64)
        landmarks[0] = self.document_begin
        return settling.Result(order, shared, self.records, self.first, landmarks)

    def pieces(self) -> list[Span]:
        """The chunk in pieces, after each of which the work can end."""
        begins = range(self.first, self.stop, _PIECE_TOKENS)
        return [(begin, min(begin + _PIECE_TOKENS, self.stop)) for begin in begins]

    def gather(
        self, low: int, groups: I64, room: items.Items, landmarks: I64, watch: _Watch
    ) -> None:
        """Collect the items of a span by token, in time order."""
        cursors = groups[:-1].copy()
        members, begins = np.empty((2, gathering.SCAN), dtype=np.int64)
        begin = self.document_begin
        block = self.first >> items.BLOCK_BITS
        for first, stop in self.pieces():
            begin = gathering.gather_span(
                self.text,
                low,
                first,
                stop,
                begin,
                block,
                cursors,
                room,
                landmarks,
                members,
                begins,
            )
            watch.step(0)


def _group_bounds(chunk: _Chunk, low: int, high: int, watch: _Watch) -> I64:
    """(high - low + 1,) the first rank of each token."""
    bounds = np.zeros(high - low + 1, dtype=np.int64)
    for first, stop in chunk.pieces():
        gathering.count_tokens(chunk.text, low, first, stop, bounds[1:])
        watch.step(0)
    return np.cumsum(bounds)


def _spans(bounds: I64, threads: int) -> list[Span]:
    """Neighbouring groups with about as many entries as a thread sorts at a time."""
    groups = bounds.size - 1
    total = int(bounds[-1]) - int(bounds[0])
    share = min(SPAN_ENTRIES, -(-total // threads))
    spans = []
    begin = 0
    while begin < groups:
        reach = int(np.searchsorted(bounds, int(bounds[begin]) + share, side="right")) - 1
        end = min(max(begin + 1, reach), groups)
        spans.append((begin, end))
        begin = end
    return spans


def _work_through(
    spans: list[Span], work: Callable[[Span], None], threads: int, watch: _Watch
) -> None:
    """Do all spans. When one fails, or the watch, the others end soon and all threads are gone."""
    if threads == 1 or len(spans) < 2:
        for span in spans:
            work(span)
        return
    with ThreadPoolExecutor(threads) as pool:
        pending = {pool.submit(work, span) for span in spans}
        try:
            while pending:
                done, pending = wait(pending, timeout=_POLL_S, return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
                watch.report()
        except BaseException:
            watch.stopped = True
            pool.shutdown(wait=False, cancel_futures=True)
            raise


class _Rooms:
    """Each thread's room to work in, which serves for one span after the other."""

    def __init__(self, text: Text, spans: list[Span], bounds: I64) -> None:
        self._text = text
        self._entries = max((int(bounds[end] - bounds[begin]) for begin, end in spans), default=0)
        self._largest = int(np.diff(bounds).max(initial=0))
        self._threads = threading.local()

    def own(self) -> settling.Work:
        """The calling thread's."""
        work: settling.Work | None = getattr(self._threads, "work", None)
        if work is None:
            work = self._threads.work = self._new()
        return work

    def _new(self) -> settling.Work:
        words = items.words_of_item(self._text.tokens.itemsize)
        narrow = self._text.tokens.dtype == np.uint16
        alphabet = 1 << 16 if narrow else int(self._text.tokens.max(initial=0)) + 1
        return settling.Work(
            items=np.empty(words * self._entries, dtype=np.uint64),
            aside=np.empty(words * self._largest, dtype=np.uint64),
            counts=np.zeros(alphabet, dtype=np.uint32),
            seen=np.zeros((alphabet >> 6) + 1, dtype=np.uint64),
            seen_words=np.zeros((alphabet >> 12) + 1, dtype=np.uint64),
            kinds=np.empty(alphabet, dtype=np.uint32),
            stack=np.empty((self._largest // small_groups.SMALL + 2, 5), dtype=np.int64),
            queue=np.empty((2, small_groups.QUEUE_ROOM, 5), dtype=np.int64),
            keys=np.empty(small_groups.SMALL, dtype=np.uint64),
        )


def _sort_in_steps(
    text: Text,
    work: settling.Work,
    result: settling.Result,
    groups: I64,
    depth: int,
    ended: int,
    watch: _Watch,
) -> None:
    """Call the kernel for a few groups at a time, so that somebody can watch and stop it."""
    first = 0
    while first < groups.size - 1:
        reach = int(groups[first]) + _STEP_ENTRIES
        stop = max(first + 1, int(np.searchsorted(groups, reach, side="right")) - 1)
        stop = min(stop, groups.size - 1)
        large_groups.sort_groups(text, work, result, groups, first, stop, depth, ended)
        watch.step(int(groups[stop] - groups[first]))
        first = stop

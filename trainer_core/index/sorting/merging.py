"""Chunks meet: one sorted order out of two, and the newer text's matches in the older one.

What comes out is what sorting and settling both texts at once gives, byte for byte. Everything is
read and written once and in sequence, except for the text and the newer positions' records. Only
where kernels are compiled. m entries, T tokens of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed

import numpy as np
from numpy.typing import NDArray

from trainer_core.index.contexts import Text
from trainer_core.index.records import Records
from trainer_core.index.sorting import merge_kernels as kernels
from trainer_core.index.tokens import frozen

U8 = NDArray[np.uint8]
U32 = NDArray[np.uint32]
I64 = NDArray[np.int64]
Span = tuple[int, int]

Advance = Callable[[int, int], None]
"""Told how many entries are done, and of how many."""

_SPAN_ENTRIES = 1 << 20
"""Entries between two reports of progress, where no token alone has more."""


def shared_with_previous(text: Text, order: U32, threads: int = 1) -> U8:
    """How many tokens each context of a sorted order shares with the one before it.

    Args:
        text: The text.
        order: (m,) positions in it, sorted by context; may be memory-mapped.
        threads: How many to use.

    Returns:
        (m,) uint8, 0 for the first entry of each token.
    """
    shared = np.zeros(order.size, dtype=np.uint8)
    readable, sorted_ = _readable(text), frozen(np.asarray(order))

    def work(span: Span) -> int:
        kernels.shared_of_ranks(readable, sorted_, span[0], span[1], shared)
        return span[1] - span[0]

    begins = range(0, order.size, _SPAN_ENTRIES)
    spans = [(begin, min(begin + _SPAN_ENTRIES, order.size)) for begin in begins]
    _work_through(spans, work, threads, order.size, None)
    return shared


def merge_range(
    text: Text,
    older: U32,
    newer: U32,
    *,
    older_bounds: I64,
    newer_bounds: I64,
    older_shared: U8 | None,
    newer_shared: U8 | None,
    records: Records,
    first: int,
    document: tuple[int, int],
    out_order: U32,
    out_shared: U8 | None,
    threads: int = 1,
    advance: Advance | None = None,
) -> None:
    """Merge the entries of a range of tokens and bring the newer ones' records up to date.

    All arrays may be memory-mapped. The result does not depend on the number of threads.

    Args:
        text: The whole text, from the first older to the last newer position.
        older: (a,) positions of the older text, sorted by context, by time where equal.
        newer: (b,) those of the newer text, likewise; contexts reach back into the older text.
        older_bounds: (T + 1,) rank in `older` at which each token of the range begins.
        newer_bounds: (T + 1,) the same for `newer`.
        older_shared: (a,) tokens that each context shares with the one before; None has them found.
        newer_shared: (b,) the same for `newer`.
        records: The newer text's matches within itself; those in the older text are added.
        first: The newer text's first position, that of the first record.
        document: Begin and end of the document that spans the border; (0, 0) if none does.
        out_order: (a + b,) where the merged order goes.
        out_shared: (a + b,) where what its contexts share goes, if it is wanted.
        threads: How many to use.
        advance: Called now and then; what it raises ends the work.

    Raises:
        ValueError: Arrays that belong together differ in size.
    """
    _check(text, older, newer, older_bounds, newer_bounds, records, out_order)
    if older_shared is None:
        older_shared = shared_with_previous(text, older, threads)
    if newer_shared is None:
        newer_shared = shared_with_previous(text, newer, threads)
    readable = _readable(text)
    one = _sorted(older, older_shared, older_bounds)
    other = _sorted(newer, newer_shared, newer_bounds)
    matches = kernels.Matches(np.asarray(records), first, *document)
    order_to = np.asarray(out_order)
    shared_to = np.empty(0, np.uint8) if out_shared is None else np.asarray(out_shared)
    if shared_to.size not in (0, order_to.size):
        raise ValueError("what contexts share is written for each entry or for none")
    ends = one.bounds + other.bounds

    def work(span: Span) -> int:
        begin, stop = span
        room = int(np.diff(other.bounds[begin : stop + 1]).max())
        kernels.merge_tokens(
            readable, one, other, begin, stop, matches, _open(text, room), order_to, shared_to
        )
        return int(ends[stop] - ends[begin])

    spans = _spans_of_tokens(ends)
    # The most frequent tokens first: no thread is to begin with one when all others are done.
    spans.sort(key=lambda span: min(_SPAN_ENTRIES - int(ends[span[1]] - ends[span[0]]), 0))
    _work_through(spans, work, threads, int(ends[-1]), advance)


def _check(
    text: Text,
    older: U32,
    newer: U32,
    older_bounds: I64,
    newer_bounds: I64,
    records: Records,
    out_order: U32,
) -> None:
    if older_bounds.size != newer_bounds.size or not older_bounds.size:
        raise ValueError("both orders need the bounds of the same tokens")
    if out_order.size != older.size + newer.size:
        raise ValueError("the merged order has one entry for each of both orders")
    if out_order.size and not text.tokens.size:
        raise ValueError("sorted positions need a text")
    if newer.size and not len(records):
        raise ValueError("newer positions need records")


def _readable(text: Text) -> Text:
    """The text as kernels are compiled for."""
    return text._replace(tokens=frozen(text.tokens))


def _sorted(order: U32, shared: U8, bounds: I64) -> kernels.Sorted:
    """An order whose bounds are safe, whatever a damaged file says."""
    if shared.size != order.size:
        raise ValueError("what contexts share is known for each entry or for none")
    rising = np.maximum.accumulate(np.clip(np.asarray(bounds, np.int64), 0, order.size))
    rising[0], rising[-1] = 0, order.size
    return kernels.Sorted(frozen(np.asarray(order)), frozen(np.asarray(shared)), frozen(rising))


def _open(text: Text, room: int) -> kernels.Open:
    return kernels.Open(
        numbers=np.zeros((text.max_length + 2, 3), dtype=np.int64),
        places=np.zeros((text.max_length + 2, 2), dtype=np.uint64),
        waiting=np.empty(room, dtype=np.uint32),
    )


def _spans_of_tokens(ends: I64) -> list[Span]:
    """Neighbouring tokens with about as many entries; a frequent token has a span of its own.

    Args:
        ends: (T + 1,) rank at which each token begins.
    """
    spans = []
    begin, last = 0, ends.size - 1
    while begin < last:
        reach = int(ends[begin]) + _SPAN_ENTRIES
        stop = int(np.searchsorted(ends, reach, side="right")) - 1
        stop = min(max(stop, begin + 1), last)
        spans.append((begin, stop))
        begin = stop
    return spans


def _work_through(
    spans: list[Span],
    work: Callable[[Span], int],
    threads: int,
    total: int,
    advance: Advance | None,
) -> None:
    """Work on all spans; the first exception ends it, after the spans that have begun."""
    done = 0

    def report(entries: int) -> None:
        nonlocal done
        done += entries
        if advance is not None:
            advance(done, total)

    if threads <= 1 or len(spans) <= 1:
        for span in spans:
            report(work(span))
        return
    with ThreadPoolExecutor(min(threads, len(spans))) as executor:
        futures: list[Future[int]] = [executor.submit(work, span) for span in spans]
        try:
            for future in as_completed(futures):
                report(future.result())
        finally:
            executor.shutdown(wait=True, cancel_futures=True)

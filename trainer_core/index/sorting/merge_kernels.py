"""The kernels that merge two sorted orders and take matches over from the older one.

Entries with a common beginning of their contexts stand side by side in the merged order: an
*interval*, as deep as the beginning is long. Intervals nest, and the pass over the merged order
has at most one open at each depth. Each knows of its older entries what a match with them would
say. A newer entry waits for the deepest interval around it that has older entries: that is its
longest match in the older text, settled when the interval closes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer_core.index.compiled import inlined, kernel, part, signed
from trainer_core.index.contexts import (
    Text,
    goes_on,
    key_at,
    lanes_filled,
    lanes_of,
    lanes_shared,
    token_after,
)
from trainer_core.index.machine import item_bytes, load64, prefetch, prefetch_for_write
from trainer_core.index.records import COUNT_MAX, Records, read_record, write_record

U32 = NDArray[np.uint32]
U8 = NDArray[np.uint8]

_AHEAD = 24
"""Entries between the moment at which memory is asked for and its use."""

_NONE = np.uint64(0)
_TOKEN = np.uint64(0xFFFFFFFF)


class Sorted(NamedTuple):
    """A sorted order.

    Attributes:
        order: (m,) positions in the text, read-only.
        shared: (m,) tokens that each context shares with the one before, read-only.
        bounds: (T + 1,) first rank of each token, read-only.
    """

    order: U32
    shared: U8
    bounds: NDArray[np.int64]


class Matches(NamedTuple):
    """The newer positions' records and what is needed to bring them up to date.

    Attributes:
        records: One for each position of the newer text.
        first: Position of the first one.
        document_begin: Where the document begins that spans the border of the texts.
        document_stop: Where it ends; 0 if there is none.
    """

    records: Records
    first: int
    document_begin: int
    document_stop: int


class Open(NamedTuple):
    """Working memory of a pass: the outer open intervals and the newer entries that wait.

    Attributes:
        numbers: (max_length + 2, 3) each interval's depth, older and waiting, outermost first.
        places: (max_length + 2, 2) recent and other.
        waiting: (w,) newer positions that wait, those of inner intervals last.
    """

    numbers: NDArray[np.int64]
    places: NDArray[np.uint64]
    waiting: U32


@inlined
def _inside(text: Text, position: np.uint32) -> int:
    """A position of the text, whatever a damaged file says."""
    return min(signed(position), text.tokens.size - 1)


@inlined
def _lanes_at(text: Text, position: int, depth: int) -> np.uint64:
    """The tokens behind the first `depth`, whether they are the context's own or not."""
    at = position - depth - (lanes_of(text) - 1)
    return load64(text.tokens, at) if at >= 0 else key_at(text, position, depth)


@inlined
def _compare(text: Text, one: int, other: int, depth: int) -> tuple[int, np.bool_ | bool]:
    """Compare two contexts that have their first `depth` tokens in common and go on behind them.

    Returns:
        How many tokens they share; whether `one` stands behind `other`.
    """
    while True:
        left = _lanes_at(text, one, depth)
        right = _lanes_at(text, other, depth)
        if left == right and goes_on(text, left, depth):
            depth += lanes_of(text)
            continue
        filled = lanes_filled(text, left, depth)
        shared = lanes_shared(text, left ^ right)
        if shared < filled:
            return depth + shared, left > right
        return depth + filled, False


@part
def _compare_from(text: Text, one: int, other: int, depth: int) -> tuple[int, np.bool_ | bool]:
    """Compare two contexts that share their first `depth` tokens, 1 or more; see `_compare`."""
    last = one - depth + 1
    if depth >= text.max_length:
        return depth, False
    if text.keeps_end == 1 and last >= 0 and signed(text.tokens[last]) == text.end:
        return depth, False
    return _compare(text, one, other, depth)


class Interval(NamedTuple):
    """What is known of an open interval.

    A *place* packs an older position + 1 (high 32 bits) and the token that followed it; 0 is none.

    Attributes:
        depth: Tokens that all its contexts share.
        older: Number of older entries.
        recent: The most recent older place.
        other: The most recent one with another token than that.
        waiting: Number of its first waiting entry.
    """

    depth: int
    older: int
    recent: np.uint64
    other: np.uint64
    waiting: int


@inlined
def _begun(depth: int, waiting: int) -> Interval:
    """An interval without entries."""
    return Interval(signed(depth), signed(0), _NONE, _NONE, signed(waiting))


@inlined
def _keep(open_: Open, row: int, interval: Interval) -> None:
    """Put an interval away while inner ones are open."""
    open_.numbers[row, 0] = interval.depth
    open_.numbers[row, 1] = interval.older
    open_.numbers[row, 2] = interval.waiting
    open_.places[row, 0] = interval.recent
    open_.places[row, 1] = interval.other


@inlined
def _kept(open_: Open, row: int) -> Interval:
    """The interval that was put away."""
    numbers, places = open_.numbers, open_.places
    return Interval(
        numbers[row, 0], numbers[row, 1], places[row, 0], places[row, 1], numbers[row, 2]
    )


@inlined
def _with_older(text: Text, interval: Interval, position: int) -> Interval:
    """An interval with one more older entry."""
    after = np.uint64(token_after(text, position))
    place = (np.uint64(position + 1) << np.uint64(32)) | after
    later = max(interval.recent, place)
    earlier = min(interval.recent, place)
    differs = ((later ^ earlier) & _TOKEN) != _NONE
    other = max(interval.other, earlier if differs else _NONE)
    return Interval(interval.depth, interval.older + 1, later, other, interval.waiting)


@inlined
def _joined(outer: Interval, inner: Interval) -> Interval:
    """An interval with the older entries of an inner one."""
    later = max(outer.recent, inner.recent)
    earlier = min(outer.recent, inner.recent)
    second = outer.other if outer.recent > inner.recent else inner.other
    rest = inner.other if outer.recent > inner.recent else outer.other
    differs = ((later ^ earlier) & _TOKEN) != _NONE
    other = max(second, earlier if differs else rest)
    return Interval(outer.depth, outer.older + inner.older, later, other, outer.waiting)


@inlined
def _settle(text: Text, matches: Matches, interval: Interval, position: int) -> None:
    """Bring one newer entry up to date with the older entries of the deepest interval around it."""
    bytes_ = item_bytes(text.tokens)
    at = max(0, min(position - matches.first, matches.records.shape[0] - 1))
    depth = interval.depth
    following, second, length, same, count = read_record(matches.records, at, bytes_)
    if depth < length:
        return
    older = signed(interval.recent & _TOKEN)
    older_second = signed(interval.other & _TOKEN) if interval.other != _NONE else older
    if depth > length:
        match = signed(interval.recent >> np.uint64(32)) - 1
        inside = position < matches.document_stop and match >= matches.document_begin
        following, second, same, count = older, older_second, 1 if inside else 0, 0
    elif second == following:
        second = older if older != following else older_second
    count = min(count + interval.older, COUNT_MAX)
    write_record(matches.records, at, bytes_, following, second, depth, same, count)


@inlined
def _settle_waiting(
    text: Text, matches: Matches, waiting: U32, n_waiting: int, interval: Interval
) -> int:
    """Settle those that wait for an interval that closes; how many still wait for outer ones."""
    if interval.older == 0:
        return n_waiting
    for number in range(interval.waiting, n_waiting):
        if number + _AHEAD < n_waiting:  # long lists: fetched long ago, and lost since
            ahead = signed(waiting[number + _AHEAD])
            prefetch_for_write(matches.records, ahead - matches.first)
        _settle(text, matches, interval, signed(waiting[number]))
    return interval.waiting


@inlined
def _close_to(
    text: Text, matches: Matches, open_: Open, row: int, n_waiting: int, top: Interval, depth: int
) -> tuple[int, int, Interval]:
    """Close the intervals that are deeper than what the next entry shares.

    Returns:
        How many intervals are put away; how many entries wait; the innermost open interval.
    """
    while top.depth > depth:
        n_waiting = _settle_waiting(text, matches, open_.waiting, n_waiting, top)
        outer = _kept(open_, row - 1)
        if outer.depth >= depth:
            row -= 1
            top = _joined(outer, top)
        else:
            top = Interval(depth, top.older, top.recent, top.other, top.waiting)
    return row, n_waiting, top


@inlined
def _fetch_older(text: Text, older: Sorted, number: int) -> None:
    """Have the text fetched for an older entry to come: what follows and where it is compared."""
    ahead = min(number + _AHEAD, older.order.size - 1)
    position = signed(older.order[ahead])
    prefetch(text.tokens, position + 1)
    prefetch(text.tokens, position - signed(older.shared[ahead]) - 3)


@inlined
def _fetch_newer(text: Text, newer: Sorted, matches: Matches, number: int) -> None:
    """Have the text and the record fetched for a newer entry to come."""
    ahead = min(number + _AHEAD, newer.order.size - 1)
    position = signed(newer.order[ahead])
    prefetch_for_write(matches.records, position - matches.first)
    prefetch(text.tokens, position - signed(newer.shared[ahead]) - 3)


@inlined
def _depth_of(text: Text, one: Sorted, number: int, stop: int) -> int:
    """How many tokens an entry shares with the one before, whatever a damaged file says; 0 behind
    the last one of a token.
    """
    if number >= stop:
        return 0
    return max(1, min(signed(one.shared[number]), text.max_length))


@part
def _merge_token(
    text: Text,
    older: Sorted,
    newer: Sorted,
    token: int,
    matches: Matches,
    open_: Open,
    out_order: U32,
    out_shared: U8,
) -> None:
    """Merge the entries of one token that has some of both kinds.

    The next entry is the one that shares more with the one just merged; the text is asked only
    where both share as much.
    """
    i, i_stop = older.bounds[token], older.bounds[token + 1]
    j, j_stop = newer.bounds[token], newer.bounds[token + 1]
    i_depth = j_depth = 1
    shared = row = n_waiting = 0
    top = _begun(0, 0)
    for rank in range(i + j, i_stop + j_stop):
        takes_older = i_depth > j_depth
        if i_depth == j_depth:
            one, other = _inside(text, older.order[i]), _inside(text, newer.order[j])
            i_depth, behind = _compare_from(text, one, other, i_depth)
            j_depth = i_depth
            takes_older = not behind
        if out_shared.size:
            out_shared[rank] = shared
        if takes_older:
            position = _inside(text, older.order[i])
            _fetch_older(text, older, i)
            i += 1
            i_depth = _depth_of(text, older, i, i_stop)
        else:
            position = _inside(text, newer.order[j])
            _fetch_newer(text, newer, matches, j)
            j += 1
            j_depth = _depth_of(text, newer, j, j_stop)
        out_order[rank] = position
        shared = max(i_depth, j_depth)
        if shared > top.depth:
            _keep(open_, row, top)
            row += 1
            top = _begun(shared, n_waiting)
        if takes_older:
            top = _with_older(text, top, position)
        else:
            open_.waiting[n_waiting] = position
            n_waiting += 1
        row, n_waiting, top = _close_to(text, matches, open_, row, n_waiting, top, shared)


@inlined
def _copy(one: Sorted, token: int, rank: int, out_order: U32, out_shared: U8) -> None:
    """Take over the entries of a token that stands in one of the texts only."""
    for number in range(one.bounds[token], one.bounds[token + 1]):
        out_order[rank] = one.order[number]
        if out_shared.size:
            out_shared[rank] = one.shared[number]
        rank += 1


@kernel
def merge_tokens(
    text: Text,
    older: Sorted,
    newer: Sorted,
    first_token: int,
    stop_token: int,
    matches: Matches,
    open_: Open,
    out_order: U32,
    out_shared: U8,
) -> None:
    """Merge the entries of some tokens and bring the newer ones' records up to date.

    Args:
        text: The whole text.
        older: The order of the older text; its bounds rise within it.
        newer: That of the newer text, likewise.
        first_token: The first token's number in the bounds.
        stop_token: That of the one behind the last.
        matches: The newer positions' records.
        open_: Working memory with room for the newer entries of any one token.
        out_order: (older + newer entries,) where the merged order goes.
        out_shared: Where what they share goes, as long; or empty.
    """
    for token in range(first_token, stop_token):
        n_older = older.bounds[token + 1] - older.bounds[token]
        n_newer = newer.bounds[token + 1] - newer.bounds[token]
        rank = older.bounds[token] + newer.bounds[token]
        if n_newer == 0:
            _copy(older, token, rank, out_order, out_shared)
        elif n_older == 0:
            _copy(newer, token, rank, out_order, out_shared)
        else:
            _merge_token(text, older, newer, token, matches, open_, out_order, out_shared)


@kernel
def shared_of_ranks(text: Text, order: U32, first: int, stop: int, shared: U8) -> None:
    """Write down how many tokens each context shares with the one before in a sorted order.

    Args:
        text: The text.
        order: (m,) sorted positions.
        first: The first rank to look at.
        stop: That behind the last one.
        shared: (m,) the result; that of rank 0 is left as it is.
    """
    last = order.size - 1
    for rank in range(max(first, 1), stop):
        ahead = signed(order[min(rank + _AHEAD, last)])
        prefetch(text.tokens, ahead - 3)
        prefetch(text.tokens, ahead - 31)
        one, other = _inside(text, order[rank - 1]), _inside(text, order[rank])
        shared[rank], _ = _compare(text, one, other, 0)

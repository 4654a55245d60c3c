"""What the engine works on and finds out, and how a match is written down; parts of kernels.

Letters: m items of a span, w items of its largest first group, v tokens that there may be.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer_core.index.compiled import inlined, part, signed
from trainer_core.index.machine import item_bytes
from trainer_core.index.records import Records, write_record
from trainer_core.index.sorting.items import (
    BLOCK_BITS,
    Items,
    begin_of,
    following_of,
    item_words,
    position_of,
)
from trainer_core.index.tokens import Text

U8 = NDArray[np.uint8]
U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]

GATHERED, ASIDE = 0, 1
"""Where a group's items lie: where they were gathered, or in as much room again."""


class Result(NamedTuple):
    """What is found out about the items of a span."""

    order: U32  # (m,) positions, by context
    shared: U8  # (m,) tokens shared with the context before; or (0,): not wanted
    records: Records  # of the chunk's positions
    first: int  # the chunk's first position
    landmarks: I64  # see `items`


class Work(NamedTuple):
    """Room to work in."""

    items: Items  # of the span
    aside: Items  # (words * w,)
    counts: U32  # (v,) zeros, and zeros again afterwards
    seen: U64  # (v / 64 + 1,) a bit for each token, highest first; zeros again afterwards
    seen_words: U64  # (v / 4096 + 1,) a bit for each word of `seen`
    kinds: U32  # (v,)
    stack: I64  # (s, 5) large groups: first item, behind the last, depth, lane, side
    queue: I64  # (2, QUEUE_ROOM, 5) small groups, now and next
    keys: U64  # (SMALL,)


@inlined
def settle(
    text: Text,
    result: Result,
    tag: np.uint64,
    following: int,
    second: int,
    length: int,
    last: int,
    count: int,
) -> None:
    """Write down an item's match, once and for all.

    Args:
        text: The text.
        result: Where.
        tag: The item's word 1.
        following: What followed the most recent occurrence.
        second: The latest other token that followed, else `following`.
        length: Tokens in the match, at least 1.
        last: The most recent occurrence.
        count: Occurrences.
    """
    begin = begin_of(result.landmarks, result.first >> BLOCK_BITS, tag)
    write_record(
        result.records,
        position_of(tag) - result.first,
        item_bytes(text.tokens),
        following,
        second,
        length,
        signed(last >= begin),
        count,
    )


@inlined
def place(result: Result, rank: int, tag: np.uint64) -> None:
    """An item has found its rank."""
    result.order[rank] = np.uint32(position_of(tag))


@inlined
def share(result: Result, rank: int, length: int) -> None:
    """Write down what a context shares with the one before it."""
    if result.shared.size > 0:
        result.shared[rank] = np.uint8(length)


@part
def settle_equal(
    text: Text, result: Result, items: Items, shift: int, begin: int, end: int, length: int
) -> None:
    """Finish contexts that are equal to their ends: the match of each is the one before it.

    Args:
        text: The text.
        result: Filled; what the first one shares is known.
        items: Where they lie.
        shift: The number of the item that lies first there.
        begin: The first one.
        end: Behind the last.
        length: Tokens that they have; with none, nothing matches.
    """
    words = item_words(text)
    at = (begin - shift) * words
    following = following_of(text, items, at)
    second = following
    last = position_of(items[at + 1])
    place(result, begin, items[at + 1])
    for rank in range(begin + 1, end):
        at += words
        tag = items[at + 1]
        if length > 0:
            settle(text, result, tag, following, second, length, last, rank - begin)
        share(result, rank, length)
        place(result, rank, tag)
        follows = following_of(text, items, at)
        if follows != following:
            second = following
            following = follows
        last = position_of(tag)


@part
def place_ended(
    text: Text, result: Result, items: Items, shift: int, begin: int, end: int, length: int
) -> None:
    """Finish equal contexts that are settled; see `settle_equal`."""
    words = item_words(text)
    for rank in range(begin, end):
        place(result, rank, items[(rank - shift) * words + 1])
        if rank > begin:
            share(result, rank, length)

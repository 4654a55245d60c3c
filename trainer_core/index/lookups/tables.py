"""Small tables over sorted positions, so that lookups need not read many of them.

They are made of one key range's sorted positions, which are numbered from 0 here. m entries.

- Every `SAMPLE`-th entry's next tokens, as a key: a binary search in memory leads to 16 entries.
- How many tokens neighbours share, up to `SHARED_MAX`: it tells which of these 16 entries to look
  at, and how far a match's occurrences reach, without reading their text.
- For each `NEAR` and each `FAR` entries the most recent position, and the most recent one that was
  followed by another token than that: what followed a run last is known without reading the run,
  which may have millions of entries.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer_core.index.compiled import COMPILED, inlined, kernel, signed
from trainer_core.index.tokens import Tokens, frozen
from trainer_core.index_plan import FAR, NEAR, SAMPLE

if COMPILED:
    from trainer_core.index import contexts, machine

U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]

SHARED_MAX = 15
"""It stands for as many shared tokens and for more."""

SHARED_BITS = 4

_AHEAD = 32
_PIECE_ENTRIES = FAR << 10


@dataclass(frozen=True)
class Tables:
    """What is written beside the sorted positions of a key range.

    Attributes:
        keys: (ceil(m / 16),) uint64, of each 16th entry the tokens 1 to 4 back (1 to 2 where tokens
            have 32 bits), the nearest in the highest bits; what lies before the document, or
            further back than the longest match, is 0.
        shared: (ceil(m / 16),) uint64, for each of 16 entries how many tokens its context shares
            with the next entry's, at most 15, in four bits; the first entry's are the lowest ones.
        latest: (ceil(m / 64), 2) uint32, of each 64 entries the most recent position; the most
            recent one that another token followed than followed that one, + 1, or 0.
        far: (ceil(m / 4096), 2) uint32, the same of each 4096 entries.
    """

    keys: U64
    shared: U64
    latest: U32
    far: U32


def make_tables(
    tokens: Tokens,
    order: U32,
    *,
    separator: int,
    max_length: int,
    behind: int = -1,
    threads: int = 1,
) -> Tables:
    """The tables of one key range, or of a piece of it that begins at a multiple of `FAR`.

    Args:
        tokens: (n,) the text, each of whose documents opens with the separator.
        order: (m,) sorted positions, none of them the text's last.
        separator: The token that opens documents.
        max_length: Contexts are cut after this many tokens.
        behind: The position that follows `order` in the key range, or -1.
        threads: How many to use; the tables are the same for any number.
    """
    size = order.size
    tables = Tables(
        keys=np.zeros(-(-size // SAMPLE), dtype=np.uint64),
        shared=np.zeros(-(-size // SAMPLE), dtype=np.uint64),
        latest=np.zeros((-(-size // NEAR), 2), dtype=np.uint32),
        far=np.zeros((-(-size // FAR), 2), dtype=np.uint32),
    )

    def fill(first: int) -> None:
        piece = order[first : first + _PIECE_ENTRIES]
        stop = first + piece.size
        next_one = int(order[stop]) if stop < size else behind
        parts = (
            tables.keys[first // SAMPLE :][: -(-piece.size // SAMPLE)],
            tables.shared[first // SAMPLE :][: -(-piece.size // SAMPLE)],
            tables.latest[first // NEAR :][: -(-piece.size // NEAR)],
            tables.far[first // FAR :][: -(-piece.size // FAR)],
        )
        if COMPILED:
            text = contexts.Text(frozen(tokens), separator, 1, max_length)
            _fill_tables(text, frozen(piece), next_one, *parts)
        else:
            _fill_plain(tokens, piece, separator, max_length, parts)
            parts[1][:] = _shared_plain(tokens, piece, next_one, separator, max_length)

    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(fill, range(0, size, _PIECE_ENTRIES)):
            pass
    return tables


# --- by machine code ---------------------------------------------------------------------------


@inlined
def _add(tokens: Tokens, row: tuple[int, int, int], position: int) -> tuple[int, int, int]:
    """Take one more position into a row of (most recent, most recent other + 1, what followed)."""
    latest, other, followed = row
    token = signed(tokens[position + 1])
    if position > latest:
        if token != followed:
            other = latest + 1
        return position, other, token
    if token != followed and position >= other:
        other = position + 1
    return latest, other, followed


@inlined
def _shared_by(text: contexts.Text, position: int, token: int, after: int) -> int:
    """How many tokens two contexts share, at most 15, given the last token of the first one."""
    if after < 0 or text.tokens[after] != token:
        return 0
    if token == text.end:
        return 1
    limit = min(SHARED_MAX, text.max_length)
    depth = 1
    while depth < limit:
        key = contexts.key_at(text, position, depth)
        difference = key ^ contexts.key_at(text, after, depth)
        if difference != 0:
            return min(depth + contexts.lanes_shared(text, difference), limit)
        if not contexts.goes_on(text, key, depth):
            return min(depth + contexts.lanes_filled(text, key, depth), limit)
        depth += contexts.lanes_of(text)
    return limit


@kernel
def _fill_tables(
    text: contexts.Text, order: U32, behind: int, keys: U64, shared: U64, latest: U32, far: U32
) -> None:
    tokens = text.tokens
    last = order.size - 1
    far_row = (-1, 0, -1)
    for begin in range(0, order.size, NEAR):
        end = min(begin + NEAR, order.size)
        row = (-1, 0, -1)
        for rank in range(begin, end):
            machine.prefetch(tokens, signed(order[min(rank + _AHEAD, last)]))
            position = signed(order[rank])
            row = _add(tokens, row, position)
            token = signed(tokens[position])
            if rank % SAMPLE == 0 and token != text.end:
                keys[rank // SAMPLE] = contexts.key_at(text, position, 1)
            after = signed(order[rank + 1]) if rank < last else behind
            number = np.uint64(_shared_by(text, position, token, after))
            shared[rank // SAMPLE] |= number << np.uint64(SHARED_BITS * (rank % SAMPLE))
        latest[begin // NEAR, 0] = row[0]
        latest[begin // NEAR, 1] = row[1]
        far_row = _add(tokens, far_row, row[0])
        if row[1] > 0:
            far_row = _add(tokens, far_row, row[1] - 1)
        if end % FAR == 0 or end == order.size:
            far[begin // FAR, 0] = far_row[0]
            far[begin // FAR, 1] = far_row[1]
            far_row = (-1, 0, -1)


# --- by numpy ----------------------------------------------------------------------------------


def _fill_plain(
    tokens: Tokens, order: U32, separator: int, max_length: int, parts: tuple[U64, U64, U32, U32]
) -> None:
    keys, _, latest, far = parts
    keys[:] = _sampled_keys(tokens, order[::SAMPLE].astype(np.int64), separator, max_length)
    for table, size in ((latest, NEAR), (far, FAR)):
        padded = np.full(len(table) * size, -1, dtype=np.int64)
        padded[: order.size] = order
        rows = padded.reshape(-1, size)
        best = rows.max(axis=1)
        others = (rows >= 0) & (tokens[rows + 1] != tokens[best + 1][:, None])
        table[:, 0] = best
        table[:, 1] = np.where(others, rows + 1, 0).max(axis=1)


def _sampled_keys(
    tokens: Tokens, positions: NDArray[np.int64], separator: int, max_length: int
) -> U64:
    """The keys of the tokens 1 and more back, 0 behind the end of a context."""
    bits = np.uint64(8 * tokens.itemsize)
    keys = np.zeros(positions.size, dtype=np.uint64)
    inside = tokens[positions] != separator
    for back in range(1, 8 // tokens.itemsize + 1):
        inside = inside & (back < max_length)
        token = np.where(inside, tokens[np.maximum(positions - back, 0)], 0)
        keys = (keys << bits) | token.astype(np.uint64)
        inside = inside & (token != separator)
    return keys


def _shared_plain(tokens: Tokens, order: U32, behind: int, separator: int, max_length: int) -> U64:
    """What each of some entries shares with the next one, 16 of them in one number."""
    here = order.astype(np.int64)
    there = np.append(here[1:], max(behind, 0))
    same = np.ones(here.size, dtype=np.bool_)
    same[-1:] = behind >= 0
    counts = np.zeros(-(-here.size // SAMPLE) * SAMPLE, dtype=np.uint64)
    for back in range(min(SHARED_MAX, max_length)):
        token = tokens[np.maximum(here - back, 0)]
        same = same & (token == tokens[np.maximum(there - back, 0)])
        counts[: here.size] += same
        same = same & (token != separator)
    shifts = np.arange(SAMPLE, dtype=np.uint64) * np.uint64(SHARED_BITS)
    words: U64 = np.bitwise_or.reduce(counts.reshape(-1, SAMPLE) << shifts, axis=1)
    return words

"""Which of 16 sorted entries to look at: told by how many tokens neighbours share, up to 15.

A *block* is 16 entries that begin with a sampled one, and its *gaps* are what each of them shares
with the next: gap k is between the entries k and k + 1 of the block, and 15 stands for more, too.
What a context shares with an entry it shares with the next one as well, unless the gap between them
is smaller or just as large. So between two entries one of which sorts before the context and one
does not, only those behind a gap of just that size have to be looked at.
"""

from __future__ import annotations

import numpy as np

from trainer_core.index.compiled import inlined, part, signed
from trainer_core.index.lookups.desk import HIGH, LOW
from trainer_core.index.lookups.fetch import get, shared_at
from trainer_core.index.machine import leading_zeros, trailing_zeros

_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_EACH = np.uint64(0x1111111111111111)
_EACH_BYTE = np.uint64(0x0101010101010101)
_LOW_HALVES = np.uint64(0x0F0F0F0F0F0F0F0F)
_TOPS = np.uint64(0x8080808080808080)
SHARED_MAX = 15  # as in `tables`


@inlined
def _smaller(gaps: np.uint64, than: int) -> np.uint64:
    """A bit for each gap, its lowest one, that is set where it is smaller than 0 to 15."""
    each = np.uint64(than) * _EACH_BYTE
    even = ((gaps & _LOW_HALVES) | _TOPS) - each
    odd = (((gaps >> np.uint64(4)) & _LOW_HALVES) | _TOPS) - each
    return ((~even & _TOPS) >> np.uint64(7)) | ((~odd & _TOPS) >> np.uint64(3))


@inlined
def _equal(gaps: np.uint64, to: int) -> np.uint64:
    """The same where a gap is 0 to 15."""
    differ = gaps ^ (np.uint64(to) * _EACH)
    differ |= differ >> np.uint64(1)
    differ |= differ >> np.uint64(2)
    return ~differ & _EACH


@inlined
def _between(first: int, stop: int) -> np.uint64:
    """The bits of the gaps from `first`, at most 15, to before `stop`, at least 1."""
    return (_ALL << np.uint64(4 * first)) & (_ALL >> np.uint64(64 - 4 * stop))


@inlined
def _gap(gaps: np.uint64, number: int) -> int:
    return signed((gaps >> np.uint64(4 * number)) & np.uint64(15))


@inlined
def _lowest(bits: np.uint64) -> int:
    return trailing_zeros(bits) >> 2


@inlined
def _highest(bits: np.uint64) -> int:
    return (63 - leading_zeros(bits)) >> 2


@inlined
def narrow(
    gaps: np.uint64, left: int, before: int, right: int, after: int, limit: int
) -> tuple[int, int, int, int, np.uint64]:
    """Come as close as possible to where a context belongs without looking at text.

    Args:
        gaps: Of the block.
        left: An entry of the block that sorts before the context.
        before: How many tokens they share.
        right: One that does not, behind it; at most 16.
        after: How many tokens the context shares with it.
        limit: How many tokens the context has.

    Returns:
        The first four arguments, closer, and a bit for each gap behind which an entry has to be
        looked at. If there is none, the context belongs before `right`.
    """
    depth = max(before, after)
    told = min(depth, SHARED_MAX)
    lower = _smaller(gaps, told) & _between(left, right)
    begins = np.uint64(0)
    if lower != 0:
        if before > after:  # what shares less than the entry on the left sorts behind it
            right = _lowest(lower) + 1
            after = _gap(gaps, right - 1)
        else:
            left = _highest(lower)
            before = _gap(gaps, left)
            begins = np.uint64(1) << np.uint64(4 * left)
    if depth >= SHARED_MAX:
        looks = _between(left, right) & _EACH
        return left, before, right, after, looks & ~(np.uint64(1) << np.uint64(4 * right - 4))
    same = _equal(gaps, depth) & _between(left, right)
    if after == depth:  # so is what shares more with the entry on the right
        same |= begins
        if after >= limit:
            same = begins
        if same != 0:
            right = _highest(same) + 1
    same &= ~(np.uint64(1) << np.uint64(4 * right - 4))
    return left, before, right, after, same


@inlined
def middle_of(looks: np.uint64, left: int, right: int) -> int:
    """The entry to look at first, of those that `narrow` tells."""
    upper = looks & (_ALL << np.uint64(4 * ((left + right) >> 1)))
    return (_lowest(upper) if upper != 0 else _highest(looks)) + 1


# --- how far a run reaches ---------------------------------------------------------------------


@part
def gap_before(at: int, rank: int, than: int, blocks: int) -> tuple[int, bool]:
    """The last gap smaller than some number before an entry, as the rank of the entry before it.

    Args:
        at: Where the row of a search begins.
        rank: Of the entry.
        than: 1 to 15.
        blocks: How many blocks to read at most.

    Returns:
        The rank, that before the bucket's first one if no gap is smaller, and whether it is that;
        else how far there is none.
    """
    low = get(at, LOW)
    if rank <= low:
        return low - 1, True
    block = (rank - 1) >> 4
    lower = _smaller(shared_at(at, block), than) & _between(0, ((rank - 1) & 15) + 1)
    while lower == 0:
        blocks -= 1
        if 16 * block <= low:
            return low - 1, True
        if blocks == 0:
            return 16 * block - 1, False
        block -= 1
        lower = _smaller(shared_at(at, block), than)
    return max(16 * block + _highest(lower), low - 1), True


@part
def gap_after(at: int, rank: int, than: int, blocks: int) -> tuple[int, bool]:
    """The first gap smaller than some number behind an entry, as the rank of the entry before it.

    Args:
        at: Where the row of a search begins.
        rank: Of the entry.
        than: 1 to 15.
        blocks: How many blocks to read at most.

    Returns:
        The rank, that of the bucket's last entry if no gap is smaller, and whether it is that; else
        how far there is none.
    """
    last = get(at, HIGH) - 1
    block = rank >> 4
    lower = _smaller(shared_at(at, block), than) & _between(rank & 15, 16)
    while lower == 0:
        blocks -= 1
        block += 1
        if 16 * block > last:
            return last, True
        if blocks == 0:
            return 16 * block, False
        lower = _smaller(shared_at(at, block), than)
    return min(16 * block + _lowest(lower), last), True

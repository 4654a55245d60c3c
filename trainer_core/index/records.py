"""A token's match in one or two 64-bit words, while chunks are sorted and merged.

| tokens | word | bits |
| --- | --- | --- |
| uint16 | 0 | next 0-15, second 16-31, length 32-38, same document 39, count 40-63 |
| uint32 | 0 | next 0-31, second 32-63 |
| uint32 | 1 | length 0-6, same document 7, count 8-31 |

`next` followed the most recent occurrence of the longest run and `second` is the latest other token
that did; it equals `next` where there is none. All words are 0 where there is no match. Counts stop
at `COUNT_MAX`. n tokens.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer_core.index.compiled import inlined, signed

Records = NDArray[np.uint64]  # (n, 1) for uint16 tokens, (n, 2) for uint32

COUNT_MAX = (1 << 24) - 1


def empty_records(n_tokens: int, dtype: np.dtype[Any]) -> Records:
    """Records without a match, for tokens of a kind."""
    return np.zeros((n_tokens, words_of(dtype)), dtype=np.uint64)


def words_of(dtype: np.dtype[Any]) -> int:
    """How many words a record has for tokens of a kind."""
    return dtype.itemsize // 2


@inlined
def write_record(
    records: Records,
    row: int,
    token_bytes: int,
    following: int,
    second: int,
    length: int,
    same_document: int,
    count: int,
) -> None:
    """Write down a match.

    Args:
        records: Where.
        row: Number of the record.
        token_bytes: 2 or 4; where it is known when compiling, the other case costs nothing.
        following: The token that followed.
        second: The latest other one, or `following`.
        length: Tokens in the match, at least 1.
        same_document: 1 where the most recent occurrence is in the token's own document, else 0.
        count: Occurrences.
    """
    tail = (
        np.uint64(length)
        | (np.uint64(same_document) << np.uint64(7))
        | (np.uint64(min(count, COUNT_MAX)) << np.uint64(8))
    )
    if token_bytes == 2:
        records[row, 0] = (
            np.uint64(following) | (np.uint64(second) << np.uint64(16)) | (tail << np.uint64(32))
        )
    else:
        records[row, 0] = np.uint64(following) | (np.uint64(second) << np.uint64(32))
        records[row, 1] = tail


@inlined
def read_record(records: Records, row: int, token_bytes: int) -> tuple[int, int, int, int, int]:
    """A match as (next, second, length, same document, count); see `write_record`."""
    word = records[row, 0]
    if token_bytes == 2:
        tail = word >> np.uint64(32)
        following = signed(word & np.uint64(0xFFFF))
        second = signed((word >> np.uint64(16)) & np.uint64(0xFFFF))
    else:
        tail = records[row, 1]
        following = signed(word & np.uint64(0xFFFFFFFF))
        second = signed(word >> np.uint64(32))
    length = signed(tail & np.uint64(127))
    same_document = signed((tail >> np.uint64(7)) & np.uint64(1))
    return following, second, length, same_document, signed(tail >> np.uint64(8))

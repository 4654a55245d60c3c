"""Records become features: the compiled loop. n tokens."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainer_core.index.compiled import kernel
from trainer_core.index.machine import leading_zeros
from trainer_core.index.records import Records, read_record
from trainer_core.index.tokens import Tokens

U8 = NDArray[np.uint8]


@kernel
def unpack(
    records: Records,
    token_bytes: int,
    has_second: int,
    same_document: int,
    length: U8,
    following: Tokens,
    second: Tokens,
    marks: U8,
) -> None:
    """Take records apart.

    Args:
        records: (n, words).
        token_bytes: 2 or 4.
        has_second: The mark of a token that another one has followed than `following`.
        same_document: The mark of a match in the token's own document.
        length: (n,) filled.
        following: (n,) filled.
        second: (n,) filled, 0 where there is none.
        marks: (n,) filled, with the number of the bucket of the count in the low bits.
    """
    for row in range(length.size):
        follows, other, tokens, same, count = read_record(records, row, token_bytes)
        length[row] = tokens
        following[row] = follows
        second[row] = other if other != follows else 0
        bucket = count
        if count >= 4:
            bucket = min(65 - leading_zeros(np.uint64(count)), 15)
        marks[row] = (
            bucket | (has_second if other != follows else 0) | (same_document if same != 0 else 0)
        )

"""Records written and read by numpy, many at a time; for kernels see `records`. n tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer_core.index.records import COUNT_MAX, Records, words_of
from trainer_core.index.tokens import Tokens

U64 = NDArray[np.uint64]


@dataclass(frozen=True)
class Fields:
    """What records say; all is 0 where there is no match.

    Attributes:
        length: (n,) uint8, tokens in the match.
        next: (n,) like the tokens, what followed the most recent occurrence.
        second: (n,) like the tokens, the latest other token that followed, else like `next`.
        count: (n,) int64, occurrences.
        same_document: (n,) bool, whether the most recent one is in the token's own document.
    """

    length: NDArray[np.uint8]
    next: Tokens
    second: Tokens
    count: NDArray[np.int64]
    same_document: NDArray[np.bool_]


def fields_of(records: Records, dtype: np.dtype[Any]) -> Fields:
    """Take records apart."""
    bits = 8 * dtype.itemsize
    token = np.uint64((1 << bits) - 1)
    tail = records[:, 0] >> np.uint64(32) if dtype.itemsize == 2 else records[:, 1]
    return Fields(
        length=(tail & np.uint64(127)).astype(np.uint8),
        next=(records[:, 0] & token).astype(dtype),
        second=((records[:, 0] >> np.uint64(bits)) & token).astype(dtype),
        count=(tail >> np.uint64(8)).astype(np.int64),
        same_document=(tail >> np.uint64(7)) & np.uint64(1) != 0,
    )


def records_of(fields: Fields) -> Records:
    """Put records together; counts stop at `COUNT_MAX`."""
    bits = np.uint64(8 * fields.next.dtype.itemsize)
    tail: U64 = (
        fields.length.astype(np.uint64)
        | (fields.same_document.astype(np.uint64) << np.uint64(7))
        | (np.minimum(fields.count, COUNT_MAX).astype(np.uint64) << np.uint64(8))
    )
    tokens = fields.next.astype(np.uint64) | (fields.second.astype(np.uint64) << bits)
    if words_of(fields.next.dtype) == 1:
        return np.reshape(tokens | (tail << np.uint64(32)), (-1, 1))
    return np.stack([tokens, tail], axis=1)

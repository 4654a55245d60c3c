"""What the index takes for tokens and documents: checks on arrays, and document numbers."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trainer_core.spec import MATCH_LENGTH_MAX

Tokens = NDArray[np.uint16] | NDArray[np.uint32]
ArrayT = TypeVar("ArrayT", bound=NDArray[Any])
TOKEN_MAX = (1 << 32) - 2


class Text(NamedTuple):
    """Tokens as the engine reads them, see `contexts`; kernels are compiled for each kind apart.

    Attributes:
        tokens: (n,) uint16 or uint32, read-only.
        end: The end token.
        keeps_end: 1 where the end token belongs to the contexts that it ends, 0 where it does not.
        max_length: Contexts are cut after this many tokens.
    """

    tokens: Tokens
    end: int
    keeps_end: int
    max_length: int


def as_tokens(values: ArrayLike) -> Tokens:
    """Tokens as the index keeps them, without a copy where they already are.

    Args:
        values: (n,) whole numbers, 0 to 2^32 - 2.

    Returns:
        (n,) uint16 if `values` were, else uint32.

    Raises:
        ValueError: The array has another shape, or its values are no token ids.
    """
    array: NDArray[Any] = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"tokens need one dimension, not {array.ndim}")
    if array.dtype == np.uint16:
        return array
    if array.size == 0:
        return np.zeros(0, dtype=np.uint32)
    if array.dtype.kind not in "iu":
        raise ValueError(f"tokens are whole numbers, not {array.dtype}")
    if int(array.min()) < 0 or int(array.max()) > TOKEN_MAX:
        raise ValueError(f"tokens lie between 0 and {TOKEN_MAX}")
    return array.astype(np.uint32, copy=False)


def as_document_start(values: ArrayLike, n_tokens: int) -> NDArray[np.int64]:
    """Positions at which documents begin, checked.

    Args:
        values: (D,) rising positions.
        n_tokens: How many tokens there are.

    Raises:
        ValueError: A position is out of range or smaller than the one before.
    """
    starts = np.asarray(values, dtype=np.int64).reshape(-1)
    if starts.size and (int(starts[0]) < 0 or int(starts[-1]) >= n_tokens):
        raise ValueError(f"documents start at positions 0 to {n_tokens - 1}")
    if np.any(np.diff(starts) < 0):
        raise ValueError("document starts must rise")
    return starts


def check_max_length(max_length: int) -> None:
    """Refuse a match length that the index cannot tell apart.

    Raises:
        ValueError: It is not between 1 and 64.
    """
    if not 1 <= max_length <= MATCH_LENGTH_MAX:
        raise ValueError(f"max_length is 1 to {MATCH_LENGTH_MAX}, not {max_length}")


def like(tokens: Tokens, values: NDArray[Any]) -> Tokens:
    """Values that fit, in the type that the tokens have."""
    if tokens.dtype == np.uint16:
        return values.astype(np.uint16)
    return values.astype(np.uint32)


def document_begin(document_start: NDArray[np.int64], n_tokens: int) -> NDArray[np.int64]:
    """(n,) int64, where the document of each position begins."""
    begins = np.zeros(n_tokens, dtype=np.int64)
    begins[document_start] = document_start
    return np.maximum.accumulate(begins)


def frozen(values: ArrayT) -> ArrayT:
    """A read-only view, as mapped files are: kernels are compiled for such arrays alone."""
    view = values.view()
    view.flags.writeable = False
    return view

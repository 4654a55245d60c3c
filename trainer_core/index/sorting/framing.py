"""Documents that begin anywhere, as the engine needs them: an end token before each of them.

n tokens, D documents.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer_core.index.tokens import ArrayT, Text, Tokens, like

_SPARSE = 1 << 20
"""From here on, token ids are replaced by their ranks: the engine counts by token."""


@dataclass(frozen=True)
class Framed:
    """Tokens as a text.

    Attributes:
        text: The text.
        tokens: (n,) the tokens.
        rows: Mask of the text's positions that they are at; None where it is all of them.
        ids: (k,) the rising ids that the text's tokens are ranks in; None where they are ids.
    """

    text: Text
    tokens: Tokens
    rows: NDArray[np.bool_] | None
    ids: Tokens | None

    def rows_of(self, values: ArrayT) -> ArrayT:
        """(n,) of what is known of each position of the text."""
        return values if self.rows is None else values[self.rows]  # type: ignore[return-value]

    def tokens_of(self, values: Tokens, known: NDArray[np.bool_]) -> Tokens:
        """(n,) the tokens that those of the text stand for, 0 where they are not known."""
        if self.rows is None and self.ids is None:
            return values
        known = self.rows_of(known)
        found = self.rows_of(values).astype(np.int64) - (1 - self.text.keeps_end)
        found[~known] = 0
        if self.ids is not None:
            found = np.where(known, self.ids[found].astype(np.int64), 0)
        return like(self.tokens, found)


def frame(tokens: Tokens, document_start: NDArray[np.int64], max_length: int) -> Framed:
    """Make a text of tokens.

    Where the first token of each document stands nowhere else, and is the same in all, it ends
    contexts as it is. Else zeros are put before the documents and all tokens are raised by 1.

    Args:
        tokens: (n,).
        document_start: (D,) rising positions at which documents begin; 0 always does.
        max_length: Contexts are cut after this many tokens.
    """
    ids = None
    values = tokens
    if tokens.size and int(tokens.max()) >= _SPARSE:
        sorted_ids, ranks = np.unique(tokens, return_inverse=True)
        ids, values = like(tokens, sorted_ids), ranks.astype(np.uint32)
    starts = np.unique(np.append(document_start, 0))
    if tokens.size and np.array_equal(np.flatnonzero(values == values[0]), starts):
        text = Text(values, int(values[0]), 1, max_length)
        return Framed(text, tokens, None, ids)
    size = tokens.size + starts.size
    rows = np.ones(size, dtype=np.bool_)
    rows[starts + np.arange(starts.size)] = False
    raised = _zeros(size, narrow=tokens.dtype == np.uint16 and int(tokens.max(initial=0)) < 0xFFFF)
    raised[rows] = values.astype(raised.dtype) + 1
    return Framed(Text(raised, 0, 0, max_length), tokens, rows, ids)


def _zeros(size: int, *, narrow: bool) -> Tokens:
    return np.zeros(size, dtype=np.uint16) if narrow else np.zeros(size, dtype=np.uint32)

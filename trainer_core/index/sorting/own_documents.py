"""Each token's longest earlier match in its own document alone. n tokens, D documents."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from trainer_core.index.records import empty_records
from trainer_core.index.sorting.engine import Advance, own_matches
from trainer_core.index.sorting.framing import frame
from trainer_core.index.sorting.packing import Fields, fields_of
from trainer_core.index.tokens import Tokens


def matches_in_own_documents(
    tokens: Tokens,
    document_start: NDArray[np.int64],
    max_length: int,
    advance: Advance | None = None,
) -> Fields:
    """The longest earlier match of each token, sought in its document.

    Args:
        tokens: (n,).
        document_start: (D,) rising positions at which documents begin; position 0 always does.
        max_length: Matches are followed back this many tokens at most, 1 to 64.
        advance: Called now and then with the tokens done and all of them.

    Raises:
        IndexFileError: There are more tokens than positions can count.
    """
    framed = frame(tokens, document_start, max_length)
    records = empty_records(framed.text.tokens.size, framed.text.tokens.dtype)
    own_matches(framed.text, records=records, advance=advance)
    found = fields_of(records, framed.text.tokens.dtype)
    known = found.length > 0
    return dataclasses.replace(
        found,
        length=framed.rows_of(found.length),
        next=framed.tokens_of(found.next, known),
        second=framed.tokens_of(found.second, known),
        count=framed.rows_of(found.count),
        same_document=framed.rows_of(known),
    )

"""Items: what the engine carries of each token while it sorts, so that it rarely needs the text.

| word | bits |
| --- | --- |
| 0 | the key of a context behind its first token or more, see `contexts` |
| 1 | position 0-31, the token that follows 32-47 (uint16 tokens), tokens since the begin 48-63 |
| 2 | the token that follows (uint32 tokens only) |

The tokens since the document's begin stop at `SINCE_MAX`; where they do, a landmark tells the
begin: `landmarks[b]` is where the document begins that holds the first position of the b-th block
of 65,536 tokens. m items.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainer_core.index.compiled import inlined, signed
from trainer_core.index.machine import item_bytes
from trainer_core.index.tokens import Text

Items = NDArray[np.uint64]  # (words * m,)
I64 = NDArray[np.int64]

BLOCK_BITS = 16
SINCE_MAX = (1 << BLOCK_BITS) - 1
"""Positions in a block are at most this far behind its first one."""

_POSITION = np.uint64(0xFFFFFFFF)


def words_of_item(token_bytes: int) -> int:
    """How many words an item has for tokens of 2 or 4 bytes."""
    return 2 + token_bytes // 4


@inlined
def item_words(text: Text) -> int:
    """How many words an item has, 2 or 3."""
    return 2 + (item_bytes(text.tokens) >> 2)


@inlined
def write_item(
    text: Text, items: Items, at: int, key: np.uint64, position: int, following: int, since: int
) -> None:
    """Write the item whose first word is at `at`; `since` are the tokens since the begin."""
    tag = np.uint64(position) | (np.uint64(min(since, SINCE_MAX)) << np.uint64(48))
    items[at] = key
    if item_bytes(text.tokens) == 2:
        items[at + 1] = tag | (np.uint64(following) << np.uint64(32))
    else:
        items[at + 1] = tag
        items[at + 2] = np.uint64(following)


@inlined
def position_of(tag: np.uint64) -> int:
    """The position that an item's word 1 names."""
    return signed(tag & _POSITION)


@inlined
def following_of(text: Text, items: Items, at: int) -> int:
    """The token that follows the item's."""
    if item_bytes(text.tokens) == 2:
        return signed((items[at + 1] >> np.uint64(32)) & np.uint64(0xFFFF))
    return signed(items[at + 2])


@inlined
def begin_of(landmarks: I64, first_block: int, tag: np.uint64) -> int:
    """Where the document of an item begins, given its word 1."""
    position = signed(tag & _POSITION)
    since = signed(tag >> np.uint64(48))
    if since < SINCE_MAX:
        return position - since
    # The block's first position is not before the begin, so it lies in the same document.
    begin: int = landmarks[(position >> BLOCK_BITS) - first_block]
    return begin

"""Keys: the next few tokens of a context in one 64-bit number that sorts as they do.

A *context* is the run of tokens that ends at a position, read backwards, cut at its document's
start and at `max_length`. One load of 64 bits holds four 16-bit or two 32-bit tokens, the nearest
one in the highest bits, so that it orders contexts as it stands. A *lane* is one token in a key;
lanes behind a context's end are empty.

n tokens. They are read by `halves` of 16 bits, `width` (1 or 2) to a token, so that the same code
serves both kinds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer_core.index.compiled import inlined, signed

U8 = NDArray[np.uint8]
U16 = NDArray[np.uint16]
U64 = NDArray[np.uint64]

PAD = 72
"""Empty places before the first token: the longest context and one key fit in."""
TAIL = 4
"""Empty places behind the last token."""


def _first_lanes(lanes: int, width: int) -> int:
    """A mask of the first lanes of a key."""
    bits = 16 * width * lanes
    return ((1 << bits) - 1) << (64 - bits)


def _masks_by_starts() -> U64:
    """What is left of a key, by the document starts in the places that `key_at` looks at.

    The highest place is the token before the key's first lane: a start there leaves nothing.
    """
    masks = []
    for width in (1, 2):
        lanes = 4 // width
        for found in range(16):
            left = lanes - found.bit_length() if found else lanes
            masks.append(_first_lanes(max(left, 0), width))
    return np.array(masks, dtype=np.uint64)


_LEFT_BY_STARTS = _masks_by_starts()  # (2 * 16,)
_LEFT_BY_ROOM = np.array(
    [_first_lanes(min(room, 4 // width), width) for width in (1, 2) for room in range(5)],
    dtype=np.uint64,
)  # (2 * 5,)


class Text(NamedTuple):
    """The tokens as the kernels read them.

    Attributes:
        halves: ((PAD + n + TAIL) * width,) each token + 1, low half first; 0 is no token.
        starts: One bit per place, set where a document starts, ((PAD + n + TAIL) / 8 + 4,).
        width: 16-bit halves per token, 1 or 2.
        max_length: Contexts are cut after this many tokens.
    """

    halves: U16
    starts: U8
    width: int
    max_length: int


@inlined
def room_at(text: Text, depth: int) -> np.uint64:
    """Which lanes of a key at this depth lie within the longest match."""
    room: np.uint64 = _LEFT_BY_ROOM[5 * (text.width - 1) + min(text.max_length - depth, 4)]
    return room


@inlined
def key_at(text: Text, position: int, depth: int, room: np.uint64) -> np.uint64:
    """The tokens of a context behind its first `depth`; lanes behind its end are empty."""
    place = position + PAD + 1 - depth  # behind the key's last place
    at = np.uint64(text.width * place - 4)
    # Compilers make one load of these four.
    key = (
        np.uint64(text.halves[at])
        | (np.uint64(text.halves[at + np.uint64(1)]) << np.uint64(16))
        | (np.uint64(text.halves[at + np.uint64(2)]) << np.uint64(32))
        | (np.uint64(text.halves[at + np.uint64(3)]) << np.uint64(48))
    )
    lanes = 4 >> (text.width - 1)
    bit = np.uint64(place + 1 - lanes)
    byte = bit >> np.uint64(3)
    next_byte = np.uint64(text.starts[byte + np.uint64(1)])
    bits = np.uint64(text.starts[byte]) | (next_byte << np.uint64(8))
    found = signed(bits >> (bit & np.uint64(7))) & ((1 << lanes) - 1)
    left: np.uint64 = _LEFT_BY_STARTS[16 * (text.width - 1) + found]
    return key & left & room


@inlined
def token_after(text: Text, position: int) -> int:
    """The token that follows, + 1; 0 behind the last one."""
    at = np.uint64(text.width * (position + PAD + 1))
    high = signed(text.halves[at + np.uint64(text.width - 1)]) << (16 * (text.width - 1))
    return signed(text.halves[at]) | high


@inlined
def lanes_filled(key: np.uint64, width: int) -> int:
    """How many lanes of a key hold a token; the empty ones come last."""
    halves = (
        signed(key != 0)
        + signed(key << np.uint64(16) != 0)
        + signed(key << np.uint64(32) != 0)
        + signed(key << np.uint64(48) != 0)
    )
    return (halves + width - 1) >> (width - 1)


@inlined
def lanes_shared(difference: np.uint64, width: int) -> int:
    """How many lanes two keys have in common, from the nearest on, given their exclusive or."""
    halves = (
        signed(difference < np.uint64(1 << 48))
        + signed(difference < np.uint64(1 << 32))
        + signed(difference < np.uint64(1 << 16))
        + signed(difference == 0)
    )
    return halves >> (width - 1)

"""Contexts as the kernels read them: a few tokens in one 64-bit number that sorts as they do.

A *context* is the run of tokens that ends at a position, read backwards. One load of 64 bits holds
four 16-bit or two 32-bit tokens, the nearest one in the highest bits, so that it orders contexts as
it stands: a *key*. A *lane* is one token in a key. Lanes behind a context's end are empty, zero.

A context ends in one of two ways (`Text.keeps_end`):

- 1: with the text's end token, which belongs to it. The end token opens documents and stands
  nowhere else: the separator of a corpus. Tokens are as they are.
- 0: before the end token, which belongs to nothing. It is 0, stands before each document, and all
  other tokens are above it.

Either way the text's first token is an end token, and an empty lane never looks like a token that
another context has there: two keys that differ tell by their first difference how many tokens
their contexts share, and contexts with equal keys share all their filled lanes.
"""

from __future__ import annotations

import numpy as np

from trainer_core.index.compiled import inlined, part, signed
from trainer_core.index.machine import item_bytes, leading_zeros, load64
from trainer_core.index.tokens import Text as Text

_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_ONES = (np.uint64(0x0001000100010001), np.uint64(0x0000000100000001))
_LOW = (np.uint64(0x7FFF7FFF7FFF7FFF), np.uint64(0x7FFFFFFF7FFFFFFF))
_HIGH = (np.uint64(0x8000800080008000), np.uint64(0x8000000080000000))


@inlined
def lanes_of(text: Text) -> int:
    """How many tokens a key has, 4 or 2."""
    return 8 // item_bytes(text.tokens)


@inlined
def _wide(text: Text) -> int:
    return (item_bytes(text.tokens) >> 1) - 1


@inlined
def first_lanes(text: Text, lanes: int) -> np.uint64:
    """A mask of the first lanes of a key, none to all."""
    bits = np.uint64(8 * item_bytes(text.tokens) * lanes)
    if bits == 0:
        return np.uint64(0)
    return _ALL << (np.uint64(64) - bits)


@inlined
def _ends_in(text: Text, key: np.uint64) -> np.uint64:
    """The highest bit of each lane that holds the end token."""
    wide = _wide(text)
    low = _LOW[wide]
    other = key ^ (np.uint64(text.end) * _ONES[wide])
    return ~(((other & low) + low) | other) & _HIGH[wide]


@part
def _key_at_start(text: Text, position: int, depth: int) -> np.uint64:
    """A key some of whose lanes lie before the first token."""
    bits = np.uint64(8 * item_bytes(text.tokens))
    key = np.uint64(0)
    for lane in range(lanes_of(text)):
        at = position - depth - lane
        token = np.uint64(0)
        if at >= 0:
            token = np.uint64(text.tokens[at])
        key = (key << bits) | token
    return key


@inlined
def key_at(text: Text, position: int, depth: int) -> np.uint64:
    """The tokens of a context behind its first `depth`, which it must have; empty lanes are 0.

    Args:
        text: The text.
        position: Where the context ends.
        depth: Tokens to skip, 0 to `max_length - 1`.
    """
    lanes = lanes_of(text)
    at = position - depth - (lanes - 1)
    key = load64(text.tokens, at) if at >= 0 else _key_at_start(text, position, depth)
    room = text.max_length - depth
    if room < lanes:
        key &= first_lanes(text, room)
    ends = _ends_in(text, key)
    if ends != 0:
        before = leading_zeros(ends) // (8 * item_bytes(text.tokens))
        key &= first_lanes(text, min(before + text.keeps_end, lanes))
    return key


@inlined
def lanes_filled(text: Text, key: np.uint64, depth: int) -> int:
    """How many lanes of the key at a depth hold a token; all of them where the context goes on
    or ends just there.
    """
    filled = min(lanes_of(text), text.max_length - depth)
    ends = _ends_in(text, key)
    if ends != 0:
        before = leading_zeros(ends) // (8 * item_bytes(text.tokens))
        filled = min(filled, before + text.keeps_end)
    return filled


@inlined
def ends_after(text: Text, key: np.uint64) -> int:
    """How many lanes of a key stand before its first end token; all of them where it has none."""
    return leading_zeros(_ends_in(text, key)) // (8 * item_bytes(text.tokens))


@inlined
def goes_on(text: Text, key: np.uint64, depth: int) -> bool:
    """Whether a context may have tokens behind the lanes of its key at a depth: where the end token
    belongs to nothing, the next key may be empty.
    """
    return depth + lanes_of(text) < text.max_length and _ends_in(text, key) == 0


@inlined
def lanes_shared(text: Text, difference: np.uint64) -> int:
    """How many lanes two different keys have in common, given their exclusive or."""
    return leading_zeros(difference) // (8 * item_bytes(text.tokens))


@inlined
def token_after(text: Text, position: int) -> int:
    """The token that follows a position, an end token between documents passed over where it
    belongs to nothing; the end token itself behind the last token.
    """
    last = text.tokens.size - 1
    if position >= last:
        return text.end
    token = signed(text.tokens[position + 1])
    if text.keeps_end == 0 and token == text.end and position + 1 < last:
        token = signed(text.tokens[position + 2])
    return token

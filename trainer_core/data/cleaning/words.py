"""Runs of five words as numbers, for all of a text at once.

A word is a run of letters, digits and marks of any alphabet, in lower case; in writing without
spaces each sign is one. Texts are cut into words the same way wherever their parts are cut, as long
as no word is cut in two.

N characters, W words.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

WORDS = 5
"""Words in a run."""

Hashes = NDArray[np.uint64]

_SLICE = 1 << 16
"""Characters that are looked at together; what they need stays in the processor's cache."""
_BASE = 0x9E3779B97F4A7C15
_STEP = 0xD6E8FEB86659FD93
"""Base for words within a run; another one than for signs within a word."""
_APART, _WORD, _SIGN = range(3)
_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x30FF),  # Japanese syllables
    (0x3400, 0x9FFF),  # Chinese characters
)
_LAST = 0xFFFF


@cache
def _kinds() -> NDArray[np.uint8]:
    """What each character of the first plane is, (65536,); those beyond are signs."""
    kinds = np.zeros(_LAST + 1, np.uint8)
    for code in range(_LAST + 1):
        character = chr(code)
        if character.isalnum() or character == "_" or unicodedata.category(character)[0] == "M":
            kinds[code] = _WORD
    for first, last in _UNSPACED:
        part = kinds[first : last + 1]
        part[part == _WORD] = _SIGN
    kinds[_LAST] = _SIGN
    return kinds


@cache
def _is_ascii_word() -> NDArray[np.bool_]:
    is_word: NDArray[np.bool_] = _kinds()[:128] == _WORD
    return is_word


@cache
def _powers() -> tuple[Hashes, Hashes]:
    """Powers of the base and of its inverse modulo 2^64, (_SLICE + 1,) each."""
    inverse = pow(_BASE, -1, 1 << 64)
    up, down = (np.full(_SLICE + 1, base, np.uint64) for base in (_BASE, inverse))
    up[0] = down[0] = 1
    return np.multiply.accumulate(up), np.multiply.accumulate(down)


def _mixed(values: Hashes) -> Hashes:
    """The numbers with every bit depending on every other.

    Source: Appleby, "MurmurHash3", its finaliser for 64 bits.
    """
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        values = (values ^ (values >> np.uint64(33))) * np.uint64(factor)
    return values ^ (values >> np.uint64(33))


def word_hashes(text: str) -> Iterator[Hashes]:
    """A number for each word of a text, (W,), slice by slice."""
    text = text.lower()
    at = 0
    while at < len(text):
        end = at + _SLICE
        if end < len(text):
            cut = max(text.rfind(" ", at, end), text.rfind("\n", at, end))
            end = cut if cut > at else end
        yield _of_slice(text[at:end])
        at = end


def _of_slice(text: str) -> Hashes:
    codes: NDArray[np.uint8] | NDArray[np.uint32]
    if text.isascii():
        codes = np.frombuffer(text.encode(), np.uint8)
        begins, ends = _bounds(_is_ascii_word()[codes])
    else:
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        kinds = _kinds()[np.minimum(codes, _LAST)]
        begins, ends = _bounds(kinds == _WORD)
        if len(signs := np.flatnonzero(kinds == _SIGN)):
            begins = np.sort(np.concatenate([begins, signs]))
            ends = np.sort(np.concatenate([ends, signs + 1]))
    # A word's polynomial is the difference of two prefixes, shifted back to its beginning.
    up, down = _powers()
    prefixes = np.zeros(len(codes) + 1, np.uint64)
    np.cumsum(up[1 : len(codes) + 1] * codes, out=prefixes[1:])
    found: Hashes = (prefixes[ends] - prefixes[begins]) * down[begins]
    return found


def _bounds(is_word: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where words begin and end, (W,) each, from which characters are of words, (N,)."""
    framed = np.zeros(len(is_word) + 2, np.bool_)
    framed[1:-1] = is_word
    edges = np.flatnonzero(framed[1:] != framed[:-1])
    return edges[::2], edges[1::2]


def run_hashes(words: Hashes, length: int = WORDS) -> Hashes:
    """A number for each run of so many words, (W - length + 1,); the same words give the same."""
    runs = np.zeros(len(words) - length + 1, np.uint64)
    factor = 1
    for place in range(length):
        factor = factor * _STEP % (1 << 64)
        runs += words[place : place + len(runs)] * np.uint64(factor)
    return _mixed(runs)

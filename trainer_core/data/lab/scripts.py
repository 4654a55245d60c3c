"""Which scripts a text is written in, and how many tokens each of them takes."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from trainer_core.data.lab.report import Script

OTHER = "other"
_RENAMED = {"Cjk": "Chinese characters", "Katakana-hiragana": "Katakana"}
_FORMS = ("FULLWIDTH", "HALFWIDTH")
# What comes behind the script in the name of a letter, as in `OLD TURKIC LETTER ORKHON A`.
_KINDS = {"LETTER", "SMALL", "CAPITAL", "SYLLABLE", "SIGN", "VOWEL", "IDEOGRAPH", "UNIFIED"}
_KINDS |= {"COMPATIBILITY", "PHONETIC"}
_NO_SCRIPTS = {"Mathematical", "Double-struck", "Black-letter", "Script", "Modifier", "Micro"}
_NO_SCRIPTS |= {"Feminine", "Masculine"}


@cache
def script_of(character: str) -> str:
    """The script of a letter, by its Unicode name; `other` for all else.

    The standard library knows no scripts, but the names of letters begin with them.
    """
    if not unicodedata.category(character).startswith("L"):
        return OTHER
    words = [word for word in unicodedata.name(character, "").split() if word not in _FORMS]
    size = next((at for at, word in enumerate(words) if at and word in _KINDS), 1)
    name = " ".join(word.capitalize() for word in words[:size])
    return OTHER if not name or name.split()[0] in _NO_SCRIPTS else _RENAMED.get(name, name)


class ScriptCounts:
    """Counts bytes and tokens of each script, text by text.

    A token counts for the script of the first letter in it; one that holds a part of a letter for
    that letter's.

    Args:
        pieces: (V,) bytes of each token.
    """

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces
        self._lengths = np.array([len(piece) for piece in pieces], dtype=np.int64)
        self._names: list[str] = [OTHER]
        self._number_of: dict[str, int] = {OTHER: 0}
        self._bytes: Counter[int] = Counter()
        self._tokens: Counter[int] = Counter()

    def add(self, text: str, ids: NDArray[np.uint32]) -> None:
        """Count a text.

        Args:
            text: The text.
            ids: (n,) its tokens.
        """
        lengths = self._lengths[ids]
        ends = np.cumsum(lengths)
        if len(ends) and ends[-1] == len(text.encode()):
            scripts = self._first_letters(text, ends - lengths, ends)
        else:  # the tokenizer loses some of the text, so places in it cannot be told
            scripts = self._of_token[ids]
        for number, count in enumerate(np.bincount(scripts).tolist()):
            self._tokens[number] += count
        for number, size in enumerate(np.bincount(scripts, weights=lengths).tolist()):
            self._bytes[number] += int(size)

    @cached_property
    def _of_token(self) -> NDArray[np.int64]:
        """(V,) the script of the first letter that is whole in each token."""
        texts = (piece.decode("utf-8", "ignore") for piece in self._pieces)
        numbers = ([self._number(letter) for letter in text] for text in texts)
        return np.array([next(filter(None, row), 0) for row in numbers], dtype=np.int64)

    def _first_letters(
        self, text: str, starts: NDArray[np.int64], ends: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """The script of the first letter of each token, (n,), by number."""
        codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
        unique, inverse = np.unique(codes, return_inverse=True)
        scripts = np.array([self._number(chr(code)) for code in unique.tolist()])[inverse]
        sizes = 1 + (codes > 0x7F) + (codes > 0x7FF) + (codes > 0xFFFF)
        of_byte = np.repeat(scripts, sizes)
        # For every byte the next one that belongs to a letter; one behind the end where none does.
        n_bytes = len(of_byte)
        places = np.where(of_byte > 0, np.arange(n_bytes), n_bytes)
        following = np.minimum.accumulate(places[::-1])[::-1]
        first = following[np.minimum(starts, n_bytes - 1)]
        found = first < ends
        result: NDArray[np.int64] = np.where(found, of_byte[np.where(found, first, 0)], 0)
        return result

    def _number(self, character: str) -> int:
        name = script_of(character)
        if name not in self._number_of:
            self._number_of[name] = len(self._names)
            self._names.append(name)
        return self._number_of[name]

    def scripts(self) -> tuple[Script, ...]:
        """Those that were counted, the one with the most bytes first, `other` last."""
        found = [
            Script(name=name, bytes=self._bytes[number], tokens=self._tokens[number])
            for number, name in enumerate(self._names)
            if self._tokens[number]
        ]
        return tuple(sorted(found, key=lambda script: (script.name == OTHER, -script.bytes)))

"""Steps that change text as it streams by: Unicode repair, normal form, white space."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Literal, Protocol

from trainer_core.data.cleaning.report import StepName
from trainer_core.data.sources.reading import PART_BYTES

if TYPE_CHECKING:
    from ftfy import TextFixerConfig

SHOWN_CHARACTERS = 60
"""So much is shown on each side of a change."""

LINE_CHARACTERS = 1 << 16
"""A longer line is repaired piece by piece."""

PIECE_CHARACTERS = 4096
"""Text is brought into a normal form in pieces of at most this size."""

_LINE_ENDS = re.compile("\r\n?|[\x85\u2028\u2029]")
_SPACE_BEFORE_END = tuple(f"{space}\n" for space in " \t\v\f\x1c\x1d\x1e\x1f")
_MANY_LINES = re.compile(r"\n{4,}")


class Repair(Protocol):
    """A step that changes the text of one document.

    Attributes:
        name: Which step.
        change: The first place that it changed, before and after; None until there is one.
    """

    name: StepName
    change: tuple[str, str] | None

    def __call__(self, texts: Iterable[str]) -> Iterator[str]:
        """The text in parts, changed; parts may be cut anywhere in what is given on."""


def first_difference(before: str, after: str) -> tuple[str, str]:
    """The first place where two texts differ, with what stands around it."""
    same = min(len(before), len(after))
    low, high = 0, same
    while low < high:  # the longest common beginning
        middle = (low + high + 1) // 2
        if before[:middle] == after[:middle]:
            low = middle
        else:
            high = middle - 1
    begin, end = max(low - SHOWN_CHARACTERS, 0), low + SHOWN_CHARACTERS
    return before[begin:end], after[begin:end]


def _in_lines(texts: Iterable[str]) -> Iterator[str]:
    """The same text in parts that end with a line, so that no sign stands apart from its accent."""
    held = ""
    for text in texts:
        held += text
        end = held.rfind("\n") + 1
        if not end and len(held) > LINE_CHARACTERS:
            end = len(held)
        if end:
            yield held[:end]
            held = held[end:]
    if held:
        yield held


class _ByLines:
    """A step that looks at some lines at a time."""

    name: StepName
    change: tuple[str, str] | None = None

    def __call__(self, texts: Iterable[str]) -> Iterator[str]:
        """The text in parts, changed."""
        for text in _in_lines(texts):
            after = text if text.isascii() else self._changed(text)
            if self.change is None and after != text:
                self.change = first_difference(text, after)
            yield after

    def _changed(self, text: str) -> str:
        raise NotImplementedError


@cache
def _fixes() -> TextFixerConfig:
    """Wrong decodings are undone; quotes, widths, entities and line ends stay as they are."""
    from ftfy import TextFixerConfig

    return TextFixerConfig(
        unescape_html=False,
        fix_latin_ligatures=False,
        fix_character_width=False,
        uncurl_quotes=False,
        fix_line_breaks=False,
        normalization=None,
        explain=False,
    )


class RepairUnicode(_ByLines):
    """Undoes wrong decodings line by line, since a text may be wrong in places only."""

    name: StepName = "repair_unicode"

    def _changed(self, text: str) -> str:
        from ftfy import fix_text_segment

        return "".join(
            line if line.isascii() else fix_text_segment(line, _fixes())
            for line in text.splitlines(keepends=True)
        )


class Normalise(_ByLines):
    """Brings text into a Unicode normal form.

    Args:
        form: Which one.
    """

    name: StepName = "normalise"

    def __init__(self, form: Literal["NFC", "NFKC"]) -> None:
        self._form = form

    def _changed(self, text: str) -> str:
        if unicodedata.is_normalized(self._form, text):
            return text
        return "".join(unicodedata.normalize(self._form, piece) for piece in _short(text))


def _short(text: str) -> Iterator[str]:
    """A text in short pieces, cut before signs that join no sign before them where there are any.

    Accents are put in order in a time that grows with the square of their number, which a text made
    of accents alone would turn into hours.
    """
    at = 0
    while at < len(text):
        end = at + PIECE_CHARACTERS
        while end < len(text) and end > at + 1 and not _begins_anew(text[end]):
            end -= 1
        end = end if end > at + 1 else at + PIECE_CHARACTERS
        yield text[at:end]
        at = end


def _begins_anew(sign: str) -> bool:
    """Whether a sign is surely no part of one before it, in any normal form."""
    letter = unicodedata.category(sign) in ("Lu", "Ll") or "\u3041" <= sign <= "\u9fff"
    return sign.isascii() or (letter and not unicodedata.combining(sign))


class Whitespace:
    """Line ends as newlines, no white space before them, at most two empty lines in a row.

    White space at the end of the text goes, but for one newline.
    """

    name: StepName = "whitespace"

    def __init__(self) -> None:
        self.change: tuple[str, str] | None = None
        self._held = ""

    def __call__(self, texts: Iterable[str]) -> Iterator[str]:
        """The text in parts, changed; what may belong to a longer run is held back."""
        for text in texts:
            tidied = self._tidied(self._held + text)
            body = tidied.rstrip()
            self._held = tidied[len(body) :]
            if len(self._held) > PART_BYTES:  # an endless indent
                body, self._held = tidied, ""
            if body:
                yield body
        end = "\n" if "\n" in self._held or "\r" in self._held else ""
        self._note(self._held, end)
        if end:
            yield end

    def _tidied(self, text: str) -> str:
        # A last \r may be the first half of a line end.
        half = "\r" if text.endswith("\r") else ""
        after = text.removesuffix("\r")
        if "\r" in after or not after.isascii():
            after = _LINE_ENDS.sub("\n", after)
        # To look for a few pairs of signs is far quicker than to go through the lines.
        if not after.isascii() or any(pair in after for pair in _SPACE_BEFORE_END):
            *lines, last = after.split("\n")
            after = "\n".join([*map(str.rstrip, lines), last])
        if "\n\n\n\n" in after:
            after = _MANY_LINES.sub("\n\n\n", after)
        after += half
        self._note(text, after)
        return after

    def _note(self, before: str, after: str) -> None:
        if self.change is None and before != after:
            self.change = first_difference(before, after)

"""The words of rules, each with its place, and the error that names a place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

NUMBER_MAX = 10**15


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the text something stands; both numbers count from 1."""

    line: int
    column: int


class RuleError(ValueError):
    """Rules that cannot be used, with the place at fault.

    Attributes:
        message: What is wrong, without the place, as a sentence without its stop.
        line: Line of the text, from 1.
        column: Character of that line, from 1.
    """

    def __init__(self, message: str, place: Place) -> None:
        super().__init__(f"line {place.line}, column {place.column}: {message}")
        self.message = message
        self.line, self.column = place.line, place.column


_WORD = re.compile(
    r"""(?P<string>"(?:[^"\\\n]|\\.)*")|(?P<number>-?[0-9]+(?:\.[0-9]+)?)|(?P<name>[^\W\d]\w*)"""
    r"""|(?P<sign>\.\.|=>|[=|:*(),.])|(?P<space>[ \t\r]+|\#[^\n]*)|(?P<end>\n)"""
)
_BLANK_LINES = re.compile(r"(?:[ \t\r]*(?:#[^\n]*)?\n)*")
_CONTINUATION = re.compile(r"[ \t]+[^\s#]")
SURROGATES = 0xD800
"""From here on, 2,048 code points are no characters."""
_ESCAPES = {'"': '"', "\\": "\\", "t": "\t"}


@dataclass(frozen=True, slots=True)
class Word:
    """One word: its kind is that of `_WORD`'s groups; `end` closes a statement."""

    kind: str
    text: str
    place: Place


def words_of(text: str) -> Iterator[Word]:
    """The words of a text; a statement's last one is of the kind `end`."""
    number, begin, at = 1, 0, 0
    while at < len(text):
        found = _WORD.match(text, at)
        place = Place(number, at - begin + 1)
        if found is None:
            if text[at] == '"':
                raise RuleError("this text has no closing quotation mark", place)
            raise RuleError(f"{text[at]!r} means nothing here", place)
        kind = found.lastgroup or ""
        at = found.end()
        if kind == "end":
            at += len(_BLANK_LINES.match(text, at)[0])  # type: ignore[index]  # matches nothing too
            number, begin = number + text.count("\n", found.start(), at), at
            if not _CONTINUATION.match(text, at):
                yield Word("end", "", place)
        elif kind != "space":
            yield Word(kind, found.group(), place)
    yield Word("end", "", Place(number, at - begin + 1))


def unquoted(word: Word) -> str:
    """The text that stands in a word's quotation marks.

    Raises:
        RuleError: It has a character that no line may have.
    """

    def plain(found: re.Match[str]) -> str:
        if found[1] not in _ESCAPES:
            raise RuleError(f'there is no `\\{found[1]}`, but \\", \\\\ and \\t', word.place)
        return _ESCAPES[found[1]]

    text = re.sub(r"\\(.)", plain, word.text[1:-1])
    if not text.replace("\t", "").isprintable():
        raise RuleError("a text has a character that cannot be printed", word.place)
    return text


def whole_number(word: Word) -> int:
    """The number that a word is.

    Raises:
        RuleError: It is not whole, or too large.
    """
    if "." in word.text or abs(float(word.text)) > NUMBER_MAX:
        raise RuleError(f"a number is whole and at most {NUMBER_MAX:,}", word.place)
    return int(word.text)

"""JSON: one record a line, one after another, or the elements of one long array."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from trainer_core.data.sources.documents import RECORD_BYTES, FoundDocument, LeaveOut
from trainer_core.data.sources.fields import TextField, usual_field
from trainer_core.data.sources.reading import (
    PART_BYTES,
    NoText,
    Readable,
    decoded,
    in_parts,
    record_parts,
)
from trainer_core.data.sources.skipped import Reason

_BOM = b"\xef\xbb\xbf"
_DECODER = json.JSONDecoder()
_BEHIND_NUMBERS = frozenset(" \t\r\n,]")
_SIGN = re.compile(r"[^ \t\r\n]")


def lines(stream: Readable) -> Iterator[bytes | None]:
    """The lines of a stream with their ends; None for one that is too long to be held.

    Raises:
        NoText: The stream cannot be read, or is no text at all.
    """
    held = bytearray()
    too_long = False
    while chunk := _chunk(stream):
        first, *more = chunk.split(b"\n")
        if not too_long:
            held += first
        for following in more:
            yield None if too_long else bytes(held) + b"\n"
            held, too_long = bytearray(following), False
        if len(held) > RECORD_BYTES:
            held, too_long = bytearray(), True
    if held or too_long:
        yield None if too_long else bytes(held)


def _chunk(stream: Readable) -> bytes:
    try:
        chunk = stream.read(PART_BYTES)
    except OSError:
        raise NoText("unreadable") from None
    if b"\0" in chunk:
        raise NoText("binary")
    return chunk


def json_line_documents(
    stream: Readable, title: str, path: str, wanted: str, leave_out: LeaveOut
) -> Iterator[FoundDocument]:
    """The documents of a JSON-lines file. Lines that give none are told and passed over.

    Raises:
        NoText: The file cannot be read any further.
    """
    field = TextField(wanted)
    for number, line in enumerate(lines(stream), 1):
        place = f" line {number}"
        try:
            if line is None:
                raise NoText("too_long")
            if number == 1:
                line = line.removeprefix(_BOM)
            if not line.strip():
                continue
            text = field.text_of(_parsed(line))
            yield FoundDocument(title + place, path + place, record_parts(text))
        except NoText as error:
            leave_out(error.reason, path + place)


def _parsed(line: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(line.decode())
    except UnicodeDecodeError:
        raise NoText("not_utf8") from None
    except (ValueError, RecursionError):
        raise NoText("no_record") from None


class NoJson(Exception):  # noqa: N818 - an outcome, like `NoText`
    """A text is no JSON, or has a value that is too long to be held."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


def json_documents(
    stream: Readable, title: str, path: str, wanted: str, leave_out: LeaveOut
) -> Iterator[FoundDocument]:
    """The documents of a `.json` file.

    It may be an array of records, or records one after another. Where no field is wanted and the
    first record has none with a usual name, it is one document as it stands: settings, or code.

    Raises:
        NoText: The file is no text, no whole JSON, or cannot be read any further.
    """
    rest = decoded(stream)
    begun: list[str] = []

    def remembered() -> Iterator[str]:
        for text in rest:
            begun.append(text)
            yield text

    if not wanted and not _first_has_text(remembered()):
        yield FoundDocument(title, path, in_parts(itertools.chain(begun, rest)))
        return
    field = TextField(wanted)
    try:
        for number, value in enumerate(json_values(itertools.chain(begun, rest)), 1):
            place = f" item {number}"
            try:
                parts = record_parts(field.text_of(value))
                yield FoundDocument(title + place, path + place, parts)
            except NoText as error:
                leave_out(error.reason, path + place)
    except NoJson as error:
        raise NoText(error.reason) from None


def _first_has_text(texts: Iterator[str]) -> bool:
    try:
        record = next(json_values(texts), None)
    except NoJson:
        return False
    if not isinstance(record, dict):
        return False
    return (
        usual_field([name for name, value in record.items() if isinstance(value, str)]) is not None
    )


def json_values(texts: Iterable[str]) -> Iterator[Any]:
    """The elements of a JSON array, or the values that stand one after another.

    Raises:
        NoJson: What follows is no JSON, or the text ends too early.
    """
    window = _Window(iter(texts))
    in_array = window.next_sign() == "["
    if in_array:
        window.at += 1
    while (sign := window.next_sign()) and not (in_array and sign == "]"):
        yield window.value()
        if not in_array:
            continue
        sign = window.next_sign()
        if sign == ",":
            window.at += 1
        elif sign != "]":
            raise NoJson("broken")
    if in_array:
        window.at += 1
        if sign != "]" or window.next_sign():
            raise NoJson("broken")


class _Window:
    """The stretch of a long JSON text that is held in memory, and the place that is read next."""

    def __init__(self, texts: Iterator[str]) -> None:
        self.at = 0
        self._texts = texts
        self._held = ""
        self._ended = False

    def next_sign(self) -> str:
        """The next character that is no white space, which is not passed yet; "" at the end."""
        while (found := _SIGN.search(self._held, self.at)) is None and not self._ended:
            self.at = len(self._held)
            self._read_on(1)
        self.at = found.start() if found else len(self._held)
        return found.group() if found else ""

    def value(self) -> Any:  # noqa: ANN401 - any JSON
        """The value that begins here."""
        while True:
            try:
                value, end = _DECODER.raw_decode(self._held, self.at)
            except (ValueError, RecursionError):
                end = 0
            if end and (self._ended or self._is_whole(value, end)):
                self.at = end
                return value
            if self._ended:
                raise NoJson("broken")
            if len(self._held) - self.at > RECORD_BYTES:
                raise NoJson("too_long")
            self._read_on(len(self._held) - self.at)

    def _is_whole(self, value: Any, end: int) -> bool:  # noqa: ANN401 - any JSON
        """Whether a value cannot go on; `0.` is a zero until the next digit is read."""
        return isinstance(value, dict | list | str) or self._held[end : end + 1] in _BEHIND_NUMBERS

    def _read_on(self, wanted: int) -> None:
        """Hold at least this many characters more, and forget those that were passed."""
        more = []
        while wanted > 0:
            text = next(self._texts, None)
            if text is None:
                self._ended = True
                break
            more.append(text)
            wanted -= len(text)
        self._held = self._held[self.at :] + "".join(more)
        self.at = 0

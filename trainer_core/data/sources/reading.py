"""Reading text part by part, with a plain reason when it is no text.

Files, members of archives and fields of records all end up here, as parts that are cut where no
token is.
"""

from __future__ import annotations

import codecs
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, Protocol

from trainer_core.data.sources.skipped import Reason
from trainer_core.data.tokenizers.pretokens import last_cut

PART_BYTES = 1 << 20
"""Files are read and handed on in parts of about this size, so that memory stays flat."""
UNCUT_PARTS = 16
"""After this many parts without a safe place to cut (an endless word), text is cut anywhere."""

# Opening a pipe would wait for a writer; O_BINARY is for Windows.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class Readable(Protocol):
    """A stream of bytes that is read from its beginning to its end."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most `size`; none at the end."""


class NoText(Exception):  # noqa: N818 - an outcome: the file is reported, the work goes on
    """A file or record holds no usable text, for this reason."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """A regular file, opened for reading.

    Raises:
        NoText: It is no regular file, gone or unreadable.
    """
    try:
        descriptor = os.open(path, _FLAGS)
    except FileNotFoundError:
        raise NoText("vanished") from None
    except OSError:
        raise NoText("unreadable") from None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NoText("special")
        yield file


def decoded(stream: Readable) -> Iterator[str]:
    """The text of a stream, without the byte-order mark that some editors put in front.

    Raises:
        NoText: It is not UTF-8, has NUL bytes, or cannot be read.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    first = True
    while True:
        try:
            chunk = stream.read(PART_BYTES)
        except OSError:
            raise NoText("unreadable") from None
        if first and chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise NoText("not_utf8")
        if b"\0" in chunk:
            raise NoText("binary")
        if first:
            chunk = chunk.removeprefix(codecs.BOM_UTF8)
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError:
            raise NoText("not_utf8") from None
        if not chunk:
            return
        first = False
        yield text


def in_parts(texts: Iterable[str]) -> Iterator[str]:
    """A text that comes in any pieces, in parts that are cut where no token is (see `pretokens`).

    Raises:
        NoText: It is empty or white space only.
    """
    blank = True
    held = ""
    searched = 0
    for text in texts:
        blank = blank and (not text or text.isspace())
        held += text
        if len(held) - searched < PART_BYTES // 4:  # characters have up to four bytes
            continue
        cut = last_cut(held, max(searched - 2, 0), len(held))
        searched = len(held)
        if cut < 0 and len(held) > UNCUT_PARTS * PART_BYTES:
            cut = len(held)
        if cut > 0:
            yield held[:cut]
            held = held[cut:]
            searched = 0
    if blank:
        raise NoText("empty")
    if held:
        yield held


def record_parts(text: str) -> Iterator[str]:
    """The text of a record, in parts. Lone surrogates, which JSON can spell, become U+FFFD.

    Raises:
        NoText: It is empty, or has NUL characters.
    """
    if "\0" in text:
        raise NoText("binary")
    if not text.isascii():
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return in_parts(text[at : at + PART_BYTES] for at in range(0, len(text), PART_BYTES))


def read_text(path: str) -> Iterator[str]:
    """The text of a file, in parts that are cut where no token is (see `pretokens`).

    Line ends are kept as they are; a byte-order mark is dropped. White space only counts as empty.

    Raises:
        NoText: The file is empty, no text, no regular file, gone or unreadable. It may be raised
            after parts were given.
    """
    with opened(path) as file:
        yield from in_parts(decoded(file))

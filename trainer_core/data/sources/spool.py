"""Texts that came over the network, kept on the disk until they are no longer needed.

A source is read two or three times; a download is worth reading once. Beside the texts stands how
far they reach, so that a download goes on where it ended, after whatever ended it.
"""

from __future__ import annotations

import hashlib
import os
import struct
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from trainer_core.data.sources.skipped import Reason
from trainer_core.errors import DataError
from trainer_core.files import write_whole_file

_HEAD = struct.Struct("<QQB")  # row, bytes of what follows, whether it is a text or a reason
_MARK_BYTES, _MARK_S = 16 << 20, 5.0
"""After so much, or so long, what is kept is made sure of; the rest may be read over again."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a dataset.

    Attributes:
        number: From 1.
        text: Its text; None where it has none.
        reason: Why it has none.
    """

    number: int
    text: str | None
    reason: Reason = "empty"


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """How far a spool reaches.

    Attributes:
        origin: What the texts come from; of another origin they are of no use.
        revision: Which version of that it was.
        size_bytes: Of the texts with their heads.
        rows: How many rows they are.
        n_bytes: Of the texts alone.
        expected_bytes: Of all texts there are, as the origin has it; 0 where it does not say.
        state: Where the library that reads the rows goes on; None at the beginning.
        is_whole: There are no more rows.
    """

    origin: str
    revision: str = ""
    size_bytes: int = 0
    rows: int = 0
    n_bytes: int = 0
    expected_bytes: int = 0
    state: Any = None
    is_whole: bool = False


class Spool:
    """Rows in a file, and how far they reach in another.

    Args:
        folder: Where there is room for them; made if it is not there.
        origin: What the rows come from, in full.

    Attributes:
        mark: How far it reaches, what is not made sure of included.
    """

    def __init__(self, folder: Path, origin: str) -> None:
        self._folder = folder
        stem = "hub-" + hashlib.blake2b(origin.encode(), digest_size=8).hexdigest()
        self._texts, self._marks = folder / f"{stem}.texts", folder / f"{stem}.json"
        self.mark = self._found(origin)
        self._sure_bytes, self._sure_s = self.mark.size_bytes, time.monotonic()
        if self._texts.exists():
            self._write(b"", self.mark, at=self.mark.size_bytes)

    def _found(self, origin: str) -> Mark:
        """The last mark that the texts reach up to, or one of the beginning."""
        try:
            mark = msgspec.json.decode(self._marks.read_bytes(), type=Mark)
            if mark.origin == origin and self._texts.stat().st_size >= mark.size_bytes:
                return mark
        except (OSError, msgspec.DecodeError):
            pass
        return Mark(origin=origin)

    def begin(self, revision: str, expected_bytes: int) -> None:
        """Say of which version the rows are; those of another are forgotten.

        Raises:
            OSError: There is no room, or no folder to be made.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        if revision != self.mark.revision or not self.mark.rows:
            begun = Mark(origin=self.mark.origin, revision=revision, expected_bytes=expected_bytes)
            self._write(b"", begun, at=0)
            self._make_sure()

    def add(self, rows: Iterable[Row], state: Any, *, is_whole: bool = False) -> None:  # noqa: ANN401 - the library's own
        """Keep some rows more.

        Args:
            rows: In their order.
            state: Where the library goes on behind them.
            is_whole: There are no more.

        Raises:
            OSError: The disk is full; what was made sure of before stays.
        """
        data, n_bytes, count = bytearray(), 0, 0
        for row in rows:
            count += 1
            is_text = row.text is not None
            content = (row.text or "").encode("utf-8", "surrogatepass")
            n_bytes += len(content)
            content = content if is_text else row.reason.encode()
            data += _HEAD.pack(row.number, len(content), is_text) + content
        before = self.mark
        mark = msgspec.structs.replace(
            before,
            size_bytes=before.size_bytes + len(data),
            rows=before.rows + count,
            n_bytes=before.n_bytes + n_bytes,
            state=state,
            is_whole=is_whole,
        )
        self._write(data, mark, at=before.size_bytes)
        unsure = mark.size_bytes - self._sure_bytes >= _MARK_BYTES
        if is_whole or unsure or time.monotonic() - self._sure_s >= _MARK_S:
            self._make_sure()

    def save(self) -> None:
        """Make sure of everything that is kept, if there is anything new."""
        if self.mark.size_bytes != self._sure_bytes:
            self._make_sure()

    def _write(self, data: bytes | bytearray, mark: Mark, at: int) -> None:
        with self._texts.open("r+b" if self._texts.exists() else "w+b") as file:
            file.truncate(at)
            file.seek(at)
            file.write(data)
        self.mark = mark

    def _make_sure(self) -> None:
        """The texts first, then how far they reach: a mark never promises what is not there."""
        with self._texts.open("r+b") as file:
            os.fsync(file.fileno())
        write_whole_file(self._marks, msgspec.json.encode(self.mark))
        self._sure_bytes, self._sure_s = self.mark.size_bytes, time.monotonic()

    def rows(self) -> Iterator[Row]:
        """Everything that is kept, also what is added meanwhile.

        Raises:
            DataError: It cannot be read again.
        """
        if not self.mark.rows:
            return
        with self._texts.open("rb") as file:
            at = 0
            while at < self.mark.size_bytes:
                head = file.read(_HEAD.size)
                if len(head) < _HEAD.size:
                    raise _lost()
                number, n_bytes, is_text = _HEAD.unpack(head)
                at += _HEAD.size + n_bytes
                if at > self.mark.size_bytes:
                    raise _lost()
                content = file.read(n_bytes)
                if len(content) < n_bytes:
                    raise _lost()
                yield _row(number, content, is_text)


def _row(number: int, content: bytes, is_text: int) -> Row:
    try:
        if is_text:
            return Row(number, content.decode("utf-8", "surrogatepass"))
        return Row(number, None, msgspec.convert(content.decode(), Reason))
    except (UnicodeDecodeError, msgspec.ValidationError):
        raise _lost() from None


def _lost() -> DataError:
    return DataError(
        "What was downloaded could not be read again from the disk.",
        safe="Nothing was written.",
        do="Check the drive, then start this again.",
    )

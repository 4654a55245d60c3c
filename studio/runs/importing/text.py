"""Reads text of any size line by line: packed or not, in several encodings, damaged at its end."""

from __future__ import annotations

import gzip
import io
import itertools
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, cast

from studio.runs.importing.curves import Collector, Curves, check_steps
from studio.runs.importing.lines import FORMATS, LineFormat
from trainer_core.errors import DataError, KnownError, from_os_error

LINE_CHARS_MAX: Final = 64_000
"""Longer lines are read in pieces: a line of a log is never that long."""
TEXT_CHARS_MAX: Final = 2_000_000_000
"""A packed file of a few megabytes may hold terabytes of nothing."""
HEAD_LINES: Final = 4_000
"""The format is told from so many lines."""
_GLANCED_LINES: Final = 300
_GZIP: Final = b"\x1f\x8b"
_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


class TextLines:
    """The lines of a text file, without their ends; use it as a context manager.

    Attributes:
        damaged: Why reading ended before the end of the file; empty where it did not.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged = ""
        self._file: IO[str] | None = None
        self._raw: IO[bytes] | None = None

    def __enter__(self) -> TextLines:
        """Open the file.

        Raises:
            DataError: It is no text.
            KnownError: It cannot be read.
        """
        try:
            self._raw = self.path.open("rb")
            if self._raw.read(2) == _GZIP:
                self._raw.seek(0)
                unpacked = cast("IO[bytes]", gzip.GzipFile(fileobj=self._raw, mode="rb"))
            else:
                unpacked = self._raw
                self._raw.seek(0)
            buffered = io.BufferedReader(cast("io.RawIOBase", unpacked), 1 << 18)
            head = self._head(buffered)
            encoding = next((name for mark, name in _MARKS if head.startswith(mark)), "utf-8")
            if encoding != "utf-16" and b"\0" in head:
                raise DataError(
                    f"{self.path.name} is not text.",
                    safe="Nothing was kept of it.",
                    do="Choose a log, a table, or event files of TensorBoard.",
                )
            # Progress bars end their lines with a carriage return: these count as ends too.
            self._file = io.TextIOWrapper(buffered, encoding, errors="replace", newline=None)
        except OSError as error:
            self.close()
            raise from_os_error(error, f"reading {self.path.name}") from error
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; may be called twice."""
        for each in (self._file, self._raw):
            if each is not None:
                each.close()
        self._file = self._raw = None

    def __iter__(self) -> Iterator[str]:
        if self._file is None:
            return
        chars = 0
        while True:
            try:
                line = self._file.readline(LINE_CHARS_MAX)
            except (EOFError, gzip.BadGzipFile, zlib.error):
                self.damaged = "The packed file is damaged or cut off; what stood before was read."
                return
            except OSError as error:
                raise from_os_error(error, f"reading {self.path.name}") from error
            if not line:
                return
            chars += len(line)
            if chars > TEXT_CHARS_MAX:
                raise DataError(
                    f"{self.path.name} holds more than {TEXT_CHARS_MAX // 10**9} GB of text.",
                    safe="Nothing was kept of it.",
                    do="Cut it down to the lines with losses.",
                )
            yield line.rstrip("\n")

    def _head(self, buffered: io.BufferedReader[io.RawIOBase]) -> bytes:
        try:
            return buffered.peek(4096)[:4096]
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(
                f"{self.path.name} is a packed file that cannot be unpacked.",
                safe="Nothing was kept of it.",
                do="Fetch it again.",
            ) from error


def read_log(path: Path) -> Curves:
    """Read the log that a training program printed; its format is found out.

    Raises:
        DataError: It is no text, or there is no loss in it.
        KnownError: It cannot be read.
    """
    with TextLines(path) as text:
        lines = iter(text)
        head = list(itertools.islice(lines, HEAD_LINES))
        form = _best_format(head)
        into = Collector()
        count = skipped = 0
        for line in itertools.chain(head, lines):
            if not (line and not line.isspace()):
                continue
            count += 1
            skipped += not form.take(line, into)
        if text.damaged:
            into.notes.append(text.damaged)
    curves = into.curves(
        form.program, in_order=True, lines=count, skipped=skipped, one_based=form.one_based
    )
    check_steps(curves)
    return curves


def _best_format(head: list[str]) -> LineFormat:
    """The format that makes most of the first lines; of several the first."""

    def points(form: type[LineFormat]) -> int:
        reader, into = form(), Collector()
        for line in head:
            reader.take(line, into)
        return len(into)

    return max(FORMATS, key=points)()


def looks_like_log(path: Path) -> bool:
    """Whether the first lines of a text tell losses by step; quick, whatever the file's size."""
    try:
        with TextLines(path) as text:
            head = list(itertools.islice(text, _GLANCED_LINES))
    except KnownError:
        return False
    into = Collector()
    reader = _best_format(head)
    for line in head:
        reader.take(line, into)
    return len(into) > 1

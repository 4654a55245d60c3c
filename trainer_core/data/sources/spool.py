"""Texts that came over the network, kept on the disk until the corpus is written.

A source is read two or three times; a download is worth reading once.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

from trainer_core.errors import DataError

_HEAD = struct.Struct("<QQ")  # row, bytes of its text


class Spool:
    """Numbered texts in a file without a name, which is gone when nobody holds the spool.

    Args:
        folder: Where there is room for them.
    """

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - lives as long as this
        self._count: int | None = None

    def texts(self, fresh: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
        """The texts with the numbers of their rows: fresh ones the first time, then the kept ones.

        Raises:
            OSError: The disk is full.
        """
        if self._count is not None:
            return self._kept(self._count)
        self._count = 0
        return self._keeping(fresh)

    def _keeping(self, fresh: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
        for kept, (number, text) in enumerate(fresh, 1):
            data = text.encode("utf-8", "surrogatepass")
            self._file.write(_HEAD.pack(number, len(data)))
            self._file.write(data)
            self._count = kept
            yield number, text

    def _kept(self, count: int) -> Iterator[tuple[int, str]]:
        self._file.flush()
        self._file.seek(0)
        for _ in range(count):
            number, n_bytes = _HEAD.unpack(self._next(_HEAD.size))
            yield number, self._next(n_bytes).decode("utf-8", "surrogatepass")

    def _next(self, n_bytes: int) -> bytes:
        data = self._file.read(n_bytes)
        if len(data) < n_bytes:
            raise DataError(
                "What was downloaded could not be read again from the disk.",
                safe="Nothing was written.",
                do="Check the drive, then start this again.",
            )
        return data

"""A file that only grows, and is cut back to what was noted of it when work on it goes on."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

_HELD_BYTES = 1 << 16
"""Appended bytes are written in pieces of about this size."""


class Lost(Exception):  # noqa: N818 - an outcome: the work is begun anew
    """Less is there than was noted of an earlier attempt."""


class GrowingFile:
    """Bytes appended to a file; what stands behind `size_bytes` when it is opened goes.

    Args:
        path: The file; made when it is not there.
        size_bytes: What is known to be on the disk.

    Raises:
        Lost: It is shorter than that.
        OSError: It cannot be opened.
    """

    def __init__(self, path: Path, size_bytes: int = 0) -> None:
        self.path = path
        self._held = bytearray()
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
        self._file = io.FileIO(os.open(path, flags, 0o666), "r+b")
        try:
            there = self._file.seek(0, os.SEEK_END)
            if there < size_bytes:
                raise Lost(f"{path} has {there:,} of {size_bytes:,} bytes.")
            self.cut(size_bytes)
        except BaseException:
            self._file.close()
            raise

    def append(self, data: bytes) -> None:
        """Write behind what is there."""
        self._held += data
        self.size_bytes += len(data)
        if len(self._held) >= _HELD_BYTES:
            self._write()

    def cut(self, size_bytes: int) -> None:
        """Keep the first bytes alone."""
        self._write()
        self._file.seek(size_bytes)
        self._file.truncate()
        self.size_bytes = size_bytes

    def sync(self) -> None:
        """Wait until everything is on the disk."""
        self._write()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file. What was not synced may be lost, as behind a crash."""
        with contextlib.suppress(OSError):
            self._write()
        self._file.close()

    def _write(self) -> None:
        while self._held:
            # A full disk takes a part first, and raises at the next try.
            written = self._file.write(self._held)
            del self._held[:written]

"""A file that only grows, and is cut back to what was noted of it when work on it goes on."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


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
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        self._file = os.fdopen(descriptor, "r+b", buffering=1 << 16)
        try:
            held = self._file.seek(0, os.SEEK_END)
            if held < size_bytes:
                raise Lost(f"{path} has {held:,} of {size_bytes:,} bytes.")
            self.cut(size_bytes)
        except BaseException:
            self._file.close()
            raise

    def append(self, data: bytes) -> None:
        """Write behind what is there."""
        self._file.write(data)
        self.size_bytes += len(data)

    def cut(self, size_bytes: int) -> None:
        """Keep the first bytes alone."""
        self._file.seek(size_bytes)
        self._file.truncate()
        self.size_bytes = size_bytes

    def sync(self) -> None:
        """Wait until everything is on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file. What could not be written is lost, as behind a crash."""
        with contextlib.suppress(OSError):
            self._file.close()

"""A file that grows while its checksums are kept, and how much of one is still as it was."""

from __future__ import annotations

import contextlib
import hashlib
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

from trainer_core.index.store import FileEntry

_PIECE_BYTES = 1 << 20


class GrowingFile:
    """A file that is appended to, and the checksums of what it holds.

    Args:
        path: The file. What is there is replaced, but for its first bytes if they are to be kept.
        keep_bytes: How many those are.
        lasting: Whether its hash is wanted, for a manifest.
        resumable: Whether its CRC-32 is wanted, for a list of steps.
    """

    def __init__(
        self, path: Path, *, keep_bytes: int = 0, lasting: bool = True, resumable: bool = True
    ) -> None:
        self.path = path
        self.size_bytes = 0
        self.crc = 0
        self._resumable = resumable
        self._sha = hashlib.sha256() if lasting else None
        if keep_bytes:
            for piece in _pieces_of(path, keep_bytes):
                self._count(piece)
            os.truncate(path, keep_bytes)
        self._file = path.open("ab" if keep_bytes else "wb")

    def append(self, data: memoryview) -> None:
        """Append bytes.

        Raises:
            OSError: The disk is full or gone.
        """
        for begin in range(0, len(data), _PIECE_BYTES):
            piece = data[begin : begin + _PIECE_BYTES]
            self._file.write(piece)
            self._count(piece)

    def _count(self, piece: bytes | memoryview) -> None:
        self.size_bytes += len(piece)
        if self._resumable:
            self.crc = zlib.crc32(piece, self.crc)
        if self._sha is not None:
            self._sha.update(piece)

    @property
    def sha256(self) -> str:
        """Of all of it, in hexadecimal digits; empty for a file that does not last."""
        return "" if self._sha is None else self._sha.hexdigest()

    def flush(self) -> None:
        """Hand everything over to the system, so that it outlives this process.

        Raises:
            OSError: The disk is full or gone.
        """
        self._file.flush()

    def finish(self) -> FileEntry:
        """Write it through to the disk and close it.

        Raises:
            OSError: The disk is full or gone.
        """
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return FileEntry(name=self.path.name, size_bytes=self.size_bytes, sha256=self.sha256)

    def abandon(self) -> None:
        """Close it, whatever becomes of what is not written yet."""
        with contextlib.suppress(OSError):  # a full disk has no room for what is buffered either
            self._file.close()


def _pieces_of(path: Path, size_bytes: int) -> Iterator[bytes]:
    """The first bytes of a file, fewer where it is shorter."""
    with path.open("rb") as file:
        while size_bytes and (piece := file.read(min(size_bytes, _PIECE_BYTES))):
            size_bytes -= len(piece)
            yield piece


def whole_until(path: Path, marks: list[tuple[int, int, int]]) -> int:
    """Number of the first step that left a file otherwise than it is; very large if none did.

    Args:
        path: The file.
        marks: Step number, size in bytes and CRC-32, in the order of the steps.
    """
    try:
        size_bytes, crc = 0, 0
        with path.open("rb") as file:
            for number, wanted_bytes, wanted_crc in marks:
                while size_bytes < wanted_bytes:
                    piece = file.read(min(wanted_bytes - size_bytes, _PIECE_BYTES))
                    if not piece:
                        return number
                    size_bytes += len(piece)
                    crc = zlib.crc32(piece, crc)
                if crc != wanted_crc:
                    return number
    except OSError:
        return marks[0][0]
    return 1 << 62

"""Packed files: what gzip, bzip2, xz and Zstandard hold, as one stream of bytes.

How much a file may unpack to is limited for the file as a whole, so that many small bombs do no
more harm than one.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import tempfile
import zlib
from collections.abc import Callable
from typing import IO, BinaryIO, cast

from trainer_core.data.sources.reading import PART_BYTES, NoText, Readable

FREE_BYTES = 64 << 20
"""This much may come out of any file, however small."""
RATIO_MAX = 200
"""Text packs to a third or a tenth; logs that repeat themselves, to a hundredth at most."""
IN_MEMORY_BYTES = 32 << 20
"""Formats that are not read from front to back are kept in a nameless file from this size on."""

UNPACKED_BYTES = 1 << 16
HEAD_BYTES = 8
_ENDINGS = {".tgz": ".tar", ".tbz2": ".tar", ".txz": ".tar", ".tzst": ".tar"}
PACKED_ENDINGS = (".gz", ".bz2", ".xz", ".zst", ".zstd")


class Budget:
    """How much may still come out of one file.

    Args:
        packed_bytes: Size of the file.
    """

    def __init__(self, packed_bytes: int) -> None:
        self._left = FREE_BYTES + RATIO_MAX * packed_bytes

    def take(self, n_bytes: int) -> None:
        """Take what was unpacked off the budget.

        Raises:
            NoText: It is used up.
        """
        self._left -= n_bytes
        if self._left < 0:
            raise NoText("bomb")


class Unpacked:
    """The content of a packed stream; whatever is wrong with it is a `NoText`.

    Args:
        stream: Gives unpacked bytes.
        budget: Of the file that all of this comes from.
    """

    def __init__(self, stream: Readable, budget: Budget) -> None:
        self._stream = stream
        self._budget = budget

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most `size`, and few at a time: where a stream breaks, they are lost.

        Raises:
            NoText: The stream is damaged or cut off, or gives too much.
        """
        try:
            data = self._stream.read(min(size, UNPACKED_BYTES))
        except (EOFError, zlib.error, lzma.LZMAError, OSError):
            raise NoText("broken") from None
        self._budget.take(len(data))
        return data


class WithHead:
    """A stream whose beginning was looked at already."""

    def __init__(self, head: bytes, rest: Readable) -> None:
        self._head = head
        self._rest = rest

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most `size`."""
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
            return data
        return self._rest.read(size)


class AsFile(WithHead):
    """The same, with what the decompressors of the standard library and Arrow ask of a file."""

    closed = False

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes; never all of them, whatever is asked for."""
        return super().read(PART_BYTES if size < 0 else size)

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """No."""
        return False

    def close(self) -> None:
        """The one who opened the file closes it."""


def head_of(stream: Readable, n_bytes: int = HEAD_BYTES) -> bytes:
    """The first bytes of a stream; fewer only at its end.

    Raises:
        NoText: It cannot be read.
    """
    head = b""
    try:
        while len(head) < n_bytes and (data := stream.read(n_bytes - len(head))):
            head += data
    except OSError:
        raise NoText("unreadable") from None
    return head


def _xz(file: AsFile) -> Readable:
    return lzma.LZMAFile(cast(BinaryIO, file))


def _zstandard(file: AsFile) -> Readable:
    import pyarrow

    return cast(Readable, pyarrow.input_stream(file, compression="zstd"))


_OPENERS: tuple[tuple[bytes, Callable[[AsFile], Readable]], ...] = (
    (b"\x1f\x8b", lambda file: gzip.GzipFile(fileobj=cast(BinaryIO, file))),
    (b"BZh", lambda file: bz2.BZ2File(cast(BinaryIO, file))),
    (b"\xfd7zXZ\0", _xz),
    (b"\x28\xb5\x2f\xfd", _zstandard),
)


def unpacked(head: bytes, rest: Readable, budget: Budget) -> Unpacked | None:
    """The content of a packed stream; None where its first bytes say that it is not packed."""
    for magic, opener in _OPENERS:
        if head.startswith(magic):
            return Unpacked(opener(AsFile(head, rest)), budget)
    return None


def name_inside(name: str) -> str:
    """The name that a packed file had before it was packed, such as `a.txt` for `a.txt.gz`."""
    stem, ending = os.path.splitext(name)  # noqa: PTH122 - names in archives are no paths
    if ending.lower() in PACKED_ENDINGS:
        return stem
    return stem + _ENDINGS[ending.lower()] if ending.lower() in _ENDINGS else name


def all_bytes(stream: Readable, limit: int) -> bytes:
    """Everything in a stream.

    Raises:
        NoText: It is longer than the limit, or cannot be read.
    """
    data = bytearray()
    try:
        while chunk := stream.read(PART_BYTES):
            data += chunk
            if len(data) > limit:
                raise NoText("too_long")
    except OSError:
        raise NoText("unreadable") from None
    return bytes(data)


def with_seek(stream: Readable) -> IO[bytes]:
    """The stream as a file that can be read in any order, in memory or in a nameless file.

    Raises:
        NoText: The stream cannot be read.
    """
    # Closed by whoever reads it; a nameless file is gone with its last user.
    file = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115
    while chunk := stream.read(PART_BYTES):
        file.write(chunk)
    file.seek(0)
    return cast(IO[bytes], file)

"""The job's journal: an append-only file of checksummed, typed records.

Layout: 8 bytes `HEARTHJ` + version, then for each record u32 length, u32 CRC-32 of the payload, and
the payload (msgpack). Little-endian. Whatever a crash leaves behind, the longest prefix of whole
records is the journal; the rest is cut off by the next writer.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from trainer_core.errors import JobFolderError
from trainer_core.files import append_whole
from trainer_core.records import Record

VERSION = 1
MAGIC = b"HEARTHJ"
HEADER = MAGIC + bytes([VERSION])
RECORD_BYTES_MAX = 1 << 20

_FRAME = struct.Struct("<II")
_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)


def check_header(header: bytes, path: Path) -> None:
    """Make sure that these first bytes belong to a journal that this version can read.

    Raises:
        JobFolderError: Another kind of file, or one written by a newer Hearth.
    """
    if header[: len(MAGIC)] != MAGIC:
        raise JobFolderError(
            f"{path} is not a journal.",
            safe="Nothing was changed.",
            do="Choose a job folder, or restore this file from a copy.",
        )
    if header[len(MAGIC)] > VERSION:
        raise JobFolderError(
            f"{path} was written by a newer version of Hearth.",
            safe="Nothing was changed.",
            do="Update Hearth to open this job.",
        )


def _decode(payload: bytes) -> Record | None:
    """The record in a payload whose checksum holds, or None for a kind that we do not know."""
    try:
        return _decoder.decode(payload)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _scan(data: bytes) -> tuple[list[Record], int]:
    """Records in a run of frames, and the length of its whole-record prefix in bytes."""
    records: list[Record] = []
    at = 0
    while at + _FRAME.size <= len(data):
        length, checksum = _FRAME.unpack_from(data, at)
        end = at + _FRAME.size + length
        if length > RECORD_BYTES_MAX or end > len(data):
            break
        payload = data[at + _FRAME.size : end]
        if zlib.crc32(payload) != checksum:
            break
        record = _decode(payload)
        if record is not None:
            records.append(record)
        at = end
    return records, at


def read_records(path: Path, offset: int = 0) -> tuple[list[Record], int]:
    """Whole records from a byte offset on.

    Args:
        path: The journal, possibly while another process appends to it.
        offset: 0, or what an earlier call returned.

    Returns:
        The records, and the offset to continue from. An absent or unborn journal has none.

    Raises:
        JobFolderError: The file is no journal or of a newer version.
    """
    try:
        with path.open("rb") as file:
            if offset == 0:
                header = file.read(len(HEADER))
                if len(header) < len(HEADER):
                    return [], 0
                check_header(header, path)
                offset = len(HEADER)
            else:
                file.seek(offset)
            data = file.read()
    except FileNotFoundError:
        return [], offset
    records, length = _scan(data)
    return records, offset + length


class JournalWriter:
    """Appends records; opening it cuts off what a crash left half written."""

    def __init__(self, path: Path) -> None:
        """Open or create the journal.

        Raises:
            JobFolderError: The file is no journal or of a newer version.
            OSError: It cannot be written.
        """
        self.path = path
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(path, flags, 0o644)
        try:
            self._recover()
        except BaseException:
            os.close(self._descriptor)
            raise

    def _recover(self) -> None:
        data = self.path.read_bytes()
        if len(data) < len(HEADER):
            if data and not HEADER.startswith(data):
                check_header(data.ljust(len(HEADER), b"\0"), self.path)
            os.ftruncate(self._descriptor, 0)
            append_whole(self._descriptor, HEADER)
            os.fsync(self._descriptor)
            return
        check_header(data, self.path)
        _, length = _scan(data[len(HEADER) :])
        keep = len(HEADER) + length
        if keep == len(data):
            return
        torn = data[keep:]
        if _is_damage(torn):
            self.path.with_suffix(".damaged").write_bytes(torn)
        os.ftruncate(self._descriptor, keep)
        os.fsync(self._descriptor)

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return os.fstat(self._descriptor).st_size

    def append(self, record: Record, *, sync: bool = True) -> None:
        """Add one record.

        Args:
            record: What happened.
            sync: Wait until it is on the disk; progress and the like can do without.

        Raises:
            OSError: The disk is full or gone; the journal is as it was before.
        """
        append_whole(self._descriptor, _framed(record))
        if sync:
            os.fsync(self._descriptor)

    def append_all(self, records: Sequence[Record]) -> None:
        """Add records that belong together, in one stroke, and wait until they are on the disk.

        Raises:
            OSError: The disk is full or gone; the journal is as it was before.
        """
        append_whole(self._descriptor, b"".join(map(_framed, records)))
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _framed(record: Record) -> bytes:
    payload = _encoder.encode(record)
    return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload


def _is_damage(torn: bytes) -> bool:
    """Whether a whole frame with a wrong checksum stands here, rather than a half-written one."""
    if len(torn) < _FRAME.size:
        return False
    length: int = _FRAME.unpack_from(torn)[0]
    return length > RECORD_BYTES_MAX or len(torn) >= _FRAME.size + length

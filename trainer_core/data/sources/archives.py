"""The members of zip and tar archives, as streams. Nothing is ever unpacked to a path.

A member's name is a title and nothing else, so `../../etc/passwd` harms nobody.
"""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, cast

from trainer_core.data.sources.documents import LeaveOut
from trainer_core.data.sources.markup import ZIP_ERRORS
from trainer_core.data.sources.packed import AsFile, Budget, Unpacked
from trainer_core.data.sources.reading import NoText, Readable

_RESOURCE_FORKS = "__MACOSX"
_ENCRYPTED = 0x1


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive, to be read before the next one is asked for, or never."""

    name: str
    stream: Readable


def _is_hidden(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return _RESOURCE_FORKS in parts or any(
        part.startswith(".") and part not in (".", "..") for part in parts
    )


def zip_members(
    file: IO[bytes], path: str, budget: Budget, leave_out: LeaveOut
) -> Iterator[Member]:
    """The files of a zip archive, in the order of its table of contents.

    Args:
        file: Can be read in any order.
        path: The archive's.
        budget: Of the file that it comes from.
        leave_out: Told of members that cannot be read.

    Raises:
        NoText: The archive is damaged.
    """
    try:
        archive = zipfile.ZipFile(file)
    except (*ZIP_ERRORS, OSError):
        raise NoText("broken") from None
    with archive:
        for info in archive.infolist():
            if info.filename.endswith("/"):
                continue
            where = f"{path}/{info.filename}"
            if _is_hidden(info.filename):
                leave_out("hidden", where)
            elif info.flag_bits & _ENCRYPTED:
                leave_out("locked", where)
            else:
                try:
                    with archive.open(info) as member:
                        yield Member(info.filename, Unpacked(_Zipped(member), budget))
                except (*ZIP_ERRORS, OSError):
                    leave_out("broken", where)


class _Zipped:
    """A member of a zip archive, whose own errors are told as those of a damaged file."""

    def __init__(self, member: IO[bytes]) -> None:
        self._member = member

    def read(self, size: int, /) -> bytes:
        """The next bytes.

        Raises:
            NoText: They are not those that were packed.
        """
        try:
            return self._member.read(size)
        except ZIP_ERRORS:
            raise NoText("broken") from None


def tar_members(
    stream: Readable, path: str, budget: Budget, leave_out: LeaveOut
) -> Iterator[Member]:
    """The files of a tar archive, in their order; the archive is read once, from front to back.

    Args:
        stream: The archive, unpacked.
        path: The archive's.
        budget: Of the file that it comes from.
        leave_out: Told of members that cannot be read.

    Raises:
        NoText: The archive is damaged or cut off.
    """
    for info, content in _tar_files(stream):
        where = f"{path}/{info.name}"
        if _is_hidden(info.name):
            leave_out("hidden", where)
        elif info.issym() or info.islnk():
            leave_out("archive_link", where)
        elif content is None:
            leave_out("special", where)
        else:
            yield Member(info.name, Unpacked(_Tarred(content, info.size), budget))


def _tar_files(stream: Readable) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
    """What is no folder, with its content if it is a file; all that the library raises ends here.

    Raises:
        NoText: The archive is damaged or cut off.
    """
    try:
        with tarfile.open(fileobj=cast(IO[bytes], AsFile(b"", stream)), mode="r|") as archive:
            for info in archive:
                if not info.isdir():
                    is_file = info.isfile()
                    yield info, archive.extractfile(info) if is_file else None
                archive.members = []  # type: ignore[attr-defined]  # else all are remembered
    except (tarfile.TarError, EOFError, OSError, ValueError, OverflowError):
        raise NoText("broken") from None


class _Tarred:
    """A member of a tar archive, which is damaged if it is shorter than it should be."""

    def __init__(self, member: IO[bytes], size: int) -> None:
        self._member = member
        self._left = size

    def read(self, size: int, /) -> bytes:
        """The next bytes.

        Raises:
            NoText: The archive ends too early.
        """
        try:
            data = self._member.read(size)
        except (tarfile.TarError, EOFError):
            raise NoText("broken") from None
        self._left -= len(data)
        if not data and self._left:
            raise NoText("broken")
        return data

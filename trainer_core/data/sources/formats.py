"""The documents of one file, by what its name and its first bytes say it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import IO, BinaryIO

from trainer_core.data.sources.archives import tar_members, zip_members
from trainer_core.data.sources.documents import FoundDocument, LeaveOut
from trainer_core.data.sources.encodings import AUTO, Recoded
from trainer_core.data.sources.markup import epub_parts, html_parts
from trainer_core.data.sources.packed import (
    HEAD_BYTES,
    Budget,
    WithHead,
    head_of,
    name_inside,
    unpacked,
    with_seek,
)
from trainer_core.data.sources.reading import NoText, Readable, decoded, in_parts
from trainer_core.data.sources.records import json_documents, json_line_documents
from trainer_core.data.sources.tables import parquet_documents, table_documents

ARCHIVES = (".zip", ".tar")
PACKED_AT_MOST = 3
"""Packed this many times over (`a.txt.gz.xz`), a file is taken for a bomb."""


@dataclass(frozen=True, slots=True)
class Item:
    """A stream of bytes with a name: a file, what it holds packed, or a member of an archive.

    Attributes:
        name: Says which format it is.
        title: Short name for people.
        path: Whole name for people.
        stream: Its bytes.
        budget: Of the file that it comes from.
        file: The same bytes, where they can be read in any order.
        in_archive: It is a member of an archive.
    """

    name: str
    title: str
    path: str
    stream: Readable
    budget: Budget
    file: IO[bytes] | None = None
    in_archive: bool = False

    @property
    def ending(self) -> str:
        """The name's last ending, such as `.txt`."""
        return os.path.splitext(self.name)[1].lower()  # noqa: PTH122 - may be no path

    def with_seek(self) -> IO[bytes]:
        """The bytes as a file that can be read in any order."""
        return self.file or with_seek(self.stream)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of the files.

    Attributes:
        field: Name of the field or column with the text; empty finds it.
        suffixes: Endings of the members of archives that are wanted; empty takes all.
        encoding: Of the text; empty is UTF-8, `auto` finds it.
    """

    field: str = ""
    suffixes: tuple[str, ...] = ()
    encoding: str = ""


def has_suffix(name: str, suffixes: tuple[str, ...]) -> bool:
    """Whether a file of this name is wanted, packed or not."""
    lower = name.lower()
    return not suffixes or lower.endswith(suffixes) or name_inside(lower).endswith(suffixes)


def documents_in(
    file: BinaryIO, title: str, path: str, wanted: Wanted, leave_out: LeaveOut
) -> Iterator[FoundDocument]:
    """The documents of an open file, in its order.

    Args:
        file: At its beginning.
        title: Short name of the file.
        path: Whole name of the file.
        wanted: What is wanted of it.
        leave_out: Told of everything inside that gives no document.

    Raises:
        NoText: The file as a whole, or the rest of it, cannot be used. What was given before is
            whole.
    """
    budget = Budget(os.fstat(file.fileno()).st_size)
    return _documents(Item(path, title, path, file, budget, file), wanted, leave_out)


def _documents(item: Item, wanted: Wanted, leave_out: LeaveOut) -> Iterator[FoundDocument]:
    item = _unpacked(item)
    if item.ending in ARCHIVES:
        return _members(item, wanted, leave_out)
    reader = _READERS.get(item.ending, _plain)
    if wanted.encoding and reader not in _OF_BYTES and not _says_itself(reader, wanted):
        item = replace(item, stream=Recoded(item.stream, wanted.encoding), file=None)
    return reader(item, wanted, leave_out)


def _says_itself(reader: Reader, wanted: Wanted) -> bool:
    """Whether a format names its encoding, and nobody knows better."""
    return reader is _html and wanted.encoding == AUTO


def _unpacked(item: Item) -> Item:
    """The item without what it is packed in; the first bytes tell, whatever the name."""
    for _ in range(PACKED_AT_MOST):
        head = head_of(item.stream, HEAD_BYTES)
        content = unpacked(head, item.stream, item.budget)
        if content is None:
            if item.file is not None:
                item.file.seek(0)
                return item
            return replace(item, stream=WithHead(head, item.stream))
        item = replace(item, name=name_inside(item.name), stream=content, file=None)
    raise NoText("bomb")


def _members(item: Item, wanted: Wanted, leave_out: LeaveOut) -> Iterator[FoundDocument]:
    if item.in_archive:
        raise NoText("nested")
    if item.ending == ".zip":
        members = zip_members(item.with_seek(), item.path, item.budget, leave_out)
    else:
        members = tar_members(item.stream, item.path, item.budget, leave_out)
    for member in members:
        title, path = f"{item.title}/{member.name}", f"{item.path}/{member.name}"
        if not has_suffix(member.name, wanted.suffixes):
            leave_out("other_suffix", path)
            continue
        inner = Item(member.name, title, path, member.stream, item.budget, in_archive=True)
        try:
            yield from _documents(inner, wanted, leave_out)
        except NoText as error:
            leave_out(error.reason, path)


# --- one reader for each format ----------------------------------------------------------------

Reader = Callable[[Item, Wanted, LeaveOut], Iterator[FoundDocument]]


def _plain(item: Item, wanted: Wanted, leave_out: LeaveOut) -> Iterator[FoundDocument]:
    yield FoundDocument(item.title, item.path, in_parts(decoded(item.stream)))


def _html(item: Item, wanted: Wanted, leave_out: LeaveOut) -> Iterator[FoundDocument]:
    yield FoundDocument(item.title, item.path, in_parts(html_parts(item.stream)))


def _epub(item: Item, wanted: Wanted, leave_out: LeaveOut) -> Iterator[FoundDocument]:
    parts = in_parts(epub_parts(item.with_seek(), item.budget))
    yield FoundDocument(item.title, item.path, parts)


def _json_lines(item: Item, wanted: Wanted, leave_out: LeaveOut) -> Iterator[FoundDocument]:
    return json_line_documents(item.stream, item.title, item.path, wanted.field, leave_out)


def _json(item: Item, wanted: Wanted, leave_out: LeaveOut) -> Iterator[FoundDocument]:
    return json_documents(item.stream, item.title, item.path, wanted.field, leave_out)


def _table(item: Item, wanted: Wanted, leave_out: LeaveOut) -> Iterator[FoundDocument]:
    return table_documents(item.stream, item.title, item.path, wanted.field, leave_out)


def _parquet(item: Item, wanted: Wanted, leave_out: LeaveOut) -> Iterator[FoundDocument]:
    file = item.with_seek()
    return parquet_documents(file, item.title, item.path, wanted.field, item.budget, leave_out)


_OF_BYTES = (_epub, _parquet)
_READERS: dict[str, Reader] = {
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json,
    ".csv": _table,
    ".tsv": _table,
    ".parquet": _parquet,
    ".html": _html,
    ".htm": _html,
    ".xhtml": _html,
    ".epub": _epub,
}

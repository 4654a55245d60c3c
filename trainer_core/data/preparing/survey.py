"""What is remembered of the documents of all sources, and how they are read once more.

A document is remembered as a few numbers, so that tens of millions of them fit into memory; its
name and its text come from the next reading.
"""

from __future__ import annotations

import dataclasses
import hashlib
import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

from trainer_core.data.cleaning.near import RECORD_BYTES as SIGNATURE_BYTES
from trainer_core.data.cleaning.report import CleaningCounts
from trainer_core.data.preparing.digests import Digests
from trainer_core.data.preparing.growing import GrowingFile, Lost
from trainer_core.data.preparing.split import DIGEST_BYTES, DocumentKey
from trainer_core.data.sources.documents import FoundDocument
from trainer_core.data.sources.protocol import OpenSource
from trainer_core.data.sources.reading import NoText
from trainer_core.data.sources.skipped import Reason, Skipped

_DOCUMENT = struct.Struct(f"<{DIGEST_BYTES}sQQ")  # hash and bytes of the text, place in its file
_FILE = struct.Struct("<QQQ")  # number of the source, of the file in it, of its first document
_DOCUMENTS_NAME, _FILES_NAME = "documents.bin", "files.bin"
SIGNATURES_NAME = "signatures.bin"

Report = Callable[[str, float, float, str], None]
"""Told the phase, how much is done, of how much, and the unit; may raise to end the work."""


@dataclass
class NamedSource:
    """A source under way.

    Attributes:
        name: What it is called in reports.
        description: What it is, in a few words.
        field: Path of its settings, for messages.
        opened: Its files.
        skipped: What was left out of it.
        cleaning: What the cleaning steps did to it.
    """

    name: str
    description: str
    field: str
    opened: OpenSource
    skipped: Skipped = dataclasses.field(default_factory=Skipped)
    cleaning: CleaningCounts = dataclasses.field(default_factory=CleaningCounts)


class Changed(Exception):  # noqa: N818 - an outcome: the file is reported, the work goes on
    """A document's text is another than when it was first read.

    Args:
        reason: Whether the document changed, or its file vanished.
        path: Of the document.
    """

    def __init__(self, reason: Reason, path: str) -> None:
        super().__init__(reason, path)
        self.reason: Reason = reason
        self.path = path


@dataclass(frozen=True, slots=True)
class ReadAgain:
    """A document that is read once more.

    Attributes:
        number: Of the document in the survey.
        source: Number of its source.
        title: Short name for people.
        path: Where it was read from.
        texts: Its text in parts; raises `Changed` if it is another one now, which may be known only
            after the last part.
    """

    number: int
    source: int
    title: str
    path: str
    texts: Iterator[str]


class Survey(Sequence[DocumentKey]):
    """Every document with usable text, in the order of the sources.

    Args:
        sources: In the order of the settings.
        folder: Where it is also written down, so that it can be gone on with; None writes nothing.
        documents: How many documents of an earlier attempt the folder holds.
        files: The same of its files.
        signed: Keep a signature of each document in the folder too, to find near duplicates.

    Raises:
        Lost: The folder holds less than that.
        OSError: The folder cannot be used.
    """

    def __init__(
        self,
        sources: Sequence[NamedSource],
        folder: Path | None = None,
        *,
        documents: int = 0,
        files: int = 0,
        signed: bool = False,
    ) -> None:
        self.sources = sources
        self.signed = signed
        self._digests = Digests()
        self._sizes = array("Q")
        self._places = array("Q")
        """Which of its file's documents each one is, those counted that are left out."""
        self._file_sources, self._file_numbers = array("Q"), array("Q")
        self._file_begins = array("Q")
        """Number of the first document of each file with any."""
        self._kept: tuple[GrowingFile, ...] = ()
        """Documents, files, and signatures where these are wanted."""
        if folder is not None:
            self._read(folder, documents, files)
            sizes = {_DOCUMENTS_NAME: documents * _DOCUMENT.size, _FILES_NAME: files * _FILE.size}
            if signed:
                sizes[SIGNATURES_NAME] = documents * SIGNATURE_BYTES
            self._kept = tuple(GrowingFile(folder / name, size) for name, size in sizes.items())

    def __len__(self) -> int:
        return len(self._sizes)

    @overload
    def __getitem__(self, number: int) -> DocumentKey: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[DocumentKey]: ...
    def __getitem__(self, number: int | slice) -> DocumentKey | Sequence[DocumentKey]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        return DocumentKey(self._digests[number], self._sizes[number])

    @property
    def n_bytes(self) -> int:
        """Bytes of all texts."""
        return sum(self._sizes)

    @property
    def n_files(self) -> int:
        """Files that gave any document."""
        return len(self._file_begins)

    def size(self, number: int) -> int:
        """Bytes of a document's text."""
        return self._sizes[number]

    def documents_of(self, source: int) -> range:
        """Numbers of the documents of one source."""
        ends = [bisect_left(self._file_sources, source), bisect_right(self._file_sources, source)]
        begin, end = (
            self._file_begins[at] if at < len(self._file_begins) else len(self) for at in ends
        )
        return range(begin, end)

    def counts(self, source: int) -> tuple[int, int]:
        """Documents of one source, and the bytes of their texts."""
        numbers = self.documents_of(source)
        return len(numbers), sum(self._sizes[numbers.start : numbers.stop])

    def add(
        self, source: int, file: int, place: int, key: DocumentKey, signature: bytes = b""
    ) -> bool:
        """Remember one document more.

        Args:
            source: Number of its source.
            file: Number of its file in the source.
            place: Which of the file's documents it is.
            key: Its text.
            signature: Of its text, where documents are signed.

        Returns:
            Whether its text is new; if not, it is not remembered.
        """
        if not self._digests.add(key.digest):
            return False
        last = len(self._file_begins) - 1
        if last < 0 or (self._file_sources[last], self._file_numbers[last]) != (source, file):
            self._add_file(source, file, len(self))
        self._sizes.append(key.n_bytes)
        self._places.append(place)
        if self._kept:
            self._kept[0].append(_DOCUMENT.pack(key.digest, key.n_bytes, place))
            if self.signed:
                self._kept[2].append(signature)
        return True

    def _add_file(self, source: int, file: int, begin: int) -> None:
        self._file_sources.append(source)
        self._file_numbers.append(file)
        self._file_begins.append(begin)
        if self._kept:
            self._kept[1].append(_FILE.pack(source, file, begin))

    def sync(self) -> None:
        """Wait until everything is on the disk."""
        for file in self._kept:
            file.sync()

    def close(self) -> None:
        """Write nothing more down."""
        for file in self._kept:
            file.close()
        self._kept = ()

    def _read(self, folder: Path, documents: int, files: int) -> None:
        """Take back what an earlier attempt wrote down."""
        for digest, n_bytes, place in _rows(folder / _DOCUMENTS_NAME, _DOCUMENT, documents):
            self._digests.add(digest)
            self._sizes.append(n_bytes)
            self._places.append(place)
        for source, file, begin in _rows(folder / _FILES_NAME, _FILE, files):
            self._add_file(source, file, begin)

    def again(self, wanted: Callable[[int], bool] = lambda _: True) -> Iterator[ReadAgain]:
        """Every document once more, in order. Read each before asking for the next one, or never.

        Args:
            wanted: Whether the document of a number is wanted.
        """
        for at, begin in enumerate(self._file_begins):
            end = self._file_begins[at + 1] if at + 1 < self.n_files else len(self)
            yield from self._again_in(at, filter(wanted, range(begin, end)))

    def _again_in(self, at: int, numbers: Iterator[int]) -> Iterator[ReadAgain]:
        """The documents of one file; those that are not in it any more are given as changed."""
        number = next(numbers, None)
        if number is None:
            return
        source = self._file_sources[at]
        opened = self.sources[source].opened
        file = opened.files[self._file_numbers[at]]
        reason: Reason = "changed"
        try:
            for place, document in enumerate(opened.documents(file, _nothing, _nothing)):
                if number is not None and place == self._places[number]:
                    texts = self._checked(number, document)
                    yield ReadAgain(number, source, document.title, document.path, texts)
                    number = next(numbers, None)
                if number is None:
                    return
        except NoText as error:
            reason = "vanished" if error.reason == "vanished" else "changed"
        while number is not None:
            yield ReadAgain(number, source, file.title, file.path, _changed(reason, file.path))
            number = next(numbers, None)

    def _checked(self, number: int, document: FoundDocument) -> Iterator[str]:
        """The text of a document, as it was read before."""
        hashed = hashlib.blake2b(digest_size=DIGEST_BYTES)
        try:
            held: str | None = None
            for part in document.parts:
                hashed.update(part.encode())
                # One part is held back, so that a text in one part is checked before it is used.
                if held is not None:
                    yield held
                held = part
        except NoText:
            raise Changed("changed", document.path) from None
        if hashed.digest() != self._digests[number]:
            raise Changed("changed", document.path)
        if held is not None:
            yield held


def _nothing(*_: object) -> None:
    """Told before, and no news now."""


def _changed(reason: Reason, path: str) -> Iterator[str]:
    yield from ()
    raise Changed(reason, path)


def _rows(path: Path, row: struct.Struct, count: int) -> Iterator[tuple[Any, ...]]:
    """The first rows of a file.

    Raises:
        Lost: It has fewer.
        OSError: It cannot be read.
    """
    if not count:
        return
    if not path.exists():
        raise Lost(f"{path} is gone.")
    with path.open("rb") as file:
        for _ in range(count):
            data = file.read(row.size)
            if len(data) < row.size:
                raise Lost(f"{path} has fewer than {count:,} rows.")
            yield row.unpack(data)

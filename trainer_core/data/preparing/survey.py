"""The first reading of the sources: which documents hold usable text, and the hash of each text.

A document is remembered as a few numbers, so that tens of millions of them fit into memory; its
name and its text come from the next reading.
"""

from __future__ import annotations

import dataclasses
import hashlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, overload

from trainer_core.data.preparing.digests import Digests
from trainer_core.data.preparing.split import DIGEST_BYTES, DocumentKey
from trainer_core.data.sources.documents import FoundDocument, LeaveOut
from trainer_core.data.sources.files import Place, SourceFile
from trainer_core.data.sources.reading import NoText
from trainer_core.data.sources.skipped import Reason, Skipped
from trainer_core.errors import DataError

Report = Callable[[str, float, float, str], None]
"""Told the phase, how much is done, of how much, and the unit; may raise to end the work."""


class OpenSource(Protocol):
    """A source whose files, or what stands for them, are listed."""

    @property
    def files(self) -> Sequence[SourceFile]:
        """What is read, in order."""

    @property
    def max_bytes(self) -> int:
        """Read no further after this much text; 0 reads all."""

    def documents(
        self, file: SourceFile, leave_out: LeaveOut, watch: Callable[[Place], None]
    ) -> Iterator[FoundDocument]:
        """The documents of one of the files, in its order, the same at every reading."""


@dataclass
class NamedSource:
    """A source under way.

    Attributes:
        name: What it is called in reports.
        description: What it is, in a few words.
        field: Path of its settings, for messages.
        opened: Its files.
        skipped: What was left out of it.
    """

    name: str
    description: str
    field: str
    opened: OpenSource
    skipped: Skipped = dataclasses.field(default_factory=Skipped)


class Changed(Exception):  # noqa: N818 - an outcome: the file is reported, the work goes on
    """A document's text is another than when it was first read."""


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
    """

    def __init__(self, sources: Sequence[NamedSource]) -> None:
        self.sources = sources
        self._digests = Digests()
        self._sizes = array("Q")
        self._places = array("Q")
        """Which of its file's documents each one is, those counted that are left out."""
        self._files: list[tuple[int, SourceFile, int]] = []
        """Source, file and number of its last document + 1, of files with any."""

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

    def counts(self, source: int) -> tuple[int, int]:
        """Documents of one source, and the bytes of their texts."""
        ends = [end for number, _, end in self._files if number <= source]
        begins = [end for number, _, end in self._files if number < source]
        begin, end = (max(part, default=0) for part in (begins, ends))
        return end - begin, sum(self._sizes[begin:end])

    def add(self, source: int, file: SourceFile, place: int, key: DocumentKey) -> bool:
        """Remember one document more, the `place`th of its file; False if its text is known."""
        if not self._digests.add(key.digest):
            return False
        if not self._files or self._files[-1][1] is not file:
            self._files.append((source, file, len(self)))
        self._sizes.append(key.n_bytes)
        self._places.append(place)
        self._files[-1] = (source, file, len(self))
        return True

    def again(
        self, wanted: Callable[[int], bool] = lambda _: True, *, tell: bool = False
    ) -> Iterator[ReadAgain]:
        """Every document once more, in order. Read each before asking for the next one, or never.

        Args:
            wanted: Whether the document of a number is wanted.
            tell: Add those that have changed to what their sources left out.
        """
        begin = 0
        for source, file, end in self._files:
            numbers = filter(wanted, range(begin, end))
            begin = end
            yield from self._again_in(source, file, numbers, tell)

    def _again_in(
        self, source: int, file: SourceFile, numbers: Iterator[int], tell: bool
    ) -> Iterator[ReadAgain]:
        """The documents of one file; those that are not in it any more are given as changed."""
        skipped = self.sources[source].skipped if tell else Skipped()
        number = next(numbers, None)
        if number is None:
            return
        reason: Reason = "changed"
        try:
            found = self.sources[source].opened.documents(file, _nothing, _nothing)
            for place, document in enumerate(found):
                if number is not None and place == self._places[number]:
                    texts = self._checked(number, document, skipped)
                    yield ReadAgain(number, source, document.title, document.path, texts)
                    number = next(numbers, None)
                if number is None:
                    return
        except NoText as error:
            reason = "vanished" if error.reason == "vanished" else "changed"
        while number is not None:
            skipped.add(reason, file.path)
            yield ReadAgain(number, source, file.title, file.path, _changed())
            number = next(numbers, None)

    def _checked(self, number: int, document: FoundDocument, skipped: Skipped) -> Iterator[str]:
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
            skipped.add("changed", document.path)
            raise Changed from None
        if hashed.digest() != self[number].digest:
            skipped.add("changed", document.path)
            raise Changed
        if held is not None:
            yield held


def _nothing(*_: object) -> None:
    """Told before, and no news now."""


def _changed() -> Iterator[str]:
    yield from ()
    raise Changed


def survey(sources: Sequence[NamedSource], report: Report) -> Survey:
    """Read every document of the sources once.

    Texts that are equal to an earlier one are left out, so that no validation document is also a
    training document.

    Raises:
        DataError: Nothing in one of the sources is usable text.
    """
    found = Survey(sources)
    progress = _Progress(sources, report)
    for number, source in enumerate(sources):
        before = len(found)
        progress.begin_source(number)
        for file in source.opened.files:
            progress.begin_file(file)
            _survey_file(found, number, file, progress)
            progress.end_file()
            if progress.enough:
                break
        if len(found) == before and not source.skipped.counts["duplicate"]:
            raise _nothing_usable(source)
    progress.finish()
    return found


def _survey_file(found: Survey, number: int, file: SourceFile, progress: _Progress) -> None:
    source = found.sources[number]

    def leave_out(reason: Reason, path: str) -> None:
        source.skipped.add(reason, path)
        progress.tick()

    try:
        documents = source.opened.documents(file, leave_out, progress.watch)
        for place, document in enumerate(documents):
            key = _key_of(document, leave_out, progress.tick)
            if key is None:
                continue
            if not found.add(number, file, place, key):
                leave_out("duplicate", document.path)
                continue
            progress.n_bytes += key.n_bytes
            if progress.enough:
                return
    except NoText as error:
        source.skipped.add(error.reason, file.path)


def _key_of(
    document: FoundDocument, leave_out: LeaveOut, tick: Callable[[], None]
) -> DocumentKey | None:
    hashed = hashlib.blake2b(digest_size=DIGEST_BYTES)
    n_bytes = 0
    try:
        for part in document.parts:
            tick()
            data = part.encode()
            hashed.update(data)
            n_bytes += len(data)
    except NoText as error:
        leave_out(error.reason, document.path)
        return None
    return DocumentKey(hashed.digest(), n_bytes)


def _nothing_usable(source: NamedSource) -> DataError:
    groups = [f"{group.count:,} {group.meaning}" for group in source.skipped.groups()]
    found = "; ".join(groups[:4]) or "there are no files"
    asked = bool(source.skipped.counts["no_field"] or source.skipped.counts["no_string"])
    return DataError(
        f"There is no usable text in the source ({source.description}): {found}.",
        safe="Nothing was written.",
        do="Name the field or column that holds the text, or choose other files."
        if asked
        else "Choose files with UTF-8 text.",
        field=f"{source.field}.field" if asked else source.field,
    )


class _Progress:
    """How far the reading is: in bytes of text where a source has a limit, else of its files."""

    def __init__(self, sources: Sequence[NamedSource], report: Report) -> None:
        self.n_bytes = 0
        """Of text, in this source."""
        self._report = report
        self._sources = sources
        self._sizes = [
            source.opened.max_bytes or sum(file.size_bytes for file in source.opened.files)
            for source in sources
        ]
        self._total = max(sum(self._sizes), 1)
        self._done = 0
        self._number = 0
        self._files_done = 0
        self._file_bytes = 0
        self._place: Place = int

    @property
    def enough(self) -> bool:
        """Whether the source's limit is reached."""
        limit = self._sources[self._number].opened.max_bytes
        return 0 < limit <= self.n_bytes

    def begin_source(self, number: int) -> None:
        self._number, self._files_done, self.n_bytes = number, 0, 0

    def begin_file(self, file: SourceFile) -> None:
        self._file_bytes = file.size_bytes

    def end_file(self) -> None:
        self._files_done += self._file_bytes
        self._place = int

    def watch(self, place: Place) -> None:
        """Take the function that tells how far the file is read."""
        self._place = place

    def tick(self) -> None:
        done = self._files_done + min(self._place(), self._file_bytes)
        if self._sources[self._number].opened.max_bytes:
            done = self.n_bytes
        before, size = sum(self._sizes[: self._number]), self._sizes[self._number]
        self._report(
            "reading", min(before + min(done, size), self._total - 1), self._total, "bytes"
        )

    def finish(self) -> None:
        self._report("reading", self._total, self._total, "bytes")

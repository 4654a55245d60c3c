"""The first reading of the sources: which documents hold usable text, and the hash of each text."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from trainer_core.data.cleaning.near import Signature
from trainer_core.data.cleaning.report import LEAVES_OUT
from trainer_core.data.preparing.notes import Notes, Reading
from trainer_core.data.preparing.split import DIGEST_BYTES, DocumentKey
from trainer_core.data.preparing.survey import NamedSource, Report, Survey
from trainer_core.data.sources.documents import FoundDocument, LeaveOut
from trainer_core.data.sources.files import Place, SourceFile
from trainer_core.data.sources.reading import NoText
from trainer_core.data.sources.skipped import Reason
from trainer_core.errors import DataError

SURVEY_FOLDER = "survey"


def survey(
    sources: Sequence[NamedSource],
    report: Report,
    notes: Notes | None = None,
    *,
    signed: bool = False,
) -> Survey:
    """Read every document of the sources once.

    Texts that are equal to an earlier one are left out, so that no validation document is also a
    training document.

    Args:
        sources: In the order of the settings.
        report: Told of the progress; may raise to end the work.
        notes: Says where an earlier attempt ended, and is told how far this one is.
        signed: Keep a signature of each document beside the notes, to find near duplicates.

    Raises:
        DataError: Nothing in one of the sources is usable text.
        OSError: The survey cannot be written down.
    """
    if notes is None:
        return _read(Survey(sources), Reading(), report, None)
    begun = notes.reading
    folder = notes.folder / SURVEY_FOLDER
    folder.mkdir(exist_ok=True)
    found = Survey(sources, folder, documents=begun.documents, files=begun.files, signed=signed)
    try:
        for source, skipped, cleaning in zip(sources, begun.skipped, begun.cleaning, strict=False):
            source.skipped.restore(skipped)
            source.cleaning.restore(cleaning)
        return found if begun.done else _read(found, begun, report, notes)
    finally:
        found.close()


def _read(found: Survey, begun: Reading, report: Report, notes: Notes | None) -> Survey:
    """Read what is not in the survey yet."""
    progress = _Progress(found.sources, report)
    keep = _Keep(found, notes, progress)
    for number, source in enumerate(found.sources):
        progress.begin_source(number)
        source.cleaning.counting = True
        if number == begun.source:
            progress.n_bytes = begun.n_bytes
        for at, file in enumerate(source.opened.files):
            progress.begin_file(file)
            if (number, at) >= (begun.source, begun.file) and not progress.enough:
                places = begun.places if (number, at) == (begun.source, begun.file) else 0
                _survey_file(found, number, at, places, progress, keep)
            progress.end_file()
            if progress.enough:
                break
        if not found.documents_of(number) and not source.skipped.counts["duplicate"]:
            raise _nothing_usable(source)
        source.cleaning.counting = False
    keep.note(len(found.sources), 0, 0, done=True)
    progress.finish()
    return found


class _Keep:
    """Notes how far the first reading is, now and then."""

    def __init__(self, found: Survey, notes: Notes | None, progress: _Progress) -> None:
        self._found, self._notes, self._progress = found, notes, progress

    def now_and_then(self, source: int, file: int, places: int) -> None:
        """Note it if it is time; the arguments are as in `Reading`."""
        if self._notes is not None and self._notes.due():
            self.note(source, file, places)

    def note(self, source: int, file: int, places: int, *, done: bool = False) -> None:
        """Note it."""
        if self._notes is None:
            return
        self._found.sync()
        self._notes.note(
            Reading(
                documents=len(self._found),
                files=self._found.n_files,
                source=source,
                file=file,
                places=places,
                n_bytes=self._progress.n_bytes,
                skipped=tuple(one.skipped.state() for one in self._found.sources),
                cleaning=tuple(one.cleaning.state() for one in self._found.sources),
                done=done,
            )
        )


def _survey_file(
    found: Survey, number: int, at: int, places: int, progress: _Progress, keep: _Keep
) -> None:
    """Read one file.

    Args:
        found: Takes its documents.
        number: Of its source.
        at: Number of the file in the source.
        places: Documents of it that an earlier attempt has read.
        progress: Told of every part.
        keep: Told of every document.
    """
    source = found.sources[number]
    file = source.opened.files[at]
    counting = not places

    def leave_out(reason: Reason, path: str) -> None:
        if counting:
            source.skipped.add(reason, path)
        progress.tick()

    try:
        documents = source.opened.documents(file, leave_out, progress.watch)
        for place, document in enumerate(documents):
            if place < places:
                # What was left out behind the last of these was not counted when it was noted.
                counting = place + 1 == places
                progress.tick()
                continue
            signature = Signature() if found.signed else None
            key = _key_of(document, leave_out, progress.tick, signature)
            signed = signature.digest() if signature is not None else b""
            if key is not None and found.add(number, at, place, key, signed):
                progress.n_bytes += key.n_bytes
            elif key is not None:
                leave_out("duplicate", document.path)
            keep.now_and_then(number, at, place + 1)
            if progress.enough:
                return
    except NoText as error:
        source.skipped.add(error.reason, file.path)
    keep.now_and_then(number, at + 1, 0)


def _key_of(
    document: FoundDocument,
    leave_out: LeaveOut,
    tick: Callable[[], None],
    signature: Signature | None,
) -> DocumentKey | None:
    hashed = hashlib.blake2b(digest_size=DIGEST_BYTES)
    n_bytes = 0
    try:
        for part in document.parts:
            tick()
            data = part.encode()
            hashed.update(data)
            n_bytes += len(data)
            if signature is not None:
                signature.add(part)
    except NoText as error:
        leave_out(error.reason, document.path)
        return None
    return DocumentKey(hashed.digest(), n_bytes)


def _nothing_usable(source: NamedSource) -> DataError:
    counts = source.skipped.counts
    groups = [f"{group.count:,} {group.meaning}" for group in source.skipped.groups()]
    found = "; ".join(groups[:4]) or "there are no files"
    do, field = "Choose files with UTF-8 text.", source.field
    if counts["no_field"] or counts["no_string"]:
        do = "Name the field or column that holds the text, or choose other files."
        field = f"{source.field}.field"
    if any(counts[reason] for reasons in LEAVES_OUT.values() for reason in reasons):
        do, field = "Let more documents through the cleaning, or choose other files.", "cleaning"
    return DataError(
        f"There is no usable text in the source ({source.description}): {found}.",
        safe="Nothing was written.",
        do=do,
        field=field,
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

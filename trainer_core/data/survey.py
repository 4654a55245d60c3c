"""The first reading of a source: which files hold usable text, and the hash of each text."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from trainer_core.data import sources
from trainer_core.data.reading import NoText, read_text
from trainer_core.data.skipped import Skipped
from trainer_core.data.sources import SourceFile
from trainer_core.data.split import DIGEST_BYTES, DocumentKey
from trainer_core.errors import DataError
from trainer_core.spec import PythonLibrary, Source

Report = Callable[[str, float, float, str], None]
"""Told the phase, how much is done, of how much, and the unit; may raise to end the work."""


@dataclass(frozen=True, slots=True)
class Document:
    """A file whose text is in the corpus."""

    file: SourceFile
    key: DocumentKey


class Changed(Exception):  # noqa: N818 - an outcome: the file is reported, the work goes on
    """A file's text is another than when it was first read."""


def survey(source: Source, seed: int, skipped: Skipped, report: Report) -> list[Document]:
    """Read every file of a source once.

    Texts that are equal to an earlier one are left out, so that no validation document is also a
    training document.

    Raises:
        DataError: A named path does not exist, or nothing in the source is usable text.
    """
    files = sources.list_files(source, seed, skipped, lambda: report("looking for files", 0, 1, ""))
    most = source.max_bytes if isinstance(source, PythonLibrary) else 0
    documents: list[Document] = []
    seen: set[bytes] = set()
    n_bytes = 0
    for number, file in enumerate(files):

        def tick(number: int = number, n_bytes: int = n_bytes) -> None:
            if most:
                report("reading", n_bytes, most, "bytes")
            else:
                report("reading", number, len(files), "files")

        key = _key_of(file, skipped, tick)
        if key is None:
            continue
        if key.digest in seen:
            skipped.add("duplicate", file.path)
            continue
        seen.add(key.digest)
        documents.append(Document(file, key))
        n_bytes += key.n_bytes
        if most and n_bytes >= most:
            break
    if not documents:
        raise _nothing_usable(source, skipped)
    total, unit = (most, "bytes") if most else (len(files), "files")
    report("reading", total, total, unit)
    return documents


def _key_of(file: SourceFile, skipped: Skipped, tick: Callable[[], None]) -> DocumentKey | None:
    hashed = hashlib.blake2b(digest_size=DIGEST_BYTES)
    n_bytes = 0
    try:
        for part in read_text(file.path):
            tick()
            data = part.encode()
            hashed.update(data)
            n_bytes += len(data)
    except NoText as error:
        skipped.add(error.reason, file.path)
        return None
    return DocumentKey(hashed.digest(), n_bytes)


def _nothing_usable(source: Source, skipped: Skipped) -> DataError:
    groups = [f"{group.count:,} {group.meaning}" for group in skipped.groups()]
    found = "; ".join(groups[:4]) or "there are no files"
    return DataError(
        f"There is no usable text in the source ({sources.describe(source)}): {found}.",
        safe="Nothing was written.",
        do="Choose files with UTF-8 text.",
        field="source",
    )


def read_again(document: Document, skipped: Skipped) -> Iterator[str]:
    """The text of a document, in parts, as the survey read it.

    Raises:
        Changed: It is another text now; this is known only after the last part. Files that grew
            are no exception.
    """
    hashed = hashlib.blake2b(digest_size=DIGEST_BYTES)
    try:
        held: str | None = None
        for part in read_text(document.file.path):
            hashed.update(part.encode())
            # One part is held back, so that a text in one part is checked before it is used.
            if held is not None:
                yield held
            held = part
    except NoText as error:
        skipped.add("vanished" if error.reason == "vanished" else "changed", document.file.path)
        raise Changed from None
    if hashed.digest() != document.key.digest:
        skipped.add("changed", document.file.path)
        raise Changed
    if held is not None:
        yield held


def total_bytes(documents: Sequence[Document]) -> int:
    """Bytes of all texts."""
    return sum(document.key.n_bytes for document in documents)

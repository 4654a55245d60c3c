"""Reading the beginning of one source, document by document, as `prepare` would."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable
from pathlib import Path

from trainer_core.data.cleaning.near import Signature, Signatures, map_signatures
from trainer_core.data.preparing.digests import Digests
from trainer_core.data.preparing.split import DIGEST_BYTES
from trainer_core.data.preparing.survey import NamedSource
from trainer_core.data.preview.report import ShownDocument
from trainer_core.data.sources.documents import FoundDocument
from trainer_core.data.sources.files import Place
from trainer_core.data.sources.reading import NoText
from trainer_core.data.sources.skipped import Reason, printable

SHOWN_BYTES = 4000

Tick = Callable[[int], None]
"""Told the bytes of text that are read; may raise to end the work."""


class Known:
    """What is remembered of the documents of all sources: hashes, and signatures where wanted.

    Args:
        folder: For the names and the signatures.
        signed: Whether near duplicates are looked for.
    """

    def __init__(self, folder: Path, *, signed: bool) -> None:
        self.digests = Digests()
        self._signatures = folder / "signatures.u32"
        self._signed = (self._signatures).open("wb") if signed else None
        self._path = folder / "paths"
        self._paths = self._path.open("wb")
        self._ends = array("Q")

    def signature(self) -> Signature | None:
        """One for a document to come; None where none is wanted."""
        return Signature() if self._signed is not None else None

    def add(self, digest: bytes, path: str, signature: Signature | None) -> bool:
        """Remember a document; False if its text is known."""
        if not self.digests.add(digest):
            return False
        if self._signed is not None and signature is not None:
            self._signed.write(signature.digest())
            self._paths.write(path.encode())
            self._ends.append(self._paths.tell())
        return True

    def signatures(self) -> Signatures:
        """Those of all documents, (D, P)."""
        self.close()
        return map_signatures(self._signatures)

    def path(self, number: int) -> str:
        """Where the document of a number was read from."""
        begin = self._ends[number - 1] if number else 0
        with self._path.open("rb") as file:
            file.seek(begin)
            return file.read(self._ends[number] - begin).decode()

    def close(self) -> None:
        """Write everything down; whoever owns the folder removes it."""
        self._paths.close()
        if self._signed is not None:
            self._signed.close()


class Beginning:
    """The beginning of one source.

    Args:
        source: Opened, with its cleaning.
        max_bytes: Read so much text; 0 reads all.
        show: So many documents are shown.
        known: What the sources before it gave; takes what this one gives.
        tick: Told how far it is.
    """

    def __init__(
        self, source: NamedSource, max_bytes: int, show: int, known: Known, tick: Tick
    ) -> None:
        self.documents: list[ShownDocument] = []
        self.n_documents = 0
        self.n_bytes = 0
        self.share = 0.0
        """Of the source that is read, in bytes of its files as they lie there."""
        self._source, self._show, self._known, self._tick = source, show, known, tick
        limits = [limit for limit in (max_bytes, source.opened.max_bytes) if limit]
        self._limit = min(limits, default=0)
        self._place: Place = int

    def read(self) -> None:
        """Read until it is enough.

        Raises:
            DataError: The source cannot be read any further.
        """
        self._source.cleaning.counting = True
        files = self._source.opened.files
        total = sum(file.size_bytes for file in files)
        done = 0
        for file in files:
            self._place = int
            try:
                for document in self._source.opened.documents(file, self._leave_out, self._watch):
                    self._read_document(document)
                    if self._is_enough:
                        read = done + min(self._place(), file.size_bytes)
                        self.share = read / total if total else 0.0
                        return
            except NoText as error:
                self._leave_out(error.reason, file.path)
            done += file.size_bytes
        self.share = 1.0

    @property
    def _is_enough(self) -> bool:
        return 0 < self._limit <= self.n_bytes

    def _watch(self, place: Place) -> None:
        self._place = place

    def _leave_out(self, reason: Reason, path: str) -> None:
        self._source.skipped.add(reason, path)
        self._tick(self.n_bytes)

    def _read_document(self, document: FoundDocument) -> None:
        hashed = hashlib.blake2b(digest_size=DIGEST_BYTES)
        signature = self._known.signature()
        beginning, n_bytes, is_whole = b"", 0, True
        try:
            for part in document.parts:
                data = part.encode()
                hashed.update(data)
                n_bytes += len(data)
                beginning += data[: SHOWN_BYTES - len(beginning)]
                if signature is not None:
                    signature.add(part)
                self._tick(self.n_bytes + n_bytes)
                if 0 < self._limit <= self.n_bytes + n_bytes:
                    is_whole = next(document.parts, None) is None
                    break
        except NoText as error:
            self._leave_out(error.reason, document.path)
            return
        path = printable(document.path)
        if not self._known.add(hashed.digest(), path, signature):
            self._leave_out("duplicate", document.path)
            return
        self.n_documents += 1
        self.n_bytes += n_bytes
        if len(self.documents) < self._show:
            shown = ShownDocument(
                title=printable(document.title),
                path=path,
                text=beginning.decode("utf-8", "ignore"),
                bytes=n_bytes,
                cut=not is_whole or n_bytes > len(beginning),
            )
            self.documents.append(shown)

"""The text of the lab: a part to measure, and another to learn from, drawn from all over.

Both lie in files, so that memory stays flat. Text is drawn in pieces by their hash, so that a long
book is in both parts, and no piece in more than one, not even where the text has it twice.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from trainer_core.data.corpus import Corpus
from trainer_core.data.dumping.texts import Decoder
from trainer_core.data.preparing.split import position
from trainer_core.data.preparing.survey import NamedSource
from trainer_core.data.sources.reading import NoText
from trainer_core.data.tokenizers.pretokens import pieces
from trainer_core.errors import DataError

PIECE_CHARACTERS = 1 << 14
READ_MOST = 8
"""No more text is read than this many times what is wanted, so that no large dataset is fetched
whole; of larger ones this is the beginning."""
LEARN_MOST = 0.75
"""Share of a text that is shorter than what is wanted, for learning."""
SAMPLES = 3
SAMPLE_CHARACTERS = 1200

_LENGTH = struct.Struct("<Q")
Report = Callable[[str, float, float, str], None]
READING = "reading text"


def _digest(piece: str) -> bytes:
    return hashlib.blake2b(piece.encode(), digest_size=16).digest()


@dataclass(frozen=True)
class Document:
    """A document of the text: its name and its text in parts."""

    title: str
    parts: Iterator[str]


class TextFile:
    """Pieces of text in a file.

    Args:
        path: A new file.
    """

    def __init__(self, path: Path) -> None:
        self.n_bytes = 0
        self.n_pieces = 0
        self._path = path
        self._file = path.open("w+b")

    def add(self, piece: str) -> None:
        """Put a piece behind the others."""
        data = piece.encode()
        self._file.write(_LENGTH.pack(len(data)) + data)
        self.n_bytes += len(data)
        self.n_pieces += 1

    def __iter__(self) -> Iterator[str]:
        self._file.flush()
        with self._path.open("rb") as file:
            while head := file.read(_LENGTH.size):
                yield file.read(_LENGTH.unpack(head)[0]).decode()

    def documents(self) -> Iterator[tuple[bytes, Iterator[str]]]:
        """Each piece with a hash, as learning draws from them."""
        for piece in self:
            yield _digest(piece), iter([piece])

    def close(self) -> None:
        """Close the file; it is the folder's owner who removes it."""
        self._file.close()


@dataclass
class LabText:
    """What the tokenizers are compared on.

    Attributes:
        measured: What they are measured on.
        learned: What own ones learn from.
        documents: How many documents `measured` comes from.
        samples: Titles and beginnings of some of its documents.
    """

    measured: TextFile
    learned: TextFile
    documents: int = 0
    samples: list[tuple[str, str]] = field(default_factory=list)

    def close(self) -> None:
        """Close the files."""
        self.measured.close()
        self.learned.close()


@dataclass(frozen=True)
class Wanted:
    """How much text is wanted, of how much.

    Attributes:
        measure_bytes: To measure.
        learn_bytes: To learn from; 0 where nothing learns.
        total_bytes: All there is, or a guess.
        seed: Another one draws other text.
    """

    measure_bytes: int
    learn_bytes: int
    total_bytes: int
    seed: int

    @property
    def bytes(self) -> int:
        """To measure and to learn from."""
        return self.measure_bytes + self.learn_bytes

    @property
    def share(self) -> float:
        """Share of the pieces that are taken."""
        return min(max(self.bytes / max(self.total_bytes, 1), 1 / READ_MOST), 1.0)

    @property
    def learn_share(self) -> float:
        """Share of these that are learned from; where there is too little, some is left over."""
        share = self.learn_bytes / self.bytes
        return share if self.total_bytes >= self.bytes else min(share, LEARN_MOST)


def gather(documents: Iterable[Document], wanted: Wanted, folder: Path, report: Report) -> LabText:
    """Draw the text.

    Args:
        documents: All there are; they are read until enough is drawn.
        wanted: How much to draw.
        folder: An empty folder for the files.
        report: Told of the progress; may raise to give up.

    Raises:
        DataError: There is no text.
    """
    text = LabText(TextFile(folder / "measured"), TextFile(folder / "learned"))
    for document in documents:
        _draw(document, text, wanted)
        have = min(text.measured.n_bytes, wanted.measure_bytes)
        have += min(text.learned.n_bytes, wanted.learn_bytes)
        report(READING, have, wanted.bytes, "bytes")
        if have == wanted.bytes:
            break
    _divide_if_short(text, wanted, folder)
    if not text.measured.n_bytes:
        raise DataError(
            "There is too little text to compare tokenizers on.",
            safe="Nothing was written.",
            do="Choose more text.",
            field="source",
        )
    report(READING, wanted.bytes, wanted.bytes, "bytes")
    return text


def _draw(document: Document, text: LabText, wanted: Wanted) -> None:
    counted = False
    for part in document.parts:
        for piece in pieces(part, PIECE_CHARACTERS):
            drawn = position(wanted.seed, _digest(piece))
            if drawn >= wanted.share:
                continue
            if drawn < wanted.share * wanted.learn_share:
                if text.learned.n_bytes < wanted.learn_bytes:
                    text.learned.add(piece)
            elif text.measured.n_bytes < wanted.measure_bytes:
                text.measured.add(piece)
                if not counted and len(text.samples) < SAMPLES:
                    text.samples.append((document.title, piece[:SAMPLE_CHARACTERS]))
                text.documents += not counted
                counted = True
        if text.measured.n_bytes + text.learned.n_bytes >= wanted.bytes:
            return


def _divide_if_short(text: LabText, wanted: Wanted, folder: Path) -> None:
    """Halve what there is, where a short text fell to one part alone."""
    parts = text.measured, text.learned
    if all(part.n_pieces for part in parts) or not (wanted.learn_bytes or text.learned.n_pieces):
        return
    whole = "".join(part_text for part in parts for part_text in part)
    text.close()
    text.measured, text.learned = TextFile(folder / "end"), TextFile(folder / "beginning")
    first, *rest = pieces(whole, max(len(whole) // 2, 1))
    text.learned.add(first)
    text.measured.add("".join(rest))
    text.documents = 1
    text.samples = text.samples or [("text", "".join(rest)[:SAMPLE_CHARACTERS])]


def documents_of_corpus(corpus: Corpus) -> Iterator[Document]:
    """The training documents of a corpus."""
    decoder = Decoder(corpus)
    for info in corpus.train.documents():
        parts = decoder.pieces(corpus.train, info, lambda _: None)
        yield Document(info.title, parts)


def documents_of_sources(
    sources: Iterable[NamedSource], tick: Callable[[], None]
) -> Iterator[Document]:
    """The documents of sources, as far as they are text; those after another in turn.

    Args:
        sources: Opened.
        tick: Called often; may raise to give up.
    """
    for source in sources:
        for file in source.opened.files:
            tick()
            try:
                for found in source.opened.documents(file, source.skipped.add, lambda _: None):
                    yield Document(found.title, _readable(found.parts, tick))
            except NoText as error:
                source.skipped.add(error.reason, file.path)


def _readable(parts: Iterator[str], tick: Callable[[], None]) -> Iterator[str]:
    """The parts of a document up to where it is no text."""
    try:
        for part in parts:
            tick()
            yield part
    except NoText:
        return

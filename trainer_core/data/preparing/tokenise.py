"""The last reading of a source: text to tokens on all cores, in order, into the corpus."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

from trainer_core.data.preparing.notes import Notes, Writing
from trainer_core.data.preparing.split import Side, Split, cut_parts
from trainer_core.data.preparing.survey import Changed, ReadAgain, Report, Survey
from trainer_core.data.preparing.writer import SplitWriter
from trainer_core.data.sources.skipped import Reason, printable
from trainer_core.data.tokenizers.kinds import Ids, TextTokenizer, worker_count
from trainer_core.data.tokenizers.pretokens import recut
from trainer_core.errors import DataError

BATCH_BYTES = 1 << 20
"""Text is handed to the encoding threads in batches of about this size."""
_PART_COST_BYTES = 1 << 10
"""What a part costs besides its text, so that batches of tiny documents are bounded too."""

T = TypeVar("T")
U = TypeVar("U")


@dataclass(slots=True)
class Part:
    """A stretch of a document on its way into the corpus.

    Attributes:
        document: Number of the document in the survey.
        side: Where it goes.
        source: Number of the document's source.
        text: The stretch.
        n_bytes: Bytes of the stretch.
        begins: It is the first of what goes to this side.
        ends: The document's title, if this is the last part of what goes to this side, else "".
        path: Where the document was read from, in a last part.
        cut: The document is one that is cut in two.
        last: Nothing more comes of the document.
        given_up: Why the document cannot be used, if that turned out; there is no text then.
    """

    document: int
    side: Side
    source: int
    text: str = ""
    n_bytes: int = 0
    begins: bool = False
    ends: str = ""
    path: str = ""
    cut: bool = False
    last: bool = True
    given_up: Reason | None = None


def write_tokens(
    documents: Survey,
    split: Split,
    tokenizer: TextTokenizer,
    writers: dict[Side, SplitWriter],
    report: Report,
    notes: Notes,
) -> tuple[str, ...]:
    """Tokenise every document into its side of the corpus, in the order of the documents.

    A document that has changed since the survey is left out and reported.

    Args:
        documents: All of them.
        split: Their sides; those that are on none are left out.
        tokenizer: Used by several threads at once.
        writers: Of both sides; they stand where `notes` say.
        report: Told of the progress; may raise to end the work.
        notes: Told now and then how far it is.

    Returns:
        For each source the path of the document that was cut in two, or "".

    Raises:
        DataError: A document that is cut in two has changed.
        OSError: The corpus cannot be written.
    """
    begun = notes.writing
    first = 0 if begun is None else begun.next_document
    total = sum(documents.size(n) for n in range(len(documents)) if split.keeps(n))
    assembly = _Assembly(documents, writers, begun)
    notes.note(assembly.state(first))

    def encode(batch: list[Part]) -> list[tuple[Part, Ids]]:
        return [(part, tokenizer.encode(part.text)) for part in batch]

    batches = _batches(_parts(documents, split, tokenizer, first))
    for encoded in ordered_map(encode, batches, worker_count()):
        for part, ids in encoded:
            assembly.take(part, ids)
            if part.last and notes.due():
                notes.note(assembly.state(part.document + 1))
        report("tokenising", min(assembly.n_bytes, total - 1), total, "bytes")
    notes.note(assembly.state(len(documents)))
    report("tokenising", total, total, "bytes")
    return tuple(assembly.cuts)


class _Assembly:
    """Puts encoded parts together, in order.

    Args:
        documents: Where they come from.
        writers: Of both sides.
        begun: Where an earlier attempt ended.
    """

    def __init__(
        self, documents: Survey, writers: dict[Side, SplitWriter], begun: Writing | None
    ) -> None:
        self._documents, self._writers = documents, writers
        self._open_bytes = 0
        self.n_bytes = 0 if begun is None else begun.n_bytes
        self.cuts = [""] * len(documents.sources) if begun is None else list(begun.cuts)
        for source, skipped in zip(documents.sources, begun.skipped if begun else (), strict=False):
            source.skipped.restore(skipped)

    def take(self, part: Part, ids: Ids) -> None:
        """Write the next part."""
        writer = self._writers[part.side]
        if part.given_up:
            self._documents.sources[part.source].skipped.add(part.given_up, part.path)
            if not part.begins:
                writer.give_up()
            return
        if part.begins:
            writer.begin()
            self._open_bytes = 0
        writer.add(ids)
        self._open_bytes += part.n_bytes
        self.n_bytes += part.n_bytes
        if part.ends:
            digest = self._documents[part.document].digest.hex()
            writer.end(part.ends, part.path, self._open_bytes, part.source, digest)
        if part.cut:
            self.cuts[part.source] = part.path

    def state(self, next_document: int) -> Writing:
        """How far it is, with everything on the disk; no document is open.

        Raises:
            OSError: It cannot be written.
        """
        return Writing(
            next_document=next_document,
            n_bytes=self.n_bytes,
            sides={side: writer.sync() for side, writer in self._writers.items()},
            skipped=tuple(source.skipped.state() for source in self._documents.sources),
            cuts=tuple(self.cuts),
        )


def ordered_map(work: Callable[[T], U], items: Iterator[T], workers: int) -> Iterator[U]:
    """Results of `work` on each item, in order, with no more than a few items under way.

    Whatever ends the iteration, no thread goes on with an item that was not begun.
    """
    under_way: deque[Future[U]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="tokenise") as pool:
        try:
            for item in items:
                under_way.append(pool.submit(work, item))
                if len(under_way) > 2 * workers:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _batches(parts: Iterator[Part]) -> Iterator[list[Part]]:
    batch: list[Part] = []
    size = 0
    for part in parts:
        batch.append(part)
        size += part.n_bytes + _PART_COST_BYTES
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _parts(documents: Survey, split: Split, tokenizer: TextTokenizer, first: int) -> Iterator[Part]:
    for document in documents.again(lambda number: number >= first and split.keeps(number)):
        side = split.side(document.number)
        last = Part(
            document.number,
            side,
            document.source,
            ends=printable(document.title),
            path=printable(document.path),
        )
        if document.number in split.cuts:
            cut_byte = split.cuts[document.number]
            yield from _cut_document(last, document, cut_byte, tokenizer)
        else:
            yield from _document_parts(last, recut(document.texts, tokenizer.last_cut))


def _cut_document(
    last: Part, document: ReadAgain, cut_byte: int, tokenizer: TextTokenizer
) -> Iterator[Part]:
    """The parts of a document whose end validates; `last` is as for `_document_parts`."""
    beginning, end = cut_parts(_unchanged(document.texts, last.path), cut_byte)
    title = last.ends
    last = replace(last, cut=True)
    first_half = replace(last, ends=f"{title} (beginning)", last=False)
    yield from _document_parts(first_half, recut(beginning, tokenizer.last_cut))
    last = replace(last, ends=f"{title} (end)", side="validation")
    yield from _document_parts(last, recut(end, tokenizer.last_cut))


def _document_parts(last: Part, texts: Iterator[str]) -> Iterator[Part]:
    """The parts of one document; one that is given up if it cannot be used.

    Args:
        last: The document's last part, but for the text, which it gets here.
        texts: Its text in parts.
    """
    held = ""
    begins = True
    try:
        for text in texts:
            if held:
                yield Part(
                    last.document,
                    last.side,
                    last.source,
                    held,
                    len(held.encode()),
                    begins,
                    last=False,
                )
                begins = False
            held = text
    except Changed as error:
        path = printable(error.path)
        yield replace(last, ends="", begins=begins, given_up=error.reason, path=path)
        return
    if held:
        last.text, last.n_bytes, last.begins = held, len(held.encode()), begins
        yield last


def _unchanged(texts: Iterator[str], path: str) -> Iterator[str]:
    """The texts of a document that cannot be left out, because both sides need it."""
    try:
        yield from texts
    except Changed:
        raise DataError(
            f"{path} changed while it was read.",
            safe="Nothing was written.",
            do="Start again when nothing writes to it.",
        ) from None

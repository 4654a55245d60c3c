"""The last reading of a source: text to tokens on all cores, in order, into the corpus."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from trainer_core.data.skipped import Skipped, printable
from trainer_core.data.split import Side, Split, cut_parts
from trainer_core.data.survey import Changed, Document, Report, read_again, total_bytes
from trainer_core.data.tokenizers import Ids, TextTokenizer, worker_count
from trainer_core.data.writer import SplitWriter
from trainer_core.errors import DataError

BATCH_BYTES = 1 << 20
"""Text is handed to the encoding threads in batches of about this size."""

T = TypeVar("T")
U = TypeVar("U")


@dataclass(slots=True)
class Part:
    """A stretch of a document on its way into the corpus.

    Attributes:
        side: Where it goes.
        text: The stretch; empty in a part that only ends or gives up a document.
        n_bytes: Bytes of the stretch.
        begins: It is the document's first.
        ends: The document's title, if this is its last part, else "".
        given_up: The document turned out to be another than expected.
    """

    side: Side
    text: str = ""
    n_bytes: int = 0
    begins: bool = False
    ends: str = ""
    path: str = ""
    given_up: bool = False


def write_tokens(
    documents: Sequence[Document],
    split: Split,
    tokenizer: TextTokenizer,
    writers: dict[Side, SplitWriter],
    skipped: Skipped,
    report: Report,
) -> None:
    """Tokenise every document into its side of the corpus, in the order of the documents.

    A document that has changed since the survey is left out and reported.

    Raises:
        DataError: The one document that is cut in two has changed.
    """
    total = total_bytes(documents)
    done = 0
    n_bytes: dict[Side, int] = {}

    def encode(batch: list[Part]) -> list[tuple[Part, Ids]]:
        return [(part, tokenizer.encode(part.text)) for part in batch]

    batches = _batches(_parts(documents, split, skipped))
    for encoded in ordered_map(encode, batches, worker_count()):
        for part, ids in encoded:
            writer = writers[part.side]
            if part.begins:
                writer.begin()
                n_bytes[part.side] = 0
            if part.given_up:
                writer.give_up()
                continue
            writer.add(ids)
            n_bytes[part.side] += part.n_bytes
            if part.ends:
                writer.end(part.ends, part.path, n_bytes[part.side])
            done += part.n_bytes
        report("tokenising", min(done, total - 1), total, "bytes")
    report("tokenising", total, total, "bytes")


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
        size += part.n_bytes
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _parts(documents: Sequence[Document], split: Split, skipped: Skipped) -> Iterator[Part]:
    for number, (document, side) in enumerate(zip(documents, split.sides, strict=True)):
        texts = read_again(document, skipped)
        title, path = printable(document.file.title), printable(document.file.path)
        if number != split.cut_document:
            yield from _document_parts(side, texts, title, path)
            continue
        beginning, end = cut_parts(_unchanged(texts, path), split.cut_byte)
        yield from _document_parts(side, beginning, f"{title} (beginning)", path)
        yield from _document_parts("validation", end, f"{title} (end)", path)


def _document_parts(side: Side, texts: Iterator[str], title: str, path: str) -> Iterator[Part]:
    """The parts of one document, the last of them marked; nothing for a document without text."""
    held: Part | None = None
    try:
        for text in texts:
            if held is not None:
                yield held
            held = Part(side, text, len(text.encode()), begins=held is None)
    except Changed:
        if held is not None and not held.begins:
            yield Part(side, given_up=True)
        return
    if held is not None:
        held.ends, held.path = title, path
        yield held


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

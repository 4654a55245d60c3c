"""The last reading of a source: text to tokens on all cores, in order, into the corpus."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

from trainer_core.data.preparing.split import Side, Split, cut_parts
from trainer_core.data.preparing.survey import Changed, Report, Survey
from trainer_core.data.preparing.writer import SplitWriter
from trainer_core.data.sources.skipped import printable
from trainer_core.data.tokenizers.kinds import Ids, TextTokenizer, worker_count
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
        source: Number of the document's source.
        begins: It is the document's first.
        ends: The document's title, if this is its last part, else "".
        path: Where the document was read from, in its last part.
        cut: The document is the one that is cut in two.
        given_up: The document turned out to be another than expected.
    """

    side: Side
    text: str = ""
    n_bytes: int = 0
    source: int = 0
    begins: bool = False
    ends: str = ""
    path: str = ""
    cut: bool = False
    given_up: bool = False


def write_tokens(
    documents: Survey,
    split: Split,
    tokenizer: TextTokenizer,
    writers: dict[Side, SplitWriter],
    report: Report,
) -> str:
    """Tokenise every document into its side of the corpus, in the order of the documents.

    A document that has changed since the survey is left out and reported.

    Returns:
        The path of the document that was cut in two, or "".

    Raises:
        DataError: The one document that is cut in two has changed.
    """
    total = documents.n_bytes
    done = 0
    cut_path = ""
    n_bytes: dict[Side, int] = {}

    def encode(batch: list[Part]) -> list[tuple[Part, Ids]]:
        return [(part, tokenizer.encode(part.text)) for part in batch]

    batches = _batches(_parts(documents, split))
    for encoded in ordered_map(encode, batches, worker_count()):
        for part, ids in encoded:
            writer = writers[part.side]
            cut_path = part.path if part.cut else cut_path
            if part.begins:
                writer.begin()
                n_bytes[part.side] = 0
            if part.given_up:
                writer.give_up()
                continue
            writer.add(ids)
            n_bytes[part.side] += part.n_bytes
            if part.ends:
                writer.end(part.ends, part.path, n_bytes[part.side], part.source)
            done += part.n_bytes
        report("tokenising", min(done, total - 1), total, "bytes")
    report("tokenising", total, total, "bytes")
    return cut_path


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


def _parts(documents: Survey, split: Split) -> Iterator[Part]:
    for document in documents.again(tell=True):
        title, path = printable(document.title), printable(document.path)
        side = split.sides[document.number]
        last = Part(side, source=document.source, ends=title, path=path)
        if document.number != split.cut_document:
            yield from _document_parts(last, document.texts)
            continue
        beginning, end = cut_parts(_unchanged(document.texts, path), split.cut_byte)
        yield from _document_parts(replace(last, ends=f"{title} (beginning)", cut=True), beginning)
        last = replace(last, side="validation", ends=f"{title} (end)", cut=True)
        yield from _document_parts(last, end)


def _document_parts(last: Part, texts: Iterator[str]) -> Iterator[Part]:
    """The parts of one document; nothing for a document without text.

    Args:
        last: The document's last part, but for the text.
        texts: Its text in parts.
    """
    held = ""
    begins = True
    try:
        for text in texts:
            if held:
                yield Part(last.side, held, len(held.encode()), last.source, begins)
                begins = False
            held = text
    except Changed:
        if not begins:
            yield Part(last.side, given_up=True)
        return
    if held:
        yield replace(last, text=held, n_bytes=len(held.encode()), begins=begins)


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

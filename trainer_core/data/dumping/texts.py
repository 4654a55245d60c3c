"""Documents as text again, piece by piece, and as JSON lines."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from trainer_core.data.corpus import Corpus, CorpusSplit, DocumentInfo

PIECE_TOKENS = 1 << 16
Advance = Callable[[int], None]
"""Told of so many tokens more; may raise to give up."""


def sides(corpus: Corpus) -> tuple[tuple[str, CorpusSplit], ...]:
    """Both sides of the split, with the names of their files."""
    return ("train", corpus.train), ("validation", corpus.validation)


class Decoder:
    """Gives the text of documents in pieces, so that a long one is never in memory as a whole."""

    def __init__(self, corpus: Corpus) -> None:
        tokenizer = corpus.tokenizer
        self._table = [tokenizer.token_bytes(token) for token in range(corpus.vocab_size)]

    def pieces(self, split: CorpusSplit, document: DocumentInfo, advance: Advance) -> Iterator[str]:
        """The text of a document; bytes that are no UTF-8 become U+FFFD."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        stop = document.start + document.n_tokens
        for start in range(document.start, stop, PIECE_TOKENS):
            end = min(start + PIECE_TOKENS, stop)
            ids = split.read(start, end).tolist()  # the separator among them has no bytes
            yield decoder.decode(b"".join([self._table[token] for token in ids]), end == stop)
            advance(end - start)


def fields_of(document: DocumentInfo) -> dict[str, str]:
    """What is written beside the text."""
    fields = {"title": document.title, "path": document.path}
    return fields | ({"source": document.source} if document.source else {})


def write_jsonl(corpus: Corpus, folder: Path, advance: Advance) -> None:
    """Write `train.jsonl` and `validation.jsonl`, an object for each document.

    Raises:
        DataError: The corpus is damaged.
        OSError: The disk is full or gone.
    """
    decoder = Decoder(corpus)
    for name, split in sides(corpus):
        with (folder / f"{name}.jsonl").open("w", encoding="utf-8", newline="\n") as file:
            for document in split.documents():
                file.write('{"text": "')
                for piece in decoder.pieces(split, document, advance):
                    file.write(json.dumps(piece, ensure_ascii=False)[1:-1])
                rest = json.dumps(fields_of(document), ensure_ascii=False)
                file.write(f'", {rest[1:]}\n')

"""Where generated tokens came from: places in the training text, with the text around them."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from trainer_core.data.corpus import Corpus, DocumentInfo
from trainer_core.generate.token import GeneratedToken
from trainer_core.index import MatchIndex
from trainer_core.protocol import SourcePlace

AROUND_TOKENS = 48
"""How much text is shown before and after a matched run, in tokens."""
OCCURRENCES_COUNTED_MAX = 10_000
"""Documents are counted among this many of the newest occurrences."""


@dataclass(frozen=True)
class Sources:
    """What the training text has of a context.

    Attributes:
        match_length: Tokens at the end of the context that stand in the training text.
        occurrences: How often they stand there.
        documents: In how many documents, among the newest `OCCURRENCES_COUNTED_MAX` of them.
        places: The newest ones.
        note: What limits this answer, or an empty string.
    """

    match_length: int = 0
    occurrences: int = 0
    documents: int = 0
    places: tuple[SourcePlace, ...] = ()
    note: str = ""


def split_text(parts: Sequence[bytes]) -> list[str]:
    """Neighbouring stretches of UTF-8 as texts; a character belongs to where its last byte is.

    A character that the first part begins within, or the last one ends within, is left out.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    texts: list[str] = []
    begun = False
    for part in parts:
        if not begun:
            part = part.lstrip(bytes(range(0x80, 0xC0)))
            begun = bool(part)
        texts.append(decoder.decode(part))
    return texts


class Attribution:
    """Names the documents behind tokens.

    Args:
        corpus: The text that the index was built over.
        index: The index, or None: then nothing is found, and the notes say so.
    """

    def __init__(self, corpus: Corpus, index: MatchIndex | None) -> None:
        self._corpus = corpus
        self._index = index
        self._split = corpus.train
        self._documents: dict[int, DocumentInfo] = {}

    def title_of(self, token: GeneratedToken) -> str:
        """Title of the document of the token's match; empty where there is none."""
        if token.match_kind != "index" or token.match_position < 0:
            return ""
        return self._document_at(token.match_position)[1].title

    def path_of(self, token: GeneratedToken) -> str:
        """Path of the document of the token's match; empty where there is none."""
        if token.match_kind != "index" or token.match_position < 0:
            return ""
        return self._document_at(token.match_position)[1].path

    def sources(self, context: Sequence[int], limit: int) -> Sources:
        """Places in the training text of the longest match at the end of a context.

        Args:
            context: Tokens before the one in question, with the separator that opens the text.
            limit: How many places to give at most.
        """
        if self._index is None:
            return Sources(note="There is no index, so the training text cannot be searched.")
        window = np.asarray(context[-self._index.max_length :], dtype=np.int64)
        length = self._index.lookup(window).length
        if not length:
            return Sources(note="Nothing in the training text ends like this.")
        run = window[len(window) - length :]
        occurrences = int(self._index.count(run))
        found = self._index.occurrences(run, max(limit, OCCURRENCES_COUNTED_MAX))
        documents = np.searchsorted(self._split.document_start, found, side="right") - 1
        note = ""
        if occurrences > len(found):
            note = f"Documents were counted among {len(found):,} of the places."
        return Sources(
            match_length=length,
            occurrences=occurrences,
            documents=len(np.unique(documents)),
            places=tuple(self.place(int(end), length) for end in found[:limit]),
            note=note,
        )

    def _document_at(self, position: int) -> tuple[int, DocumentInfo]:
        number = self._split.document_at(position)
        if number not in self._documents:
            self._documents[number] = self._split.document(number)
        return number, self._documents[number]

    def place(self, end: int, length: int) -> SourcePlace:
        """The place whose run of `length` tokens ends at training token `end`."""
        number, document = self._document_at(end)
        first, stop = document.start, document.start + document.n_tokens
        cuts = (
            max(first, end + 1 - length - AROUND_TOKENS),
            end + 1 - length,
            end + 1,
            min(end + 2, stop),
            min(end + 2 + AROUND_TOKENS, stop),
        )
        before, matched, following, after = split_text(
            [self._bytes(a, b) for a, b in pairwise(cuts)]
        )
        return SourcePlace(
            document=number,
            title=document.title,
            path=document.path,
            position=end - first,
            document_tokens=document.n_tokens,
            before=before,
            matched=matched,
            following=following,
            after=after,
            text=document.text,
        )

    def _bytes(self, start: int, stop: int) -> bytes:
        """Bytes of training tokens."""
        token_bytes = self._corpus.tokenizer.token_bytes
        return b"".join(token_bytes(int(token)) for token in self._split.read(start, stop))

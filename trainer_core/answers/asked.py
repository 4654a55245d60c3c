"""What a question is asked of: an index, found from a job folder, and the corpus it belongs to."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer_core import spec as specs
from trainer_core.data.corpus import TOKENIZER_FOLDER, Corpus, open_corpus
from trainer_core.data.tokenizers.kinds import TextTokenizer
from trainer_core.errors import IndexFileError, SpecError
from trainer_core.generate.attribution import Attribution
from trainer_core.index import MatchIndex, open_index
from trainer_core.index.store import INDEX_FOLDER, MANIFEST_NAME
from trainer_core.status import SPEC_FILE

Report = Callable[[str, float, float, str], None]
"""Called now and then with a phase, what is done of it, all of it, and the unit; may raise."""


@dataclass(frozen=True)
class Asked:
    """An index with its corpus, both opened and known to belong together."""

    index: MatchIndex
    corpus: Corpus

    @property
    def tokenizer(self) -> TextTokenizer:
        """What the corpus was written with."""
        return self.corpus.tokenizer

    @cached_property
    def attribution(self) -> Attribution:
        """Names the documents behind positions."""
        return Attribution(self.corpus, self.index)

    @cached_property
    def vocabulary(self) -> list[bytes]:
        """Bytes of each token, V of them."""
        return [self.tokenizer.token_bytes(token) for token in range(self.tokenizer.vocab_size)]

    @cached_property
    def _by_beginning(self) -> list[tuple[bytes, int]]:
        """Bytes and number of each token, in order; the separator, which has none, comes first."""
        return sorted((piece, token) for token, piece in enumerate(self.vocabulary))

    @cached_property
    def _by_end(self) -> list[tuple[bytes, int]]:
        return sorted((piece[::-1], token) for token, piece in enumerate(self.vocabulary))

    def tokens_beginning(self, data: bytes) -> list[int]:
        """Tokens that begin with some bytes, or are them."""
        return _with_prefix(self._by_beginning, data)

    def tokens_ending(self, data: bytes) -> list[int]:
        """Tokens that end with some bytes, or are them."""
        return _with_prefix(self._by_end, data[::-1])

    @cached_property
    def numbers(self) -> dict[bytes, list[int]]:
        """Tokens by their bytes, of which a letter and its byte may have equal ones.

        Special tokens, which have none, are left out.
        """
        numbers: dict[bytes, list[int]] = {}
        for token, piece in enumerate(self.vocabulary):
            if piece:
                numbers.setdefault(piece, []).append(token)
        return numbers

    @cached_property
    def byte_lengths(self) -> NDArray[np.int32]:
        """(V,) bytes of each token."""
        return self.tokenizer.byte_lengths()

    @cached_property
    def longest(self) -> int:
        """Bytes of the longest token."""
        return int(self.byte_lengths.max())

    @cached_property
    def line_ends(self) -> NDArray[np.int64]:
        """(V,) line ends within each token."""
        return np.array([token.count(b"\n") for token in self.vocabulary], dtype=np.int64)


def _with_prefix(pieces: list[tuple[bytes, int]], prefix: bytes) -> list[int]:
    size = len(prefix)
    low = bisect_left(pieces, prefix, key=lambda piece: piece[0][:size])
    high = bisect_right(pieces, prefix, key=lambda piece: piece[0][:size])
    return [token for _, token in pieces[low:high]]


def open_asked(asked: specs.AskedIndex) -> Asked:
    """Open the index and the corpus of a question.

    The index is that of the folder itself, of an index job, of a tour, or the one that the job's
    settings name. The corpus is the one asked for, else the one that the job was built from.

    Raises:
        IndexFileError: There is no index, it is damaged, or it belongs to another corpus.
        DataError: There is no corpus, or it is damaged.
        SpecError: Nothing says which corpus it is.
    """
    given = Path(asked.index)
    settings = _settings(given)
    folder = _index_folder(given, settings)
    path = asked.corpus or _corpus_of(settings) or _corpus_of(_settings(folder.parent))
    if not path:
        raise SpecError(
            f"Nothing beside the index {folder} says which corpus it belongs to.",
            safe="Nothing was changed.",
            do="Name the corpus folder (`--corpus` in the terminal).",
            field="corpus",
        )
    corpus = open_corpus(path)
    return Asked(open_index(folder, corpus_fingerprint=corpus.fingerprint), corpus)


def _index_folder(given: Path, settings: specs.Section | None) -> Path:
    named = getattr(settings, "index", "")
    candidates = [given, given / INDEX_FOLDER, given / INDEX_FOLDER / INDEX_FOLDER]
    candidates += [Path(named)] if named and isinstance(named, str) else []
    for folder in candidates:
        is_corpus = (folder / TOKENIZER_FOLDER).is_dir()
        if (folder / MANIFEST_NAME).is_file() and not is_corpus:
            return folder
    raise IndexFileError(
        f"There is no index in {given}.",
        safe="Nothing was changed.",
        do="Name the folder of an index or of the job that built it, or build one first.",
    )


def _settings(folder: Path) -> specs.Section | None:
    """What a job folder was asked to do; None where it is none."""
    path = folder / SPEC_FILE
    return specs.load(path) if path.is_file() else None


def _corpus_of(settings: specs.Section | None) -> str:
    corpus = getattr(settings, "corpus", "")
    return corpus if isinstance(corpus, str) else ""

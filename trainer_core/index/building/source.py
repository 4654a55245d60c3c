"""What an index is built from, and the first reading of it: copied, checked and counted.

n training tokens, D training documents, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trainer_core.errors import IndexFileError
from trainer_core.index import store
from trainer_core.index.building.draft import Draft
from trainer_core.index.tokens import Tokens

I64 = NDArray[np.int64]

_BLOCK_TOKENS = 1 << 20


class TokenReader(Protocol):
    """Tokens that are read in parts; a side of a corpus is one."""

    n_tokens: int
    dtype: np.dtype[Any]

    def read(self, start: int, stop: int) -> Tokens:
        """Tokens `start` to `stop` (excluded)."""
        ...


@dataclass(frozen=True)
class IndexSource:
    """What an index is built from.

    Attributes:
        tokens: (n,) training tokens, or what reads them; each document begins with the separator.
        document_start: (D,) int64, where the training documents begin.
        validation_tokens: (m,) held-out tokens of the same kind; may be empty.
        validation_document_start: int64, where the held-out documents begin.
        vocab_size: Different tokens that there may be.
        separator: The token that opens documents and stands nowhere else.
        corpus_fingerprint: Names the corpus.
        tokenizer_fingerprint: Names its tokenizer.
    """

    tokens: Tokens | TokenReader
    document_start: I64
    validation_tokens: Tokens
    validation_document_start: I64
    vocab_size: int
    separator: int
    corpus_fingerprint: str
    tokenizer_fingerprint: str

    @property
    def n_tokens(self) -> int:
        """Training tokens."""
        return self.tokens.size if isinstance(self.tokens, np.ndarray) else self.tokens.n_tokens

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the training tokens."""
        return self.tokens.dtype

    def read(self, start: int, stop: int) -> Tokens:
        """Training tokens `start` to `stop` (excluded)."""
        if isinstance(self.tokens, np.ndarray):
            return self.tokens[start:stop]
        return self.tokens.read(start, stop)


def unfit(why: str) -> IndexFileError:
    """The error for a corpus that breaks the rules that lookups rely on."""
    return IndexFileError(
        f"The corpus cannot be indexed: {why}.",
        safe="Nothing was written.",
        do="Prepare the data again.",
    )


def check_parts(source: IndexSource) -> None:
    """Refuse what can be refused before the training tokens are read.

    Raises:
        IndexFileError: There is no training text, or the held-out text breaks the rules.
    """
    if not source.n_tokens:
        raise unfit("its training part is empty")
    tokens, starts = source.validation_tokens, source.validation_document_start
    if not tokens.size and starts.size:
        raise unfit("its held-out part has documents and no tokens")
    for first in range(0, tokens.size, _BLOCK_TOKENS):
        _check_block(source, "held-out", tokens[first : first + _BLOCK_TOKENS], first, starts)


def copy_text(
    source: IndexSource,
    draft: Draft,
    *,
    in_memory: bool,
    advance: Callable[[int, int], None],
) -> tuple[Tokens, I64]:
    """Write the training tokens and documents into the draft.

    Args:
        source: The text.
        draft: Takes the files.
        in_memory: Whether to keep the tokens in memory; else they are mapped.
        advance: Called now and then with the tokens done and all of them.

    Returns:
        The tokens, (n,), and how often each token stands in them, (V,).

    Raises:
        IndexFileError: Separators are not where documents begin, or a token is outside the
            vocabulary.
        OSError: The disk is full or gone.
    """
    n_tokens = source.n_tokens
    kept = np.empty(n_tokens if in_memory else 0, dtype=source.dtype)
    counts = np.zeros(source.vocab_size, dtype=np.int64)
    for first in range(0, n_tokens, _BLOCK_TOKENS):
        stop = min(first + _BLOCK_TOKENS, n_tokens)
        block = source.read(first, stop)
        if in_memory:
            kept[first:stop] = block
        _check_block(source, "training", block, first, source.document_start)
        counts += np.bincount(block, minlength=source.vocab_size)
        draft.append(store.TOKENS_FILE, block)
        advance(stop, n_tokens)
    draft.append(store.DOCUMENTS_FILE, np.asarray(source.document_start, dtype=np.int64))
    tokens: Tokens = kept if in_memory else draft.map(store.TOKENS_FILE, source.dtype.name)
    return tokens, counts


def _check_block(source: IndexSource, name: str, tokens: Tokens, first: int, starts: I64) -> None:
    """Hold a block against the rules.

    Args:
        source: What it belongs to.
        name: Of its part, for the message.
        tokens: The block.
        first: Position of its first token.
        starts: Where the documents of the part begin.
    """
    if int(tokens.max()) >= source.vocab_size:
        raise unfit(f"its {name} part has tokens outside the vocabulary")
    found = np.flatnonzero(tokens == source.separator) + first
    low, high = np.searchsorted(starts, [first, first + tokens.size])
    if not np.array_equal(found, starts[low:high]) or (
        first == 0 and tokens[0] != source.separator
    ):
        raise unfit(f"separators in its {name} part are not where its documents begin")


def count_tokens(tokens: Tokens, vocab_size: int) -> I64:
    """How often each token occurs, (V,)."""
    counts = np.zeros(vocab_size, dtype=np.int64)
    for first in range(0, tokens.size, _BLOCK_TOKENS):
        counts += np.bincount(tokens[first : first + _BLOCK_TOKENS], minlength=vocab_size)
    return counts

"""What every tokenizer can do: text to token ids and back.

Each tokenizer has one separator, which opens every document. No text encodes to it: special-token
text inside a document is plain text.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.uint32]
_LEAST_CHARACTERS = 4096
Kind = Literal["bytes", "bpe", "gpt2", "tiktoken", "tokenizer_json"]


class TextTokenizer(Protocol):
    """What every tokenizer can do."""

    @property
    def kind(self) -> Kind:
        """Which of the tokenizers this is."""

    @property
    def vocab_size(self) -> int:
        """Number of ids, the separator among them."""

    @property
    def separator(self) -> int:
        """Id that opens each document."""

    @property
    def special_tokens(self) -> Mapping[str, int]:
        """Names and ids of tokens that no text encodes to, the separator first."""

    @property
    def fingerprint(self) -> str:
        """Equal for tokenizers that give equal ids, and for no others."""

    def encode(self, text: str) -> Ids:
        """Ids of a text, (n,) uint32. Lone surrogates are replaced; nothing else is changed."""

    def last_cut(self, text: str, start: int, end: int) -> int:
        """The last place in `text[start + 1:end]` where a cut changes no token; -1: none is known.

        Both halves, encoded alone, give the tokens of the whole. See `pretokens.recut`.
        """

    def encode_batch(self, texts: Sequence[str]) -> list[Ids]:
        """`encode` of each text, on all cores."""

    def decode(self, ids: Iterable[int]) -> str:
        """Text of some ids; separators give nothing, broken UTF-8 gives U+FFFD."""

    def token_bytes(self, token: int) -> bytes:
        """Bytes of one token; the separator has none.

        Raises:
            IndexError: There is no such token.
        """

    def byte_lengths(self) -> NDArray[np.int32]:
        """Bytes of each token, (V,) int32; 0 for the separator."""

    def save(self, folder: Path) -> None:
        """Write everything that `load_tokenizer` needs into a folder, which is created."""

    def to_hf_json(self) -> str:
        """The same tokenizer as a `tokenizers` file; its special token is the separator."""


def without_surrogates(text: str) -> str:
    """The text with surrogate pairs joined and lone surrogates replaced by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def utf8(text: str) -> bytes:
    """The text's bytes; lone surrogates are replaced."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return without_surrogates(text).encode()


def worker_count() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def join_tokens(table: Sequence[bytes], ids: Iterable[int]) -> str:
    """The text of some ids; broken UTF-8 gives U+FFFD."""
    listed = ids.tolist() if isinstance(ids, np.ndarray) else ids
    return b"".join([table[int(i)] for i in listed]).decode("utf-8", "replace")


def encode_in_halves(encode: Callable[[str], Ids], text: str) -> Ids:
    """Ids of a text; one that is too much for a regular expression is halved until it is not.

    That happens to a million blanks in a row, which no place to cut interrupts.

    Args:
        encode: Raises ValueError where it gives up.
        text: Without surrogates.
    """
    try:
        return encode(text)
    except ValueError:
        if len(text) < _LEAST_CHARACTERS:
            raise
    half = len(text) // 2
    parts = [encode_in_halves(encode, part) for part in (text[:half], text[half:])]
    return np.concatenate(parts)


def checked(token: int, vocab_size: int) -> int:
    """The token.

    Raises:
        IndexError: There is no such token.
    """
    if not 0 <= token < vocab_size:
        raise IndexError(f"token {token} is not in a vocabulary of {vocab_size}")
    return token

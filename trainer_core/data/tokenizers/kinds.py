"""Text to token ids and back: bytes, own byte-pair encoding, GPT-2.

Each tokenizer has one separator, which opens every document. No text encodes to it: special-token
text inside a document is plain text.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import tiktoken
from numpy.typing import NDArray

from trainer_core.data.tokenizers import pretokens, ranks
from trainer_core.errors import DataError

Ids = NDArray[np.uint32]
Kind = Literal["bytes", "bpe", "gpt2"]
FORMAT_VERSION = 1


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
    def fingerprint(self) -> str:
        """Equal for tokenizers that give equal ids, and for no others."""

    def encode(self, text: str) -> Ids:
        """Ids of a text, (n,) uint32. Lone surrogates are replaced; nothing else is changed."""

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


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return without_surrogates(text).encode()


def worker_count() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _join(table: Sequence[bytes], ids: Iterable[int]) -> str:
    listed = ids.tolist() if isinstance(ids, np.ndarray) else ids
    return b"".join([table[int(i)] for i in listed]).decode("utf-8", "replace")


class ByteTokenizer:
    """One token per byte, its id the byte's value, and a separator: 257 tokens."""

    kind: Kind = "bytes"
    vocab_size = 257
    separator = 256
    fingerprint = hashlib.sha256(b"hearth bytes 257").hexdigest()
    _table = (*(bytes([byte]) for byte in range(256)), b"")

    def encode(self, text: str) -> Ids:
        """Ids of a text, (n,) uint32."""
        return np.frombuffer(_utf8(text), dtype=np.uint8).astype(np.uint32)

    def encode_batch(self, texts: Sequence[str]) -> list[Ids]:
        """`encode` of each text."""
        return [self.encode(text) for text in texts]

    def decode(self, ids: Iterable[int]) -> str:
        """Text of some ids."""
        return _join(self._table, ids)

    def token_bytes(self, token: int) -> bytes:
        """Bytes of one token."""
        return self._table[_checked(token, self.vocab_size)]

    def byte_lengths(self) -> NDArray[np.int32]:
        """Bytes of each token, (257,) int32."""
        lengths = np.ones(self.vocab_size, dtype=np.int32)
        lengths[self.separator] = 0
        return lengths

    def save(self, folder: Path) -> None:
        """Write what `load_tokenizer` needs."""
        _write_head(self, folder)

    def to_hf_json(self) -> str:
        """The same tokenizer as a `tokenizers` file: 256 letters and no merges."""
        model = ranks.hf_model([bytes([byte]) for byte in range(256)])
        return ranks.hf_json(model, self.separator, split=False)


class RankTokenizer:
    """Byte-level byte-pair encoding with GPT-2's pre-tokeniser; the separator is the last id.

    Args:
        kind: `bpe` or `gpt2`.
        vocabulary: Bytes of each token but the separator, in the order of their merges.
    """

    def __init__(self, kind: Kind, vocabulary: ranks.Ranks) -> None:
        self.kind: Kind = kind
        self.separator = len(vocabulary)
        self.vocab_size = len(vocabulary) + 1
        self._table = [*vocabulary, b""]
        self._ranks_text = ranks.to_text(vocabulary)
        self.fingerprint = hashlib.sha256(self._ranks_text.encode()).hexdigest()

    @cached_property
    def _encoding(self) -> tiktoken.Encoding:
        mergeable = {token: rank for rank, token in enumerate(self._table[:-1])}
        return tiktoken.Encoding(
            f"hearth-{self.kind}",
            pat_str=pretokens.PATTERN,
            mergeable_ranks=mergeable,
            special_tokens={},  # the encoder knows no separator, so no text can become one
        )

    def encode(self, text: str) -> Ids:
        """Ids of a text, (n,) uint32."""
        if len(text) <= pretokens.PIECE_CHARACTERS:
            return self._encode_piece(text)
        text = without_surrogates(text)
        return np.concatenate([self._encode_piece(piece) for piece in pretokens.pieces(text)])

    def _encode_piece(self, text: str) -> Ids:
        ids: Ids
        try:
            ids = self._encoding.encode_to_numpy(text, disallowed_special=())
        except UnicodeEncodeError:
            text = without_surrogates(text)
            ids = self._encoding.encode_to_numpy(text, disallowed_special=())
        return ids

    def encode_batch(self, texts: Sequence[str]) -> list[Ids]:
        """`encode` of each text, on all cores."""
        with ThreadPoolExecutor(worker_count()) as pool:
            return list(pool.map(self.encode, texts))

    def decode(self, ids: Iterable[int]) -> str:
        """Text of some ids."""
        return _join(self._table, ids)

    def token_bytes(self, token: int) -> bytes:
        """Bytes of one token."""
        return self._table[_checked(token, self.vocab_size)]

    def byte_lengths(self) -> NDArray[np.int32]:
        """Bytes of each token, (V,) int32."""
        return np.array([len(token) for token in self._table], dtype=np.int32)

    def save(self, folder: Path) -> None:
        """Write what `load_tokenizer` needs."""
        _write_head(self, folder)
        (folder / RANKS_NAME).write_text(self._ranks_text, encoding="ascii")

    def to_hf_json(self) -> str:
        """The same tokenizer as a `tokenizers` file."""
        return ranks.hf_json(ranks.hf_model(self._table[:-1]), self.separator, split=True)


HEAD_NAME = "tokenizer_kind.json"
RANKS_NAME = "ranks.tiktoken"


def _checked(token: int, vocab_size: int) -> int:
    if not 0 <= token < vocab_size:
        raise IndexError(f"token {token} is not in a vocabulary of {vocab_size}")
    return token


def _write_head(tokenizer: TextTokenizer, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    head = {
        "version": FORMAT_VERSION,
        "kind": tokenizer.kind,
        "vocab_size": tokenizer.vocab_size,
        "separator": tokenizer.separator,
        "fingerprint": tokenizer.fingerprint,
    }
    (folder / HEAD_NAME).write_text(json.dumps(head, indent=1) + "\n", encoding="utf-8")


def _damaged(path: Path, why: str) -> DataError:
    return DataError(
        f"The tokenizer file {path} cannot be used: {why}.",
        safe="Nothing was changed.",
        do="Prepare the data again, or restore the file from a copy.",
    )


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise _damaged(path, "it is not text") from None
    except OSError as error:
        raise _damaged(path, error.strerror or str(error)) from None


def _read_head(path: Path) -> dict[str, Any]:
    try:
        head = json.loads(_read_text(path))
    except ValueError as error:
        raise _damaged(path, str(error)) from None
    if not isinstance(head, dict) or not isinstance(head.get("version"), int):
        raise _damaged(path, "it has no version")
    if head["version"] > FORMAT_VERSION:
        raise DataError(
            f"The tokenizer in {path.parent} was written by a newer version of Hearth.",
            safe="Nothing was changed.",
            do="Update Hearth, then try again.",
        )
    return head


def load_tokenizer(folder: Path) -> TextTokenizer:
    """Open a tokenizer that `save` wrote.

    Raises:
        DataError: A file is absent, damaged or of a newer version; the message names it.
    """
    head = _read_head(folder / HEAD_NAME)
    tokenizer: TextTokenizer
    if head.get("kind") == "bytes":
        tokenizer = ByteTokenizer()
    elif head.get("kind") in ("bpe", "gpt2"):
        path = folder / RANKS_NAME
        try:
            tokenizer = RankTokenizer(head["kind"], ranks.from_text(_read_text(path)))
        except ValueError as error:
            raise _damaged(path, str(error)) from None
    else:
        raise _damaged(folder / HEAD_NAME, f"the kind {head.get('kind')!r} is unknown")
    if tokenizer.fingerprint != head.get("fingerprint"):
        raise _damaged(folder / RANKS_NAME, "it is not the vocabulary that was saved")
    return tokenizer

"""The kinds of tokenizers that have code of their own: bytes, and ranks of bytes; opening any."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tiktoken
from numpy.typing import NDArray

from trainer_core.data.tokenizers import json_kind, pretokens, ranks
from trainer_core.data.tokenizers.head import HEAD_NAME, damaged, read_head, read_saved, write_head
from trainer_core.data.tokenizers.tokenizer import (
    Ids,
    Kind,
    TextTokenizer,
    checked,
    encode_in_halves,
    join_tokens,
    utf8,
    without_surrogates,
    worker_count,
)

__all__ = [
    "ByteTokenizer",
    "Ids",
    "Kind",
    "RankTokenizer",
    "TextTokenizer",
    "load_tokenizer",
    "without_surrogates",
    "worker_count",
]

RANKS_NAME = "ranks.tiktoken"


class ByteTokenizer:
    """One token per byte, its id the byte's value, and a separator: 257 tokens."""

    kind: Kind = "bytes"
    vocab_size = 257
    separator = 256
    special_tokens: Mapping[str, int] = {ranks.SEPARATOR_TEXT: 256}
    fingerprint = hashlib.sha256(b"hearth bytes 257").hexdigest()
    _table = (*(bytes([byte]) for byte in range(256)), b"")

    def encode(self, text: str) -> Ids:
        """Ids of a text, (n,) uint32."""
        return np.frombuffer(utf8(text), dtype=np.uint8).astype(np.uint32)

    def last_cut(self, text: str, start: int, end: int) -> int:
        """Anywhere."""
        stop = min(end, len(text))
        return stop - 1 if stop - 1 > start else -1

    def encode_batch(self, texts: Sequence[str]) -> list[Ids]:
        """`encode` of each text."""
        return [self.encode(text) for text in texts]

    def decode(self, ids: Iterable[int]) -> str:
        """Text of some ids."""
        return join_tokens(self._table, ids)

    def token_bytes(self, token: int) -> bytes:
        """Bytes of one token."""
        return self._table[checked(token, self.vocab_size)]

    def byte_lengths(self) -> NDArray[np.int32]:
        """Bytes of each token, (257,) int32."""
        lengths = np.ones(self.vocab_size, dtype=np.int32)
        lengths[self.separator] = 0
        return lengths

    def save(self, folder: Path) -> None:
        """Write what `load_tokenizer` needs."""
        write_head(self, folder)

    def to_hf_json(self) -> str:
        """The same tokenizer as a `tokenizers` file: 256 letters and no merges."""
        model = ranks.hf_model([bytes([byte]) for byte in range(256)])
        return ranks.hf_json(model, self.special_tokens, None)


class RankTokenizer:
    """Byte-level byte-pair encoding: an own vocabulary, GPT-2's or another of tiktoken's.

    Args:
        kind: `bpe`, `gpt2` or `tiktoken`.
        vocabulary: Bytes of each token but the special ones, in the order of their merges; none at
            the place of a special one.
        pattern: How text is split before merges.
        special_tokens: Names and ids of tokens that no text encodes to, the separator first; left
            out, the separator is the last id and the only one.
    """

    def __init__(
        self,
        kind: Kind,
        vocabulary: ranks.Ranks,
        pattern: pretokens.PatternName = "gpt2",
        special_tokens: Mapping[str, int] | None = None,
    ) -> None:
        usual = {ranks.SEPARATOR_TEXT: len(vocabulary)}
        self.kind: Kind = kind
        self.pattern = pattern
        self.special_tokens = usual if special_tokens is None else dict(special_tokens)
        self.separator = next(iter(self.special_tokens.values()))
        self.vocab_size = max(len(vocabulary), max(self.special_tokens.values()) + 1)
        self._table = [*vocabulary, *[b""] * (self.vocab_size - len(vocabulary))]
        self._ranks_text = ranks.to_text(vocabulary)
        digest = hashlib.sha256(self._ranks_text.encode())
        if pattern != "gpt2" or self.special_tokens != usual:
            digest.update(json.dumps([pattern, self.special_tokens]).encode())
        self.fingerprint = digest.hexdigest()

    @cached_property
    def _encoding(self) -> tiktoken.Encoding:
        mergeable = {token: rank for rank, token in enumerate(self._table) if token}
        return tiktoken.Encoding(
            f"hearth-{self.kind}",
            pat_str=pretokens.PATTERNS[self.pattern],
            mergeable_ranks=mergeable,
            # None is ever allowed, so no text can become one. With none at all, tiktoken searches
            # for nothing at every single place, which takes a third of the time.
            special_tokens={ranks.SEPARATOR_TEXT: self.separator},
        )

    def encode(self, text: str) -> Ids:
        """Ids of a text, (n,) uint32."""
        if len(text) <= pretokens.PIECE_CHARACTERS:
            return self._encode_piece(text)
        pieces = pretokens.pieces(without_surrogates(text), cut_of=self.last_cut)
        return np.concatenate([self._encode_piece(piece) for piece in pieces])

    def _encode_piece(self, text: str) -> Ids:
        try:
            return encode_in_halves(self._encode_plain, text)
        except UnicodeEncodeError:
            return encode_in_halves(self._encode_plain, without_surrogates(text))

    def _encode_plain(self, text: str) -> Ids:
        ids: Ids = self._encoding.encode_to_numpy(text, disallowed_special=())
        return ids

    def last_cut(self, text: str, start: int, end: int) -> int:
        """Where the pre-tokeniser would split anyway."""
        return pretokens.last_cut(text, start, end, self.pattern)

    def encode_batch(self, texts: Sequence[str]) -> list[Ids]:
        """`encode` of each text, on all cores."""
        with ThreadPoolExecutor(worker_count()) as pool:
            return list(pool.map(self.encode, texts))

    def decode(self, ids: Iterable[int]) -> str:
        """Text of some ids."""
        return join_tokens(self._table, ids)

    def token_bytes(self, token: int) -> bytes:
        """Bytes of one token."""
        return self._table[checked(token, self.vocab_size)]

    def byte_lengths(self) -> NDArray[np.int32]:
        """Bytes of each token, (V,) int32."""
        return np.array([len(token) for token in self._table], dtype=np.int32)

    def save(self, folder: Path) -> None:
        """Write what `load_tokenizer` needs."""
        write_head(self, folder, pattern=self.pattern, special_tokens=self.special_tokens)
        (folder / RANKS_NAME).write_text(self._ranks_text, encoding="ascii")

    def to_hf_json(self) -> str:
        """The same tokenizer as a `tokenizers` file."""
        return ranks.hf_json(ranks.hf_model(self._table), self.special_tokens, self.pattern)


def load_tokenizer(folder: Path) -> TextTokenizer:
    """Open a tokenizer that `save` wrote.

    Raises:
        DataError: A file is absent, damaged or of a newer version; the message names it.
    """
    head = read_head(folder)
    tokenizer: TextTokenizer
    if head.get("kind") == "bytes":
        tokenizer = ByteTokenizer()
    elif head.get("kind") in ("bpe", "gpt2", "tiktoken"):
        tokenizer = _load_ranks(folder, head)
    elif head.get("kind") == "tokenizer_json":
        tokenizer = json_kind.load(folder)
    else:
        raise damaged(folder / HEAD_NAME, f"the kind {head.get('kind')!r} is unknown")
    if tokenizer.fingerprint != head.get("fingerprint"):
        name = json_kind.FILE_NAME if head["kind"] == "tokenizer_json" else RANKS_NAME
        raise damaged(folder / name, "it is not the vocabulary that was saved")
    return tokenizer


def _load_ranks(folder: Path, head: dict[str, Any]) -> RankTokenizer:
    """A vocabulary of ranks; folders from before there were patterns have GPT-2's."""
    pattern, special_tokens = head.get("pattern", "gpt2"), head.get("special_tokens")
    if pattern not in pretokens.PATTERNS:
        raise damaged(folder / HEAD_NAME, f"the pattern {pattern!r} is unknown")
    if special_tokens is not None and not _are_tokens(special_tokens):
        raise damaged(folder / HEAD_NAME, "its special tokens are no names with ids")
    path = folder / RANKS_NAME
    try:
        vocabulary = ranks.from_text(read_saved(path), set((special_tokens or {}).values()))
    except ValueError as error:
        raise damaged(path, str(error)) from None
    return RankTokenizer(head["kind"], vocabulary, pattern, special_tokens)


def _are_tokens(value: object) -> bool:
    return isinstance(value, dict) and bool(value) and all(type(n) is int for n in value.values())

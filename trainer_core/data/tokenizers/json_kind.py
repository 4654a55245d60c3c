"""The tokenizer of any `tokenizer.json`: of bytes, of SentencePiece's pieces, of words."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from trainer_core.data.tokenizers import json_file, pretokens, ranks
from trainer_core.data.tokenizers.head import HEAD_NAME, damaged, read_head, read_saved, write_head
from trainer_core.data.tokenizers.json_ranks import fast_encoding
from trainer_core.data.tokenizers.round_trip import RoundTrip
from trainer_core.data.tokenizers.tokenizer import (
    Ids,
    Kind,
    checked,
    encode_in_halves,
    join_tokens,
    utf8,
    worker_count,
)

FILE_NAME = "tokenizer.json"
UNKNOWN_BYTES = "\ufffd".encode()
"""What a token stands for that says no more than that the vocabulary lacks something."""
_AROUND_CHARACTERS = 200
_CUTS_TRIED = 64
_CUT = re.compile(r"\s(?=\S)|(?<=[\r\n])(?=\S)")
_BYTE_NAME = re.compile(r"<0x([0-9A-F]{2})>")


class JsonTokenizer:
    """A vocabulary of the library `tokenizers`.

    Text is what its tokens stand for, one behind the other: there is no other rule for decoding.

    Attributes:
        round_trip: How much of the text that it was chosen for it gives back, where that was tried.
    """

    kind: Kind = "tokenizer_json"

    def __init__(self, file: json_file.FitFile, round_trip: RoundTrip | None = None) -> None:
        """Open a file.

        Args:
            file: Made fit for documents.
            round_trip: As it was measured.
        """
        self.round_trip = round_trip
        self._text = file.text
        self.special_tokens = file.special_tokens
        self.separator = next(iter(file.special_tokens.values()))
        self._library = json_file.opened(file.text)
        content = json.loads(file.text)
        self._table = _table(content, self._library.get_vocab(), file.special_tokens)
        self._fast = fast_encoding(content, self._library)
        self.vocab_size = len(self._table)
        self.fingerprint = hashlib.sha256(file.text.encode()).hexdigest()

    def encode(self, text: str) -> Ids:
        """Ids of a text, (n,) uint32."""
        if not text.isascii():
            text = utf8(text).decode()
        pieces = pretokens.pieces(text, cut_of=self.last_cut)
        return np.concatenate([self._encode_piece(piece) for piece in pieces])

    def _encode_piece(self, text: str) -> Ids:
        if self._fast is None:
            encoding = self._library.encode_batch_fast([text], add_special_tokens=False)[0]
            return np.array(encoding.ids, dtype=np.uint32)
        normaliser = self._library.normalizer
        seen = text if normaliser is None else normaliser.normalize_str(text)
        return encode_in_halves(self._encode_fast, seen)

    def _encode_fast(self, text: str) -> Ids:
        assert self._fast is not None
        ids: Ids = self._fast.encode_to_numpy(text, disallowed_special=())
        return ids

    def encode_batch(self, texts: Sequence[str]) -> list[Ids]:
        """`encode` of each text, on all cores."""
        with ThreadPoolExecutor(worker_count()) as pool:
            return list(pool.map(self.encode, texts))

    def last_cut(self, text: str, start: int, end: int) -> int:
        """Where the text around gives the same tokens whole and cut: between words, behind lines.

        What a file does with a text cannot be known from outside, so it is tried.
        """
        for place in _places(text, start, min(end, len(text))):
            left = text[max(place - _AROUND_CHARACTERS, 0) : place]
            right = text[place : place + _AROUND_CHARACTERS]
            halves = [self._encode_piece(left), self._encode_piece(right)]
            if np.array_equal(self._encode_piece(left + right), np.concatenate(halves)):
                return place
        return -1

    def decode(self, ids: Iterable[int]) -> str:
        """Text of some ids."""
        return join_tokens(self._table, ids)

    def token_bytes(self, token: int) -> bytes:
        """Bytes of one token."""
        return self._table[checked(token, self.vocab_size)]

    def byte_lengths(self) -> NDArray[np.int32]:
        """Bytes of each token, (V,) int32."""
        return self._lengths.copy()

    @cached_property
    def _lengths(self) -> NDArray[np.int32]:
        return np.array([len(token) for token in self._table], dtype=np.int32)

    def save(self, folder: Path) -> None:
        """Write what `load` needs."""
        trip = msgspec.to_builtins(self.round_trip)
        write_head(self, folder, special_tokens=self.special_tokens, round_trip=trip)
        (folder / FILE_NAME).write_text(self._text, encoding="utf-8")

    def to_hf_json(self) -> str:
        """The file as it is used here."""
        return self._text


def load(folder: Path) -> JsonTokenizer:
    """Open a tokenizer that `save` wrote.

    Raises:
        DataError: A file is absent or damaged; the message names it.
    """
    head = read_head(folder)
    special_tokens = head.get("special_tokens")
    if not isinstance(special_tokens, dict) or not special_tokens:
        raise damaged(folder / HEAD_NAME, "it has no special tokens")
    path = folder / FILE_NAME
    try:
        trip = msgspec.convert(head.get("round_trip"), RoundTrip | None)
        return JsonTokenizer(json_file.FitFile(read_saved(path), special_tokens), trip)
    except (json_file.Unfit, ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(path, str(error)) from None


def _places(text: str, start: int, stop: int) -> Iterator[int]:
    """Places between words and behind lines in `text[start + 1:stop]`, from the last on."""
    step, tried = 1024, 0
    while stop > start + 1 and tried < _CUTS_TRIED:
        begin = max(start + 1, stop - step)
        found = _CUT.finditer(text, begin, min(stop + 1, len(text)))
        places = [match.start() for match in found if match.start() < stop]
        yield from reversed(places)
        tried += len(places)
        stop, step = begin, step * 4


def _table(
    content: Mapping[str, Any], numbers: Mapping[str, int], special_tokens: Mapping[str, int]
) -> list[bytes]:
    """Bytes of each token, by id; none for the special ones and for ids that nothing has."""
    table = [b""] * (max(*numbers.values(), *special_tokens.values()) + 1)
    added = {token["content"] for token in content["added_tokens"]}
    bytes_of = _reader(content)
    for name, number in numbers.items():
        table[number] = name.replace("▁", " ").encode() if name in added else bytes_of(name)
    for number in special_tokens.values():
        table[number] = b""
    model = content["model"]
    unknown = model.get("unk_token")
    if model["type"] == "Unigram" and model.get("unk_id") is not None:
        unknown = model["vocab"][model["unk_id"]][0]
    if unknown in numbers and numbers[unknown] != next(iter(special_tokens.values())):
        table[numbers[unknown]] = UNKNOWN_BYTES
    return table


def _reader(content: Mapping[str, Any]) -> Callable[[str], bytes]:
    """What gives the bytes that a token's name stands for."""
    model = content["model"]
    letters = _letters(content)
    if suffix := model.get("end_of_word_suffix"):
        return lambda name: letters(name.removesuffix(suffix)) + b" " * name.endswith(suffix)
    inside = model.get("continuing_subword_prefix")
    before = b" " if _implies_spaces(content) else b""
    if inside:
        return lambda name: (
            letters(name.removeprefix(inside))
            if name.startswith(inside)
            else before + letters(name)
        )
    return lambda name: before + letters(name)


def _letters(content: Mapping[str, Any]) -> Callable[[str], bytes]:
    """What the letters of a token's name stand for."""
    if json_file.is_byte_level(content):
        byte_of = {letter: bytes([byte]) for byte, letter in enumerate(ranks.byte_letters())}
        return lambda name: b"".join([byte_of.get(letter, letter.encode()) for letter in name])
    byte_fallback = bool(content["model"].get("byte_fallback"))
    space_letter = json_file.has_space_letter(content)

    def piece(name: str) -> bytes:
        byte = _BYTE_NAME.fullmatch(name) if byte_fallback else None
        if byte:
            return bytes([int(byte[1], 16)])
        return (name.replace("▁", " ") if space_letter else name).encode()

    return piece


def _implies_spaces(content: Mapping[str, Any]) -> bool:
    """Whether tokens are words that a space stands before, though none of them has it."""
    model = content["model"]
    if model["type"] not in ("WordPiece", "WordLevel") and not model.get(
        "continuing_subword_prefix"
    ):
        return False
    written = json_file.is_byte_level(content) or json_file.has_space_letter(content)
    return not written and not json_file.is_fused(content) and " " not in model["vocab"]

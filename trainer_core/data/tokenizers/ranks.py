"""Byte-pair vocabularies as ranks: each token's bytes with its id, in the order of the merges.

Encoding by ranks (take the adjacent pair whose joined bytes have the lowest rank) is the same as
encoding by the list of merges for every vocabulary that was learned by merging, because what is
merged inside a token does not depend on what stands around it.
"""

from __future__ import annotations

import base64
import binascii
import json
from itertools import pairwise
from typing import Any

Ranks = list[bytes]
"""Bytes of each token; the index is the token's id."""


def byte_letters() -> list[str]:
    """The printable letter that stands for each byte in `tokenizers` and in GPT-2's files."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {byte: chr(byte) for byte in printable}
    for number, byte in enumerate(byte for byte in range(256) if byte not in letters):
        letters[byte] = chr(256 + number)
    return [letters[byte] for byte in range(256)]


def to_text(ranks: Ranks) -> str:
    """The vocabulary in tiktoken's file format: base64 of the bytes, a space, the rank."""
    lines = (f"{base64.b64encode(token).decode()} {rank}\n" for rank, token in enumerate(ranks))
    return "".join(lines)


def from_text(text: str) -> Ranks:
    """Read a vocabulary in tiktoken's file format.

    Raises:
        ValueError: The text is no such file, or tokens are missing, doubled or out of order.
    """
    ranks: Ranks = []
    for number, line in enumerate(text.splitlines()):
        encoded, _, rank = line.partition(" ")
        if rank != str(number):
            raise ValueError(f"line {number + 1} does not hold rank {number}")
        try:
            ranks.append(base64.b64decode(encoded, validate=True))
        except binascii.Error as error:
            raise ValueError(f"line {number + 1}: {error}") from None
    singles = sum(len(token) == 1 for token in ranks)
    if singles != 256 or len(set(ranks)) != len(ranks) or b"" in ranks:
        raise ValueError("the tokens are not distinct or do not hold all 256 bytes")
    return ranks


def split_merge(token: bytes, rank_of: dict[bytes, int]) -> tuple[bytes, bytes]:
    """The two tokens that a merge joined into `token`.

    Raises:
        ValueError: The token cannot be reached by merges of lower rank.
    """
    own = rank_of[token]
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 2:
        joined = [rank_of.get(left + right, own) for left, right in pairwise(parts)]
        best = min(joined)
        if best >= own:
            raise ValueError(f"no merges lead to token {own}")
        at = joined.index(best)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts[0], parts[1]


def hf_json(model: dict[str, Any], separator: int, *, split: bool) -> str:
    """A `tokenizers` file around a model, with the separator as its one special token.

    Args:
        model: The `model` part of the file.
        separator: Id of the separator.
        split: Whether GPT-2's pre-tokeniser splits the text first.
    """
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": split,
    }
    special = {
        "id": separator,
        "content": SEPARATOR_TEXT,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }
    return json.dumps(
        {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [special],
            "normalizer": None,
            "pre_tokenizer": byte_level,
            "post_processor": None,
            "decoder": {**byte_level, "add_prefix_space": True, "use_regex": True},
            "model": model,
        },
        ensure_ascii=False,
    )


SEPARATOR_TEXT = "<|endoftext|>"
"""How other tools write the separator. In Hearth this text is plain text."""


def hf_model(ranks: Ranks) -> dict[str, Any]:
    """The `model` part of a `tokenizers` file for this vocabulary, its merges worked out."""
    letters = byte_letters()
    names = ["".join(letters[byte] for byte in token) for token in ranks]
    rank_of = {token: rank for rank, token in enumerate(ranks)}
    merges = []
    for token in ranks:
        if len(token) > 1:
            left, right = split_merge(token, rank_of)
            merges.append([names[rank_of[left]], names[rank_of[right]]])
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": False,
        "vocab": {name: rank for rank, name in enumerate(names)},
        "merges": merges,
    }

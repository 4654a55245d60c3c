"""Byte-pair vocabularies as ranks: each token's bytes with its id, in the order of the merges.

Encoding by ranks (take the adjacent pair whose joined bytes have the lowest rank) is the same as
encoding by the list of merges for every vocabulary that was learned by merging, because what is
merged inside a token does not depend on what stands around it.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import Any

from trainer_core.data.tokenizers.pretokens import PatternName, library_pattern

Ranks = list[bytes]
"""Bytes of each token; the index is the token's id. None where a special token stands."""


def byte_letters() -> list[str]:
    """The printable letter that stands for each byte in `tokenizers` and in GPT-2's files."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {byte: chr(byte) for byte in printable}
    for number, byte in enumerate(byte for byte in range(256) if byte not in letters):
        letters[byte] = chr(256 + number)
    return [letters[byte] for byte in range(256)]


def to_text(ranks: Ranks) -> str:
    """The vocabulary in tiktoken's file format: base64 of the bytes, a space, the rank."""
    return "".join(
        f"{base64.b64encode(token).decode()} {rank}\n" for rank, token in enumerate(ranks) if token
    )


def from_text(text: str, special: Collection[int] = ()) -> Ranks:
    """Read a vocabulary in tiktoken's file format.

    Args:
        text: The file's content.
        special: Ids of special tokens, which the file leaves out.

    Raises:
        ValueError: The text is no such file, or tokens are missing, doubled or out of order.
    """
    ranks: Ranks = []
    for number, line in enumerate(text.splitlines()):
        encoded, _, rank = line.partition(" ")
        while len(ranks) in special:
            ranks.append(b"")
        if rank != str(len(ranks)):
            raise ValueError(f"line {number + 1} does not hold rank {len(ranks)}")
        try:
            ranks.append(base64.b64decode(encoded, validate=True))
        except binascii.Error as error:
            raise ValueError(f"line {number + 1}: {error}") from None
    tokens = [token for number, token in enumerate(ranks) if number not in special]
    singles = sum(len(token) == 1 for token in tokens)
    if singles != 256 or len(set(tokens)) != len(tokens) or b"" in tokens:
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


SEPARATOR_TEXT = "<|endoftext|>"
"""How other tools write the separator. In Hearth this text is plain text."""


def added_token(name: str, number: int, *, special: bool = True) -> dict[str, Any]:
    """A token as `tokenizers` files list it beside the vocabulary."""
    return {
        "id": number,
        "content": name,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": special,
    }


def hf_json(
    model: dict[str, Any], special_tokens: Mapping[str, int], pattern: PatternName | None
) -> str:
    """A `tokenizers` file around a model of bytes.

    Args:
        model: The `model` part of the file.
        special_tokens: Their names and ids.
        pattern: How the text is split first; None does not split it.
    """
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": pattern == "gpt2",
    }
    pre_tokenizer: dict[str, Any] = byte_level
    if pattern not in (None, "gpt2"):
        split = {
            "type": "Split",
            "pattern": {"Regex": library_pattern(pattern)},
            "behavior": "Isolated",
            "invert": False,
        }
        pre_tokenizer = {"type": "Sequence", "pretokenizers": [split, byte_level]}
    return json.dumps(
        {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [added_token(name, number) for name, number in special_tokens.items()],
            "normalizer": None,
            "pre_tokenizer": pre_tokenizer,
            "post_processor": None,
            "decoder": {**byte_level, "add_prefix_space": True, "use_regex": True},
            "model": model,
        },
        ensure_ascii=False,
    )


def hf_model(ranks: Ranks) -> dict[str, Any]:
    """The `model` part of a `tokenizers` file for this vocabulary, its merges worked out.

    A token that no merges lead to is reached as a whole piece alone, as it is in tiktoken.
    """
    letters = byte_letters()
    names = ["".join(letters[byte] for byte in token) for token in ranks]
    rank_of = {token: rank for rank, token in enumerate(ranks) if token}
    merges = []
    whole_pieces = False
    for token in ranks:
        if len(token) > 1:
            try:
                left, right = split_merge(token, rank_of)
            except ValueError:
                whole_pieces = True
                continue
            merges.append([names[rank_of[left]], names[rank_of[right]]])
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": whole_pieces,
        "vocab": {name: rank for rank, name in enumerate(names) if name},
        "merges": merges,
    }

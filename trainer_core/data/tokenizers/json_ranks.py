"""A `tokenizer.json` of bytes as ranks, which tiktoken encodes several times faster."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import tiktoken
from tokenizers import Tokenizer

from trainer_core.data.tokenizers import ranks
from trainer_core.data.tokenizers.pretokens import PATTERNS, library_pattern

_GPT2 = PATTERNS["gpt2"]
# Each digit stands alone before GPT-2's split is made, so a digit ends white space as the end does.
_DIGITS_FIRST = _GPT2.replace(r" ?\p{N}++", r"\p{N}").replace(r"\s++$", r"\s++(?=\p{N}|$)")
_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_KNOWN_SPLITS = {
    **{library_pattern(name): pattern for name, pattern in PATTERNS.items()},
    _LLAMA3: _LLAMA3,
    _LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}"): _LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}"),  # Qwen 2
}
"""Regular expressions that both libraries read alike, by how `tokenizers` files write them."""

_PROBE = (
    "The cat's 12345 toys weren't WE'LL'd; x_1 = f(a)[0]  # two  spaces\r\n\r\n\tTab\n   end   \n"
    "Ünïcödé ﬁ e\u0301 ½Ⅷ ١٢٣ 漢字とかな 👩‍👩‍👧 \x00\x1c\x85\u2028\u3000z  9 a 9  b\n\n9/\n/\n"
)


def fast_encoding(content: Mapping[str, Any], library: Tokenizer) -> tiktoken.Encoding | None:
    """An encoder with the same ids, or None where there is none.

    Args:
        content: The file's content, fit for documents.
        library: The library's tokenizer of it.
    """
    pattern = _pattern(content["pre_tokenizer"])
    plain_added = any(not token["special"] for token in content["added_tokens"])
    if pattern is None or plain_added:
        return None
    mergeable = _mergeable(content["model"])
    if mergeable is None:
        return None
    encoding = tiktoken.Encoding(
        "tokenizer.json", pat_str=pattern, mergeable_ranks=mergeable, special_tokens={}
    )
    normaliser = library.normalizer
    probe = _PROBE if normaliser is None else normaliser.normalize_str(_PROBE)
    ids = library.encode(_PROBE, add_special_tokens=False).ids
    return encoding if encoding.encode_ordinary(probe) == ids else None


def _pattern(step: Mapping[str, Any] | None) -> str | None:
    """How the file splits text, as tiktoken writes it."""
    match step:
        case {"type": "ByteLevel", "use_regex": True}:
            return _GPT2
        case {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Digits", "individual_digits": True},
                {"type": "ByteLevel", "use_regex": True},
            ],
        }:
            return _DIGITS_FIRST
        case {
            "type": "Sequence",
            "pretokenizers": [
                {
                    "type": "Split",
                    "pattern": {"Regex": str(split)},
                    "behavior": "Isolated",
                    "invert": False,
                },
                {"type": "ByteLevel", "use_regex": False},
            ],
        }:
            return _KNOWN_SPLITS.get(split)
    return None


def _mergeable(model: Mapping[str, Any]) -> dict[bytes, int] | None:
    """Bytes and ids of the tokens that merges lead to, if these rise with the merges."""
    odd = ("continuing_subword_prefix", "end_of_word_suffix", "byte_fallback")
    if model["type"] != "BPE" or any(model.get(name) for name in odd):
        return None
    byte_of = {letter: bytes([byte]) for byte, letter in enumerate(ranks.byte_letters())}
    vocabulary: Mapping[str, int] = model["vocab"]
    if not vocabulary.keys() >= byte_of.keys():
        return None
    merged = ["".join(pair) for pair in model["merges"]]
    numbers = [vocabulary[name] for name in merged]
    if any(one > following for one, following in pairwise(numbers)):
        return None
    names = [*byte_of, *dict.fromkeys(merged)]
    if max(vocabulary[letter] for letter in byte_of) > min(numbers, default=1 << 62):
        return None
    return {b"".join(byte_of[letter] for letter in name): vocabulary[name] for name in names}

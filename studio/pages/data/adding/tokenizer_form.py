"""A tokenizer as it is typed, and the settings that follow from it. Free of Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from studio.pages.typed import parse, parse_size, size_text
from trainer_core.errors import SpecError
from trainer_core.spec import (
    Pretokenizer,
    Tokenizer,
)

TokenizerKind = Literal["bpe", "bytes", "gpt2", "tiktoken", "tokenizer_json", "corpus", "saved"]
Encoding = Literal["r50k_base", "p50k_base", "cl100k_base", "o200k_base"]

FIELDS: dict[TokenizerKind, tuple[str, ...]] = {
    "bpe": ("vocab_size", "sample_bytes", "pretokenizer", "special_tokens"),
    "bytes": (),
    "gpt2": ("vocabulary_folder",),
    "tiktoken": ("encoding", "ranks_file"),
    "tokenizer_json": ("path", "separator"),
    "corpus": ("corpus",),
    "saved": ("folder",),
}
"""What can be set about each kind of tokenizer, by the names of the spec."""

ENCODINGS: dict[Encoding, str] = {
    "o200k_base": "GPT-4o and newer",
    "cl100k_base": "GPT-4 and GPT-3.5",
    "p50k_base": "Codex",
    "r50k_base": "GPT-3",
}
"""tiktoken's encodings, and which models speak them.

Source: https://github.com/openai/tiktoken, `tiktoken/model.py`.
"""


@dataclass(frozen=True)
class TokenizerForm:
    """A tokenizer as it was typed; what its kind does not have is left alone.

    Attributes:
        kind: How text becomes tokens.
        vocab_size: Tokens of an own one.
        sample_bytes: How much text an own one is learned from, such as `10 MB`.
        pretokenizer: How text is cut before an own one learns.
        special_tokens: Further tokens of an own one.
        vocabulary_folder: GPT-2's two files; empty finds or fetches them.
        encoding: Which of tiktoken's.
        ranks_file: Its file; empty finds or fetches it.
        path: A `tokenizer.json`, or its folder.
        separator: Which token of that file opens documents; empty finds it.
        corpus: Another dataset's corpus folder.
        folder: A folder that the tokenizer lab left.
    """

    kind: TokenizerKind = "bpe"
    vocab_size: str = "4,096"
    sample_bytes: str = "10 MB"
    pretokenizer: Pretokenizer = "gpt2"
    special_tokens: tuple[str, ...] = ()
    vocabulary_folder: str = ""
    encoding: Encoding = "cl100k_base"
    ranks_file: str = ""
    path: str = ""
    separator: str = ""
    corpus: str = ""
    folder: str = ""


def tokenizer_data(form: TokenizerForm) -> dict[str, Any]:
    """The settings of a tokenizer as plain values, to be checked with the rest of the spec.

    Raises:
        SpecError: Something without a default was not given.
    """
    wanted: dict[TokenizerKind, tuple[str, str, str]] = {
        "tokenizer_json": ("path", "No file is chosen.", "Choose a `tokenizer.json`."),
        "corpus": ("corpus", "No dataset is chosen.", "Choose the one whose tokens to use."),
        "saved": ("folder", "No folder is chosen.", "Choose one that the tokenizer lab left."),
    }
    if form.kind in wanted:
        name, what, do = wanted[form.kind]
        if not getattr(form, name).strip():
            raise SpecError(what, do=do, field=f"tokenizer.{name}")
    data: dict[str, Any] = {"kind": form.kind}
    for name in FIELDS[form.kind]:
        value = getattr(form, name)
        if name == "vocab_size":
            value = parse(value)
        elif name == "sample_bytes":
            value = parse_size(value)
        elif isinstance(value, str):
            value = value.strip()
        data[name] = value
    return data


def tokenizer_form(tokenizer: Tokenizer) -> TokenizerForm:
    """The form that gives this tokenizer."""
    data = msgspec.to_builtins(tokenizer)
    kind: TokenizerKind = next(known for known in FIELDS if known == data["kind"])
    typed: dict[str, Any] = {}
    for name in FIELDS[kind]:
        value = data[name]
        if name == "vocab_size":
            value = f"{value:,}"
        elif name == "sample_bytes":
            value = size_text(value)
        elif name == "special_tokens":
            value = tuple(value)
        typed[name] = value
    return TokenizerForm(kind=kind, **typed)

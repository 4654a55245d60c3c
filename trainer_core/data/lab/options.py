"""The command line of `tokenizers`; light to import."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

from trainer_core import spec as specs
from trainer_core.errors import ExitCode

Add = Callable[[str, Callable[[argparse.Namespace], ExitCode], str], argparse.ArgumentParser]
"""Adds a command: its name, what carries it out, and a line of help."""

_DEFAULTS = ("4096", "16384", "bytes")
_SAVED_MARK = "tokenizer_kind.json"


def add_tokenizers(add: Add) -> None:
    """Add the command that compares tokenizers."""
    tokenizers = add("tokenizers", _tokenizers, "compare tokenizers on the same text")
    encodings = ", ".join(_encodings())
    tokenizers.add_argument(
        "candidates",
        nargs="*",
        default=_DEFAULTS,
        metavar="TOKENIZER",
        help="a number learns an own one of that size, as 8192 or, split otherwise, 8192:gpt4 or"
        f" 8192:digits; bytes; gpt2; {encodings}; a tokenizer.json or its folder; a folder with"
        f" a tokenizer of Hearth (default: {' '.join(_DEFAULTS)})",
    )
    tokenizers.add_argument(
        "--texts", nargs="+", default=[], metavar="PATH", help="files and folders of text"
    )
    tokenizers.add_argument("--corpus", default="", help="a prepared corpus instead of texts")
    tokenizers.add_argument(
        "--megabytes", type=float, default=20.0, help="text to measure them on (%(default)s)"
    )
    tokenizers.add_argument("--show", default="", metavar="TEXT", help="a text to see in tokens")
    tokenizers.add_argument("--seed", type=int, default=1337)
    tokenizers.add_argument(
        "--folder",
        type=Path,
        default=Path("hearth-tokenizers"),
        help="the new job folder, which keeps the tokenizers (%(default)s)",
    )
    tokenizers.add_argument("--json", action="store_true", help="print everything as JSON")


def _tokenizers(args: argparse.Namespace) -> ExitCode:
    """Compare tokenizers and print how they do."""
    from trainer_core.data.lab.terminal import compare

    return compare(args.folder, lab_spec(args), as_json=args.json)


def lab_spec(args: argparse.Namespace) -> specs.TokenizersSpec:
    """The job that a command line asks for.

    Raises:
        SpecError: A number is out of range.
    """
    values: dict[str, Any] = {
        "candidates": [_candidate(word) for word in args.candidates],
        "sample_bytes": round(args.megabytes * 1e6),
        "text": args.show,
        "seed": args.seed,
    }
    if args.corpus:
        values["corpus"] = args.corpus
    elif args.texts:
        values["source"] = {"kind": "text_files", "paths": list(args.texts)}
    else:
        values["source"] = {"kind": "python_library"}
    return specs.convert(values, specs.TokenizersSpec, "the options")


def _candidate(word: str) -> dict[str, Any]:
    """The settings of a tokenizer that was named with a word."""
    size, _, split = word.partition(":")
    if size.isdecimal():
        own = {"kind": "bpe", "vocab_size": int(size)}
        return own | ({"pretokenizer": split} if split else {})
    if word in ("bytes", "gpt2"):
        return {"kind": word}
    if word in _encodings():
        return {"kind": "tiktoken", "encoding": word}
    if (Path(word) / _SAVED_MARK).exists():
        return {"kind": "saved", "folder": word}
    return {"kind": "tokenizer_json", "path": word}


def _encodings() -> tuple[str, ...]:
    return get_args(get_type_hints(specs.TiktokenTokenizer)["encoding"])

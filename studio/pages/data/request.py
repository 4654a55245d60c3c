"""What the "Add data" panel asks for, from typed settings to a prepare spec. Free of Qt."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal

from studio.pages.typed import parse, parse_size
from trainer_core import spec as specs
from trainer_core.errors import SpecError
from trainer_core.spec import (
    BpeTokenizer,
    ByteTokenizer,
    CorpusTokenizer,
    Gpt2Tokenizer,
    PrepareSpec,
    PythonLibrary,
    TextFiles,
)

GPT2_VOCAB_SIZE = 50_257
SourceKind = Literal["python_library", "text_files"]
TokenizerKind = Literal["bytes", "bpe", "gpt2"]


@dataclass(frozen=True)
class AddForm:
    """The panel's content as it was typed."""

    source: SourceKind = "python_library"
    paths: tuple[str, ...] = ()
    suffixes: str = ""
    limit: str = ""
    """At most this much of the Python library, such as `24 MB`; empty for all."""
    tokenizer: TokenizerKind = "bpe"
    vocab_size: str = "4,096"
    vocabulary_folder: str = ""
    name: str = ""
    what: str = ""
    private: bool = False
    validation: str = "5"
    """Percent."""
    seed: str = "1337"


@dataclass(frozen=True)
class AddRequest:
    """A dataset to read. `replaces` is the dataset whose failed attempt this one corrects."""

    name: str
    what: str
    private: bool
    spec: PrepareSpec
    replaces: int | None = None


def make_request(form: AddForm, replaces: int | None = None) -> AddRequest:
    """The request behind a form.

    Raises:
        SpecError: A setting is missing or wrong; the error has its path.
    """
    name = form.name.strip() or default_name(form)
    if form.source == "text_files" and not form.paths:
        raise SpecError(
            "No file or folder is chosen.", do="Add at least one.", field="source.paths"
        )
    share = parse(form.validation.strip().rstrip("%"))
    data = {
        "verb": "prepare",
        "source": _source(form),
        "tokenizer": _tokenizer(form),
        "name": name,
        "validation_fraction": share / 100 if isinstance(share, int | float) else share,
        "seed": parse(form.seed),
    }
    spec: PrepareSpec = specs.convert(data, PrepareSpec, "this dataset")
    what = form.what.strip() or default_what(form)
    return AddRequest(name, what, form.private, spec, replaces)


def _source(form: AddForm) -> dict[str, Any]:
    if form.source == "python_library":
        return {"kind": "python_library", "max_bytes": parse_size(form.limit)}
    suffixes = [part for part in form.suffixes.replace(",", " ").split() if part]
    return {"kind": "text_files", "paths": list(form.paths), "suffixes": suffixes}


def _tokenizer(form: AddForm) -> dict[str, Any]:
    if form.tokenizer == "bpe":
        return {"kind": "bpe", "vocab_size": parse(form.vocab_size)}
    if form.tokenizer == "gpt2":
        return {"kind": "gpt2", "vocabulary_folder": form.vocabulary_folder.strip()}
    return {"kind": "bytes"}


def default_name(form: AddForm) -> str:
    """A name that says where the text is from."""
    if form.source == "python_library":
        return "Python library"
    if not form.paths:
        return "My text"
    first = os.path.basename(form.paths[0].rstrip("/\\"))  # noqa: PTH119 - works on any text
    stem = first.rsplit(".", 1)[0] if len(form.paths) == 1 else first
    return stem.replace("_", " ").replace("-", " ").strip() or "My text"


def default_what(form: AddForm) -> str:
    """What kind of text it is, in a few words."""
    if form.source == "python_library":
        return "Source code, from this computer"
    count = len(form.paths)
    if count == 1:
        return f"Own text, {form.paths[0]}"
    return f"Own text, {count} files and folders"


def tokenizer_label(spec: PrepareSpec) -> str:
    """The tokenizer as the table names it, such as `own, 8,192`."""
    tokenizer = spec.tokenizer
    if isinstance(tokenizer, BpeTokenizer):
        return f"own, {tokenizer.vocab_size:,}"
    if isinstance(tokenizer, Gpt2Tokenizer):
        return f"GPT-2, {GPT2_VOCAB_SIZE:,}"
    if isinstance(tokenizer, CorpusTokenizer):
        return "of another dataset"
    return "bytes, 257"


def form_of(spec: PrepareSpec, what: str, private: bool) -> AddForm:
    """The form that gives this spec, to correct and send again."""
    source, tokenizer = spec.source, spec.tokenizer
    limit = ""
    if isinstance(source, PythonLibrary) and source.max_bytes:
        limit = f"{source.max_bytes:,} B"
    kind: TokenizerKind = "bpe"
    if isinstance(tokenizer, ByteTokenizer):
        kind = "bytes"
    elif isinstance(tokenizer, Gpt2Tokenizer):
        kind = "gpt2"
    return AddForm(
        source="text_files" if isinstance(source, TextFiles) else "python_library",
        paths=source.paths if isinstance(source, TextFiles) else (),
        suffixes=", ".join(source.suffixes) if isinstance(source, TextFiles) else "",
        limit=limit,
        tokenizer=kind,
        vocab_size=f"{tokenizer.vocab_size:,}" if isinstance(tokenizer, BpeTokenizer) else "4,096",
        vocabulary_folder=(
            tokenizer.vocabulary_folder if isinstance(tokenizer, Gpt2Tokenizer) else ""
        ),
        name=spec.name,
        what=what,
        private=private,
        validation=f"{spec.validation_fraction * 100:g}",
        seed=str(spec.seed),
    )

"""A `tokenizer.json` made fit for documents: what it adds to text goes, control tokens stay out.

Such files are made for prompts. They put a space or a start token before a text, match the names of
control tokens inside it, cut it off, or draw merges at random. Here a text's tokens stand for the
text and nothing else; the vocabulary and the ids stay as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer

from trainer_core.data.tokenizers.ranks import SEPARATOR_TEXT, added_token

IDS_MAX = 2_000_000
"""More ids than any vocabulary has."""
_SPACE_LETTER = "▁"
_LIKELY_SEPARATORS = (
    SEPARATOR_TEXT,
    "<|end_of_text|>",
    "<|begin_of_text|>",
    "</s>",
    "<s>",
    "<eos>",
    "<bos>",
    "[EOS]",
    "[BOS]",
    "[SEP]",
)
_BYTE_REST = "0x[0-9A-F]{2}>"
_BYTE_NAME = re.compile(f"<{_BYTE_REST}")
_PREFIX_STEPS = ("Prepend", "Strip")


class Unfit(Exception):  # noqa: N818 - an outcome: the caller says what can be done
    """The file cannot be used, for this reason."""

    def __init__(self, why: str, field: str = "path") -> None:
        super().__init__(why)
        self.why = why
        self.field = field


@dataclass(frozen=True)
class FitFile:
    """A file that can be used.

    Attributes:
        text: Its content, changed as the module says.
        special_tokens: Names and ids of tokens that no text encodes to, the separator first.
    """

    text: str
    special_tokens: Mapping[str, int]


def opened(text: str) -> Tokenizer:
    """The library's tokenizer of a file; names of special tokens in a text are plain text to it.

    Raises:
        Unfit: The library cannot read it.
    """
    try:
        tokenizer = Tokenizer.from_str(text)
    except Exception as error:  # noqa: BLE001 - the library raises nothing narrower
        raise Unfit(f"it is no file of the library tokenizers ({error})") from None
    tokenizer.encode_special_tokens = True
    return tokenizer


def fit(text: str, separator: str = "") -> FitFile:
    """Make a file fit for documents.

    Args:
        text: The file's content.
        separator: Which of its special tokens opens documents; empty finds it, or adds one.

    Raises:
        Unfit: It is no such file, has no such token, or a text can become a special token.
    """
    library = opened(text)
    numbers = library.get_vocab(with_added_tokens=True)
    if not numbers or max(numbers.values()) >= IDS_MAX:
        raise Unfit("its ids are not those of a vocabulary")
    # What the library writes has today's form, whatever release wrote the file.
    content: dict[str, Any] = json.loads(library.to_str())
    special_tokens = _special_tokens(content, numbers, separator)
    unknown = _unknown(content["model"])
    if unknown in numbers:
        special_tokens.setdefault(str(unknown), numbers[str(unknown)])
    spaces = [token for token in content["added_tokens"] if _is_space(token["content"])]
    content |= {
        "truncation": None,
        "padding": None,
        "post_processor": None,
        "added_tokens": sorted(
            [
                *(added_token(name, number) for name, number in special_tokens.items()),
                *(added_token(one["content"], one["id"], special=False) for one in spaces),
            ],
            key=lambda token: int(token["id"]),
        ),
        "normalizer": _without_prefix(content["normalizer"], "normalizers"),
        "pre_tokenizer": _without_prefix(content["pre_tokenizer"], "pretokenizers"),
        "decoder": _decoder(content),
    }
    if "dropout" in content["model"]:
        content["model"]["dropout"] = None
    _guard(content, special_tokens)
    return FitFile(json.dumps(content, ensure_ascii=False), special_tokens)


def _special_tokens(
    content: Mapping[str, Any], numbers: Mapping[str, int], separator: str
) -> dict[str, int]:
    """Names that no text is to become: all that were added but white space, the separator first."""
    names = [token["content"] for token in content["added_tokens"]]
    names = [name for name in names if not _is_space(name)]
    if separator and separator not in numbers:
        known = ", ".join(names[:8]) or "none"
        raise Unfit(f"it has no token {separator} (its special ones: {known})", "separator")
    if separator and _is_space(separator):
        raise Unfit("white space cannot separate documents, since text has it", "separator")
    if not separator:
        separator = next((name for name in _LIKELY_SEPARATORS if name in names), "")
    if not separator:
        free = (SEPARATOR_TEXT, "<|separator|>", "<|document|>")
        separator = next((name for name in free if name not in numbers), "")
        if not separator:
            raise Unfit("none of its special tokens is known to separate documents", "separator")
    first = {separator: numbers.get(separator, max(numbers.values()) + 1)}
    return first | {name: numbers[name] for name in names}


def _unknown(model: Mapping[str, Any]) -> str | None:
    """The token that stands for what the vocabulary does not have."""
    if model["type"] == "Unigram" and model.get("unk_id") is not None:
        return str(model["vocab"][model["unk_id"]][0])
    return model.get("unk_token")


def _is_space(name: str) -> bool:
    return not name.replace(_SPACE_LETTER, " ").strip()


def _without_prefix(step: dict[str, Any] | None, several: str) -> dict[str, Any] | None:
    """A normaliser or pre-tokeniser that puts nothing before a text and takes nothing off it."""
    if step is None or step["type"] in _PREFIX_STEPS:
        return None
    if step["type"] == "Sequence":
        kept = [_without_prefix(one, several) for one in step[several]]
        return {**step, several: [one for one in kept if one is not None]}
    changes: dict[str, Any] = {"ByteLevel": {"add_prefix_space": False}} | {
        "Metaspace": {"prepend_scheme": "never"}
    }
    return {**step, **changes.get(step["type"], {})}


def is_byte_level(content: Mapping[str, Any]) -> bool:
    """Whether tokens are written in letters that stand for bytes."""
    return any(step["type"] == "ByteLevel" for step in _all_steps(content))


def is_fused(content: Mapping[str, Any]) -> bool:
    """Whether the decoder puts tokens together with nothing between them."""
    return any(step["type"] == "Fuse" for step in _all_steps(content))


def has_space_letter(content: Mapping[str, Any]) -> bool:
    """Whether spaces are written as the letter that SentencePiece took for them."""
    return any(
        step["type"] == "Metaspace" or _SPACE_LETTER in json.dumps(step, ensure_ascii=False)
        for step in _all_steps(content)
    )


def _all_steps(content: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for part in ("normalizer", "pre_tokenizer", "decoder"):
        yield from _steps_of(content[part])


def _steps_of(step: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    """A step and, in a sequence, those that it is made of."""
    if step is not None:
        yield step
        for several in ("normalizers", "pretokenizers", "decoders"):
            for one in step.get(several, ()):
                yield from _steps_of(one)


def _decoder(content: Mapping[str, Any]) -> dict[str, Any] | None:
    """A decoder that gives the tokens' bytes and takes nothing off them."""
    if is_byte_level(content):
        byte_level = {"add_prefix_space": True, "trim_offsets": True, "use_regex": True}
        return {"type": "ByteLevel", **byte_level}
    if has_space_letter(content):
        spaces = {"type": "Replace", "pattern": {"String": _SPACE_LETTER}, "content": " "}
        steps = [spaces, {"type": "ByteFallback"}, {"type": "Fuse"}]
        return {"type": "Sequence", "decoders": steps}
    decoder: dict[str, Any] | None = content["decoder"]
    return decoder


def _guard(content: dict[str, Any], special_tokens: Mapping[str, int]) -> None:
    """Split texts inside the names that they would become otherwise, such as `<s>` or `<0x0A>`.

    A model that looks for the longest or likeliest piece finds its control tokens and its bytes
    by their names; the library itself forbids that to added tokens alone.

    Raises:
        Unfit: A text becomes a special token all the same.
    """
    names = _reachable(content, special_tokens)
    if not names:
        return
    short = next((name for name in names if len(name) < 2), None)
    if short is not None:
        raise Unfit(f"the text {short} would become its special token of that name")
    beginnings: dict[str, set[str]] = {}
    for name in names:
        rest = _BYTE_REST if _BYTE_NAME.fullmatch(name) else re.escape(name[1:])
        beginnings.setdefault(name[0], set()).add(rest)
    split = {
        "type": "Split",
        "pattern": {
            "Regex": "|".join(
                f"{re.escape(first)}(?={'|'.join(sorted(rests))})"
                for first, rests in beginnings.items()
            )
        },
        "behavior": "MergedWithPrevious",
        "invert": False,
    }
    before = content["pre_tokenizer"]
    steps = [split] if before is None else [split, before]
    content["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": steps}
    if left := _reachable(content, special_tokens):
        raise Unfit(f"the text {left[0]} would become its special token of that name")


def _reachable(content: Mapping[str, Any], special_tokens: Mapping[str, int]) -> list[str]:
    """Names of special tokens and of bytes that the model finds in a text, as it sees them."""
    library = opened(json.dumps(content))
    # The unknown token and bytes may also stand for letters of their own names.
    unknown = _unknown(content["model"])
    letters = {unknown}
    names = {name: n for name, n in special_tokens.items() if name != unknown or len(name) > 1}
    if content["model"].get("byte_fallback"):
        numbers = library.get_vocab(with_added_tokens=True)
        names |= {name: n for name, n in numbers.items() if _BYTE_NAME.fullmatch(name)}
        letters |= set(names) - set(special_tokens)
    found = []
    for name, number in names.items():
        encoding = library.encode(name, add_special_tokens=False)
        whole = (number, (0, len(name)))
        spans = zip(encoding.ids, encoding.offsets, strict=True)
        if whole in spans if name in letters else number in encoding.ids:
            normaliser = library.normalizer
            found.append(name if normaliser is None else normaliser.normalize_str(name))
    return found

"""tiktoken's encodings, fetched or from their files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from trainer_core.data.tokenizers import ranks
from trainer_core.data.tokenizers.fetching import NotFetched, fetched
from trainer_core.data.tokenizers.kinds import RankTokenizer
from trainer_core.data.tokenizers.pretokens import PatternName
from trainer_core.errors import DataError

FIELD = "tokenizer.ranks_file"
END_OF_TEXT = ranks.SEPARATOR_TEXT


@dataclass(frozen=True)
class Encoding:
    """What tiktoken publishes about an encoding.

    Attributes:
        pattern: How text is split.
        ranks: Highest rank and one; a special token may stand below it.
        special_tokens: The end of text first, which separates documents.
        sha256: Hash of the `.tiktoken` file.
    """

    pattern: PatternName
    ranks: int
    special_tokens: Mapping[str, int]
    sha256: str


ENCODINGS = {
    "r50k_base": Encoding(
        "gpt2",
        50_256,
        {END_OF_TEXT: 50_256},
        "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
    ),
    "p50k_base": Encoding(
        "gpt2",
        50_281,
        {END_OF_TEXT: 50_256},
        "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069",
    ),
    "cl100k_base": Encoding(
        "gpt4",
        100_256,
        {
            END_OF_TEXT: 100_257,
            "<|fim_prefix|>": 100_258,
            "<|fim_middle|>": 100_259,
            "<|fim_suffix|>": 100_260,
            "<|endofprompt|>": 100_276,
        },
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    ),
    "o200k_base": Encoding(
        "o200k",
        199_998,
        {END_OF_TEXT: 199_999, "<|endofprompt|>": 200_018},
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    ),
}
"""By tiktoken's names. Source: https://github.com/openai/tiktoken, `openai_public.py`."""


def load_encoding(name: str, ranks_file: str, poll: Callable[[], None]) -> RankTokenizer:
    """One of tiktoken's encodings as a tokenizer.

    Args:
        name: As tiktoken calls it.
        ranks_file: Its `.tiktoken` file; empty lets tiktoken find or fetch it.
        poll: Called several times a second while tiktoken fetches; may raise to give up.

    Raises:
        DataError: The file is another one, or cannot be fetched.
    """
    encoding = ENCODINGS[name]
    if ranks_file:
        vocabulary = _from_file(name, encoding, Path(ranks_file).expanduser())
    else:
        vocabulary = _from_tiktoken(name, encoding, poll)
    return RankTokenizer("tiktoken", vocabulary, encoding.pattern, encoding.special_tokens)


def _from_file(name: str, encoding: Encoding, path: Path) -> ranks.Ranks:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unusable(name, f"{path} cannot be read: {error.strerror}.") from None
    if hashlib.sha256(content).hexdigest() != encoding.sha256:
        raise _unusable(name, f"{path} is not the file of {name}: its content differs.")
    return ranks.from_text(content.decode("ascii"), set(encoding.special_tokens.values()))


def _from_tiktoken(name: str, encoding: Encoding, poll: Callable[[], None]) -> ranks.Ranks:
    try:
        found = fetched(name, poll)
    except NotFetched as error:
        raise DataError(
            f"The vocabulary of {name} could not be fetched: {error.why}.",
            safe="Nothing was written.",
            do=f"Connect to the internet and try again, set {FIELD} to the file"
            f" {name}.tiktoken, or choose another tokenizer.",
            field=FIELD,
        ) from None
    special = set(encoding.special_tokens.values())
    return [
        b"" if token in special else found.decode_single_token_bytes(token)
        for token in range(encoding.ranks)
    ]


def _unusable(name: str, what: str) -> DataError:
    return DataError(
        what,
        safe="Nothing was written.",
        do=f"Choose the file {name}.tiktoken as tiktoken publishes it.",
        field=FIELD,
    )

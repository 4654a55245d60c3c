"""GPT-2's vocabulary: from two files that the user has, or through tiktoken."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from trainer_core.data.tokenizers import ranks
from trainer_core.data.tokenizers.fetching import NotFetched, fetched
from trainer_core.errors import DataError

FIELD = "tokenizer.vocabulary_folder"
_MERGED_TOKENS = 50_256
# Hash of the vocabulary in tiktoken's file format, as tiktoken publishes it for r50k_base.
_RANKS_SHA256 = "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930"
# The two files, by the names that OpenAI and Hugging Face give them, and their hashes.
_MERGES = (
    ("vocab.bpe", "merges.txt"),
    "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
)
_NUMBERS = (
    ("encoder.json", "vocab.json"),
    "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783",
)


def load(vocabulary_folder: str, poll: Callable[[], None]) -> ranks.Ranks:
    """Bytes of GPT-2's 50,256 tokens (the separator is not one of them), by id.

    Args:
        vocabulary_folder: Folder with `vocab.bpe` and `encoder.json`, or with the same files under
            Hugging Face's names; empty lets tiktoken find or fetch them.
        poll: Called several times a second while tiktoken fetches; may raise to give up.

    Raises:
        DataError: A file is absent or another one, or the vocabulary cannot be fetched.
    """
    if vocabulary_folder:
        return _from_folder(Path(vocabulary_folder).expanduser())
    vocabulary = _from_tiktoken(poll)
    if hashlib.sha256(ranks.to_text(vocabulary).encode()).hexdigest() != _RANKS_SHA256:
        raise _not_fetched("what tiktoken has is not GPT-2's vocabulary")
    return vocabulary


def _from_folder(folder: Path) -> ranks.Ranks:
    _read(folder, *_MERGES)  # the order of the merges is the order of the numbers
    names: dict[str, int] = json.loads(_read(folder, *_NUMBERS))
    byte_of = {letter: byte for byte, letter in enumerate(ranks.byte_letters())}
    by_id = sorted(names.items(), key=lambda item: item[1])[:_MERGED_TOKENS]
    return [bytes(byte_of[letter] for letter in name) for name, _ in by_id]


def _read(folder: Path, file_names: tuple[str, str], sha256: str) -> bytes:
    path = next((folder / name for name in file_names if (folder / name).is_file()), None)
    if path is None:
        raise _unusable(f"There is no {file_names[0]} in {folder}.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unusable(f"{path} cannot be read: {error.strerror}.") from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise _unusable(f"{path} is not GPT-2's file: its content differs.")
    return content


def _unusable(what: str) -> DataError:
    return DataError(
        what,
        safe="Nothing was written.",
        do="Choose a folder with GPT-2's two files, vocab.bpe and encoder.json.",
        field=FIELD,
    )


def _not_fetched(why: str) -> DataError:
    return DataError(
        f"GPT-2's vocabulary could not be fetched: {why}.",
        safe="Nothing was written.",
        do="Connect to the internet and try again, set tokenizer.vocabulary_folder to a folder"
        " with GPT-2's files vocab.bpe and encoder.json, or choose another tokenizer.",
        field=FIELD,
    )


def _from_tiktoken(poll: Callable[[], None]) -> ranks.Ranks:
    try:
        encoding = fetched("gpt2", poll)
    except NotFetched as error:
        raise _not_fetched(error.why) from None
    return [encoding.decode_single_token_bytes(token) for token in range(_MERGED_TOKENS)]

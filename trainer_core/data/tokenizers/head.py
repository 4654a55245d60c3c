"""The file that says which tokenizer a folder holds, and the errors of files that are damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trainer_core.data.tokenizers.tokenizer import TextTokenizer
from trainer_core.errors import DataError

HEAD_NAME = "tokenizer_kind.json"
FORMAT_VERSION = 1


def write_head(tokenizer: TextTokenizer, folder: Path, **more: object) -> None:
    """Write the head of a tokenizer's folder, which is created."""
    folder.mkdir(parents=True, exist_ok=True)
    head = {
        "version": FORMAT_VERSION,
        "kind": tokenizer.kind,
        "vocab_size": tokenizer.vocab_size,
        "separator": tokenizer.separator,
        "fingerprint": tokenizer.fingerprint,
        **more,
    }
    (folder / HEAD_NAME).write_text(json.dumps(head, indent=1) + "\n", encoding="utf-8")


def read_head(folder: Path) -> dict[str, Any]:
    """The head of a tokenizer's folder.

    Raises:
        DataError: It is absent, damaged or of a newer version; the message names it.
    """
    path = folder / HEAD_NAME
    try:
        head = json.loads(read_saved(path))
    except ValueError as error:
        raise damaged(path, str(error)) from None
    if not isinstance(head, dict) or not isinstance(head.get("version"), int):
        raise damaged(path, "it has no version")
    if head["version"] > FORMAT_VERSION:
        raise DataError(
            f"The tokenizer in {folder} was written by a newer version of Hearth.",
            safe="Nothing was changed.",
            do="Update Hearth, then try again.",
        )
    return head


def read_saved(path: Path) -> str:
    """The text of a file in a tokenizer's folder.

    Raises:
        DataError: It cannot be read, or is no text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise damaged(path, "it is not text") from None
    except OSError as error:
        raise damaged(path, error.strerror or str(error)) from None


def damaged(path: Path, why: str) -> DataError:
    """The error for a tokenizer's file that is not as it was written."""
    return DataError(
        f"The tokenizer file {path} cannot be used: {why}.",
        safe="Nothing was changed.",
        do="Prepare the data again, or restore the file from a copy.",
    )

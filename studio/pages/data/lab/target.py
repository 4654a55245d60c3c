"""What the tokenizer lab can be opened with, and what it hands on. Free of Qt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LabTarget:
    """Compare tokenizers on the text of this dataset; None lets the user choose."""

    dataset_id: int | None = None


@dataclass(frozen=True)
class UseTokenizer:
    """A tokenizer that the user wants a dataset read with.

    Attributes:
        folder: Where the lab left it; `SavedTokenizer` takes it.
        label: What to call it, such as `own, 8,192`.
    """

    folder: Path
    label: str

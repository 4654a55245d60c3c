"""The tokenizers that comparisons in the lab have left in this home. Free of Qt.

Functions here touch the disk: call them in a thread.
"""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

from dataclasses import dataclass
from pathlib import Path

import msgspec

from studio.pages.data.corpus import load_json

_REPORTS = "lab/*/tokenizers.json"


class _Candidate(msgspec.Struct, frozen=True):
    """One of the tokenizers of a comparison; `folder` is relative to the comparison's."""

    name: str = ""
    folder: str = ""
    vocab_size: int = 0


class _Report(msgspec.Struct, frozen=True):
    """A comparison."""

    candidates: tuple[_Candidate, ...] = ()


@dataclass(frozen=True)
class KeptTokenizer:
    """A tokenizer that can be used again.

    Attributes:
        title: Its name, and which comparison it is from.
        folder: Where it lies.
    """

    title: str
    folder: Path


def kept_tokenizers(home: Path) -> tuple[KeptTokenizer, ...]:
    """Every tokenizer of the lab, the newest comparison first."""
    kept: list[KeptTokenizer] = []
    for path in sorted(home.glob(_REPORTS), reverse=True):
        report = load_json(path, _Report) or _Report()
        for candidate in report.candidates:
            folder = path.parent / candidate.folder
            if candidate.folder and folder.is_dir():
                kept.append(KeptTokenizer(f"{candidate.name}, {path.parent.name}", folder))
    return tuple(kept)

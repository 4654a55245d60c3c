"""What the compare page can be opened with besides runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ImportLog:
    """Import a log of another program; without a path a dialog asks for it."""

    path: Path | None = None

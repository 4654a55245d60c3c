"""What is dropped on the wizard: one TOML file."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QMimeData

TOML_ENDING = ".toml"


def dropped_toml(data: QMimeData) -> Path | None:
    """The TOML file in what is dragged; None where it is anything else."""
    urls = data.urls()
    if len(urls) != 1 or not urls[0].isLocalFile():
        return None
    path = Path(urls[0].toLocalFile())
    return path if path.suffix.lower() == TOML_ENDING else None

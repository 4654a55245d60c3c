"""How much Python there is on this computer: what the tour would read. Qt-free."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_SKIPPED_FOLDERS = {"__pycache__", ".git"}


@dataclass(frozen=True)
class PythonLibrarySize:
    """Python files of the running interpreter's standard library and installed packages."""

    files: int
    size_bytes: int


def count_python_library(stopped: Callable[[], bool] = lambda: False) -> PythonLibrarySize:
    """Count the files; takes a second or two on a slow disk, so not for the UI thread.

    Args:
        stopped: Asked for every folder; when true, the count so far is returned.
    """
    files = size_bytes = 0
    seen: set[str] = set()
    for root in _roots():
        for folder, folders, names in os.walk(root):
            if stopped():
                return PythonLibrarySize(files, size_bytes)
            folders[:] = [name for name in folders if name not in _SKIPPED_FOLDERS]
            real = os.path.realpath(folder)
            if real in seen:  # site-packages lies within the standard library's folder
                folders.clear()
                continue
            seen.add(real)
            for name in names:
                if name.endswith(".py"):
                    files += 1
                    size_bytes += _size(f"{folder}{os.sep}{name}")
    return PythonLibrarySize(files, size_bytes)


def _roots() -> list[str]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    paths = [sysconfig.get_path(name) for name in names]
    return sorted({os.path.realpath(path) for path in paths if path and Path(path).is_dir()})


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0

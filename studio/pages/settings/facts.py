"""What Settings tells of this installation; slow to find out, so for a thread."""

from __future__ import annotations

import contextlib
import platform
import shutil
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from studio.device import DeviceFacts, read_facts
from studio.theme import ASSETS
from studio.widgets import figures
from trainer_core import __version__

GPT2_FILES = ("vocab.bpe", "encoder.json")
GPT2_SETTING = "gpt2/vocabulary_folder"
SMOOTHING_SETTING = "charts/smoothing"
"""Steps that the loss of a run is averaged over at first; 0 goes by the run's length."""


@dataclass(frozen=True)
class About:
    """The installation and the computer."""

    versions: tuple[tuple[str, str], ...]
    """Name and version."""
    device: DeviceFacts
    free_bytes: int | None
    """Room on the disk of the home."""


def read_about(home: Path) -> About:
    """Find everything out."""
    free: int | None = None
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(home).free
    names = (("PyTorch", "torch"), ("Qt for Python", "PySide6-Essentials"), ("NumPy", "numpy"))
    found = [(title, _version(package)) for title, package in names]
    versions = (("Hearth", __version__), ("Python", platform.python_version()), *found)
    return About(versions, read_facts(), free)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def computer_words(device: DeviceFacts) -> str:
    """The computer in a sentence or two."""
    cpu = f"{device.cpu}, {figures.plural(device.cores, 'core')}, {device.ram_gib:.0f} GiB RAM"
    if device.gpu is None:
        return f"{cpu}. {device.no_gpu}: models train on the processor."
    driver = f", driver {device.driver}" if device.driver else ""
    return f"{device.gpu}, {device.vram_gib:.0f} GiB{driver}. {cpu}."


def licences() -> list[tuple[str, Path]]:
    """Name and file of the licence of each thing that is bundled."""
    folder = ASSETS / "licences"
    titles = {
        "Inter-OFL.txt": "Inter, SIL Open Font License 1.1",
        "JetBrainsMono-OFL.txt": "JetBrains Mono, SIL Open Font License 1.1",
        "Lucide-ISC.txt": "Lucide icons, ISC and MIT",
    }
    return [(title, folder / name) for name, title in titles.items()]


def gpt2_folder_problem(text: str) -> str:
    """Why a folder cannot serve as GPT-2's vocabulary; empty when it can, or when none is named."""
    if not text.strip():
        return ""
    folder = Path(text.strip()).expanduser()
    if not folder.is_dir():
        return "There is no such folder."
    missing = [name for name in GPT2_FILES if not (folder / name).is_file()]
    return f"It does not hold {' and '.join(missing)}." if missing else ""

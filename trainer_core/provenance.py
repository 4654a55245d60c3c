"""What a session of a training runs on and with, gathered while it opens its data.

A run must never wait for this, let alone fail of it: a thread asks, and what it has not found out
in time is left out.
"""

from __future__ import annotations

import logging
import os
import platform
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

import trainer_core
from trainer_core.records import Provenance
from trainer_core.system import processor_name

PATIENCE_S = 0.05
"""How long the training waits for what is still missing."""
_GIT_S = 20.0
_PACKAGES = ("torch", "numpy", "safetensors", "tokenizers", "numba", "msgspec")
_GIB = 1 << 30
_log = logging.getLogger(__name__)

Facts = dict[str, str]


class Gathering:
    """A thread that finds out what does not depend on the training; begins at once.

    Args:
        source: The folder that may be a repository with the program in it.
    """

    def __init__(self, source: Path | None = None) -> None:
        self._source = source or Path(trainer_core.__file__).parents[1]
        self._found: dict[str, Facts] = {}
        self._thread = threading.Thread(target=self._run, name="provenance", daemon=True)
        self._thread.start()

    def record(self, device: str, data: Facts, patience_s: float = PATIENCE_S) -> Provenance:
        """What is known by now, or shortly after.

        Args:
            device: What the training computes on, for people.
            data: Hashes of what it reads, by name.
            patience_s: How long to wait for what is missing.
        """
        self._thread.join(patience_s)
        found = dict(self._found)
        return Provenance(
            versions=found.get("versions", {}),
            hardware=found.get("hardware", {}) | {"device": device},
            data={name: digest for name, digest in data.items() if digest},
            source=found.get("source", {}),
        )

    def _run(self) -> None:
        self._try("versions", _versions)
        self._try("hardware", _hardware)
        self._try("source", lambda: source_state(self._source))

    def _try(self, name: str, find: Callable[[], Facts]) -> None:
        try:
            self._found[name] = find()
        except Exception:  # noqa: BLE001 - drivers fail in every way, and this is for the record only
            _log.warning("provenance: %s", name, exc_info=True)


def _versions() -> Facts:
    found = {"hearth": trainer_core.__version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    torch: Any = sys.modules.get("torch")
    cuda = getattr(getattr(torch, "version", None), "cuda", None)
    if cuda:
        found["cuda"] = str(cuda)
    found["system"] = platform.platform(terse=True)
    return found


def _hardware() -> Facts:
    found = {
        "cpu": processor_name(),
        "cores": str(os.cpu_count() or 1),
        "ram": f"{psutil.virtual_memory().total / _GIB:.1f} GiB",
    }
    return found | _gpu()


def _gpu() -> Facts:
    """What the driver says of the first NVIDIA GPU; nothing where there is none."""
    try:
        import pynvml

        pynvml.nvmlInit()
        gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    except (ImportError, OSError) as error:
        _log.debug("no NVML: %s", error)
        return {}
    except pynvml.NVMLError as error:
        _log.debug("no NVIDIA GPU: %s", error)
        return {}
    hot = pynvml.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN
    questions: dict[str, Callable[[], str]] = {
        "gpu": lambda: str(pynvml.nvmlDeviceGetName(gpu)),
        "gpu memory": lambda: f"{pynvml.nvmlDeviceGetMemoryInfo(gpu).total / _GIB:.1f} GiB",
        "driver": lambda: str(pynvml.nvmlSystemGetDriverVersion()),
        "slows at": lambda: f"{pynvml.nvmlDeviceGetTemperatureThreshold(gpu, hot)} °C",
        "power limit": lambda: f"{pynvml.nvmlDeviceGetEnforcedPowerLimit(gpu) / 1000:.0f} W",
    }
    found = {}
    for name, question in questions.items():
        try:
            found[name] = question()
        except pynvml.NVMLError as error:  # many cards answer some questions only
            _log.debug("%s: %s", name, error)
    return found


def source_state(folder: Path) -> Facts:
    """Which commit of its own repository the program is, and what was changed since.

    Args:
        folder: The program's; one that is no repository of its own gives nothing.
    """
    if not (folder / ".git").exists():
        return {}
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return {}
    found = {"commit": commit}
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", "trainer_core")
    if changed is not None:
        files = len(changed.splitlines())
        found["changed"] = f"{files:,} file{'s' if files > 1 else ''}" if files else "no"
    return found


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says, or None where it cannot; it takes no lock, since others may be at work."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            env=os.environ | {"GIT_OPTIONAL_LOCKS": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_GIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else done.stdout.strip()

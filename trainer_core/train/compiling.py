"""When a training is compiled, and whether this computer can."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys

import platformdirs
import torch

from trainer_core.presets import parameter_count
from trainer_core.spec import TrainSpec

COMPILE_S = 60.0
"""What compiling may cost on a CPU; it took 14 to 31 s on a fast core for 4 to 12 layers."""
SAVED_SHARE = 0.2
"""Share of the time that compiled steps save on a CPU; see tests/benchmarks/RESULTS.md."""
FLOPS_PER_CORE = 1.5e11
"""A fast core's training rate without compilation; slower ones earn the time back sooner."""
_CACHE_VARIABLE = "TORCHINDUCTOR_CACHE_DIR"


def is_worth_compiling(spec: TrainSpec, device: torch.device, threads: int) -> bool:
    """Whether `compile` asks for it; `auto` does where it saves more time than it takes.

    It goes by the settings alone and measures nothing, so that a resumed training decides as the
    uninterrupted one would, and computes the same bits.
    """
    if spec.compile != "auto":
        return spec.compile == "on"
    if device.type == "cuda":
        return True
    tokens = spec.budget.steps * spec.budget.batch_size * spec.model.context_length
    flops = 6 * parameter_count(spec.model) * tokens / spec.distributed.world_size
    return SAVED_SHARE * flops / (FLOPS_PER_CORE * threads) > COMPILE_S


def missing_compiler(device: torch.device) -> str:
    """What compiling lacks on this computer, as a sentence; empty when nothing does."""
    if device.type == "cuda" and importlib.util.find_spec("triton") is None:
        return "The package triton is not installed."
    usual = {"win32": "cl", "darwin": "clang++"}.get(sys.platform, "g++")
    variable, compiler = ("CC", "gcc") if device.type == "cuda" else ("CXX", usual)
    compiler = os.environ.get(variable) or compiler
    if shutil.which(compiler) is None and not (device.type == "cuda" and sys.platform == "win32"):
        return f"There is no C++ compiler ({compiler})."
    return ""


def keep_compiled() -> None:
    """Have what is compiled outlive the process and the day: a resumed training finds it there."""
    folder = platformdirs.user_cache_path("Hearth", appauthor=False) / "compiled"
    os.environ.setdefault(_CACHE_VARIABLE, str(folder))

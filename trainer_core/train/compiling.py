"""When a training is compiled, and whether this computer can."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys

import platformdirs
import torch
from msgspec import structs

from trainer_core.compile_plan import is_compiled
from trainer_core.model.transformer import Transformer
from trainer_core.spec import ModelConfig, TrainSpec
from trainer_core.train.compute import Compute

_TRIED_DOCUMENTS = 5
_FLEX_TOLERANCE = 0.05
"""Relative error; rounding to bf16 gives less than a fifth of it."""
_CACHE_VARIABLE = "TORCHINDUCTOR_CACHE_DIR"


def is_worth_compiling(spec: TrainSpec, device: torch.device, threads: int) -> bool:
    """Whether the settings ask for compilation here; see `compile_plan.is_compiled`."""
    return is_compiled(spec, "cuda" if device.type == "cuda" else "cpu", threads)


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


@torch.no_grad()
def flex_attention_agrees(config: ModelConfig, compute: Compute) -> bool:
    """Whether flex attention, compiled into a model, hides other documents as the mask does.

    Its kernels are generated for each shape, and wrong ones train a model that sees what it should
    not, without a word. Two layers with random weights tell.
    """
    shape = structs.replace(config, n_layer=min(2, config.n_layer), match_input=False, dropout=0.0)
    model = Transformer(shape, torch.Generator().manual_seed(0)).to(compute.device)
    random = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        noise = 0.1 * torch.randn(parameter.shape, generator=random)
        parameter.add_(noise.to(parameter.device))
    t = shape.context_length
    tokens = torch.randint(shape.vocab_size, (1, t), generator=random).to(compute.device)
    documents = (torch.arange(t) * _TRIED_DOCUMENTS // t)[None].to(compute.device)
    with compute.autocast():
        masked = model.hidden(tokens, documents=documents).float()
        model.flex_attention = True
        flexed = torch.compile(model.hidden, dynamic=False)(tokens, documents=documents).float()
    return bool((masked - flexed).norm() <= _FLEX_TOLERANCE * masked.norm())


def compiled_files() -> int:
    """How many pieces of compiled code are kept; more of them after something new was compiled."""
    folder = os.environ.get(_CACHE_VARIABLE, "")
    found = (name for _, _, names in os.walk(folder) for name in names) if folder else ()
    return sum(name.endswith((".so", ".dll", ".pyd", ".cubin")) for name in found)


def keep_compiled() -> None:
    """Have what is compiled outlive the process and the day: a resumed training finds it there."""
    folder = platformdirs.user_cache_path("Hearth", appauthor=False) / "compiled"
    os.environ.setdefault(_CACHE_VARIABLE, str(folder))

"""When a training is compiled, and whether this computer can."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys

import platformdirs
import torch
from msgspec import structs

from trainer_core.model.transformer import Transformer
from trainer_core.presets import parameter_count
from trainer_core.spec import ModelConfig, TrainSpec
from trainer_core.train.compute import Compute

COMPILE_S = 60.0
"""What compiling may cost on a CPU; it took 14 to 31 s on a fast core for 4 to 12 layers."""
SAVED_SHARE = 0.2
"""Share of the time that compiled steps save on a CPU; see tests/benchmarks/RESULTS.md."""
FLOPS_PER_CORE = 1.5e11
"""A fast core's training rate without compilation; slower ones earn the time back sooner."""
_TRIED_DOCUMENTS = 5
_FLEX_TOLERANCE = 0.05
"""Relative error; rounding to bf16 gives less than a fifth of it."""
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


def keep_compiled() -> None:
    """Have what is compiled outlive the process and the day: a resumed training finds it there."""
    folder = platformdirs.user_cache_path("Hearth", appauthor=False) / "compiled"
    os.environ.setdefault(_CACHE_VARIABLE, str(folder))

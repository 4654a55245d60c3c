"""Whether compiling a training's steps pays, told from its settings alone."""

from __future__ import annotations

from typing import Literal

from trainer_core.presets import parameter_count
from trainer_core.spec import TrainSpec

COMPILE_S = 60.0
"""What compiling may cost on a CPU; it took 14 to 31 s on a fast core for 4 to 12 layers."""
SAVED_SHARE = 0.2
"""Share of the time that compiled steps save on a CPU; see tests/benchmarks/RESULTS.md."""
FLOPS_PER_CORE = 1.5e11
"""A fast core's training rate without compilation; slower ones earn the time back sooner."""


def is_compiled(spec: TrainSpec, device: Literal["cpu", "cuda"], threads: int) -> bool:
    """Whether `compile` asks for it; `auto` does where it saves more time than it takes.

    It goes by the settings alone and measures nothing, so that a resumed training decides as the
    uninterrupted one would, and computes the same bits.

    Args:
        spec: The settings.
        device: Where it computes.
        threads: That a CPU computes with.
    """
    if spec.compile != "auto":
        return spec.compile == "on"
    if device == "cuda":
        return True
    tokens = spec.budget.steps * spec.budget.batch_size * spec.model.context_length
    flops = 6 * parameter_count(spec.model) * tokens / spec.distributed.world_size
    return SAVED_SHARE * flops / (FLOPS_PER_CORE * threads) > COMPILE_S

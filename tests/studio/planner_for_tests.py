"""A plan, its text and its surroundings, for tests of the planner."""

from __future__ import annotations

from typing import Any

import msgspec

from studio.planner import DataFacts, Machine, ProbeFacts, Surroundings
from trainer_core.presets import PRESETS
from trainer_core.probe_table import Checkpoints, ProbeRow, ProbeTable, Variant
from trainer_core.spec import BudgetConfig, OptimizerConfig, TrainSpec

GIB = 1 << 30
GPU = Machine(
    device="cuda",
    name="RTX 3090",
    gpu_bytes=24 * GIB,
    ram_bytes=64 * GIB,
    peak_flops=71e12,
    fast_bf16=True,
    power_w=400.0,
    power_is_set=True,
)
CPU = Machine(ram_bytes=32 * GIB, cores=2, fast_bf16=True)
TEXT = DataFacts(
    train_tokens=3_280_000_000,
    validation_tokens=3_000_000,
    text_bytes=round(3.283e9 * 4.4),
    corpus="fineweb",
)
SMALL_TEXT = DataFacts(train_tokens=7_000_000, validation_tokens=300_000, corpus="python")


def plan_spec(preset: str = "163M", *, match_input: bool = False, **settings: Any) -> TrainSpec:
    """The settings of a preset on GPT-2's tokens; the rest by name."""
    model = PRESETS[preset].config
    model = msgspec.structs.replace(model, match_input=match_input)
    budget = BudgetConfig(steps=10_000, batch_size=6)
    index = "index" if match_input else ""
    wanted: dict[str, Any] = {
        "corpus": "fineweb",
        "model": model,
        "budget": budget,
        "optimizer": OptimizerConfig(warmup_steps=0),
    } | settings
    return TrainSpec(index=index, **wanted)


def measured(spec: TrainSpec, *rows: ProbeRow, **table: Any) -> ProbeFacts:
    """A probe of these settings."""
    wanted: dict[str, Any] = {
        "rows": rows,
        "recommended": 0,
        "validation_tokens_per_s": 30_000.0,
        "checkpoint": Checkpoints(size_bytes=10, blocked_s=0.5, seconds=4.5),
        "parts": {"start": 2.0},
    }
    return ProbeFacts(ProbeTable(**(wanted | table)), spec, measured_s=1000.0)


def row(batch_size: int, step_ms: float, **figures: Any) -> ProbeRow:
    """A row whose steps all took the same time; bf16 on one thread unless said otherwise."""
    wanted: dict[str, Any] = {
        "variant": Variant(precision="bf16"),
        "tokens_per_s": batch_size * 1024 / step_ms * 1000 if step_ms else 0.0,
        "step_ms_low": step_ms,
        "step_ms_high": step_ms,
        "steps": 20,
        "first_step_s": step_ms / 1000,
        "peak_memory_bytes": 8 * GIB,
    }
    return ProbeRow(batch_size=batch_size, step_ms=step_ms, **(wanted | figures))


def surroundings(machine: Machine = GPU, **settings: Any) -> Surroundings:
    """A computer without earlier runs."""
    return Surroundings(machine=machine, **settings)

"""The table of batch sizes: what a probe measured of each, and how long the training would take."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from studio.planner.facts import DataFacts, Surroundings
from studio.planner.solver import with_rhythm
from studio.planner.speeds import estimate_time
from trainer_core.probe_table import ProbeRow, Variant
from trainer_core.spec import TrainSpec


@dataclass(frozen=True)
class BatchRow:
    """One row of the table.

    Attributes:
        batch_size: Sequences that are worked on at once.
        variant: The way to train.
        failure: Why it did not work, as in `ProbeRow`; empty where it did.
        why: The same in words.
        tokens_per_s: Over everything: what validation takes is taken off.
        share: Of the fastest row's tokens per second.
        memory_bytes: At the peak.
        seconds: That the whole training would take; None where it did not work.
        is_chosen: Whether the plan trains so.
        is_recommended: Whether the probe advises it.
        values: Settings that choose it, by their path in the spec.
    """

    batch_size: int
    variant: Variant
    failure: str
    why: str
    tokens_per_s: float
    share: float
    memory_bytes: int
    seconds: float | None
    is_chosen: bool
    is_recommended: bool
    values: dict[str, object]


def batch_rows(
    spec: TrainSpec, data: DataFacts, around: Surroundings, *, keep_batch: bool = True
) -> tuple[BatchRow, ...]:
    """What was measured so far, in the order in which it was; none without a probe of this shape.

    Args:
        spec: The plan.
        data: The text.
        around: With the probe.
        keep_batch: Whether the step keeps its sequences and the row only says how many of them are
            worked on at once; else the row is the whole step, and steps keep the tokens.
    """
    probe = around.probe
    if probe is None or not probe.fits(spec):
        return ()
    table = probe.table
    plans = [_with_row(spec, row, keep_batch=keep_batch) for row in table.rows]
    times = [
        estimate_time(plan, data, around) if plan is not None and row.ok else None
        for plan, row in zip(plans, table.rows, strict=True)
    ]
    fastest = max((took.tokens_per_s for took in times if took is not None), default=0.0)
    precision = around.machine.precision_of(spec)
    rows = []
    for number, (row, plan, took) in enumerate(zip(table.rows, plans, times, strict=True)):
        chosen = row.variant.precision == precision and plan is not None
        chosen = chosen and row.batch_size == spec.micro_batch_size
        chosen = chosen and row.variant.activation_checkpointing == spec.activation_checkpointing
        chosen = chosen and row.variant.compile == (spec.compile == "on")
        speed = 0.0 if took is None else took.tokens_per_s
        rows.append(
            BatchRow(
                batch_size=row.batch_size,
                variant=row.variant,
                failure=row.failure,
                why=row.why,
                tokens_per_s=speed,
                share=speed / fastest if fastest else 0.0,
                memory_bytes=row.peak_memory_bytes,
                seconds=None if took is None else took.seconds,
                is_chosen=chosen and row.ok,
                is_recommended=number == table.recommended,
                values={} if plan is None else _values(spec, plan),
            )
        )
    return tuple(rows)


def _with_row(spec: TrainSpec, row: ProbeRow, *, keep_batch: bool) -> TrainSpec | None:
    """The plan that trains as a row does; None where its batch cannot be divided so."""
    replace, variant = msgspec.structs.replace, row.variant
    world = spec.distributed.world_size
    spec = replace(
        spec,
        precision=variant.precision,
        compile="on" if variant.compile else "off",
        activation_checkpointing=variant.activation_checkpointing,
    )
    if keep_batch:
        share = spec.budget.batch_size // world
        if share % row.batch_size:
            return None
        micro = 0 if row.batch_size == share else row.batch_size
        return replace(spec, budget=replace(spec.budget, micro_batch_size=micro))
    sequences = spec.budget.steps * spec.budget.batch_size
    batch = row.batch_size * world
    steps = max(1, round(sequences / batch))
    budget = replace(spec.budget, batch_size=batch, micro_batch_size=0, steps=steps)
    return with_rhythm(replace(spec, budget=budget), spec.budget.steps)


def _values(spec: TrainSpec, plan: TrainSpec) -> dict[str, object]:
    """What choosing a row changes, by paths in the spec."""
    after: dict[str, object] = {
        "precision": plan.precision,
        "compile": plan.compile,
        "activation_checkpointing": plan.activation_checkpointing,
        "budget.micro_batch_size": plan.budget.micro_batch_size,
    }
    if plan.budget.batch_size != spec.budget.batch_size:
        after |= {
            "budget.batch_size": plan.budget.batch_size,
            "budget.steps": plan.budget.steps,
            "evaluation.every_steps": plan.evaluation.every_steps,
            "checkpoint.every_steps": plan.checkpoint.every_steps,
            "optimizer.warmup_steps": plan.optimizer.warmup_steps,
        }
    return after

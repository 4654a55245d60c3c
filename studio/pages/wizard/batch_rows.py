"""What a probe measured, as rows to choose from: each with the time that the plan would take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from studio.pages.wizard.draft import Draft, Value
from studio.pages.wizard.plan import Plan
from studio.planner import estimate_memory, estimate_time
from trainer_core.probe_table import ProbeRow, ProbeTable, Variant
from trainer_core.spec import TrainSpec

_GIB = float(1 << 30)


@dataclass(frozen=True)
class BatchRow:
    """One row of the table.

    Attributes:
        row: As it was measured.
        way: How it was trained, where that is not the usual way; else empty.
        seconds: What the plan takes with it; None where it did not work.
        chosen: Whether the plan trains this way.
        failure: Why it cannot be chosen, in words; else empty.
    """

    row: ProbeRow
    way: str = ""
    seconds: float | None = None
    chosen: bool = False
    failure: str = ""

    @property
    def gib(self) -> float:
        """Memory at its peak."""
        return self.row.peak_memory_bytes / _GIB


def batch_rows(table: ProbeTable, draft: Draft, plan: Plan) -> list[BatchRow]:
    """The rows of a table: the usual way to train by batch size, then the others.

    Args:
        table: What was measured.
        draft: What is planned.
        plan: Its figures; without settings that are right, rows have no times.
    """
    if not table.rows:
        return []
    usual = table.rows[0].variant
    order = list(dict.fromkeys(row.variant for row in table.rows))
    rows = sorted(table.rows, key=lambda row: (order.index(row.variant), row.batch_size))
    return [_row(row, usual, draft, plan) for row in rows]


def _row(row: ProbeRow, usual: Variant, draft: Draft, plan: Plan) -> BatchRow:
    way = "" if row.variant == usual else way_words(row.variant, usual)
    if not row.ok:
        why = _failure(row, plan)
        return BatchRow(row, way, failure=f"{way}: {why}" if way else why)
    spec = plan.spec
    if spec is None or plan.data is None:
        return BatchRow(row, way)
    wanted = with_row(spec, row, usual)
    seconds = estimate_time(wanted, plan.data, plan.around).seconds if wanted else None
    return BatchRow(row, way, seconds, is_chosen(spec, row, usual))


def way_words(variant: Variant, usual: Variant) -> str:
    """How a way to train differs from the usual one, in a few words."""
    words = []
    if variant.precision != usual.precision:
        words.append(str(variant.precision))
    if variant.compile and not usual.compile:
        words.append("compiled")
    if variant.activation_checkpointing and not usual.activation_checkpointing:
        words.append("recomputed")
    return ", ".join(words)


def row_values(draft: Draft, row: ProbeRow, usual: Variant) -> Mapping[str, Value]:
    """Settings that train the way of a row; what is usual stays `auto`."""
    values: dict[str, Value] = {}
    if _keeps_batch(draft, row):
        whole = row.batch_size == draft.batch_size
        values["budget.micro_batch_size"] = 0 if whole else row.batch_size
    else:
        values |= {"budget.batch_size": row.batch_size, "budget.micro_batch_size": 0}
    if row.variant != usual or draft.in_force("compile") != "auto":
        values["compile"] = "on" if row.variant.compile else "auto"
    if row.variant.precision != usual.precision or draft.in_force("precision") != "auto":
        values["precision"] = row.variant.precision
    values["activation_checkpointing"] = row.variant.activation_checkpointing
    return values


def _keeps_batch(draft: Draft, row: ProbeRow) -> bool:
    """Whether a step keeps its sequences, and works on fewer of them at once."""
    at_once, whole = draft.in_force("budget.micro_batch_size"), draft.batch_size
    return bool(at_once) and isinstance(whole, int) and whole % row.batch_size == 0


def with_row(spec: TrainSpec, row: ProbeRow, usual: Variant) -> TrainSpec | None:
    """The plan trained the way of a row, over the same tokens; None where that cannot be."""
    replace = msgspec.structs.replace
    budget, size = spec.budget, row.batch_size
    if budget.micro_batch_size and budget.batch_size % size == 0:
        budget = replace(budget, micro_batch_size=size)
    elif spec.distributed.world_size == 1:
        steps = max(1, round(budget.steps * budget.batch_size / size))
        budget = replace(budget, batch_size=size, micro_batch_size=0, steps=steps)
    else:
        return None
    try:
        return replace(
            spec,
            budget=budget,
            optimizer=replace(spec.optimizer, warmup_steps=0),
            precision=row.variant.precision,
            compile="on" if row.variant.compile else "off",
            activation_checkpointing=row.variant.activation_checkpointing,
        )
    except ValueError:
        return None


def is_chosen(spec: TrainSpec, row: ProbeRow, usual: Variant) -> bool:
    """Whether a plan trains the way of a row."""
    variant = row.variant
    compiled = spec.compile == "on" if spec.compile != "auto" else usual.compile
    precision = usual.precision if spec.precision == "auto" else spec.precision
    return (
        row.batch_size == spec.micro_batch_size
        and variant.precision == precision
        and variant.compile == compiled
        and variant.activation_checkpointing == spec.activation_checkpointing
    )


def _failure(row: ProbeRow, plan: Plan) -> str:
    if row.failure == "memory":
        spec = plan.spec
        if spec is None:
            return "out of memory"
        budget = msgspec.structs.replace(spec.budget, batch_size=row.batch_size, micro_batch_size=0)
        wanted = msgspec.structs.replace(
            spec, budget=budget, activation_checkpointing=row.variant.activation_checkpointing
        )
        needed = estimate_memory(wanted, plan.around.machine).total / _GIB
        return f"out of memory, needs about {needed:.1f} GiB"
    if row.failure == "time":
        return "too slow to be measured"
    return row.why.split("\n")[0][:120] or "did not work"

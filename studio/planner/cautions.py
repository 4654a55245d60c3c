"""What speaks against a plan: too little memory or disk, too little text, text read too often."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from studio.planner.advice import Advice, Fix
from studio.planner.durations import TimeEstimate
from studio.planner.facts import GIB, DataFacts, Surroundings
from studio.planner.memory import MemoryEstimate, estimate_memory, micro_batches
from studio.planner.scaling import (
    CHINCHILLA_TOKENS_PER_PARAMETER,
    REPEATS_PAY_LITTLE_PASSES,
)
from studio.planner.sizes import with_size
from studio.planner.spending import DiskEstimate, estimate_disk
from studio.widgets.figures import count, gib, percent, size
from trainer_core.presets import flops_per_token, parameter_count
from trainer_core.spec import TrainSpec

_FEW_TOKENS_PER_PARAMETER = 2.0
_MEMORY_FULL = 0.85
_LONG_DAYS = 30.0

_Fits = Callable[[TrainSpec], bool]


def cautions(
    spec: TrainSpec,
    data: DataFacts,
    around: Surroundings,
    memory: MemoryEstimate,
    disk: DiskEstimate,
    took: TimeEstimate,
) -> list[Advice]:
    """What to know before the start; what makes the plan impossible comes first."""
    found = [
        *_of_memory(spec, around, memory),
        *_of_disk(spec, data, disk, took),
        *_of_size(spec),
        *_of_passes(spec, data),
        *_of_time(took),
    ]
    return sorted(found, key=lambda advice: advice.level != "danger")


def _of_memory(spec: TrainSpec, around: Surroundings, memory: MemoryEstimate) -> Iterator[Advice]:
    if not memory.limit:
        return
    name = "VRAM" if around.machine.device_of(spec) == "cuda" else "RAM"
    about = "" if memory.source == "measured" else "about "
    total, limit = gib(memory.total / GIB), gib(memory.limit / GIB)
    if not memory.fits:
        yield Advice(
            "danger",
            f"This needs {about}{total} of {limit} GiB {name}.",
            "A smaller micro batch computes the same in less memory."
            if memory.model < memory.limit
            else "The model alone is too large.",
            "budget.batch_size" if memory.model < memory.limit else "model.n_embd",
            tuple(_memory_fixes(spec, around)),
        )
    elif memory.share > _MEMORY_FULL:
        yield Advice(
            "warn",
            f"{name} will be {about}{percent(memory.share, 0)} full.",
            "Close games and other 3D programs first."
            if name == "VRAM"
            else "Close other programs first.",
            "budget.batch_size",
            tuple(_memory_fixes(spec, around, _MEMORY_FULL)),
        )
    elif memory.free and memory.total > memory.free:
        yield Advice(
            "warn",
            f"Only {gib(memory.free / GIB)} GiB {name} are free now; this needs {about}{total}.",
            "Close other programs first.",
        )


def _memory_fixes(spec: TrainSpec, around: Surroundings, share: float = 1.0) -> Iterator[Fix]:
    """What makes it fit: smaller micro batches, activations computed again, a smaller model."""
    limit = around.machine.memory_bytes(spec) * share

    def fits(changed: TrainSpec) -> bool:
        return estimate_memory(changed, around.machine, around.probe).total <= limit

    micro = _micro_batch_that(spec, fits)
    if micro is not None:
        yield Fix(f"Work on {micro:,} sequences at once", {"budget.micro_batch_size": micro})
    if not spec.activation_checkpointing:
        frugal = msgspec.structs.replace(spec, activation_checkpointing=True)
        again = fits(frugal)
        fewer = None if again else _micro_batch_that(frugal, fits)
        if again or fewer is not None:
            values: dict[str, object] = {"activation_checkpointing": True}
            if fewer is not None:
                values["budget.micro_batch_size"] = fewer
            yield Fix("Compute activations again", values)
            return
    if micro is None:
        yield from _smaller_model(spec, fits)


def _micro_batch_that(spec: TrainSpec, fits: _Fits) -> int | None:
    """The largest smaller micro batch that fits; None without one."""
    for micro in micro_batches(spec):
        if micro < spec.micro_batch_size:
            budget = msgspec.structs.replace(spec.budget, micro_batch_size=micro)
            if fits(msgspec.structs.replace(spec, budget=budget)):
                return micro
    return None


def _smaller_model(spec: TrainSpec, fits: _Fits) -> Iterator[Fix]:
    parameters = float(parameter_count(spec.model))
    for _ in range(24):
        parameters /= 1.4
        changed = with_size(spec, parameters)
        budget = msgspec.structs.replace(changed.budget, micro_batch_size=1)
        if spec.distributed.world_size == 1:
            changed = msgspec.structs.replace(changed, budget=budget)
        if fits(changed):
            yield Fix(
                f"Take {count(parameter_count(changed.model))} parameters",
                model_values(changed)
                | {"budget.micro_batch_size": changed.budget.micro_batch_size},
            )
            return


def model_values(spec: TrainSpec) -> dict[str, object]:
    """The shape as settings by their paths."""
    model = spec.model
    return {
        "model.n_layer": model.n_layer,
        "model.n_embd": model.n_embd,
        "model.n_head": model.n_head,
        "model.n_kv_head": model.n_kv_head,
        "model.head_dim": model.head_dim,
        "model.n_inner": model.n_inner,
    }


def _of_disk(
    spec: TrainSpec, data: DataFacts, disk: DiskEstimate, took: TimeEstimate
) -> Iterator[Advice]:
    if disk.free is None:
        return
    if not disk.fits:
        yield Advice(
            "danger",
            f"The disk has {size(disk.free)} free; this needs {size(disk.needed)}.",
            "Free some space, or keep fewer checkpoints.",
            "checkpoint.keep",
            tuple(_disk_fixes(spec, data, disk, took)),
        )
    elif disk.needed > disk.free / 2:
        share = percent(disk.needed / disk.free, 0)
        yield Advice("warn", f"This takes {share} of the disk's free space.", "", "checkpoint.keep")


def _disk_fixes(
    spec: TrainSpec, data: DataFacts, disk: DiskEstimate, took: TimeEstimate
) -> Iterator[Fix]:
    """Fewer checkpoints, or older ones without what only resuming needs."""

    def fits(**changes: int) -> bool:
        checkpoint = msgspec.structs.replace(spec.checkpoint, **changes)
        changed = msgspec.structs.replace(spec, checkpoint=checkpoint)
        return estimate_disk(changed, data, took, disk.free).fits

    config = spec.checkpoint
    low, high = 0, config.keep  # the most that fits lies between; none does at 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(keep=middle) else (low, middle)
    if low:
        yield Fix(f"Keep {low:,} of the newest checkpoints", {"checkpoint.keep": low})
    if config.resumable != 1 and fits(resumable=1):
        yield Fix("Keep older ones as weights alone", {"checkpoint.resumable": 1})
    least = {"keep": 1, "keep_best": 1, "keep_every": 0, "resumable": 1}
    most = {"keep": config.keep, "keep_best": config.keep_best, "keep_every": config.keep_every}
    if (not fits(keep=1) or config.keep == 1) and not fits(resumable=1) and fits(**least):
        changed = {name: value for name, value in least.items() if most.get(name) != value}
        values = {f"checkpoint.{name}": value for name, value in changed.items()}
        yield Fix("Keep only the newest and the best", values)


def _of_size(spec: TrainSpec) -> Iterator[Advice]:
    parameters = parameter_count(spec.model)
    per_step = spec.budget.batch_size * spec.model.context_length
    tokens = spec.budget.steps * per_step
    ratio = tokens / parameters
    if ratio >= _FEW_TOKENS_PER_PARAMETER:
        return
    best = CHINCHILLA_TOKENS_PER_PARAMETER * parameters
    wanted = (flops_per_token(spec.model) * tokens / 6 / CHINCHILLA_TOKENS_PER_PARAMETER) ** 0.5
    smaller = with_size(spec, wanted)
    fixes: tuple[Fix, ...] = ()
    if tokens / parameter_count(smaller.model) >= _FEW_TOKENS_PER_PARAMETER:
        fixes = (
            Fix(f"Take {count(parameter_count(smaller.model))} parameters", model_values(smaller)),
        )
    yield Advice(
        "warn",
        f"Only {ratio:.1f} tokens for each parameter.",
        "A smaller model would learn more in the same time; the best use of computing is near"
        f" {count(best)} tokens.",
        "budget.steps",
        fixes,
    )


def _of_passes(spec: TrainSpec, data: DataFacts) -> Iterator[Advice]:
    per_step = spec.budget.batch_size * spec.model.context_length
    passes = spec.budget.steps * per_step / max(data.train_tokens, 1)
    if passes <= REPEATS_PAY_LITTLE_PASSES:
        return
    steps = max(1, round(REPEATS_PAY_LITTLE_PASSES * data.train_tokens / per_step))
    yield Advice(
        "warn",
        f"The data is read {passes:,.1f} times.",
        "From the fifth pass on, reading it again teaches little.",
        "budget.steps",
        (Fix("Read it four times", {"budget.steps": steps}),),
    )


def _of_time(took: TimeEstimate) -> Iterator[Advice]:
    days = took.seconds / 86_400
    if days > _LONG_DAYS:
        yield Advice(
            "warn",
            f"This takes about {days:,.0f} days.",
            "A smaller model or fewer tokens end sooner.",
            "budget.steps",
        )

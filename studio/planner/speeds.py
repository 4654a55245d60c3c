"""How fast a training goes here: by a probe, by earlier runs, or by the arithmetic it needs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from studio.planner.durations import Speed, TimeEstimate, time_of, validation_tokens
from studio.planner.facts import DataFacts, Machine, PastRun, ProbeFacts, Surroundings, shape_of
from trainer_core.compile_plan import is_compiled
from trainer_core.presets import flops_per_token, parameter_count
from trainer_core.probe_table import ProbeRow
from trainer_core.spec import TrainSpec

SIMILAR_FACTOR = 3.0
"""Runs that need so many times the arithmetic for a token say too little."""
_CORE_FLOPS = {True: 2.0e11, False: 0.8e11}
"""What a processor's core trains at, with products in bf16 and in float32; see RESULTS.md."""
_GPU_SHARE = 0.35
"""Of its peak in bf16, what a GPU trains at; measured ones lie between 0.25 and 0.5."""
_GPU_FLOPS = 40e12
"""Peak in bf16 of a GPU that nobody knows: that of an older card for games."""
_FORWARD_SHARE = 1 / 3
"""Of a training step's time, what measuring the same text takes."""
_PROGRAM_S = {"cpu": 1.5, "cuda": 5.0}
"""Until the program is loaded and the data open, where no probe has measured it."""
_START_S = 0.6
"""What comes then: the process itself, the size of checkpoints, the notes of a session's start."""
_DRAW_S = 1e-8
"""To draw a weight and make room for its moments."""
_CACHED_SHARE = 0.22
"""Of compiling, what is left when the probe has compiled the same: 52 s became 11 s."""
_COMPILE_S = 30.0
"""Compiling takes 14 to 31 s for 4 to 12 layers on a fast core."""
_DISK_BYTES_PER_S = 300e6
_SAMPLE_LAYER_S, _SAMPLE_PARAMETERS_PER_S = 2.5e-4, {"cpu": 2.5e9, "cuda": 2e11}
"""A token of a sample takes this long for each layer, and all weights are read for it."""


def estimate_time(spec: TrainSpec, data: DataFacts, around: Surroundings) -> TimeEstimate:
    """How long a training will take; a few microseconds for each earlier run."""
    return time_of(spec, speed_of(spec, data, around))


def speed_of(spec: TrainSpec, data: DataFacts, around: Surroundings) -> Speed:
    """The best that is known about the speed of a training here."""
    measured = _of_probe(spec, data, around)
    if measured is not None:
        return measured
    told = _of_runs(spec, data, around)
    return told if told is not None else _reckoned(spec, data, around.machine)


def row_of(spec: TrainSpec, machine: Machine, probe: ProbeFacts) -> tuple[ProbeRow, bool] | None:
    """The row of a probe that tells most of a training, and whether it is just its way to train."""
    rows = [row for row in probe.table.rows if row.ok and row.tokens_per_s > 0]
    precision = machine.precision_of(spec)
    wanted = spec.activation_checkpointing, _is_compiled(spec, machine)

    def distance(row: ProbeRow) -> tuple[bool, bool, bool, float]:
        variant = row.variant
        return (
            variant.activation_checkpointing != wanted[0],
            variant.precision != precision,
            variant.compile != wanted[1],
            abs(math.log(row.batch_size / spec.micro_batch_size)),
        )

    if not rows:
        return None
    best = min(rows, key=distance)
    found = distance(best)
    return best, not (found[0] or found[1] or found[2]) and found[3] < 1e-9


def _of_probe(spec: TrainSpec, data: DataFacts, around: Surroundings) -> Speed | None:
    probe = around.probe
    if probe is None or not probe.fits(spec):
        return None
    found = row_of(spec, around.machine, probe)
    if found is None:
        return None
    row, exact = found
    table = probe.table
    per_process = spec.budget.batch_size // spec.distributed.world_size
    step_s = row.step_ms / 1000 * per_process / row.batch_size
    # The mean of a skewed handful: its median alone would leave out what now and then holds it up.
    step_s *= (row.step_ms_low + 2 * row.step_ms + row.step_ms_high) / 4 / max(row.step_ms, 1e-9)
    # A quarter of the steps lies below, a quarter above: their distance is 1.35 deviations.
    spread = (row.step_ms_high - row.step_ms_low) / 1.35 / max(row.step_ms, 1e-9)
    rate = table.validation_tokens_per_s
    rate = rate or row.tokens_per_s / _FORWARD_SHARE
    blocked, written = _checkpoint_guess(spec)
    if table.checkpoint is not None:
        blocked, written = table.checkpoint.blocked_s, table.checkpoint.seconds
    return Speed(
        step=step_s,
        spread=spread / math.sqrt(max(row.steps, 1)),
        validation=validation_tokens(spec, data) / rate,
        blocked=blocked,
        samples=_samples_s(spec, around.machine),
        written=written,
        start=_start_s(spec, around.machine, table.parts.get("start"))
        + max(row.first_step_s - row.step_ms / 1000, 0.0),
        compile=_compile_s(spec, around.machine, row),
        source="probe",
        exact=exact,
        measured_s=probe.measured_s,
    )


def _of_runs(spec: TrainSpec, data: DataFacts, around: Surroundings) -> Speed | None:
    run = nearest_run(spec, around.runs)
    if run is None:
        return None
    wanted = flops_per_token(spec.model)
    tokens = spec.budget.batch_size * spec.model.context_length
    ratio = flops_per_token(run.spec.model) / wanted
    s_per_token = 1.0 / (run.tokens_per_s * ratio)
    exact = is_same_work(spec, run.spec)
    guess = _reckoned(spec, data, around.machine)
    validation = guess.validation
    if run.s_per_step is not None:
        own = run.spec.budget.batch_size * run.spec.model.context_length
        s_per_token = run.s_per_step / own / ratio
        validation = validation_tokens(spec, data) * s_per_token * _FORWARD_SHARE
        if run.validation_s and exact:
            validation = run.validation_s
    step_s = s_per_token * tokens
    whole = run.s_per_step is None  # then its rate has the validations in it already
    return Speed(
        step=step_s,
        spread=0.0,
        validation=0.0 if whole else validation,
        blocked=0.0 if whole else (run.checkpoint_s or guess.blocked),
        samples=0.0 if whole else guess.samples,
        written=guess.written,
        start=run.start_s if run.start_s is not None else guess.start,
        compile=0.0 if exact else _compile_s(spec, around.machine),
        source="run",
        from_run=run.name,
        exact=exact,
    )


def nearest_run(spec: TrainSpec, runs: Sequence[PastRun]) -> PastRun | None:
    """The earlier run that tells most of a training's speed; None where none is similar."""
    wanted = math.log(flops_per_token(spec.model))
    step = math.log(spec.budget.batch_size * spec.model.context_length)
    best: tuple[float, PastRun] | None = None
    for run in runs:
        if run.tokens_per_s <= 0:
            continue
        apart = abs(math.log(flops_per_token(run.spec.model)) - wanted)
        batch = math.log(run.spec.budget.batch_size * run.spec.model.context_length)
        distance = apart + abs(batch - step) / 4
        if apart <= math.log(SIMILAR_FACTOR) and (best is None or distance < best[0]):
            best = distance, run
    return None if best is None else best[1]


def is_same_work(one: TrainSpec, other: TrainSpec) -> bool:
    """Whether steps of two trainings take the same time."""
    return (
        shape_of(one.model) == shape_of(other.model)
        and one.budget.batch_size == other.budget.batch_size
        and one.micro_batch_size == other.micro_batch_size
        and one.precision == other.precision
        and one.compile == other.compile
        and one.activation_checkpointing == other.activation_checkpointing
        and one.optimizer.kind == other.optimizer.kind
    )


def reckoned_flops(machine: Machine, spec: TrainSpec) -> float:
    """Arithmetic per second that this computer trains at, where nothing was measured."""
    if machine.device_of(spec) == "cuda":
        return _GPU_SHARE * (machine.peak_flops or _GPU_FLOPS)
    cores = spec.threads or machine.cores
    return _CORE_FLOPS[machine.precision_of(spec) == "bf16"] * cores


def _reckoned(spec: TrainSpec, data: DataFacts, machine: Machine) -> Speed:
    rate = reckoned_flops(machine, spec) * spec.distributed.world_size
    s_per_token = flops_per_token(spec.model) / rate
    if spec.activation_checkpointing:
        s_per_token *= 4 / 3
    tokens = spec.budget.batch_size * spec.model.context_length
    blocked, written = _checkpoint_guess(spec)
    return Speed(
        step=s_per_token * tokens,
        spread=0.0,
        validation=validation_tokens(spec, data) * s_per_token * _FORWARD_SHARE,
        blocked=blocked,
        samples=_samples_s(spec, machine),
        written=written,
        start=_start_s(spec, machine),
        compile=_compile_s(spec, machine),
        source="reckoned",
    )


def _start_s(spec: TrainSpec, machine: Machine, program_s: float | None = None) -> float:
    """Until the first step, but for the validation before it.

    Args:
        spec: The training.
        machine: Where.
        program_s: Until a probe's process had loaded the program and opened the data.
    """
    loaded = _PROGRAM_S[machine.device_of(spec)] if program_s is None else program_s
    return loaded + _START_S + _DRAW_S * parameter_count(spec.model)


def _samples_s(spec: TrainSpec, machine: Machine) -> float:
    """Seconds of the samples that are written at a checkpoint."""
    per_s = _SAMPLE_PARAMETERS_PER_S[machine.device_of(spec)]
    token = _SAMPLE_LAYER_S * spec.model.n_layer + parameter_count(spec.model) / per_s
    return len(spec.evaluation.sample_prompts) * spec.evaluation.sample_tokens * token


def _is_compiled(spec: TrainSpec, machine: Machine) -> bool:
    return is_compiled(spec, machine.device_of(spec), spec.threads or machine.cores)


def _compile_s(spec: TrainSpec, machine: Machine, row: ProbeRow | None = None) -> float:
    """What compiling takes; 0 where steps are not compiled."""
    if not _is_compiled(spec, machine):
        return 0.0
    if row is None or not row.variant.compile:
        return _COMPILE_S
    return row.compile_s * (1.0 if row.compile_cached else _CACHED_SHARE)


def _checkpoint_guess(spec: TrainSpec) -> tuple[float, float]:
    """Seconds of standing still for a checkpoint and until it is whole, about."""
    size = 12 * parameter_count(spec.model)
    return size / 5e9, size / _DISK_BYTES_PER_S

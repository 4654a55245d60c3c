"""What this computer has trained before, and what it is made of: what plans are reckoned with.

Functions here touch the disk and the driver: call them in a thread.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping

import numpy as np
import psutil

from studio import device
from studio.pages.wizard.data_choice import DataChoice
from studio.planner import Machine, PastRun
from studio.storage.library import Library, RunRow
from trainer_core import spec as specs
from trainer_core.errors import KnownError
from trainer_core.metrics import read_rows
from trainer_core.spec import TrainSpec
from trainer_core.status import SPEC_FILE, STEPS_FILE, JobStatus, read_status

RUNS_MAX = 40
"""Newest runs that plans are reckoned with."""
_MEASURED_S_MIN = 20.0
_STEPS_READ = 256
_GIB = float(1 << 30)
_REST_W = 60.0
"""What a computer takes besides its GPU while that works: processor, board, fans."""


def past_runs(library: Library, choices: Mapping[str, DataChoice]) -> list[PastRun]:
    """The newest runs that tell something.

    Args:
        library: Knows them.
        choices: Datasets by the folder of their corpus.
    """
    found: list[PastRun] = []
    for run in library.runs(archived=True):
        if run.kind != "train" or not run.facts.tokens_seen:
            continue
        with contextlib.suppress(KnownError, OSError):
            spec = specs.load(run.folder / SPEC_FILE)
            if isinstance(spec, TrainSpec):
                found.append(past_run(run, spec, choices.get(spec.corpus)))
        if len(found) == RUNS_MAX:
            break
    return found


def past_run(run: RunRow, spec: TrainSpec, data: DataChoice | None) -> PastRun:
    """What one run tells.

    Raises:
        KnownError: Its folder cannot be read.
    """
    facts = run.facts
    status = read_status(run.folder)
    long_enough = facts.elapsed_s >= _MEASURED_S_MIN
    entropy = None
    if data is not None and data.statistics is not None:
        entropy = data.statistics.entropy
    measured = [v.seconds for v in status.validations if v.seconds > 0]
    blocked = [c.seconds if c.blocked_s is None else c.blocked_s for c in status.checkpoints]
    tokens = (data.train_tokens + data.validation_tokens) if data is not None else 0
    best = facts.best_loss if facts.state == "finished" else None
    return PastRun(
        name=run.name,
        spec=spec,
        tokens_per_s=facts.tokens_seen / facts.elapsed_s if long_enough else 0.0,
        tokens=facts.tokens_seen,
        corpus_tokens=data.train_tokens if data is not None else 0,
        loss=best,
        bytes_per_token=data.text_bytes / tokens if data is not None and tokens else None,
        hit_rate=_hit_rate(spec, data),
        unigram_entropy=entropy.unigram if entropy is not None else None,
        device=status.device,
        s_per_step=_s_per_step(run, spec) if long_enough else None,
        validation_s=sum(measured) / len(measured) if measured else None,
        checkpoint_s=sum(blocked) / len(blocked) if blocked else None,
        start_s=_start_s(status, run, spec),
    )


def _hit_rate(spec: TrainSpec, data: DataChoice | None) -> float | None:
    return data.index_hit_rate if spec.model.match_input and data is not None else None


def _s_per_step(run: RunRow, spec: TrainSpec) -> float | None:
    """Median of a step's time in the middle of the run; None where it was not written down."""
    start = max(run.facts.step // 2 - _STEPS_READ // 2, 0)
    rows = read_rows(run.folder / STEPS_FILE, start, most=_STEPS_READ)
    speeds = np.asarray(rows["tokens_per_s"], np.float64)
    speeds = speeds[np.isfinite(speeds) & (speeds > 0)]
    if not len(speeds):
        return None
    tokens = spec.budget.batch_size * spec.model.context_length
    return float(tokens / np.median(speeds))


def _start_s(status: JobStatus, run: RunRow, spec: TrainSpec) -> float | None:
    """From the start of a run that was never interrupted to its first step."""
    if status.sessions != 1 or not status.born_s:
        return None
    first = read_rows(run.folder / STEPS_FILE, 0, most=1)
    if not len(first) or not status.validations:
        return None
    began = status.validations[0]
    # The clock of the steps begins with them; that of the journal with the process.
    rows = read_rows(run.folder / STEPS_FILE, max(began.step - 1, 0), most=1)
    if not len(rows):
        return None
    elapsed = float(rows["elapsed_s"][0])
    start = began.time_s - began.seconds - status.born_s - elapsed
    return start if math.isfinite(start) and 0.0 <= start < 600.0 else None


def read_machine(watts: float = 0.0) -> Machine:
    """What this computer is made of, and how much of its memory is free.

    Args:
        watts: What it takes while it trains, as its user says; 0: nobody said.
    """
    facts = device.read_facts()
    reading = device.read_device()
    memory = psutil.virtual_memory()
    on_gpu = facts.gpu is not None
    used = reading.vram_used_gib or 0.0
    limit_w = device.power_limit_w()
    return Machine(
        device="cuda" if on_gpu else "cpu",
        name=facts.gpu or "",
        gpu_bytes=round(facts.vram_gib * _GIB),
        gpu_free_bytes=round(max(facts.vram_gib - used, 0.0) * _GIB),
        ram_bytes=memory.total,
        ram_free_bytes=memory.available,
        cores=device.usable_cores(),
        fast_bf16=device.fast_bf16(),
        power_w=watts or (None if limit_w is None else limit_w + _REST_W),
        power_is_set=watts > 0,
    )

"""Runs with known figures for the tests of charts and pages, fed through the real job model."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from studio.runs.model import JobModel
from studio.runs.tail import Update
from trainer_core.metrics import STEP_DTYPE, SYSTEM_DTYPE
from trainer_core.records import (
    MATCH_BUCKETS,
    CheckpointSaved,
    Ended,
    JobStarted,
    MatchBucket,
    Noted,
    Sampled,
    StateChanged,
    Validated,
)
from trainer_core.spec import (
    BudgetConfig,
    CheckpointConfig,
    EvaluationConfig,
    ModelConfig,
    TrainSpec,
)

START_S = 1_763_157_240.0


def train_spec(total=1000, *, index=True, every=100, **changes):
    model = changes.pop("model", None) or ModelConfig(
        vocab_size=4096, context_length=256, n_layer=4, n_head=4, n_embd=128, match_input=index
    )
    return TrainSpec(
        corpus=changes.pop("corpus", "data/library/corpus"),
        index="indexes/library/index" if index else "",
        model=model,
        budget=BudgetConfig(steps=total, batch_size=16),
        evaluation=EvaluationConfig(every_steps=every),
        checkpoint=CheckpointConfig(every_steps=every * 2),
        **changes,
    )


def step_rows(first, count, *, index=True, level=0.0, seconds=0.2, seed=0):
    """Rows of a loss that falls like a power of the step, with noise, a spike and a dip."""
    rng = np.random.default_rng(seed)
    rows = np.zeros(count, STEP_DTYPE)
    step = np.arange(first, first + count, dtype=np.float64)
    rows["step"] = step
    rows["tokens_seen"] = step * 16 * 256
    rows["elapsed_s"] = step * seconds
    rows["loss"] = 3.3 + level + 5.0 * step**-0.24 + rng.normal(0, 0.08, count)
    rows["lr"] = 3e-3
    rows["grad_norm"] = 0.3 + 2.0 * step**-0.5 + rng.gamma(2.0, 0.03, count)
    rows["tokens_per_s"] = 16 * 256 / seconds * (1 + rng.normal(0, 0.004, count))
    rows["hit_rate"] = 0.315 if index else np.nan
    rows["mean_match"] = 7.3 if index else np.nan
    return rows


def system_rows(seconds, steps, *, gpu=False, start_s=START_S):
    """One row a second, spread over the steps."""
    rng = np.random.default_rng(3)
    rows = np.zeros(seconds, SYSTEM_DTYPE)
    rows["time_s"] = start_s + np.arange(seconds)
    rows["step"] = np.linspace(0, steps, seconds).astype(np.uint32)
    rows["process_gib"] = 1.4 + 0.02 * rng.random(seconds)
    rows["ram_used_gib"] = 11.2 + rng.normal(0, 0.1, seconds)
    rows["ram_total_gib"] = 15.6
    rows["cpu_pct"] = np.clip(92 + rng.normal(0, 4, seconds), 0, 100)
    for name in ("gpu_used_gib", "gpu_total_gib", "gpu_pct", "gpu_temp_c", "gpu_power_w"):
        rows[name] = np.nan
    if gpu:
        rows["gpu_used_gib"], rows["gpu_total_gib"], rows["gpu_pct"] = 21.3, 24.0, 98.0
        rows["gpu_temp_c"] = 72 - 25 * np.exp(-np.arange(seconds) / 60)
        rows["gpu_power_w"] = 338 + rng.normal(0, 2, seconds)
    return rows


def buckets(gain=0.0):
    """Losses by match length; longer matches are easier, and gain from the index."""
    tokens = (172, 330, 245, 151, 46, 34, 22)
    return tuple(
        MatchBucket(low=low, high=high, tokens=n * 100, loss=5.0 - 0.6 * i - gain * (i - 0.2))
        for i, ((low, high), n) in enumerate(zip(MATCH_BUCKETS, tokens, strict=True))
    )


def validated(step, loss, *, best=True, gain=0.0, start_s=START_S, seconds=0.2):
    return Validated(
        time_s=start_s + step * seconds,
        step=step,
        tokens_seen=step * 4096,
        loss=float(loss),
        bits_per_byte=float(loss) / 3.155,
        tokens=65_536,
        best=best,
        seconds=1.0,
        buckets=buckets(gain),
    )


def records_for(rows, spec, *, gain=0.0, seconds=0.2, samples=True, spike=0, start_s=START_S):
    """What the trainer would have written beside these rows, in order."""
    every = spec.evaluation.every_steps
    out = [JobStarted(time_s=start_s, verb="train", pid=1, host="here", version="1")]
    out.append(StateChanged(time_s=start_s, state="running"))
    steps = len(rows)
    for step in range(every, steps + 1, every):
        loss = float(rows["loss"][max(0, step - 50) : step].mean()) + 0.01
        now = start_s + step * seconds
        out.append(validated(step, loss, gain=gain, seconds=seconds, start_s=start_s))
        if step % spec.checkpoint.every_steps == 0:
            folder = f"checkpoints/step-{step:08d}"
            out.append(
                CheckpointSaved(
                    time_s=now, step=step, folder=folder, size_bytes=20_000_000, val_loss=loss
                )
            )
            if samples:
                text = " keeper climbed the stairs every evening to light the lamp."
                out.append(
                    Sampled(
                        time_s=now,
                        step=step,
                        prompt="The old lighthouse",
                        text=text,
                        matched_share=min(0.51, step / steps),
                    )
                )
    if spike:
        out.append(
            Noted(
                time_s=start_s + spike * seconds,
                level="warning",
                title="Gradient spike clipped",
                text="The gradient norm was 11.8, 30 times its usual 0.39, and was clipped to 1.",
                step=spike,
            )
        )
    return sorted(out, key=lambda record: record.time_s)


def make_run(
    steps=600,
    total=1000,
    *,
    index=True,
    gpu=False,
    alive=True,
    ended=None,
    level=0.0,
    spike=0,
    folder=Path("runs/example"),
    spec=None,
    seed=0,
    seconds=0.2,
    opened_s=None,
):
    """A job model that has read a whole run folder with `steps` of `total` steps done."""
    spec = spec or train_spec(total, index=index, every=max(1, total // 10))
    model = JobModel(folder, opened_s)
    rows = step_rows(1, steps, index=index, level=level, seed=seed, seconds=seconds)
    if spike:
        rows["grad_norm"][spike - 1] = 11.8
    records = records_for(rows, spec, gain=0.1 if index else 0.0, spike=spike, seconds=seconds)
    if ended is not None:
        code = 0 if ended != "failed" else 3
        records.append(
            Ended(time_s=START_S + steps * seconds + 1, state=ended, exit_code=code, step=steps)
        )
    count = max(2, min(int(steps * seconds), 200_000))
    model.apply(
        Update(
            folder,
            spec=spec,
            records=tuple(records),
            rows=rows,
            system_rows=system_rows(count, steps, gpu=gpu),
            alive=alive and ended is None,
            killed=not alive and ended is None,
        )
    )
    return model

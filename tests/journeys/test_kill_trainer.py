"""kill -9 of the trainer, twenty times in one run: it ends bit for bit where it would have anyway.

Each session is ended at a random moment: while it loads, between steps, in the middle of a save.
A studio's view of the run follows all the while and never shows a gap.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import sysconfig
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from studio.runs.model import JobModel
from studio.runs.supervisor import Supervisor
from studio.runs.tail import JobTail
from trainer_core import spec as specs
from trainer_core.job import run_job
from trainer_core.metrics import read_rows
from trainer_core.status import read_status

KILLS = 20
WHILE_LOADING = 4
STEPS = 240
MODULES = ("argparse", "ast", "random", "shutil", "subprocess", "typing", "tarfile", "zipfile")
SAME_EVERY_TIME = ["step", "tokens_seen", "loss", "lr", "grad_norm"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),  # twenty-one starts of torch, about a minute on two idle cores
    pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is a thing of Unix"),
]


def prepare(home: Path) -> Path:
    """A small corpus of source code."""
    source = Path(sysconfig.get_path("stdlib"))
    paths = tuple(str(source / f"{name}.py") for name in MODULES)
    spec = specs.PrepareSpec(
        source=specs.TextFiles(paths=paths),
        tokenizer=specs.ByteTokenizer(),
        validation_fraction=0.2,
    )
    assert run_job(home / "data", spec) == 0
    return home / "data" / "corpus"


def tiny_training(corpus: Path, steps: int, **checkpoint: int) -> specs.TrainSpec:
    """A model that takes milliseconds a step and saves every few of them."""
    return specs.TrainSpec(
        corpus=str(corpus),
        model=specs.ModelConfig(vocab_size=257, context_length=32, n_layer=2, n_head=2, n_embd=32),
        optimizer=specs.OptimizerConfig(warmup_steps=10),
        budget=specs.BudgetConfig(steps=steps, batch_size=4),
        evaluation=specs.EvaluationConfig(every_steps=20, max_tokens=1024),
        checkpoint=specs.CheckpointConfig(**(checkpoint or {"every_steps": 4, "keep": 2})),
        device="cpu",
        threads=1,
    )


class Watch:
    """The studio's view of a run, which must be without a gap whenever one looks."""

    def __init__(self, folder: Path) -> None:
        self.tail, self.model = JobTail(folder), JobModel(folder)

    def look(self) -> JobModel:
        self.model.apply(self.tail.poll())
        steps = self.model.steps.column("step")
        assert np.array_equal(steps, np.arange(len(steps)) + 1)
        assert all(v.step <= self.model.total_steps for v in self.model.validations)
        return self.model


def kill_somewhere(watch: Watch, process: int, chance: random.Random, *, loading: bool) -> int:
    """Let a session work for a while, then kill it; the steps it was at."""
    before = read_status(watch.tail.folder).sessions
    target = min(watch.look().step + chance.randint(1, 2 * STEPS // KILLS), STEPS - 8)
    limit_s = time.monotonic() + (chance.uniform(0.0, 1.5) if loading else 60.0)
    while time.monotonic() < limit_s:
        model = watch.look()
        if model.status.sessions > before and model.state != "starting" and model.step >= target:
            time.sleep(chance.uniform(0.0, 0.04))  # into the next step or save
            break
        time.sleep(0.002)
    else:
        assert loading, f"no step in a minute: {watch.model.state}, {watch.model.error}"
    os.kill(process, signal.SIGKILL)
    return watch.look().step


def weights(folder: Path) -> dict[str, bytes]:
    last = max((folder / "checkpoints").glob("step-*"))
    return {path.name: path.read_bytes() for path in last.glob("*.safetensors")}


def test_a_trainer_killed_twenty_times_ends_where_it_would_have_anyway(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    chance = random.Random(time.time_ns())
    spec = tiny_training(prepare(tmp_path), STEPS)
    whole, killed = tmp_path / "runs" / "whole", tmp_path / "runs" / "killed"
    supervisor = Supervisor(tmp_path)
    supervisor.start(spec, whole)

    watch = Watch(killed)
    loading = set(chance.sample(range(1, KILLS), WHILE_LOADING))
    reached = []
    for kill in range(KILLS):
        process = supervisor.resume(killed) if kill else supervisor.start(spec, killed)
        reached.append(kill_somewhere(watch, process, chance, loading=kill in loading))
        deadline = time.monotonic() + 10
        while psutil.pid_exists(process):
            supervisor.reap()
            assert time.monotonic() < deadline
            time.sleep(0.002)
        model = watch.look()
        assert model.state in ("killed", "failed"), "killed while at work, or before it could begin"
        assert model.status.resumable
    supervisor.resume(killed)
    while not (watch.look().status.ended and read_status(whole).ended):
        time.sleep(0.05)
    supervisor.close()

    model = watch.look()
    assert model.state == read_status(whole).state == "finished", reached
    assert model.step == STEPS
    rows, expected = (read_rows(folder / "steps.bin") for folder in (killed, whole))
    assert len(rows) == STEPS
    for name in SAME_EVERY_TIME:
        assert rows[name].tobytes() == expected[name].tobytes(), f"{name} differs; {reached}"
        shown = model.steps.column(name).astype(rows[name].dtype)
        assert shown.tobytes() == rows[name].tobytes(), "the studio shows what the file has"
    assert weights(killed) == weights(whole)
    assert {"model.safetensors", "optimizer.safetensors"} <= set(weights(whole))
    told = {v.step: (v.loss, v.bits_per_byte) for v in model.validations}
    assert told == {v.step: (v.loss, v.bits_per_byte) for v in read_status(whole).validations}
    assert max(reached) > STEPS // 4, "the kills were spread over the run"

"""Job folders written by hand, for the tests of what follows them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil

from trainer_core import records
from trainer_core import spec as specs
from trainer_core.journal import JournalWriter
from trainer_core.metrics import STEP_DTYPE, SYSTEM_DTYPE, StepLog, SystemLog

TOKENS_PER_STEP = 32


def train_spec(steps: int = 100, **sections) -> specs.TrainSpec:
    """A training of the given length; other sections are given as keywords."""
    return specs.TrainSpec(
        corpus="corpus",
        model=specs.ModelConfig(context_length=8, n_layer=1, n_head=1, n_embd=8),
        optimizer=specs.OptimizerConfig(warmup_steps=0),
        budget=specs.BudgetConfig(steps=steps, batch_size=4),
        **sections,
    )


def step_rows(first: int, end: int, *, loss: float = 2.0, tokens_per_s: float = 320.0):
    """Rows of the steps first + 1 to end."""
    rows = np.zeros(end - first, STEP_DTYPE)
    rows["step"] = np.arange(first, end) + 1
    rows["tokens_seen"] = rows["step"] * TOKENS_PER_STEP
    rows["loss"] = loss
    rows["tokens_per_s"] = tokens_per_s
    rows["elapsed_s"] = rows["step"] * TOKENS_PER_STEP / tokens_per_s
    return rows


def system_rows(times_s, steps):
    """Rows at these times, seconds since the epoch."""
    rows = np.zeros(len(times_s), SYSTEM_DTYPE)
    rows["time_s"], rows["step"] = times_s, steps
    return rows


class FakeJob:
    """Writes a job folder the way a job does, without being one."""

    def __init__(self, folder: Path, spec: specs.JobSpec | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.spec = spec or train_spec()
        (folder / "spec.toml").write_text(specs.to_toml(self.spec))
        self.journal = JournalWriter(folder / "journal.bin")
        self.steps = StepLog(folder / "steps.bin")
        self.system = SystemLog(folder / "system.bin")
        self.pid = os.getpid()

    def close(self) -> None:
        for file in (self.journal, self.steps, self.system):
            file.close()

    def write(self, *entries: records.Record) -> None:
        for entry in entries:
            self.journal.append(entry, sync=False)

    def begin(self, time_s: float | None = None, pid: int | None = None) -> None:
        """Take the folder as a process: this one, unless told otherwise."""
        self.pid = os.getpid() if pid is None else pid
        self.own(self.pid)
        self.write(
            records.JobStarted(
                time_s=time.time() if time_s is None else time_s,
                verb=specs.verb_of(self.spec),
                pid=self.pid,
                host=socket.gethostname(),
                version="0",
            )
        )

    def own(self, pid: int, host: str | None = None) -> None:
        """Write owner.json for a process."""
        try:
            create_time = psutil.Process(pid).create_time()
        except psutil.NoSuchProcess:
            create_time = 1.0
        owner = {
            "pid": pid,
            "create_time": create_time,
            "host": host or socket.gethostname(),
            "address": "",
        }
        (self.folder / "owner.json").write_text(json.dumps(owner))

    def resume(self, step: int, time_s: float = 0.0, *, cut: bool = True) -> None:
        """Tell of a resume and cut the rows back."""
        self.write(records.Resumed(step=step, time_s=time_s))
        if cut:
            self.steps.truncate(step)


def dead_pid() -> int:
    """The id of a process that has ended."""
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def validated(step: int, loss: float, **more) -> records.Validated:
    return records.Validated(
        step=step,
        tokens_seen=step * TOKENS_PER_STEP,
        loss=loss,
        bits_per_byte=loss / 2,
        tokens=100,
        best=more.pop("best", False),
        **more,
    )


def saved(step: int, **more) -> records.CheckpointSaved:
    return records.CheckpointSaved(
        step=step, folder=f"checkpoints/step-{step:08}", size_bytes=1_960_000_000, **more
    )

"""Long runs and large homes for the benchmark of the window, written the way the trainer writes.

As a program it goes on with a run, so many steps a second: `window_runs.py FOLDER FIRST LAST PACE`.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from trainer_core import spec as specs
from trainer_core.journal import JournalWriter
from trainer_core.metrics import STEP_DTYPE, SYSTEM_DTYPE, Rows, StepLog, SystemLog
from trainer_core.records import (
    CheckpointRemoved,
    CheckpointSaved,
    Ended,
    JobStarted,
    Record,
    Resumed,
    Sampled,
    StateChanged,
    Validated,
)
from trainer_core.status import JOURNAL_FILE, SPEC_FILE, STEPS_FILE, SYSTEM_FILE

STEPS_PER_S = 5.0
TOKENS_PER_STEP = 16 * 1024
VALIDATED_EVERY, SAVED_EVERY, KEPT = 1_000, 5_000, 10
START_S = 1_763_157_240.0
SPIKE_EVERY = 99_991


def spec_for(steps: int) -> specs.TrainSpec:
    """A run with an index, of this many steps."""
    return specs.TrainSpec(
        corpus="data/text/corpus",
        index="indexes/text/index",
        model=specs.ModelConfig(
            vocab_size=4096, context_length=1024, n_layer=4, n_head=4, n_embd=128, match_input=True
        ),
        budget=specs.BudgetConfig(steps=steps, batch_size=16),
        evaluation=specs.EvaluationConfig(
            every_steps=VALIDATED_EVERY, sample_prompts=("The old lighthouse",)
        ),
        checkpoint=specs.CheckpointConfig(every_steps=SAVED_EVERY),
    )


def step_rows(first: int, count: int) -> Rows:
    """The steps from `first` on: a loss that falls like a power of the step, noise, spikes."""
    step = np.arange(first, first + count, dtype=np.float64)
    noise = _noise(step)
    rows = np.zeros(count, STEP_DTYPE)
    rows["step"] = step
    rows["tokens_seen"] = step * TOKENS_PER_STEP
    rows["elapsed_s"] = step / STEPS_PER_S
    rows["loss"] = 3.3 + 5.0 * step**-0.24 + 0.08 * noise
    rows["lr"] = 4e-4 * (0.55 + 0.45 * np.cos(step / 1e6 * np.pi))
    rows["grad_norm"] = 0.3 + 2.0 * step**-0.5 + 0.05 * np.abs(noise)
    rows["grad_norm"][step % SPIKE_EVERY == 0] = 11.8
    rows["tokens_per_s"] = TOKENS_PER_STEP * STEPS_PER_S * (1 + 0.004 * noise)
    rows["hit_rate"] = 0.315 + 0.01 * noise
    rows["mean_match"] = 7.3 + 0.1 * noise
    return rows


def system_rows(first_s: int, count: int) -> Rows:
    """One row a second with a GPU, from a second of the run on."""
    second = np.arange(first_s, first_s + count, dtype=np.float64)
    noise = _noise(second)
    rows = np.zeros(count, SYSTEM_DTYPE)
    rows["time_s"] = START_S + second
    rows["step"] = second * STEPS_PER_S
    rows["process_gib"], rows["ram_used_gib"], rows["ram_total_gib"] = 1.4, 26.1, 64.0
    rows["cpu_pct"] = 14 + noise
    rows["gpu_used_gib"], rows["gpu_total_gib"], rows["gpu_pct"] = 21.3, 24.0, 98.0
    rows["gpu_temp_c"] = 72 - 25 * np.exp(-second / 600) + 0.3 * noise
    rows["gpu_power_w"] = 338 + 2 * noise
    return rows


def _noise(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """About normal, and the same at the same place however the run is cut."""
    return np.sin(places * 12.9898) + np.sin(places * 78.233) * np.sin(places * 37.719)


def records_between(first: int, last: int) -> list[Record]:
    """What a trainer writes beside the steps after `first` up to `last`."""
    found: list[Record] = []
    for step in range(first // VALIDATED_EVERY + 1, last // VALIDATED_EVERY + 1):
        found.extend(_records_at(step * VALIDATED_EVERY))
    return found


def _records_at(step: int) -> list[Record]:
    loss = 3.32 + 5.0 * step**-0.24
    now = START_S + step / STEPS_PER_S
    seen = step * TOKENS_PER_STEP
    found: list[Record] = [
        Validated(
            time_s=now,
            step=step,
            tokens_seen=seen,
            loss=loss,
            bits_per_byte=loss / 3.155,
            tokens=65_536,
            best=True,
            seconds=2.0,
        )
    ]
    if step % SAVED_EVERY == 0:
        folder = f"checkpoints/step-{step:08d}"
        found.append(
            CheckpointSaved(
                time_s=now, step=step, folder=folder, size_bytes=1_960_000_000, val_loss=loss
            )
        )
        text = " keeper climbed the stairs every evening to light the lamp." * 4
        found.append(Sampled(time_s=now, step=step, prompt="The old lighthouse", text=text))
        if step > KEPT * SAVED_EVERY:
            found.append(CheckpointRemoved(time_s=now, step=step - KEPT * SAVED_EVERY))
    return found


class PlayedRun:
    """A job folder that is written as a trainer writes it, by this process."""

    def __init__(self, folder: Path, total: int) -> None:
        """Make the folder, or go on with it."""
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / SPEC_FILE).exists():
            (folder / SPEC_FILE).write_text(specs.to_toml(spec_for(total)))
        self._folder = folder
        self._journal = JournalWriter(folder / JOURNAL_FILE)
        self._steps = StepLog(folder / STEPS_FILE)
        self._system = SystemLog(folder / SYSTEM_FILE)

    def begin(self) -> None:
        """A session of this process begins at the last row."""
        me = psutil.Process()
        owner = {
            "pid": me.pid,
            "create_time": me.create_time(),
            "host": socket.gethostname(),
            "address": "",
        }
        (self._folder / "owner.json").write_text(json.dumps(owner))
        now = START_S + self._steps.rows / STEPS_PER_S
        host = socket.gethostname()
        self._write(JobStarted(time_s=now, verb="train", pid=me.pid, host=host, version="1"))
        if self._steps.rows:
            self._write(Resumed(time_s=now, step=self._steps.rows))
        self._write(StateChanged(time_s=now, state="running"))

    def resume_from(self, step: int) -> None:
        """Throw away the steps after this one, as a resume from a checkpoint does."""
        self._write(Resumed(time_s=START_S + self._steps.rows / STEPS_PER_S, step=step))
        self._steps.truncate(step)

    def play(self, count: int) -> int:
        """Do so many steps; returns the last one."""
        first = self._steps.rows
        last = first + count
        self._steps.append(step_rows(first + 1, count))
        seconds = int(last / STEPS_PER_S) - self._system.rows
        if seconds > 0:
            self._system.append(system_rows(self._system.rows, seconds))
        for record in records_between(first, last):
            self._write(record)
        return last

    def end(self, step: int) -> None:
        """The session pauses, or has finished."""
        now = START_S + step / STEPS_PER_S
        self._write(Ended(time_s=now, state="paused", exit_code=0, step=step))

    def close(self) -> None:
        """Close the files, leave the folder as a killed process would."""
        for file in (self._journal, self._steps, self._system):
            file.close()

    def _write(self, record: Record) -> None:
        self._journal.append(record, sync=False)


def write_run(folder: Path, steps: int, total: int) -> None:
    """A run of so many steps at once, which rests after them."""
    run = PlayedRun(folder, total)
    run.begin()
    for first in range(0, steps, 100_000):
        run.play(min(100_000, steps - first))
    run.end(steps)
    run.close()
    (folder / "owner.json").unlink()


def play_into(folder: Path, first: int, last: int, steps_per_s: float) -> None:
    """Go on with a run up to a step, at a pace; 0 goes as fast as it can, with two resumes."""
    run = PlayedRun(folder, last)
    run.begin()
    fast = steps_per_s <= 0
    pending = [last // 3, 2 * last // 3] if fast else []
    began, done = time.perf_counter(), first
    while done < last:
        if fast:
            time.sleep(0.02)
            count = 1_500
        else:
            time.sleep(max(0.0, (done + 1 - first) / steps_per_s - (time.perf_counter() - began)))
            count = 1
        done = run.play(min(count, last - done))
        if pending and done >= pending[0]:
            pending.pop(0)
            done = done // SAVED_EVERY * SAVED_EVERY
            run.resume_from(done)
    run.close()


if __name__ == "__main__":
    play_into(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))

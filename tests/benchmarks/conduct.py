"""What minding manners costs a training: one look, parking, and the queue's process.

python tests/benchmarks/conduct.py [--parameters MILLIONS]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import torch

from trainer_core.conduct.judging import Judge
from trainer_core.conduct.sensors import Sensors
from trainer_core.job import freeze_spec
from trainer_core.manners import Conditions
from trainer_core.spec import QueueSpec, TrainSpec
from trainer_core.train.parking import park
from trainer_core.waiting_list import Entry, WaitingList, write_waiting_list

LOOKS = 200
RUNS = 2_000
WATCHED_S = 10.0


def look_ms() -> float:
    """One look at all conditions; the job's thread takes one every five seconds."""
    judge = Judge(Sensors())
    asked = Conditions(
        on_battery=True,
        max_temperature_c=80,
        gpu_wanted=True,
        programs=("blender", "doom"),
        hours=("00:00", "23:59"),
    )
    judge.reason(asked)
    began_s = time.process_time()
    for _ in range(LOOKS):
        judge.reason(asked)
    return (time.process_time() - began_s) / LOOKS * 1e3


def parking_s(parameters: int) -> tuple[float, float, int]:
    """Parking weights and the state of AdamW, and bringing them back."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    count = 16
    tensors = [torch.randn(parameters * 3 // count, device=device) for _ in range(count)]
    began_s = time.perf_counter()
    parked = park(tensors, device)
    parked_s = time.perf_counter() - began_s
    if parked is None:
        raise SystemExit("there is no room for it")
    began_s = time.perf_counter()
    parked.bring_back()
    return parked_s, time.perf_counter() - began_s, parked.size_bytes


def queue_figures(home: Path) -> tuple[float, float]:
    """Memory of a queue that waits among many runs, in MB, and its share of a core, in percent."""
    runs, queue = home / "runs", home / "queue"
    for number in range(RUNS):
        folder = runs / f"run{number}"
        folder.mkdir(parents=True)
        (folder / "launch.json").write_text("{}")
    freeze_spec(runs / "next", TrainSpec(corpus="none"))
    freeze_spec(queue, QueueSpec(runs=(str(runs),)))
    entry = Entry(id="1", folder=str(runs / "next"), added_s=time.time())
    write_waiting_list(queue, WaitingList(entries=(entry,), held=True))
    process = subprocess.Popen([sys.executable, "-P", "-m", "trainer_core", "run", str(queue)])
    try:
        time.sleep(5.0)
        seen = psutil.Process(process.pid)
        before = sum(seen.cpu_times()[:2])
        time.sleep(WATCHED_S)
        share = (sum(seen.cpu_times()[:2]) - before) / WATCHED_S * 100
        return seen.memory_info().rss / 1e6, share
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parameters", type=float, default=163.0, help="millions")
    options = parser.parse_args()
    print(f"one look at all conditions: {look_ms():.2f} ms of processor time")
    parked_s, back_s, size = parking_s(int(options.parameters * 1e6))
    print(f"parking {size / 1e9:.2f} GB: {parked_s:.2f} s, and back in {back_s:.2f} s")
    with tempfile.TemporaryDirectory() as home:
        memory, share = queue_figures(Path(home))
    print(f"a queue that waits beside {RUNS:,} runs: {memory:.0f} MB, {share:.1f} % of a core")


if __name__ == "__main__":
    main()

"""Training: tokens per second, memory and step times, beside a textbook's loop and transformers'.

    python tests/benchmarks/train.py [S] [M] [L] [--loops textbook Hearth] [--threads 1]
    python tests/benchmarks/train.py --gpu [124M ...]

Every loop has a process of its own, for its peak memory. They take turns of a few steps each, so
that whatever else the computer does meets all of them alike. A step's time is the CPU time of all
its threads; its median over the turns is reported, with the first and the last decile. The first
two steps of each loop and what it compiles are left out; compiling is reported apart.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from train_shapes import CPU_SHAPES, GPU_SHAPES, Shape

NAMES = ("textbook", "transformers", "Hearth, not compiled", "Hearth", "Hearth with index")
_MIB = 1 << 20


class Runner:
    """A loop in a process of its own, which does a few steps whenever it is told to."""

    def __init__(self, shape_name: str, loop: str, threads: int) -> None:
        command = [sys.executable, __file__, "--run", shape_name, loop, str(threads)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.times_s: list[float] = []
        self.first_s = self._ask(2)[0]

    def turn(self, steps: int) -> None:
        self.times_s += self._ask(steps)

    def _ask(self, steps: int) -> list[float]:
        print(steps, file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def end(self) -> int:
        """Its peak memory in bytes."""
        peak = self._ask(0)[0]
        self._process.wait()
        return int(peak)


def run_child(shape_name: str, loop: str, threads: int) -> None:
    """Answer each number of steps on standard input with their times."""
    import torch
    from train_loops import LOOPS

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    steps = LOOPS[loop](CPU_SHAPES[shape_name])
    for line in sys.stdin:
        count = int(line)
        if not count:
            print(json.dumps([_peak_bytes()]), flush=True)
            return
        times = []
        for _ in range(count):
            began = time.process_time()
            next(steps)
            times.append(time.process_time() - began)
        print(json.dumps(times), flush=True)


def _peak_bytes() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def compare(shape_name: str, loops: list[str], threads: int) -> None:
    """Run the loops side by side and print a row for each."""
    shape = CPU_SHAPES[shape_name]
    runners = {loop: Runner(shape_name, loop, threads) for loop in loops}
    for _ in range(shape.rounds):
        for runner in runners.values():
            runner.turn(shape.steps)
    peaks = {loop: runner.end() for loop, runner in runners.items()}
    first = loops[0]
    for loop, runner in runners.items():
        print(_row(shape_name, shape, loop, runner, peaks[loop], runners[first], peaks[first]))


def _row(
    name: str, shape: Shape, loop: str, runner: Runner, peak: int, first: Runner, first_peak: int
) -> str:
    times = sorted(runner.times_s)
    median = statistics.median(times)
    low, high = times[len(times) // 10], times[-1 - len(times) // 10]
    tokens = shape.batch_size * shape.config.context_length
    cells = (
        name,
        loop,
        f"{median * 1e3:,.1f} ({low * 1e3:,.1f} to {high * 1e3:,.1f})",
        f"{tokens / median:,.0f}",
        f"{statistics.median(first.times_s) / median:.2f}",
        f"{peak / _MIB:,.0f}",
        f"{peak / first_peak:.2f}",
        f"{runner.first_s:.1f}",
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("shapes", nargs="*")
    parser.add_argument("--loops", nargs="*", default=list(NAMES), choices=NAMES)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--run", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.run:
        run_child(asked.run[0], asked.run[1], int(asked.run[2]))
    elif asked.gpu:
        from train_gpu import compare_on_gpu

        compare_on_gpu(asked.shapes or list(GPU_SHAPES))
    else:
        print(
            "| shape | loop | step, ms (deciles) | tokens/s | times the first | peak MiB"
            " | of the first's | first step, s |\n| --- | --- | --- | --- | --- | --- | --- | --- |"
        )
        for name in asked.shapes or list(CPU_SHAPES):
            compare(name, asked.loops, asked.threads)


if __name__ == "__main__":
    main()

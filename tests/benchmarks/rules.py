"""The rule tasks with several seeds on one core: accuracy of the worst group, time, loss.

    taskset -c 1 python tests/benchmarks/rules.py simple_dummy2 --seeds 1 2 3

Processor seconds are those of the whole training job, validations and checkpoints included, in
which nothing else of this computer counts; wall-clock seconds are as long on a core of its own. A
row is printed as soon as it is known. Lines that are scored are fresh, 1,000 of each group.
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import trainer_core.train.loop  # noqa: F401 - before anything is timed
from trainer_core.job import run_job
from trainer_core.presets import parameter_count
from trainer_core.rule_tasks import RULE_TASKS
from trainer_core.rules.plan import train_spec
from trainer_core.spec import EvaluateSpec, JobSpec, PrepareSpec, RuleLines, RulesSpec, TaskName
from trainer_core.status import read_status


@dataclass(frozen=True)
class Timed:
    """What a job found, and the seconds that it took."""

    result: dict[str, Any]
    cpu_s: float
    wall_s: float


def run(folder: Path, spec: JobSpec) -> Timed:
    """Run a job to its end.

    Raises:
        RuntimeError: It failed.
    """
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    if run_job(folder, spec):
        raise RuntimeError(f"{folder} failed: {read_status(folder).ended}")
    taken = time.process_time() - cpu_s, time.perf_counter() - wall_s
    return Timed(read_status(folder).result, *taken)


def one(task: TaskName, seed: int, steps: int, home: Path) -> str:
    """A row of the table."""
    prepare = PrepareSpec(source=RuleLines(task=task), seed=seed)
    run(home / "data", prepare)
    spec = train_spec(
        RulesSpec(task=task, seed=seed, steps=steps, threads=1), str(home / "data" / "corpus")
    )
    trained = run(home / "run", spec)
    score = EvaluateSpec(run=str(home / "run"), checkpoint="last", max_tokens=10**6)
    found = run(home / "score", score).result
    shares = [f"{group['accuracy'] * 100:.1f}" for group in found["groups"]]
    loss, floor = found["bits_per_byte"] * math.log(2), RULE_TASKS[task].floor
    return (
        f"| {task} | {seed} | {parameter_count(spec.model):,} | {spec.budget.steps:,}"
        f" | {trained.cpu_s:.1f} | {trained.wall_s:.1f} | {min(shares, key=float)}"
        f" | {' '.join(shares)} | {loss:.3f} ({loss / floor - 1:+.1%}) |"
    )


def main() -> None:
    """Train and score, seed by seed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("tasks", nargs="+", choices=sorted(RULE_TASKS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--steps", type=int, default=0, help="0: as many as the task's recipe says")
    args = parser.parse_args()
    print("| task | seed | parameters | steps | cpu s | wall s | worst | by group | loss |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- | --- |")
    for task in args.tasks:
        for seed in args.seeds:
            with tempfile.TemporaryDirectory() as home:
                print(one(task, seed, args.steps, Path(home)), flush=True)


if __name__ == "__main__":
    main()

"""A few steps of a large preset on the processor: memory, checkpoints, and an equal resume.

    .venv/bin/python tests/benchmarks/large_model.py --text books/*.txt --vocabulary gpt2

Trains in processes of their own, as `hearth-core run` does: once without interruption, and once
more from its first checkpoint. `--vocabulary` is the folder with GPT-2's `vocab.bpe` and
`encoder.json`.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from trainer_core.data.preparing.build import build_corpus
from trainer_core.job import freeze_spec
from trainer_core.metrics import Rows, read_rows
from trainer_core.presets import PRESETS, parameter_count
from trainer_core.spec import (
    BudgetConfig,
    CheckpointConfig,
    EvaluationConfig,
    Gpt2Tokenizer,
    PrepareSpec,
    TextFiles,
    TrainSpec,
)
from trainer_core.status import STEPS_FILE, read_status
from trainer_core.train.checkpoints.folders import FOLDER, checkpoint_steps, folder_name
from trainer_core.train.checkpoints.manifest import OPTIMIZER, WEIGHTS
from trainer_core.train.checkpoints.retention import checkpoint_size

GIB = 1 << 30
_PERIOD_S = 0.05


@dataclass(frozen=True)
class Run:
    """A training process, watched from outside.

    Attributes:
        peak_bytes: The most memory that it had, without pages of mapped files.
        first_step_s: From its start until it had done a step that was not there before.
        seconds: Until it ended.
    """

    peak_bytes: int
    first_step_s: float
    seconds: float


def main() -> None:
    """Run it all and print a report."""
    args = _arguments()
    with tempfile.TemporaryDirectory(dir=args.home) as home:
        spec = _spec(args, Path(home))
        whole, again = Path(home) / "whole", Path(home) / "again"
        freeze_spec(whole, spec)
        first = _watched(whole)
        shutil.copytree(whole, again)
        for step in checkpoint_steps(again):
            if step > spec.checkpoint.every_steps:
                shutil.rmtree(again / FOLDER / folder_name(step))
        resumed = _watched(again)
        _report(spec, whole, first, resumed)
        _compare(spec.budget.steps, whole, again)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="163M", choices=sorted(PRESETS))
    parser.add_argument("--text", nargs="+", required=True, help="text files")
    parser.add_argument("--vocabulary", required=True, help="folder with GPT-2's two files")
    parser.add_argument("--steps", type=int, default=3, help="a multiple of three")
    parser.add_argument("--batch-size", type=int, default=1, help="sequences in one step")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--home", help="where the runs are made; they take about 10 GB")
    return parser.parse_args()


def _spec(args: argparse.Namespace, home: Path) -> TrainSpec:
    preset = PRESETS[args.preset]
    prepare = PrepareSpec(
        source=TextFiles(paths=tuple(args.text)),
        tokenizer=Gpt2Tokenizer(vocabulary_folder=args.vocabulary),
        validation_fraction=0.1,
    )
    corpus = build_corpus(prepare, home / "corpus")
    model = preset.model(corpus.vocab_size)
    return TrainSpec(
        corpus=str(corpus.folder),
        model=model,
        optimizer=msgspec.structs.replace(preset.optimizer, warmup_steps=1),
        budget=BudgetConfig(steps=args.steps, batch_size=args.batch_size),
        evaluation=EvaluationConfig(every_steps=10**9, max_tokens=model.context_length),
        checkpoint=CheckpointConfig(every_steps=args.steps // 3),
        precision=args.precision,
        threads=args.threads,
        device="cpu",
    )


def _watched(folder: Path) -> Run:
    before = len(read_rows(folder / STEPS_FILE))
    began_s = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "trainer_core", "run", str(folder)])
    peak = 0
    first_step_s = 0.0
    while process.poll() is None:
        peak = max(peak, _anonymous_bytes(process.pid))
        rows = len(read_rows(folder / STEPS_FILE))
        before = min(before, rows)  # a resumed run cuts the log at its checkpoint
        if not first_step_s and rows > before:
            first_step_s = time.perf_counter() - began_s
        time.sleep(_PERIOD_S)
    if process.returncode:
        raise SystemExit(f"the training ended with {process.returncode}")
    return Run(peak, first_step_s, time.perf_counter() - began_s)


def _anonymous_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    fields = {line.split(":")[0]: line.split() for line in lines}
    return int(fields["RssAnon"][1]) << 10 if "RssAnon" in fields else 0


def _report(spec: TrainSpec, folder: Path, first: Run, resumed: Run) -> None:
    size = checkpoint_size(spec)
    rows = read_rows(folder / STEPS_FILE)
    tokens = spec.budget.batch_size * spec.model.context_length
    print(f"parameters            {parameter_count(spec.model):,}")
    print(f"batch                 {spec.budget.batch_size} x {spec.model.context_length} tokens")
    print(f"step                  {_step_s(rows):.2f} s, {tokens / _step_s(rows):,.0f} tokens/s")
    print(f"peak memory           {first.peak_bytes / GIB:.2f} GiB, {spec.threads} thread(s)")
    print(f"peak memory, resumed  {resumed.peak_bytes / GIB:.2f} GiB")
    print(f"resume                {resumed.first_step_s:.1f} s to the end of the first step")
    print(f"checkpoint, foretold  {size.resumable:,} bytes; weights only {size.weights_only:,}")
    for saved in read_status(folder).checkpoints:
        blocked_s = saved.seconds if saved.blocked_s is None else saved.blocked_s
        print(
            f"checkpoint, step {saved.step:<4} {saved.size_bytes:,} bytes ({saved.reason}):"
            f" training stood still {blocked_s:.2f} s, whole on disk after {saved.seconds:.2f} s"
        )


def _step_s(rows: Rows) -> float:
    return float((rows["elapsed_s"][-1] - rows["elapsed_s"][0]) / (len(rows) - 1))


def _compare(step: int, whole: Path, again: Path) -> None:
    for name in (WEIGHTS, OPTIMIZER):
        ours, theirs = (f / FOLDER / folder_name(step) / name for f in (again, whole))
        if ours.read_bytes() != theirs.read_bytes():
            raise SystemExit(f"the resumed run differs in {name}")
    ours_rows, theirs_rows = (read_rows(folder / STEPS_FILE) for folder in (again, whole))
    for column in ("step", "loss", "grad_norm", "lr"):
        if not np.array_equal(ours_rows[column], theirs_rows[column]):
            raise SystemExit(f"the resumed run differs in {column}")
    print("resumed run           equal, bit for bit: weights, optimizer, losses, gradient norms")


if __name__ == "__main__":
    main()

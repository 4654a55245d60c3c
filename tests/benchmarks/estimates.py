"""How right the times are that a plan promises, and the time left that a run tells at 10 %.

    .venv/bin/python -P tests/benchmarks/estimates.py --home /tmp/python-library --only plain index

For each of five trainings that differ in shape, family, optimizer, index, rhythm and compilation: a
probe of it, the planner's time from what that measured, then the training itself in a process of
its own, followed as the studio follows it. `--home` is that of `match_input.py`. Without `-P`, the
benchmark of the studio's window would stand for the package of that name.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil
import torch

from studio import planner
from studio.planner import DataFacts, Machine, ProbeFacts, Surroundings
from studio.planner.memory import activation_bytes, estimate_memory
from studio.runs.model import JobModel
from studio.runs.tail import JobTail
from trainer_core.data.corpus import open_corpus
from trainer_core.job import freeze_spec, run_job
from trainer_core.presets import PRESETS, parameter_count
from trainer_core.probe_table import ProbeTable, read_table
from trainer_core.spec import (
    BpeTokenizer,
    BudgetConfig,
    CheckpointConfig,
    EvaluationConfig,
    IndexSpec,
    ModelConfig,
    OptimizerConfig,
    PrepareSpec,
    ProbeSpec,
    PythonLibrary,
    TrainSpec,
)
from trainer_core.spec.probe import probe_of
from trainer_core.status import read_status
from trainer_core.train.compute import core_count, cpu_multiplies_bf16
from trainer_core.train.entropy import entropy_record

_POLL_S = 0.1
_BYTES_PER_TOKEN = 3.22
_MIB = 1 << 20


@dataclass(frozen=True)
class Figures:
    """What one training came to; seconds and bytes.

    Attributes:
        planned: Its time by the plan.
        took: Its time.
        left_told: Time left that it told when a tenth of its steps was done.
        left: What was left then.
        expected: Held-out loss by the plan, before any run here, in nats per token.
        reached: The best one.
        peak_reckoned: Memory by the formula.
        peak_measured: By the probe.
    """

    planned: planner.TimeEstimate
    took: float
    left_told: float
    left: float
    expected: planner.ExpectedLoss
    reached: float
    peak_reckoned: int
    peak_measured: int


def main() -> None:
    """Run what is asked for and print a table."""
    args = _arguments()
    corpus, index = _text(args.home)
    trainings = _trainings(str(corpus), str(index), open_corpus(corpus).vocab_size)
    heads = "training | parameters | steps | planned, s | took, s | error | left at 10 %, s | error"
    print(f"| {heads} | expected loss | reached | memory, MiB, by probe | by formula |")
    print("| --- " * 12 + "|")
    for name in args.only or trainings:
        with tempfile.TemporaryDirectory(dir=args.home) as home:
            _tell(name, *_measure(trainings[name], Path(home), args))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, required=True, help="folder of corpus and index")
    parser.add_argument("--only", nargs="*", help="names of trainings")
    parser.add_argument("--seconds", type=float, default=50.0, help="of each training, about")
    parser.add_argument("--probe-seconds", type=float, default=20.0)
    parser.add_argument("--verbose", action="store_true", help="show the parts of each plan")
    return parser.parse_args()


def _text(home: Path) -> tuple[Path, Path]:
    """Corpus and index, made where they are not there."""
    corpus, index = home / "data" / "corpus", home / "index" / "index"
    if not corpus.is_dir():
        source, tokenizer = PythonLibrary(max_bytes=24_000_000), BpeTokenizer(vocab_size=4096)
        run_job(home / "data", PrepareSpec(source=source, tokenizer=tokenizer, name="Python"))
    if not index.is_dir():
        run_job(home / "index", IndexSpec(corpus=str(corpus)))
    return corpus, index


def _trainings(corpus: str, index: str, vocab_size: int) -> dict[str, TrainSpec]:
    """Five small ones, as unlike each other as small ones can be."""
    replace = msgspec.structs.replace
    tour = PRESETS["tour"].model(vocab_size)
    base = TrainSpec(corpus=corpus, model=tour, budget=BudgetConfig(steps=400, batch_size=4))
    gpt2 = ModelConfig(
        family="gpt2",
        vocab_size=vocab_size,
        context_length=128,
        n_layer=6,
        n_head=6,
        n_embd=192,
        dropout=0.1,
    )
    wide = replace(tour, n_layer=6, n_head=4, n_embd=256, context_length=512)
    hearth = PRESETS["hearth-2M"]
    return {
        "plain": base,
        "index": replace(
            base,
            index=index,
            model=replace(tour, match_input=True),
            budget=BudgetConfig(steps=400, batch_size=8),
            evaluation=EvaluationConfig(sample_prompts=("def ",), without_index=True),
        ),
        "muon": replace(
            base,
            model=hearth.model(vocab_size),
            optimizer=hearth.optimizer,
            budget=BudgetConfig(steps=400, batch_size=8),
        ),
        "gpt2, time share": replace(
            base,
            model=gpt2,
            optimizer=OptimizerConfig(lr=1e-3),
            budget=BudgetConfig(steps=400, batch_size=12, micro_batch_size=4),
            evaluation=EvaluationConfig(time_share=0.1),
        ),
        "wide, compiled": replace(
            base,
            model=wide,
            budget=BudgetConfig(steps=400, batch_size=2),
            compile="on",
            checkpoint=CheckpointConfig(keep=2),
        ),
    }


def _measure(spec: TrainSpec, home: Path, args: argparse.Namespace) -> tuple[TrainSpec, Figures]:
    spec = msgspec.structs.replace(spec, threads=core_count())
    corpus = open_corpus(Path(spec.corpus))
    hit_rate = read_status(args.home / "index").result.get("hit_rate")
    data = DataFacts(
        train_tokens=corpus.train.n_tokens,
        validation_tokens=corpus.validation.n_tokens,
        text_bytes=round(_BYTES_PER_TOKEN * (corpus.train.n_tokens + corpus.validation.n_tokens)),
        unigram_entropy=entropy_record(corpus).unigram,
        index_hit_rate=hit_rate,
        corpus=spec.corpus,
    )
    table = _probe(spec, home / "probe", args.probe_seconds)
    around = Surroundings(machine=_machine(), probe=ProbeFacts(table, spec))
    model = planner.loss_model(around)
    spec = planner.Solver(spec, data, around, model).hours_for_this_size(args.seconds / 3600).spec
    plan = planner.make_plan(spec, data, around)
    if args.verbose:
        print(plan.time, *table.rows, table.checkpoint, table.parts, sep="\n", file=sys.stderr)
    reckoned = estimate_memory(spec, _machine())
    copy = 3 * 4 * parameter_count(spec.model)  # the copy of a checkpoint, which no row holds
    row = table.best
    peak = 0 if row is None else row.peak_memory_bytes
    one = msgspec.structs.replace(
        spec,
        budget=msgspec.structs.replace(
            spec.budget, micro_batch_size=1 if row is None else row.batch_size
        ),
    )
    without = reckoned.total - copy - reckoned.activations
    expected = without + round(activation_bytes(one, _machine()))
    took, told, left, reached = _follow(spec, home / "run", args.verbose)
    return spec, Figures(plan.time, took, told, left, plan.loss, reached, expected, peak)


def _machine() -> Machine:
    memory = psutil.virtual_memory()
    return Machine(
        device="cuda" if torch.cuda.is_available() else "cpu",
        ram_bytes=memory.total,
        ram_free_bytes=memory.available,
        cores=core_count(),
        fast_bf16=torch.cuda.is_available() or cpu_multiplies_bf16(),
    )


def _probe(spec: TrainSpec, folder: Path, seconds: float) -> ProbeTable:
    """What a probe of this training measures, in a process of its own."""
    probe: ProbeSpec = msgspec.structs.replace(probe_of(spec), budget_s=seconds)
    freeze_spec(folder, probe)
    _start(folder).wait()
    return read_table(folder)


def _start(folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "log.txt").open("ab") as log:
        command = [sys.executable, "-P", "-m", "trainer_core", "run", str(folder)]
        return subprocess.Popen(command, stdout=log, stderr=log, env=dict(os.environ))


def _follow(spec: TrainSpec, folder: Path, verbose: bool) -> tuple[float, float, float, float]:
    """Seconds that it takes; time left that it tells at 10 %, and until it ends; its best loss."""
    freeze_spec(folder, spec)
    tail, model = JobTail(folder), JobModel(folder)
    began_s = time.perf_counter()
    process = _start(folder)
    told: tuple[float, float] | None = None
    while process.poll() is None:
        time.sleep(_POLL_S)
        model.apply(tail.poll())
        left_s = model.pace.remaining_s
        if told is None and model.step >= spec.budget.steps / 10 and left_s is not None:
            told = time.time(), left_s
    took_s = time.perf_counter() - began_s
    model.apply(tail.poll())
    ended = model.status.ended
    if process.returncode or told is None or ended is None:
        raise SystemExit(f"the training ended with {process.returncode}")
    if verbose:
        _tell_parts(model, sys.stderr)
    best = model.best
    return took_s, told[1], ended.time_s - told[0], math.nan if best is None else best.loss


def _tell_parts(model: JobModel, file: object) -> None:
    seconds = 1.0 / model.steps.column("tokens_per_s")
    tokens = model.total_tokens / model.total_steps
    first = float(seconds[0] * tokens)
    validations = [round(v.seconds, 3) for v in model.validations]
    saves = [(c.step, round(c.seconds, 3), c.blocked_s) for c in model.checkpoints]
    start = model.validations[0].time_s - model.status.born_s
    print(
        f"steps {seconds.sum() * tokens:.2f} s, first {first:.2f}, start {start:.2f},"
        f" validations {validations}, saves {saves}",
        file=file,  # type: ignore[call-overload]
    )


def _tell(name: str, spec: TrainSpec, found: Figures) -> None:
    planned, told = found.planned.seconds, found.left_told
    print(
        f"| {name} | {parameter_count(spec.model):,} | {spec.budget.steps:,} | {planned:.1f}"
        f" | {found.took:.1f} | {planned / found.took - 1:+.1%}"
        f" | {told:.1f} of {found.left:.1f} | {told / found.left - 1:+.1%}"
        f" | {found.expected.loss:.2f} ± {found.expected.band:.2f} | {found.reached:.2f}"
        f" | {found.peak_measured / _MIB:,.0f} | {found.peak_reckoned / _MIB:,.0f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()

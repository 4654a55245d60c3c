"""Which model, optimizer, rate and schedule make the most of a small budget on one core.

    .venv/bin/python tests/benchmarks/presets.py --home /tmp/python-library --steps 250

Trains each row's model, about 4 layers × 128, on the Python library (24 MB, 4,096 tokens of its own
BPE), all for the same processor time: that of `--steps` steps of the first row. How much a row's
step takes is measured first, all rows in turn and the best of several. Corpus and index are made in
`--home` as for `match_input.py`; results are kept there, and rows that were trained before are not
trained again, so a table can be made in pieces.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from match_input import open_text

from trainer_core.data.batches.gather import gather
from trainer_core.data.batches.loader import TrainBatches
from trainer_core.data.corpus import Corpus
from trainer_core.model.transformer import Transformer
from trainer_core.schedule import lr_factor
from trainer_core.spec import ModelConfig, OptimizerConfig
from trainer_core.train.compute import Compute, choose_compute
from trainer_core.train.optim import Optimizer, make_optimizer
from trainer_core.train.optim.adamw import AdamWRule
from trainer_core.train.optim.groups import hidden_matrices
from trainer_core.train.optim.muon import MuonRule
from trainer_core.train.step import TrainStep

MODEL: dict[str, Any] = {
    "vocab_size": 4096,
    "context_length": 256,
    "n_layer": 4,
    "n_head": 4,
    "n_embd": 128,
}
WINDOWS = 300
TIMED_STEPS = 12


@dataclass(frozen=True)
class Row:
    """What differs from the first row."""

    model: dict[str, Any] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    batch_size: int = 8
    parts: bool = True
    """Whether Muon takes the parts of a fused matrix for matrices of their own."""


WSD: dict[str, Any] = {"schedule": "wsd", "decay_share": 0.5, "lr_floor": 0.0}


def _muon(muon_lr: float, lr: float, **settings: Any) -> dict[str, Any]:
    return WSD | {"kind": "muon", "muon_lr": muon_lr, "lr": lr} | settings


HEARTH = {"family": "hearth"}
FIRST = "llama adamw"
ROWS: dict[str, Row] = {
    FIRST: Row(),
    "llama adamw 8e-3": Row(optimizer={"lr": 8e-3}),
    "llama adamw 8e-3, batch 4": Row(optimizer={"lr": 8e-3}, batch_size=4),
    "llama adamw 8e-3 wsd": Row(optimizer=WSD | {"lr": 8e-3}),
    "llama adafactor": Row(optimizer={"kind": "adafactor", "lr": 0.03}),
    "llama muon": Row(optimizer=_muon(0.02, 1e-2)),
    "llama muon, fused matrices whole": Row(optimizer=_muon(0.02, 1e-2), parts=False),
    "llama muon 1e-2": Row(optimizer=_muon(0.01, 1e-2)),
    "llama muon 4e-2": Row(optimizer=_muon(0.04, 1e-2)),
    "llama muon cosine": Row(optimizer=_muon(0.02, 1e-2, schedule="cosine", lr_floor=0.1)),
    "llama muon linear": Row(optimizer=_muon(0.02, 1e-2, schedule="linear")),
    "llama muon, batch 4": Row(optimizer=_muon(0.02, 1e-2), batch_size=4),
    "hearth adamw 8e-3": Row(HEARTH, {"lr": 8e-3}),
    "hearth muon": Row(HEARTH, _muon(0.02, 1e-2)),
    "hearth muon, batch 4": Row(HEARTH, _muon(0.02, 1e-2), batch_size=4),
    "qwen3 muon": Row({"family": "qwen3"}, _muon(0.02, 1e-2)),
    "gpt2 adamw": Row({"family": "gpt2"}),
}


class Training:
    """A row's model and what trains it."""

    def __init__(self, row: Row, corpus: Corpus, compute: Compute, seed: int) -> None:
        self.settings = OptimizerConfig(**{"lr": 4e-3, "warmup_steps": 15} | row.optimizer)
        self.compute = compute
        config = ModelConfig(**MODEL | row.model)
        self.model = Transformer(config, torch.Generator().manual_seed(seed))
        optimizer = make_optimizer(self.model, self.settings, row.batch_size)
        if not row.parts:
            whole = {p: (len(p),) for p in hidden_matrices(self.model)}
            rest = [p for p in self.model.parameters() if p not in whole]
            rules = (
                MuonRule(whole, self.settings, self.settings.muon_lr),
                AdamWRule(rest, self.settings, self.settings.lr),
            )
            optimizer = Optimizer(rules, self.settings.clip_norm)
        self._step = TrainStep(self.model, optimizer, compute, row.batch_size)
        self._batches = TrainBatches(
            corpus.train, None, row.batch_size, config.context_length, seed
        )

    def step(self, step: int, steps: int) -> float:
        """Do one; its processor time in seconds."""
        batch = self._batches.batch(step).to(self.compute.device)
        began = time.process_time()
        self._step(batch, lr_factor(step, steps, self.settings))
        return time.process_time() - began

    @torch.no_grad()
    def val_loss(self, corpus: Corpus) -> float:
        """Mean over windows that are spread over the held-out text, in nats per token."""
        self.model.eval()
        length = MODEL["context_length"]
        fit = (corpus.validation.n_tokens - 1) // length
        starts = np.arange(min(WINDOWS, fit)) * fit // min(WINDOWS, fit) * length
        tokens = np.asarray(corpus.validation.tokens())
        losses = []
        for begin in range(0, len(starts), 10):
            batch = gather(tokens, None, starts[begin : begin + 10], length)
            batch = batch.to(self.compute.device)
            with self.compute.autocast():
                losses.append(self.model.loss(batch.inputs, batch.targets).double())
        return float(torch.cat(losses).mean())


def same_cost(row: Row) -> tuple[Any, ...]:
    """What rows have in common whose steps take the same time."""
    return row.model.get("family"), row.optimizer.get("kind"), row.batch_size, row.parts


def costs(corpus: Corpus, compute: Compute) -> dict[str, float]:
    """How many of the first row's steps one of each row's takes: the best of each, in turn."""
    kinds = {same_cost(row): row for row in ROWS.values()}
    trainings = {kind: Training(row, corpus, compute, 0) for kind, row in kinds.items()}
    best = dict.fromkeys(kinds, float("inf"))
    for step in range(1, TIMED_STEPS + 1):
        for kind, training in trainings.items():
            best[kind] = min(best[kind], training.step(step, 1000))
    return {name: best[same_cost(row)] / best[same_cost(ROWS[FIRST])] for name, row in ROWS.items()}


def train(
    name: str, seed: int, budget: int, cost: float, corpus: Corpus, compute: Compute
) -> dict[str, Any]:
    """Train a row's model for as long as `budget` steps of the first row's, and measure it."""
    steps = round(budget / cost)
    training = Training(ROWS[name], corpus, compute, seed)
    seconds = sum(training.step(step, steps) for step in range(1, steps + 1))
    return {
        "row": name,
        "seed": seed,
        "budget": budget,
        "cost": cost,
        "steps": steps,
        "seconds": seconds,
        "parameters": sum(p.numel() for p in training.model.parameters()),
        "val_loss": training.val_loss(corpus),
    }


def print_table(results: list[dict[str, Any]]) -> None:
    """A line for each row, with the mean over its seeds."""
    print("| settings | parameters | time of a step | steps | seeds | validation loss |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in ROWS:
        found = [result for result in results if result["row"] == name]
        if found:
            loss = np.mean([result["val_loss"] for result in found])
            cost = np.mean([result["cost"] for result in found])
            steps = round(np.mean([result["steps"] for result in found]))
            count = found[0]["parameters"]
            print(f"| {name} | {count:,} | {cost:.2f} | {steps} | {len(found)} | {loss:.3f} |")


def main() -> None:
    """Train what is missing and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, required=True, help="folder of corpus and index")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--steps", type=int, default=250, help="the budget, in the first row's")
    parser.add_argument("--costs-alone", action="store_true", help="measure what steps take")
    args = parser.parse_args()
    path, costs_path = args.home / "presets.jsonl", args.home / "presets-costs.json"
    known = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    known = [result for result in known if result["budget"] == args.steps]
    wanted = [(name, seed) for seed in args.seeds for name in args.rows]
    missing = [w for w in wanted if w not in {(r["row"], r["seed"]) for r in known}]
    compute = choose_compute("cpu", "auto", 1)
    corpus, _ = open_text(args.home)
    if not costs_path.exists():
        costs_path.write_text(json.dumps(costs(corpus, compute)))
    cost = json.loads(costs_path.read_text())
    for name, seed in missing if not args.costs_alone else ():
        result = train(name, seed, args.steps, cost[name], corpus, compute)
        print(json.dumps(result), flush=True)
        with path.open("a") as file:
            file.write(json.dumps(result) + "\n")
        known.append(result)
    print(compute.name)
    print_table([r for r in known if (r["row"], r["seed"]) in wanted])


if __name__ == "__main__":
    main()

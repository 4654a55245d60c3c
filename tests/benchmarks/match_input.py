"""What each part of the match input is worth: one small model trained with and without it.

    .venv/bin/python tests/benchmarks/match_input.py --home /tmp/python-library --seeds 1 2

Trains a model of 4 layers × 128 on the Python library (24 MB, 4,096 tokens of its own BPE) once for
each row and seed, all rows on the same batches, and prints the held-out losses as a table. Corpus
and index are made in `--home` and kept there, and so are the results: rows that were trained before
are not trained again, so a table can be made in pieces.

Three losses are told, in nats per token: `all` over windows spread over all of the held-out text;
`distinct`, over those of its documents that are no near-duplicates of training text, of which at
most a fifth lies in runs of 13 tokens or more that also stand in it; and `new`, over the tokens of
these documents whose longest match is shorter than 16 tokens.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer_core.answers.contamination import LEAST_TOKENS
from trainer_core.answers.overlaps import covered_tokens, match_lengths
from trainer_core.data.batches.gather import Batch, gather
from trainer_core.data.batches.loader import TrainBatches
from trainer_core.data.corpus import Corpus, open_corpus
from trainer_core.data.matches import MatchTensors
from trainer_core.index import MatchFeatures, MatchIndex, open_index
from trainer_core.job import run_job
from trainer_core.model.first_weights import init_std
from trainer_core.model.match_hearth import HearthMatch
from trainer_core.model.pointer import ABSENT
from trainer_core.model.transformer import Transformer
from trainer_core.schedule import lr_factor
from trainer_core.spec import (
    BpeTokenizer,
    IndexSpec,
    ModelConfig,
    OptimizerConfig,
    PrepareSpec,
    PythonLibrary,
)
from trainer_core.train.compute import Compute, choose_compute
from trainer_core.train.optim import make_optimizer
from trainer_core.train.step import TrainStep

VOCAB_SIZE, CORPUS_BYTES = 4096, 24_000_000
MODEL: dict[str, Any] = {"vocab_size": VOCAB_SIZE, "n_layer": 4, "n_head": 4, "n_embd": 128}
CONTEXT_LENGTH, BATCH_SIZE = 256, 8
OPTIMIZER = OptimizerConfig(lr=4e-3)
WINDOWS = 400
DISTINCT_SHARE = 0.2
NEW_LENGTH = 16

Change = Callable[[MatchTensors], MatchTensors]


# --- what each row leaves out --------------------------------------------------------------------


def told_next(matches: MatchTensors) -> MatchTensors:
    """The first candidate alone."""
    known = told_length(matches)
    return known._replace(length=known.length.clamp(max=1))


def told_length(matches: MatchTensors) -> MatchTensors:
    """The first candidate and the length."""
    known = told_count(matches)
    return known._replace(count_bucket=known.count_bucket.clamp(max=1))


def told_count(matches: MatchTensors) -> MatchTensors:
    """Everything but the second candidate, and whether there is one."""
    none = torch.zeros_like(matches.second)
    return matches._replace(second=none, has_second=none.bool())


class InputAlone(HearthMatch):
    """No pointers."""

    def mixed_loss(
        self, loss: Tensor, hidden: Tensor, matches: MatchTensors, targets: Tensor
    ) -> Tensor:
        """The transformer's own."""
        return loss


class PointersAlone(HearthMatch):
    """Nothing on the way in."""

    def embed(self, matches: MatchTensors) -> Tensor:
        """Zeros."""
        return 0.0 * self.second_scale * matches.length.unsqueeze(-1)


class OnePointer(HearthMatch):
    """The second candidate is read, and not pointed to."""

    def odds(self, hidden: Tensor, matches: MatchTensors) -> Tensor:
        """The first candidate's."""
        there = torch.tensor([True, False])
        return torch.where(there, super().odds(hidden, matches), ABSENT)


class NoPrior(HearthMatch):
    """Gates begin by trusting every candidate as much as the transformer."""

    @torch.no_grad()
    def initialise(self, std: float, generator: torch.Generator | None) -> None:
        """Without the measured rates."""
        super().initialise(std, generator)
        self.gate_length.zero_()


class Drawn(HearthMatch):
    """The tables begin as random weights."""

    @torch.no_grad()
    def initialise(self, std: float, generator: torch.Generator | None) -> None:
        """As the token embedding does."""
        super().initialise(std, generator)
        for table in (self.next_embedding, self.length_embedding, self.evidence_embedding):
            table.weight.normal_(0.0, std, generator=generator)


ROWS: dict[str, tuple[str, type[HearthMatch] | None, Change | None]] = {
    "plain": ("plain", None, None),
    "tscale": ("(a) TScale: the next token's embedding", None, None),
    "next": ("(b) told of the next token alone", None, told_next),
    "length": ("(b) and of the length", None, told_length),
    "count": ("(b) and of the count", None, told_count),
    "hearth": ("(b) and of agreement and the second candidate: all of it", None, None),
    "one": ("(b) with a pointer to the first candidate alone", OnePointer, None),
    "input": ("(b) without pointers", InputAlone, None),
    "pointers": ("(b) pointers alone", PointersAlone, None),
    "prior": ("(b) gates start at even odds", NoPrior, None),
    "drawn": ("(b) tables start as random weights", Drawn, None),
}
"""By key: label, another match input, and what is kept from it. `tscale` and those of (b) differ
from `plain` in the match input alone."""


def make_model(row: str, seed: int) -> Transformer:
    """The model of a row; all begin with the same weights."""
    form = "tscale" if row == "tscale" else "hearth"
    config = ModelConfig(
        **MODEL,
        context_length=CONTEXT_LENGTH,
        match_input=row != "plain",
        match_form=form,  # type: ignore[arg-type]  # one of the two
    )
    model = Transformer(config, torch.Generator().manual_seed(seed))
    kind = ROWS[row][1]
    if kind is not None:
        model.match = kind(config)
        model.match.initialise(init_std(config), torch.Generator().manual_seed(seed))
    return model


# --- text ----------------------------------------------------------------------------------------


class Text:
    """Corpus, index, features and which held-out tokens belong to which loss."""

    def __init__(self, home: Path) -> None:
        self.corpus, self.index = open_text(home)
        self.train: MatchFeatures = self.index.train_features()
        self.held_out: MatchFeatures = self.index.validation_features()
        fit = (self.corpus.validation.n_tokens - 1) // CONTEXT_LENGTH
        numbers = np.arange(min(WINDOWS, fit)) * fit // min(WINDOWS, fit)
        self.starts = (numbers * CONTEXT_LENGTH).astype(np.int64)
        distinct = self._distinct()
        new = distinct & (np.asarray(self.held_out.length) < NEW_LENGTH)
        places = self.starts[:, None] + np.arange(CONTEXT_LENGTH)
        self.groups = {
            "all": np.ones(places.shape, np.bool_),
            "distinct": distinct[places],
            "new": new[places],
        }

    def _distinct(self) -> NDArray[np.bool_]:
        """Which held-out tokens are of documents that are no near-duplicates of training text."""
        tokens = np.asarray(self.corpus.validation.tokens())
        begins = np.flatnonzero(tokens == self.index.separator)
        if not begins.size or begins[0]:
            begins = np.concatenate([[0], begins])
        lengths = match_lengths(self.index, tokens.astype(np.uint32), begins)
        distinct = np.zeros(tokens.size, np.bool_)
        for begin, end in zip(begins, [*begins[1:], tokens.size], strict=True):
            share = covered_tokens(lengths[begin:end], LEAST_TOKENS) / (end - begin)
            distinct[begin:end] = share <= DISTINCT_SHARE
        return distinct


def open_text(home: Path) -> tuple[Corpus, MatchIndex]:
    """Corpus and index, made where they are not there."""
    corpus, index = home / "data" / "corpus", home / "index" / "index"
    if not corpus.is_dir():
        source = PythonLibrary(max_bytes=CORPUS_BYTES)
        tokenizer = BpeTokenizer(vocab_size=VOCAB_SIZE)
        run_job(home / "data", PrepareSpec(source=source, tokenizer=tokenizer, name="Python"))
    if not index.is_dir():
        run_job(home / "index", IndexSpec(corpus=str(corpus)))
    return open_corpus(corpus), open_index(index)


# --- one row -------------------------------------------------------------------------------------


def train(row: str, seed: int, steps: int, text: Text, compute: Compute) -> dict[str, Any]:
    """Train a row's model and measure it."""
    model = make_model(row, seed)
    optimizer = make_optimizer(model, OPTIMIZER, BATCH_SIZE)
    step_once = TrainStep(model, optimizer, compute, BATCH_SIZE)
    change = ROWS[row][2]
    features = None if row == "plain" else text.train
    batches = TrainBatches(text.corpus.train, features, BATCH_SIZE, CONTEXT_LENGTH, seed)
    began = time.process_time()
    model.train()
    for step in range(1, steps + 1):
        batch = told(batches.batch(step), change)
        step_once(batch.to(compute.device), lr_factor(step, steps, OPTIMIZER))
    seconds = time.process_time() - began
    losses = measure(model, change, text, compute)
    return {
        "row": row,
        "seed": seed,
        "steps": steps,
        "seconds": seconds,
        "parameters": sum(p.numel() for p in model.parameters()),
        **{name: float(losses[group].mean()) for name, group in text.groups.items()},
    }


def told(batch: Batch, change: Change | None) -> Batch:
    """A batch with what a row leaves out taken from its matches."""
    if change is None or batch.matches is None:
        return batch
    return replace(batch, matches=change(batch.matches))


@torch.no_grad()
def measure(
    model: Transformer, change: Change | None, text: Text, compute: Compute
) -> NDArray[np.float64]:
    """Losses of the held-out windows, (windows, CONTEXT_LENGTH)."""
    model.eval()
    tokens = np.asarray(text.corpus.validation.tokens())
    losses = []
    for begin in range(0, len(text.starts), BATCH_SIZE):
        starts = text.starts[begin : begin + BATCH_SIZE]
        batch = told(gather(tokens, text.held_out, starts, CONTEXT_LENGTH), change)
        batch = batch.to(compute.device)
        with compute.autocast():
            losses.append(model.loss(batch.inputs, batch.targets, batch.matches).double().cpu())
    return torch.cat(losses).numpy()


# --- the table -----------------------------------------------------------------------------------


def print_table(results: list[dict[str, Any]]) -> None:
    """Means over the seeds, and each row's gain over plain as a multiple of (a)'s."""
    groups = ("all", "distinct", "new")
    means = {
        row: {group: np.mean([r[group] for r in results if r["row"] == row]) for group in groups}
        for row in ROWS
        if any(r["row"] == row for r in results)
    }
    print("| match input | seeds | all | gain | distinct | gain | new | gain |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for row, mean in means.items():
        cells = [ROWS[row][0], str(sum(r["row"] == row for r in results))]
        for group in groups:
            cells += [f"{mean[group]:.3f}", gain_of(row, group, results)]
        print("| " + " | ".join(cells) + " |")


def gain_of(row: str, group: str, results: list[dict[str, Any]]) -> str:
    """The gain over plain as a multiple of (a)'s, over the seeds that all three were trained on."""
    by_seed: dict[int, dict[str, float]] = {}
    for result in results:
        by_seed.setdefault(result["seed"], {})[result["row"]] = result[group]
    gains = [
        (known["plain"] - known[row]) / (known["plain"] - known["tscale"])
        for known in by_seed.values()
        if {"plain", "tscale", row} <= known.keys()
    ]
    return f"{np.mean(gains):.2f} ×" if gains and row != "plain" else ""


def main() -> None:
    """Train what is missing and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, required=True, help="folder of corpus and index")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path, help="JSON lines; by default in the home")
    args = parser.parse_args()
    path = args.results or args.home / "match-input.jsonl"
    known = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    known = [result for result in known if result["steps"] == args.steps]
    wanted = [(row, seed) for seed in args.seeds for row in args.rows]
    missing = [w for w in wanted if w not in {(r["row"], r["seed"]) for r in known}]
    if missing:
        compute = choose_compute("cpu", "auto", args.threads)
        text = Text(args.home)
        shares = ", ".join(f"{name} {group.mean():.0%}" for name, group in text.groups.items())
        print(f"{compute.name}; share of the held-out tokens: {shares}")
    for row, seed in missing:
        result = train(row, seed, args.steps, text, compute)
        print(json.dumps(result), flush=True)
        with path.open("a") as file:
            file.write(json.dumps(result) + "\n")
        known.append(result)
    print_table([r for r in known if (r["row"], r["seed"]) in wanted])


if __name__ == "__main__":
    main()

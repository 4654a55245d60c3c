"""How many tokens a second become training batches on one core, for each packing.

    python tests/benchmarks/data_loader.py CORPUS_FOLDER --index INDEX_FOLDER

The corpus and its features stand in memory, repeated until they are far larger than the caches;
batches come in the order of a training, whose rows lie all over them.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import torch
from numpy.typing import NDArray

from trainer_core.data.batches.gather import Batch
from trainer_core.data.batches.loader import TrainBatches
from trainer_core.data.batches.order import make_order
from trainer_core.data.batches.text import SourcePart, TrainText
from trainer_core.data.corpus import open_corpus
from trainer_core.index import open_index
from trainer_core.index.features import MatchFeatures
from trainer_core.spec import DataConfig, Mix

TOKENS = 100_000_000
TOKENS_PER_STEP = 16_384
SECONDS = 0.5
"""Of each round."""
ROUNDS = 5
CASES = {
    "stream": DataConfig(),
    "stream, masked": DataConfig(mask_documents=True),
    "best fit, masked": DataConfig(packing="best_fit"),
    "document a row": DataConfig(packing="documents"),
    "stream, two sources by weight": DataConfig(mixing=(Mix(weights={"a": 2.0, "b": 1.0}),)),
}


@dataclass(frozen=True)
class Memory:
    """Tokens in memory."""

    values: NDArray[Any]

    @property
    def n_tokens(self) -> int:
        return self.values.size

    def tokens(self) -> NDArray[Any]:
        return self.values


def repeated_text(corpus: Path, index: str, n_tokens: int) -> tuple[TrainText, MatchFeatures]:
    """A corpus's training part, and what its index says of it, so often that it is long enough."""
    train = open_corpus(corpus).train
    times = -(-n_tokens // train.n_tokens)
    features = open_index(Path(index)).train_features() if index else None
    found = MatchFeatures(*(np.zeros(0, np.uint8) for _ in range(4)))
    if features is not None:
        parts = (features.length, features.next, features.second, features.marks)
        found = MatchFeatures(*(np.tile(part, times) for part in parts))
    begins = np.arange(times)[:, None] * train.n_tokens
    starts = (begins + train.document_start).ravel()
    values = np.tile(train.tokens(), times)
    middle = int(starts[len(starts) // 2])
    sources = (SourcePart("a", 0, middle), SourcePart("b", middle, values.size))
    return TrainText(Memory(values), starts, sources), found


class Textbook:
    """Windows at random places, stacked one by one, as nanoGPT's training script takes them."""

    def __init__(self, tokens: NDArray[Any], batch_size: int, context_length: int) -> None:
        self._tokens, self._size, self._length = tokens, batch_size, context_length

    def batch(self, _step: int) -> Batch:
        last = self._tokens.size - self._length
        starts = torch.randint(last, (self._size,)).tolist()
        rows = [self._tokens[at : at + self._length + 1].astype(np.int64) for at in starts]
        inputs = torch.stack([torch.from_numpy(row[:-1]) for row in rows])
        targets = torch.stack([torch.from_numpy(row[1:]) for row in rows])
        return Batch(inputs, targets, n_targets=targets.numel())


def tokens_per_s(batches: TrainBatches | Textbook) -> tuple[float, float]:
    """Median over some rounds, counting tokens that are learned from; and the padding's share."""
    steps = itertools.count(1)
    batches.batch(next(steps))
    rates, learned, places = [], 0, 0
    for _ in range(ROUNDS):
        began_s = time.perf_counter()
        tokens = 0
        while (spent_s := time.perf_counter() - began_s) < SECONDS:
            batch = batches.batch(next(steps))
            tokens += batch.n_targets
            places += batch.inputs.numel()
        rates.append(tokens / spent_s)
        learned += tokens
    return statistics.median(rates), 1 - learned / places


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--index", default="", help="its index, for batches with matches")
    parser.add_argument("--tokens", type=int, default=TOKENS)
    parser.add_argument("--contexts", type=int, nargs="+", default=[256, 1024])
    args = parser.parse_args()
    torch.set_num_threads(1)
    text, matches = repeated_text(args.corpus, args.index, args.tokens)
    print(f"{text.tokens.n_tokens:,} tokens, {len(text.document_start):,} documents")
    print("| context | packing | matches | M tokens/s | padding | until the first batch, s |")
    print("| --- | --- | --- | --- | --- | --- |")
    with_matches = (False, True) if args.index else (False,)
    for length in args.contexts:
        rate, _ = tokens_per_s(Textbook(text.tokens.values, TOKENS_PER_STEP // length, length))
        print(f"| {length:,} | textbook's windows | off | {rate / 1e6:.0f} | | |", flush=True)
    for length, (name, data) in itertools.product(args.contexts, CASES.items()):
        for matched in with_matches:
            size = TOKENS_PER_STEP // length
            began_s = time.perf_counter()
            batches = TrainBatches(
                text.tokens,
                matches if matched else None,
                size,
                length,
                1,
                document_start=text.document_start if data.masks else None,
                order=make_order(text, data, length, 1, steps=100_000, batch_size=size),
            )
            batches.batch(1)
            ready_s = time.perf_counter() - began_s
            rate, padding = tokens_per_s(batches)
            told = "on" if matched else "off"
            print(
                f"| {length:,} | {name} | {told} | {rate / 1e6:.0f} | {padding:.2%} |"
                f" {ready_s:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()

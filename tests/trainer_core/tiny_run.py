"""A small training run on disk, made without the trainer: corpus, index, checkpoint, journal."""

import atexit
import functools
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from trainer_core import spec as specs
from trainer_core.data.corpus import Corpus
from trainer_core.data.matches import MatchTensors
from trainer_core.data.preparing.build import build_corpus
from trainer_core.index import build_index, open_index
from trainer_core.job import freeze_spec
from trainer_core.journal import JournalWriter
from trainer_core.metrics import STEP_DTYPE, StepLog
from trainer_core.model.transformer import Transformer
from trainer_core.records import Ended, JobStarted, MatchBucket, Validated
from trainer_core.train.checkpoints.checkpoint import TrainState, weights_of
from trainer_core.train.checkpoints.manifest import Fingerprints
from trainer_core.train.checkpoints.saving import save_checkpoint
from trainer_core.train.checkpoints.snapshot import Snapshot

POEM = """The owl and the pussy-cat went to sea in a beautiful pea-green boat,
They took some honey, and plenty of money, wrapped up in a five-pound note.
The owl looked up to the stars above, and sang to a small guitar,
"O lovely Pussy! O Pussy, my love, what a beautiful Pussy you are!"
"""
STEP = 30


@dataclass
class TinyRun:
    folder: Path
    corpus: Corpus
    model: Transformer
    spec: specs.TrainSpec


def make_corpus(home: Path, tokenizer: specs.Tokenizer) -> Corpus:
    """Twelve little documents: the poem in turns, with an accent, an emoji and special text."""
    texts = home / "texts"
    texts.mkdir(parents=True)
    lines = POEM.splitlines()
    for number in range(12):
        turned = lines[number % 4 :] + lines[: number % 4]
        extra = f"Verse {number}: café 🦉 <|endoftext|> {number * 37}"
        text = "\n".join([*turned, extra, *turned[::-1]])
        (texts / f"verse-{number:02d}.txt").write_text(text, encoding="utf-8")
    source = specs.TextFiles(paths=(str(texts),))
    spec = specs.PrepareSpec(source=source, tokenizer=tokenizer, name="nonsense", seed=7)
    return build_corpus(spec, home / "corpus")


def spread(model: Transformer, seed: int = 3) -> Transformer:
    """The model with weights that make every input matter."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.15 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def learn(model: Transformer, corpus: Corpus, index, steps: int = 30) -> None:
    """A few steps, so that greedy text has a shape and no two tokens tie."""
    tokens = torch.from_numpy(corpus.train.tokens().astype(np.int64))
    features = None if index is None else index.train_features()
    time_ = model.config.context_length
    generator = torch.Generator().manual_seed(1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(steps):
        starts = torch.randint(0, len(tokens) - time_ - 1, (8,), generator=generator)
        at = starts[:, None] + torch.arange(time_)
        matches = None if features is None else MatchTensors.of(features.at(at.numpy()))
        optimizer.zero_grad()
        model.loss(tokens[at], tokens[at + 1], matches).mean().backward()
        optimizer.step()
    model.eval()


def make_run(
    home: Path, tokenizer: specs.Tokenizer, *, match: bool, kv_heads: int = 0, **model: object
) -> TinyRun:
    """A run whose model is small; `model` is what else its shape has."""
    corpus = make_corpus(home, tokenizer)
    index = None
    if match:
        build_index(corpus.folder, home / "index")
        index = open_index(home / "index")
    config = specs.ModelConfig(
        vocab_size=corpus.vocab_size,
        context_length=48,
        n_layer=2,
        n_head=4,
        n_kv_head=kv_heads,
        n_embd=32,
        match_input=match,
        **model,
    )
    spec = specs.TrainSpec(
        corpus=str(corpus.folder),
        index=str(home / "index") if match else "",
        model=config,
        budget=specs.BudgetConfig(steps=STEP, batch_size=2),
        optimizer=specs.OptimizerConfig(warmup_steps=3),
    )
    model = spread(Transformer(config, torch.Generator().manual_seed(0)))
    learn(model, corpus, index)
    folder = home / "run"
    freeze_spec(folder, spec)
    fingerprints = Fingerprints(
        corpus=corpus.fingerprint,
        tokenizer=corpus.tokenizer.fingerprint,
        index="" if index is None else index.fingerprint,
    )
    state = TrainState(step=STEP, tokens_seen=STEP * 96)
    save_checkpoint(folder, Snapshot(config, fingerprints, state, weights_of(model), {}, 3.25))
    write_history(folder)
    return TinyRun(folder, corpus, model, spec)


def write_history(folder: Path) -> None:
    """A journal with three validations, and a row per step."""
    bucket = MatchBucket(low=4, high=5, tokens=120, loss=2.5, hit_rate=0.25)
    with JournalWriter(folder / "journal.bin") as journal:
        journal.append(JobStarted(verb="train", pid=1, host="h", version="0", device="cpu"))
        for step, loss in ((10, 4.5), (20, 3.75), (30, 3.25)):
            journal.append(
                Validated(
                    time_s=time.time(),
                    step=step,
                    tokens_seen=step * 96,
                    loss=loss,
                    bits_per_byte=loss / 2,
                    tokens=500,
                    best=True,
                    buckets=(bucket,),
                )
            )
        journal.append(Ended(state="finished", exit_code=0))
    rows = np.zeros(STEP, STEP_DTYPE)
    rows["step"] = np.arange(1, STEP + 1)
    rows["loss"] = 3 + 2 / rows["step"]
    log = StepLog(folder / "steps.bin")
    log.append(rows)
    log.close()


@functools.cache
def indexed_run() -> TinyRun:
    """One index-backed run for all test modules of a session; whoever changes it puts it back."""
    home = Path(tempfile.mkdtemp(prefix="hearth-tiny-run-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    return make_run(home / "shared", specs.BpeTokenizer(vocab_size=300), match=True)

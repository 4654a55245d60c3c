"""A tiny corpus and a tiny training, for the tests of the trainer."""

import random
from pathlib import Path

import msgspec
import numpy as np

from trainer_core.data.preparing.build import build_corpus
from trainer_core.job import run_job
from trainer_core.journal import read_records
from trainer_core.metrics import read_rows
from trainer_core.records import CheckpointSaved, Ended, Noted, Result, Resumed, Validated
from trainer_core.spec import (
    BudgetConfig,
    ByteTokenizer,
    CheckpointConfig,
    DataConfig,
    EvaluationConfig,
    GuardConfig,
    ModelConfig,
    OptimizerConfig,
    PrepareSpec,
    TextFiles,
    TrainSpec,
)
from trainer_core.train.checkpoints.checkpoint import open_checkpoint

EXACT = ("step", "tokens_seen", "loss", "lr", "grad_norm", "hit_rate", "mean_match")
"""Columns of the step log that a resumed training repeats bit for bit."""


def write_texts(folder: Path, documents=12, words=160, seed=3):
    """Documents over a small set of words, with sentences that return."""
    draw = random.Random(seed)
    lexicon = ["ash", "birch", "cedar", "the", "of", "rain", "hearth", "élan", "stone", "and"]
    sentences = [" ".join(draw.choices(lexicon, k=6)) + ".\n" for _ in range(20)]
    folder.mkdir(parents=True)
    for number in range(documents):
        text = "".join(draw.choice(sentences) for _ in range(words // 6))
        (folder / f"{number:02}.txt").write_text(f"Document {number}\n{text}", encoding="utf-8")
    return folder


def make_corpus(folder: Path, **texts):
    """A byte corpus of `write_texts` in `<folder>/corpus`."""
    source = TextFiles(paths=(str(write_texts(folder / "texts", **texts)),))
    spec = PrepareSpec(source=source, tokenizer=ByteTokenizer(), validation_fraction=0.2)
    build_corpus(spec, folder / "corpus")
    return folder / "corpus"


def tiny_spec(corpus, *, steps=40, index="", model=None, **sections):
    """A training that takes a fraction of a second; sections are replaced field by field."""
    config = {"vocab_size": 257, "context_length": 32, "n_layer": 1, "n_head": 2, "n_embd": 16}
    fields = {
        "corpus": str(corpus),
        "index": str(index),
        "model": ModelConfig(**config | (model or {})),
        "optimizer": OptimizerConfig(warmup_steps=4, lr=1e-2),
        "budget": BudgetConfig(steps=steps, batch_size=4),
        "evaluation": EvaluationConfig(every_steps=20, max_tokens=256),
        "checkpoint": CheckpointConfig(every_steps=10, keep=3),
        "guard": GuardConfig(),
        "data": DataConfig(),
        "device": "cpu",
        "threads": 1,
    }
    for name, value in sections.items():
        if isinstance(value, dict):
            value = msgspec.structs.replace(fields[name], **value)
        fields[name] = value
    return TrainSpec(**fields)


def trained(folder, spec):
    """Run a training to its end; its folder."""
    assert run_job(folder, spec) == 0, ended(folder)
    return folder


def journal(folder, *kinds):
    """The records of these kinds, in order; all without any."""
    found, _ = read_records(folder / "journal.bin")
    return [record for record in found if not kinds or isinstance(record, kinds)]


def ended(folder) -> Ended:
    return journal(folder, Ended)[-1]


def result(folder) -> dict:
    return journal(folder, Result)[-1].values


def notes(folder, title):
    return [note for note in journal(folder, Noted) if note.title == title]


def saved_steps(folder):
    return [record.step for record in journal(folder, CheckpointSaved)]


def resumed_steps(folder):
    return [record.step for record in journal(folder, Resumed)]


def validations(folder) -> dict[int, Validated]:
    """By step; the newest record of a step counts."""
    return {record.step: record for record in journal(folder, Validated)}


def rows(folder):
    return read_rows(folder / "steps.bin")


def assert_same_training(folder, reference):
    """Rows, weights and optimizer of two finished runs are equal, bit for bit."""
    ours, theirs = rows(folder), rows(reference)
    for name in EXACT:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)
    a, b = open_checkpoint(folder, "last"), open_checkpoint(reference, "last")
    assert a.step == b.step
    for name in ("model.safetensors", "optimizer.safetensors"):
        assert (a.folder / name).read_bytes() == (b.folder / name).read_bytes(), name
    for step, validation in validations(reference).items():
        again = validations(folder)[step]
        assert (again.loss, again.best) == (validation.loss, validation.best)

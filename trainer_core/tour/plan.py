"""How large a model and how many steps the tour takes on this computer."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import torch

from trainer_core.data.batches.loader import TrainBatches
from trainer_core.data.corpus import Corpus, open_corpus
from trainer_core.index import MatchIndex, open_index
from trainer_core.model.transformer import Transformer
from trainer_core.presets import PRESETS, Preset
from trainer_core.spec import (
    BudgetConfig,
    CheckpointConfig,
    EvaluationConfig,
    OptimizerConfig,
    TourSpec,
    TrainSpec,
)
from trainer_core.train.compute import choose_compute
from trainer_core.train.optim import make_optimizer
from trainer_core.train.step import TrainStep

STEP_LADDER = (20, 30, 50, 75, 100, 150, 200, 250, 300, 400, 500, 600, 800, 1000, 1200, 1600, 2000)
"""Step counts are rungs, so that a repeated tour takes the same number in spite of noise."""

RESERVE_S = 15.0
"""Kept for saving, the sample, the exports and the report, in seconds."""
VALIDATIONS = 4
"""How often each model is measured on held-out text after its start."""
VALIDATION_TOKENS = 32_768
FORWARD_SHARE = 0.4
"""What reading a token costs of what learning it costs, with the bookkeeping by match length."""
MEASURED_STEPS = 6
PROMPT = "def "


class TourPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What both models of a tour have in common."""

    preset: str
    steps: int
    step_s: float
    """Measured seconds per step of the index-backed model."""


def tour_preset() -> Preset:
    """A model that learns something in the tour's time on this computer."""
    return PRESETS["10M"] if torch.cuda.is_available() else PRESETS["tour"]


def make_plan(spec: TourSpec, corpus_folder: Path, index_folder: Path, left_s: float) -> TourPlan:
    """Measure real steps and choose how many fit twice into the time that is left.

    Args:
        spec: The tour's settings; its `steps` win over any measurement.
        corpus_folder: The corpus to measure on.
        index_folder: Its index.
        left_s: Seconds of the budget that are left.
    """
    preset = tour_preset()
    step_s = measure_step_s(preset, open_corpus(corpus_folder), open_index(index_folder), spec.seed)
    tokens_per_step = preset.batch_size * preset.config.context_length
    steps_per_validation = VALIDATION_TOKENS / tokens_per_step * FORWARD_SHARE
    affordable = (left_s - RESERVE_S) / 2 / step_s - (VALIDATIONS + 1) * steps_per_validation
    return TourPlan(preset=preset.name, steps=spec.steps or _rung(affordable), step_s=step_s)


def _rung(steps: float) -> int:
    """The highest rung of the ladder that does not exceed this many steps."""
    return max((rung for rung in STEP_LADDER if rung <= steps), default=STEP_LADDER[0])


def measure_step_s(preset: Preset, corpus: Corpus, index: MatchIndex, seed: int) -> float:
    """Median seconds of a whole training step with the index, after a first one that warms up."""
    compute = choose_compute("auto", "auto", 0)  # as the trainings of the tour will
    config = preset.model(corpus.vocab_size, match_input=True)
    model = Transformer(config).to(compute.device)
    optimizer = make_optimizer(model, OptimizerConfig(lr=preset.lr))
    train_step = TrainStep(model, optimizer, compute, preset.batch_size)
    features = index.train_features()
    length = config.context_length
    batches = TrainBatches(corpus.train, features, preset.batch_size, length, seed)
    times: list[float] = []
    for step in range(1, MEASURED_STEPS + 2):
        started = time.perf_counter()
        batch = batches.batch(step).to(compute.device)
        train_step(batch, 1.0)
        if compute.device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return sorted(times[1:])[MEASURED_STEPS // 2]


def train_spec(
    plan: TourPlan, spec: TourSpec, corpus: Path, index: Path, *, match_input: bool
) -> TrainSpec:
    """The training of one of the two models; they differ in `match_input` alone.

    The plain one is given the index too, so that its held-out loss is reported by match length.
    """
    preset = PRESETS[plan.preset]
    vocab_size = open_corpus(corpus).vocab_size
    every = max(1, -(-plan.steps // VALIDATIONS))
    return TrainSpec(
        corpus=str(corpus),
        index=str(index),
        model=preset.model(vocab_size, match_input=match_input),
        optimizer=OptimizerConfig(lr=preset.lr, warmup_steps=max(1, plan.steps // 20)),
        budget=BudgetConfig(steps=plan.steps, batch_size=preset.batch_size),
        evaluation=EvaluationConfig(
            every_steps=every,
            max_tokens=VALIDATION_TOKENS,
            sample_prompts=(PROMPT,),
            sample_tokens=48,
        ),
        checkpoint=CheckpointConfig(every_steps=every, keep=2),
        seed=spec.seed,
    )

"""How each rule task is trained: settings that were found by trying, measured on one CPU core."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from msgspec.structs import replace

from trainer_core.rule_language import parse
from trainer_core.spec import (
    BudgetConfig,
    CheckpointConfig,
    EvaluationConfig,
    ModelConfig,
    OptimizerConfig,
    RulesSpec,
    TaskName,
    TrainSpec,
)

VALIDATIONS = 4
"""How often held-out text and accuracy are measured on the way."""
VALIDATION_TOKENS = 16_384
WARMUP_STEPS = 20
ROPE_THETA = 20.0
"""Turns all of a head's channels within a line or a few: what these tasks ask for stands near.

After 400 steps of `simple_dummy2` the loss was 1.450 with the usual 10,000, 1.396 with 100 and
1.391 with 20.
"""


@dataclass(frozen=True)
class Recipe:
    """The settings of a task.

    Attributes:
        model: The shape, for bytes.
        optimizer: Optimizer and schedule.
        batch_size: Sequences in one step.
        steps: The run's length.
        prompt: What samples continue, a whole beginning of the task's text.
    """

    model: ModelConfig
    optimizer: OptimizerConfig
    batch_size: int
    steps: int
    prompt: str


_MUON = OptimizerConfig(
    kind="muon",
    lr=0.01,
    muon_lr=0.03,
    schedule="wsd",
    decay_share=0.4,
    lr_floor=0.0,
    warmup_steps=WARMUP_STEPS,
)
_SHAPE = ModelConfig(
    family="hearth", context_length=64, n_layer=3, n_head=4, n_embd=96, rope_theta=ROPE_THETA
)
_LONG = replace(_SHAPE, context_length=128)
"""Less is cut off at both ends."""
_FEW = replace(_LONG, dropout=0.1)
"""For few words that are seen often: less is learned by heart."""

RECIPES: dict[TaskName, Recipe] = {
    "simple_dummy": Recipe(_FEW, _MUON, 16, steps=300, prompt="bake;\ndifu;\n"),
    "addition": Recipe(_SHAPE, _MUON, 16, steps=1000, prompt="12 + 30 = 42;\n57 + 68 ="),
    "simple_dummy2": Recipe(_SHAPE, _MUON, 16, steps=1200, prompt="abcdef0;\nfedcba3"),
    "copying": Recipe(_LONG, _MUON, 16, steps=600, prompt="abcdef=abcdef;\nhgfab<"),
    "progressions": Recipe(
        _LONG, _MUON, 16, steps=1500, prompt="412 415 418 421 424;\n630 632 636 644"
    ),
}

OWN_STEPS = 1500
_LINES_READ = 6
"""As many lines of one's own rules fit into the context, on average."""
_CONTEXT_MAX = 1024


def _own_recipe(own: str) -> Recipe:
    """Settings for rules that nobody has tried: a context for some lines, steps for most."""
    rules = parse(own)
    wanted = _LINES_READ * rules.figures().characters
    length = min(max(1 << math.ceil(math.log2(wanted)), _SHAPE.context_length), _CONTEXT_MAX)
    before, asked = itertools.islice((line for line in rules.lines(0) if line.answer > 0), 2)
    prompt = before.text + asked.text[: asked.answer]
    return Recipe(replace(_SHAPE, context_length=length), _MUON, 16, OWN_STEPS, prompt)


def train_spec(spec: RulesSpec, corpus: str) -> TrainSpec:
    """The training of a task.

    Args:
        spec: What was asked for; its `steps` win over the recipe's.
        corpus: The corpus folder of the task's lines.
    """
    recipe = _own_recipe(spec.own) if spec.task == "own" else RECIPES[spec.task]
    steps = spec.steps or recipe.steps
    every = max(1, -(-steps // VALIDATIONS))
    warmup = min(recipe.optimizer.warmup_steps, steps // 10)
    return TrainSpec(
        corpus=corpus,
        model=recipe.model,
        optimizer=replace(recipe.optimizer, warmup_steps=warmup),
        budget=BudgetConfig(steps=steps, batch_size=recipe.batch_size),
        evaluation=EvaluationConfig(
            every_steps=every,
            max_tokens=VALIDATION_TOKENS,
            sample_prompts=(recipe.prompt,),
            sample_tokens=32,
        ),
        checkpoint=CheckpointConfig(every_steps=steps, keep=2),
        compile="off",  # takes longer than what it saves in so short a run
        threads=spec.threads,
        seed=spec.seed,
    )

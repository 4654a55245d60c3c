"""How each rule task is trained: settings that were found by trying, measured on one CPU core."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

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
_LONGER = replace(_SHAPE, context_length=128, dropout=0.1)
"""For few words that are seen often: less is cut off at both ends, and less learned by heart."""

RECIPES: dict[TaskName, Recipe] = {
    "simple_dummy": Recipe(_LONGER, _MUON, 16, steps=300, prompt="bake;\ndifu;\n"),
    "addition": Recipe(_SHAPE, _MUON, 16, steps=1000, prompt="12 + 30 = 42;\n57 + 68 ="),
    "simple_dummy2": Recipe(_SHAPE, _MUON, 16, steps=1200, prompt="abcdef0;\nfedcba3"),
    "copying": Recipe(_SHAPE, _MUON, 16, steps=1200, prompt="abcdef=abcdef;\nhgfab<"),
    "progressions": Recipe(_SHAPE, _MUON, 16, steps=2000, prompt="02 04 06 08 10;\n07 19 31 43"),
}


def train_spec(spec: RulesSpec, corpus: str) -> TrainSpec:
    """The training of a task.

    Args:
        spec: What was asked for; its `steps` win over the recipe's.
        corpus: The corpus folder of the task's lines.
    """
    recipe = RECIPES[spec.task]
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

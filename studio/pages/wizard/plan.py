"""What a draft will take: size, tokens, disk, and time where it was measured. Free of Qt."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from studio.pages.data.build_form import make_index_spec
from studio.pages.data.build_plan import BuildPlan, TextSize, plan_build
from studio.pages.wizard.draft import DataChoice, Draft, build_spec, field_message, setting_name
from studio.widgets.figures import count, percent, rough_duration, size
from trainer_core.errors import SpecError
from trainer_core.presets import parameter_count
from trainer_core.spec import ModelConfig, TrainSpec

CHINCHILLA_TOKENS_PER_PARAMETER = 20.0
"""Source: Hoffmann et al., "Training compute-optimal large language models", 2022."""
REPEATS_PAY_LITTLE_PASSES = 4.0
"""Source: Muennighoff et al., "Scaling data-constrained language models", 2023."""
CHECKPOINT_BYTES_PER_PARAMETER = 12
"""Weights and AdamW's two moments, in float32."""
_SIMILAR_FACTOR = 3.0
_FEW_TOKENS_PER_PARAMETER = 2.0

Level = Literal["info", "warn", "danger"]


@dataclass(frozen=True)
class Advice:
    """Something to know before the start. `title` is a sentence that stands first, in bold."""

    level: Level
    title: str
    text: str = ""


@dataclass(frozen=True)
class MeasuredRate:
    """How fast an earlier run on this computer was, validation and checkpoints included."""

    run: str
    model: ModelConfig
    batch_size: int
    tokens_per_s: float


@dataclass(frozen=True)
class Estimate:
    """Time that a plan takes, scaled from a measured run."""

    seconds: float
    from_run: str
    exact: bool
    """Whether that run had the same shape and batch, so that nothing had to be scaled."""


@dataclass(frozen=True)
class Surroundings:
    """What the plan depends on besides the draft.

    Attributes:
        rates: Earlier runs on this computer.
        free_bytes: Room on the disk that runs are stored on; None where it is unknown.
        builds: Results of the index builds that this computer has done.
    """

    rates: tuple[MeasuredRate, ...] = ()
    free_bytes: int | None = None
    builds: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Plan:
    """What a draft will take. Figures are None while a setting that decides them is wrong."""

    spec: TrainSpec | None = None
    error: SpecError | None = None
    parameters: int | None = None
    training_tokens: int | None = None
    steps: int | None = None
    passes: float | None = None
    checkpoint_bytes: int | None = None
    checkpoints_kept: int = 0
    index_bytes: int | None = None
    index_seconds: float | None = None
    """How long the index will take; None where it is there, or not wanted."""
    index_is_built: bool = False
    estimate: Estimate | None = None
    advice: tuple[Advice, ...] = ()

    @property
    def tokens_per_parameter(self) -> float | None:
        """Training tokens for each parameter."""
        if not self.parameters or self.training_tokens is None:
            return None
        return self.training_tokens / self.parameters

    @property
    def chinchilla_tokens(self) -> float | None:
        """Training tokens that are the best use of computing for this size."""
        return CHINCHILLA_TOKENS_PER_PARAMETER * self.parameters if self.parameters else None

    @property
    def disk_bytes(self) -> int | None:
        """Checkpoints that stay, at the most."""
        if self.checkpoint_bytes is None:
            return None
        return self.checkpoint_bytes * self.checkpoints_kept

    @property
    def obstacle(self) -> str:
        """Why this plan cannot work, or an empty string."""
        if self.error is not None:
            name = setting_name(self.error.field)
            message = field_message(self.error)
            return f"{name}: {message}" if name else message
        return next((a.title for a in self.advice if a.level == "danger"), "")


def make_plan(draft: Draft, around: Surroundings) -> Plan:
    """Work out what a draft will take; far below a millisecond."""
    data = draft.data
    if data is None:
        return Plan()
    built = data.index_state == "ready"
    build = _build_plan(draft, data, around) if draft.use_index and not built else None
    index_bytes = data.index_bytes if draft.use_index else None
    if build is not None:
        index_bytes = build.size_bytes
    index_seconds = build.seconds if build is not None else None
    try:
        if build is not None:
            make_index_spec(data.corpus, draft.build)
        spec = build_spec(draft)
    except SpecError as error:
        return Plan(
            error=error,
            index_bytes=index_bytes,
            index_seconds=index_seconds,
            index_is_built=built,
        )
    parameters = parameter_count(spec.model)
    tokens = spec.budget.steps * spec.budget.batch_size * spec.model.context_length
    saved = math.ceil(spec.budget.steps / spec.checkpoint.every_steps)
    plan = Plan(
        spec=spec,
        parameters=parameters,
        training_tokens=tokens,
        steps=spec.budget.steps,
        passes=tokens / data.train_tokens,
        checkpoint_bytes=CHECKPOINT_BYTES_PER_PARAMETER * parameters,
        # The newest ones stay, and the best when it is an older one.
        checkpoints_kept=min(saved, spec.checkpoint.keep + 1),
        index_bytes=index_bytes,
        index_seconds=index_seconds,
        index_is_built=built,
        estimate=estimate_time(spec, tokens, around.rates),
    )
    return Plan(**(vars(plan) | {"advice": tuple(_advice(plan, draft, data, around))}))


def _build_plan(draft: Draft, data: DataChoice, around: Surroundings) -> BuildPlan:
    text = TextSize(
        data.train_tokens, data.validation_tokens, data.train_documents, data.vocab_size
    )
    return plan_build(text, around.builds, around.free_bytes, draft.build.n_threads)


def estimate_time(spec: TrainSpec, tokens: int, rates: tuple[MeasuredRate, ...]) -> Estimate | None:
    """Time for a training, from the most similar run on this computer; None without one.

    Args:
        spec: What is planned.
        tokens: Training tokens in all.
        rates: Runs that were measured.
    """
    wanted = work_per_token(spec.model)
    best: tuple[float, MeasuredRate] | None = None
    for rate in rates:
        ratio = work_per_token(rate.model) / wanted
        batch = rate.batch_size * rate.model.context_length
        batch_ratio = batch / (spec.budget.batch_size * spec.model.context_length)
        distance = abs(math.log(ratio)) + abs(math.log(batch_ratio)) / 4
        similar = 1 / _SIMILAR_FACTOR <= ratio <= _SIMILAR_FACTOR and rate.tokens_per_s > 0
        if similar and (best is None or distance < best[0]):
            best = distance, rate
    if best is None:
        return None
    distance, rate = best
    per_s = rate.tokens_per_s * work_per_token(rate.model) / wanted
    return Estimate(tokens / per_s, rate.run, exact=distance < 1e-9)


def work_per_token(model: ModelConfig) -> float:
    """Floating-point operations to train on one token, forward and backward.

    Source: Chowdhery et al., "PaLM", 2022, appendix B: 6 N + 12 L H Q T.
    """
    looked_up = 0 if model.tie_embeddings else model.vocab_size * model.n_embd
    matrices = parameter_count(model) - looked_up
    return 6.0 * matrices + 12.0 * model.n_layer * model.n_embd * model.context_length


def _advice(plan: Plan, draft: Draft, data: DataChoice, around: Surroundings) -> list[Advice]:
    found = [*_disk_advice(plan, around), *_size_advice(plan)]
    if plan.passes is not None and plan.passes > REPEATS_PAY_LITTLE_PASSES:
        found.append(
            Advice(
                "warn",
                f"The data is read {plan.passes:.1f} times.",
                "From the fifth pass on, reading it again teaches little.",
            )
        )
    found += _index_advice(plan, draft, data)
    found.append(Advice("info", "You may close the window.", "The training goes on by itself."))
    return found


def _disk_advice(plan: Plan, around: Surroundings) -> list[Advice]:
    needed = plan.disk_bytes
    if needed is None or around.free_bytes is None or plan.checkpoint_bytes is None:
        return []
    if not plan.index_is_built and plan.index_bytes:
        needed += plan.index_bytes
    # While one checkpoint is written, the one that it replaces is still there.
    needed += plan.checkpoint_bytes
    free = around.free_bytes
    if needed > free:
        return [
            Advice(
                "danger",
                f"The disk has {size(free)} free; this needs {size(needed)}.",
                "Free some space, or keep fewer checkpoints.",
            )
        ]
    if needed > free / 2:
        share = percent(needed / free, 0)
        return [Advice("warn", f"This takes {share} of the disk's free space.")]
    return []


def _size_advice(plan: Plan) -> list[Advice]:
    ratio = plan.tokens_per_parameter
    if ratio is None or plan.chinchilla_tokens is None or ratio >= _FEW_TOKENS_PER_PARAMETER:
        return []
    return [
        Advice(
            "warn",
            f"Only {ratio:.1f} tokens for each parameter.",
            "A smaller model would learn more in the same time; the best use of computing is"
            f" near {count(plan.chinchilla_tokens)} tokens.",
        )
    ]


def _index_advice(plan: Plan, draft: Draft, data: DataChoice) -> list[Advice]:
    if not draft.use_index or data.index_state == "ready":
        return []
    if data.index_state == "building":
        return [
            Advice("info", "The index is being built.", "The training starts when it is ready.")
        ]
    about = ""
    if plan.index_seconds is not None:
        about = f"That takes about {rough_duration(plan.index_seconds)}. "
    return [
        Advice(
            "info",
            "The index is built first.",
            f"{about}The training follows by itself.",
        )
    ]

"""What a training will take and reach, worked out from its settings."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass

from studio.planner.advice import Advice
from studio.planner.cautions import cautions
from studio.planner.durations import TimeEstimate
from studio.planner.facts import DataFacts, Surroundings
from studio.planner.losses import ExpectedLoss, LossModel
from studio.planner.memory import MemoryEstimate, estimate_memory
from studio.planner.scaling import CHINCHILLA_TOKENS_PER_PARAMETER, TrainedPoint
from studio.planner.sizes import SizeCurve, loss_text, size_curve
from studio.planner.speeds import estimate_time
from studio.planner.spending import (
    DiskEstimate,
    Energy,
    ValidationPlan,
    estimate_disk,
    estimate_energy,
    plan_validation,
)
from trainer_core.presets import flops_per_token, parameter_count
from trainer_core.spec import TrainSpec


@dataclass(frozen=True)
class Plan:
    """What a training will take and reach.

    Attributes:
        spec: Its settings.
        parameters: Of the model, those of a match input among them.
        tokens: Training tokens in all.
        passes: Over the text.
        flops: Arithmetic in all.
        loss: That may be expected.
        time: It will take.
        memory: Of the device, at its peak.
        disk: Room that it takes.
        validation: When held-out text is measured.
        energy: Electricity.
        finish_s: When it will be done if it starts now, in seconds since the epoch.
        advice: What to know before the start; those that cannot work first.
    """

    spec: TrainSpec
    parameters: int
    tokens: int
    passes: float
    flops: float
    loss: ExpectedLoss
    time: TimeEstimate
    memory: MemoryEstimate
    disk: DiskEstimate
    validation: ValidationPlan
    energy: Energy
    finish_s: float
    advice: tuple[Advice, ...] = ()

    @property
    def steps(self) -> int:
        """Optimizer steps."""
        return self.spec.budget.steps

    @property
    def tokens_per_parameter(self) -> float:
        """Training tokens for each parameter."""
        return self.tokens / self.parameters

    @property
    def chinchilla_tokens(self) -> float:
        """Training tokens that are the best use of computing for this size."""
        return CHINCHILLA_TOKENS_PER_PARAMETER * self.parameters

    @property
    def obstacle(self) -> Advice | None:
        """Why this plan cannot work, or None."""
        return next((each for each in self.advice if each.level == "danger"), None)


def make_plan(spec: TrainSpec, data: DataFacts, around: Surroundings) -> Plan:
    """Work out what a training will take; a millisecond or two."""
    parameters = parameter_count(spec.model)
    tokens = spec.budget.steps * spec.budget.batch_size * spec.model.context_length
    took = estimate_time(spec, data, around)
    memory = estimate_memory(spec, around.machine, around.probe)
    disk = estimate_disk(spec, data, took, around.free_bytes)
    passes = tokens / max(data.train_tokens, 1)
    wait_s = data.index_seconds or 0.0
    return Plan(
        spec=spec,
        parameters=parameters,
        tokens=tokens,
        passes=passes,
        flops=flops_per_token(spec.model) * tokens,
        loss=expected_loss(spec, data, around),
        time=took,
        memory=memory,
        disk=disk,
        validation=plan_validation(spec, took),
        energy=estimate_energy(spec, took.seconds, around.machine, around.prices),
        finish_s=(around.now_s or time.time()) + wait_s + took.seconds,
        advice=tuple(cautions(spec, data, around, memory, disk, took)),
    )


def expected_loss(spec: TrainSpec, data: DataFacts, around: Surroundings) -> ExpectedLoss:
    """The loss that a training may expect."""
    tokens = spec.budget.steps * spec.budget.batch_size * spec.model.context_length
    model = loss_model(around)
    return model.expect(spec.model, tokens, loss_text(data, spec.model.vocab_size))


def curve_of(spec: TrainSpec, data: DataFacts, around: Surroundings) -> SizeCurve:
    """What other sizes would reach with the computing of this plan."""
    return size_curve(spec, data, around, loss_model(around))


def loss_model(around: Surroundings) -> LossModel:
    """What the trainings so far say; made once for the same trainings."""
    points = (run.point for run in around.runs)
    return _loss_model(tuple(point for point in points if point is not None))


@functools.lru_cache(maxsize=8)
def _loss_model(points: tuple[TrainedPoint, ...]) -> LossModel:
    return LossModel(points)

"""Is this the right size? Expected loss of models of every size for the same computing."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np

from studio.planner.facts import DataFacts, Surroundings
from studio.planner.ladder import scaled
from studio.planner.losses import LossModel, LossText
from studio.planner.memory import estimate_memory
from studio.planner.scaling import Numbers, TextScale, plain_parameters
from trainer_core.presets import flops_per_token, parameter_count
from trainer_core.spec import TrainSpec

POINTS = 61
_FACTOR = 12.0
"""The curve reaches from a twelfth of the plan's size to twelve times it."""
NEARLY_AS_GOOD = 0.01
"""Nats per token that make no difference between sizes."""
_MEMORY_STEPS = 12


@dataclass(frozen=True)
class SizeCurve:
    """Sizes for the same computing, C = 6 N D and attention. Arrays of `POINTS`, rising by size.

    Attributes:
        parameters: Of each model.
        tokens: That each could read.
        loss: Expected, in nats per token; with the index where the plan has one.
        low: Lower end of the band.
        high: Upper end.
        plain: Expected without the index.
        best: Parameters with the lowest loss.
        best_loss: That loss.
        near: The smallest and largest size that are within 0.01 of it.
        memory_limit: The largest size that fits the device's memory; None where all do, or where
            its memory is unknown.
        flops: The computing.
    """

    parameters: Numbers
    tokens: Numbers
    loss: Numbers
    low: Numbers
    high: Numbers
    plain: Numbers
    best: float
    best_loss: float
    near: tuple[float, float]
    memory_limit: float | None
    flops: float


def loss_text(data: DataFacts, vocab_size: int) -> LossText:
    """The text, as far as losses depend on it."""
    scale = TextScale.of(vocab_size, data.bytes_per_token, data.unigram_entropy)
    return LossText(data.corpus, data.train_tokens, scale, data.index_hit_rate)


def size_curve(
    spec: TrainSpec, data: DataFacts, around: Surroundings, model: LossModel
) -> SizeCurve:
    """What other sizes would reach with the computing of this plan; a few milliseconds."""
    own = float(plain_parameters(spec.model))
    per_token = flops_per_token(spec.model)
    tokens = spec.budget.steps * spec.budget.batch_size * spec.model.context_length
    flops = per_token * tokens
    parameters = own * np.geomspace(1 / _FACTOR, _FACTOR, POINTS)
    # Attention's share and the tables' is taken to be that of the plan's model.
    read = flops / (per_token * parameters / own)
    text = loss_text(data, spec.model.vocab_size)
    curve = model.curve(parameters, read, text, index=spec.model.match_input)
    at = int(np.argmin(curve.loss))
    near = parameters[curve.loss <= curve.loss[at] + NEARLY_AS_GOOD]
    return SizeCurve(
        parameters=parameters,
        tokens=read,
        loss=curve.loss,
        low=curve.low,
        high=curve.high,
        plain=curve.plain,
        best=float(parameters[at]),
        best_loss=float(curve.loss[at]),
        near=(float(near[0]), float(near[-1])),
        memory_limit=_memory_limit(spec, around, float(parameters[0]), float(parameters[-1])),
        flops=flops,
    )


def _memory_limit(spec: TrainSpec, around: Surroundings, low: float, high: float) -> float | None:
    """The largest size between two that fits the memory with the plan's batch."""
    if not around.machine.memory_bytes(spec):
        return None

    def fits(parameters: float) -> bool:
        return estimate_memory(with_size(spec, parameters), around.machine).fits

    if fits(high):
        return None
    if not fits(low):
        return low
    for _ in range(_MEMORY_STEPS):
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def with_size(spec: TrainSpec, parameters: float) -> TrainSpec:
    """The plan with a model of about so many parameters, those of a match input not counted."""
    more = parameter_count(spec.model) - plain_parameters(spec.model)
    ratio = more / max(plain_parameters(spec.model), 1)
    model = scaled(parameters * (1 + ratio), spec.model)
    return msgspec.structs.replace(spec, model=model)

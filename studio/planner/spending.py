"""What a training takes besides time and memory: room on the disk, electricity, validations."""

from __future__ import annotations

from dataclasses import dataclass

from studio.planner.durations import TimeEstimate, validations
from studio.planner.facts import DataFacts, Machine, Prices
from studio.planner.memory import optimizer_bytes
from trainer_core.checkpoint_plan import CheckpointSize
from trainer_core.metrics import STEP_DTYPE, SYSTEM_DTYPE
from trainer_core.presets import parameter_count
from trainer_core.spec import TrainSpec

_JOURNAL_BYTES = 2_000
"""Of the journal, for each validation and checkpoint, about."""
_REST_BYTES, _RANDOM_BYTES = 2_048, 5_056
"""Hashes and settings of a checkpoint, and the random state that resuming needs, about."""
_CORE_W, _IDLE_W = 12.0, 35.0
"""A processor's core at work and the rest of a computer, where nobody has said."""
_UNKNOWN_GPU_W = 250.0


@dataclass(frozen=True)
class DiskEstimate:
    """Room on the disk that a training takes, in bytes.

    Attributes:
        checkpoint: One that a training can go on from.
        weights_only: One with the weights alone.
        checkpoints: All that stay when it is finished, at the most.
        peak: All that there are at a time, at the most: one is being written among them.
        index: Of the index, where it is still to be built.
        logs: The figures of each step and second.
        free: Room on the disk; None where it is unknown.
    """

    checkpoint: int
    weights_only: int
    checkpoints: int
    peak: int
    index: int = 0
    logs: int = 0
    free: int | None = None

    @property
    def needed(self) -> int:
        """Room that must be free at the start."""
        return self.peak + self.index + self.logs

    @property
    def fits(self) -> bool:
        """Whether there is as much; yes where it is unknown."""
        return self.free is None or self.needed <= self.free


@dataclass(frozen=True)
class ValidationPlan:
    """When held-out text is measured.

    Attributes:
        times: How often in all, the first and the last among them.
        seconds: One of them.
        every_steps: At this distance, on average.
        share: Of the whole time.
    """

    times: int
    seconds: float
    every_steps: int
    share: float


@dataclass(frozen=True)
class Energy:
    """Electricity that a training takes.

    Attributes:
        kwh: Kilowatt-hours.
        power_w: Watts that this was reckoned with.
        is_guess: Whether nobody has measured or said the watts.
        cost: In the currency; None without a price.
        currency: Its sign.
        per_kwh: The price; None without one.
    """

    kwh: float
    power_w: float
    is_guess: bool
    cost: float | None
    currency: str
    per_kwh: float | None


def checkpoint_size(spec: TrainSpec) -> CheckpointSize:
    """Bytes of one checkpoint, to within 1 %."""
    names = 100 * (4 + 8 * spec.model.n_layer)
    weights = 4 * parameter_count(spec.model) + names + _REST_BYTES
    return CheckpointSize(weights, weights + optimizer_bytes(spec) + 2 * names + _RANDOM_BYTES)


def estimate_disk(
    spec: TrainSpec, data: DataFacts, time: TimeEstimate, free_bytes: int | None
) -> DiskEstimate:
    """Room that a training takes on the disk."""
    size = checkpoint_size(spec)
    ways = -(-spec.budget.steps // spec.evaluation.every_steps)
    logs = STEP_DTYPE.itemsize * spec.budget.steps + SYSTEM_DTYPE.itemsize * time.seconds
    return DiskEstimate(
        checkpoint=size.resumable,
        weights_only=size.weights_only,
        checkpoints=size.at_end(spec),
        peak=max(size.most_on_disk(spec), size.at_end(spec)),
        index=(data.index_bytes or 0) if data.index_seconds is not None else 0,
        logs=round(logs + _JOURNAL_BYTES * ways),
        free=free_bytes,
    )


def plan_validation(spec: TrainSpec, time: TimeEstimate) -> ValidationPlan:
    """When held-out text is measured, and what that takes."""
    each = time.validation_s
    times = round(validations(spec, time.parts.steps, each))
    share = time.parts.validation / time.seconds if time.seconds else 0.0
    every = spec.evaluation.every_steps
    if spec.evaluation.time_share:
        every = max(1, -(-spec.budget.steps // max(times - 1, 1)))
    return ValidationPlan(times, each, every, share)


def estimate_energy(spec: TrainSpec, seconds: float, machine: Machine, prices: Prices) -> Energy:
    """Electricity for so many seconds of training."""
    power = machine.power_w
    if power is None:
        power = _IDLE_W + _CORE_W * (spec.threads or machine.cores)
        if machine.device_of(spec) == "cuda":
            power = _IDLE_W + _UNKNOWN_GPU_W
    kwh = power * seconds / 3.6e6
    cost = None if prices.per_kwh is None else kwh * prices.per_kwh
    return Energy(
        kwh=kwh,
        power_w=power,
        is_guess=not machine.power_is_set,
        cost=cost,
        currency=prices.currency,
        per_kwh=prices.per_kwh,
    )

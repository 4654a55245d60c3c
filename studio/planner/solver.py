"""One end of a plan is fixed - time, size or text - and the rest follows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np

from studio.planner.cautions import model_values
from studio.planner.durations import Speed, time_of, validation_tokens
from studio.planner.facts import DataFacts, Surroundings
from studio.planner.ladder import shape_near
from studio.planner.losses import LossModel
from studio.planner.memory import estimate_memory, micro_batches
from studio.planner.scaling import (
    CHINCHILLA_TOKENS_PER_PARAMETER,
    REPEATS_PAY_LITTLE_PASSES,
    plain_parameters,
)
from studio.planner.sizes import loss_text
from studio.planner.speeds import speed_of
from trainer_core.presets import parameter_count
from trainer_core.spec import TrainSpec

_SIZES_PER_DECADE = 12
_SMALLEST, _LARGEST = 2e5, 5e9
_VALIDATIONS, _CHECKPOINTS = 20, 8
_LR_MIN, _LR_MAX = 1e-4, 6e-3
_WARMUP_SHARE = 0.05
_APPROACHES = 4
_STEPS_MAX = 10**12
_VALIDATION_SHARE = 0.1
"""Of the steps' time, what validations may take: before that is more, they measure less text, then
they are made less often."""
_VALIDATION_TOKENS_MIN, _VALIDATIONS_MIN = 16_384, 5


@dataclass(frozen=True)
class Solution:
    """A plan that was found.

    Attributes:
        spec: Its settings.
        values: What differs from the settings that were given, by paths in the spec.
        why: Which end was fixed and what decided the rest, in a sentence.
    """

    spec: TrainSpec
    values: dict[str, Any]
    why: str


class Solver:
    """Finds plans for one text on one computer. Each question takes a few milliseconds.

    Args:
        spec: Gives everything that is not asked for: family, context, precision and so on.
        data: The text.
        around: Measured speeds, memory and earlier trainings.
        model: What losses may be expected.
    """

    def __init__(
        self, spec: TrainSpec, data: DataFacts, around: Surroundings, model: LossModel
    ) -> None:
        self._spec, self._data, self._around, self._model = spec, data, around, model

    def hours(self, hours: float) -> Solution:
        """The size that reaches the lowest loss within so many hours, and its steps.

        Raises:
            ValueError: Hours are no number above 0.
        """
        seconds = _positive(hours, "hours") * 3600
        candidates = [self._within(spec, seconds) for spec in self._sizes()]
        loss = self._losses(candidates)
        best = candidates[int(np.argmin(loss))]
        return self._solution(best, f"The lowest expected loss within {hours:g} h.")

    def hours_for_this_size(self, hours: float) -> Solution:
        """The steps that fit into so many hours, for the model as it is.

        Raises:
            ValueError: Hours are no number above 0.
        """
        seconds = _positive(hours, "hours") * 3600
        best = self._within(self._spec, seconds)
        return self._solution(best, f"As many steps as end within {hours:g} h.")

    def parameters(self, parameters: float) -> Solution:
        """A model of about so many parameters, and the text that suits it.

        Raises:
            ValueError: Parameters are no number above 0.
        """
        wanted = _positive(parameters, "parameters")
        spec = self._sized(wanted)
        tokens = CHINCHILLA_TOKENS_PER_PARAMETER * parameter_count(spec.model)
        most = REPEATS_PAY_LITTLE_PASSES * self._data.train_tokens
        why = "20 tokens for each parameter."
        if tokens > most:
            tokens, why = most, "The text, read four times, is less than 20 tokens a parameter."
        return self._solution(self._reading(spec, tokens), why)

    def tokens(self, tokens: float) -> Solution:
        """The model that suits so many training tokens.

        Raises:
            ValueError: Tokens are no number above 0.
        """
        wanted = _positive(tokens, "tokens")
        spec = self._sized(wanted / CHINCHILLA_TOKENS_PER_PARAMETER)
        while not self._fits(spec) and parameter_count(spec.model) > _SMALLEST:
            spec = self._sized(parameter_count(spec.model) / 1.3)
        return self._solution(self._reading(spec, wanted), "20 tokens for each parameter.")

    def all_text(self) -> Solution:
        """The model that suits the whole text, read once."""
        return self.tokens(self._data.train_tokens)

    # --- pieces -------------------------------------------------------------------------------

    def _sizes(self) -> list[TrainSpec]:
        """Plans of every size that fits the memory; at least the smallest."""
        decades = math.log10(_LARGEST / _SMALLEST)
        sizes = np.geomspace(_SMALLEST, _LARGEST, round(decades * _SIZES_PER_DECADE))
        found: list[TrainSpec] = []
        for size in sizes:
            spec = self._sized(float(size))
            if found and not self._fits(spec):
                break
            if not found or found[-1].model != spec.model:
                found.append(spec)
        return found

    def _sized(self, parameters: float) -> TrainSpec:
        """The plan with a model of this size and a learning rate for its width."""
        spec, model = self._spec, shape_near(parameters, self._spec.model)
        if model == spec.model:
            return spec
        lr = spec.optimizer.lr
        if spec.optimizer.kind != "adafactor":
            ratio = spec.model.n_embd / model.n_embd
            lr = float(f"{min(max(lr * ratio, _LR_MIN), max(_LR_MAX, lr)):.2g}")
        optimizer = msgspec.structs.replace(spec.optimizer, lr=lr)
        sized = msgspec.structs.replace(spec, model=model, optimizer=optimizer)
        return self._with_micro_batch(sized)

    def _with_micro_batch(self, spec: TrainSpec) -> TrainSpec:
        """The plan with the largest micro batch that fits the memory; as it is where none does."""
        share = spec.budget.batch_size // spec.distributed.world_size
        for micro in micro_batches(spec):
            wanted = 0 if micro == share else micro
            budget = msgspec.structs.replace(spec.budget, micro_batch_size=wanted)
            tried = msgspec.structs.replace(spec, budget=budget)
            if self._fits(tried):
                return tried
        return spec

    def _fits(self, spec: TrainSpec) -> bool:
        return estimate_memory(spec, self._around.machine, self._around.probe).fits

    def _within(self, spec: TrainSpec, seconds: float) -> TrainSpec:
        """The plan with the most steps that end in time; one step where none do."""
        speed = speed_of(spec, self._data, self._around)

        def takes(steps: int) -> float:
            return self._seconds(with_steps(spec, steps, speed), speed)

        # Almost a line: a few steps along it come close, then the last percent is tried.
        fixed_s = takes(1)
        steps = max(1, int(seconds / speed.step))
        for _ in range(_APPROACHES):
            share = (seconds - fixed_s) / max(takes(steps) - fixed_s, 1e-9)
            steps = min(max(1, int(steps * share)), _STEPS_MAX)
        while steps > 1 and takes(steps) > seconds:
            steps = min(steps - 1, int(steps * 0.995))
        for more in (1.1, 1.02, 1.004):  # where the rhythm of validations changes, the line breaks
            while steps < _STEPS_MAX and takes(wider := int(steps * more) + 1) <= seconds:
                steps = wider
        return with_steps(spec, steps, speed)

    def _seconds(self, spec: TrainSpec, speed: Speed) -> float:
        """The time of a plan whose validations may measure another number of tokens."""
        ratio = validation_tokens(spec, self._data) / validation_tokens(self._spec, self._data)
        own = replace(speed, validation=speed.validation * ratio)
        return time_of(spec, own).seconds

    def _reading(self, spec: TrainSpec, tokens: float) -> TrainSpec:
        per_step = spec.budget.batch_size * spec.model.context_length
        return with_steps(
            spec, max(1, round(tokens / per_step)), speed_of(spec, self._data, self._around)
        )

    def _losses(self, specs: list[TrainSpec]) -> np.ndarray[Any, np.dtype[np.float64]]:
        text = loss_text(self._data, self._spec.model.vocab_size)
        parameters = np.array([float(plain_parameters(spec.model)) for spec in specs])
        tokens = np.array(
            [float(s.budget.steps * s.budget.batch_size * s.model.context_length) for s in specs]
        )
        index = self._spec.model.match_input
        return self._model.curve(parameters, tokens, text, index=index).loss

    def _solution(self, spec: TrainSpec, why: str) -> Solution:
        return Solution(spec, changed_values(self._spec, spec), why)


def changed_values(old: TrainSpec, new: TrainSpec) -> dict[str, Any]:
    """What differs between two plans, by paths in the spec."""
    before = {**model_values(old), **_other_values(old)}
    after = {**model_values(new), **_other_values(new)}
    return {path: value for path, value in after.items() if before[path] != value}


def _other_values(spec: TrainSpec) -> dict[str, Any]:
    return {
        "optimizer.lr": spec.optimizer.lr,
        "optimizer.warmup_steps": spec.optimizer.warmup_steps,
        "budget.steps": spec.budget.steps,
        "budget.micro_batch_size": spec.budget.micro_batch_size,
        "evaluation.every_steps": spec.evaluation.every_steps,
        "evaluation.max_tokens": spec.evaluation.max_tokens,
        "checkpoint.every_steps": spec.checkpoint.every_steps,
    }


def with_steps(spec: TrainSpec, steps: int, speed: Speed) -> TrainSpec:
    """The plan with so many steps, and validations as often as is worth their time."""
    change = msgspec.structs.replace
    warmup = min(spec.optimizer.warmup_steps, int(steps * _WARMUP_SHARE))
    every, tokens = handy(steps / _VALIDATIONS), spec.evaluation.max_tokens
    allowed_s = _VALIDATION_SHARE * steps * speed.step
    each_s = speed.validation

    def costs_too_much() -> bool:
        return (1 + steps / every) * each_s > allowed_s

    while costs_too_much() and tokens // 2 >= _VALIDATION_TOKENS_MIN:
        tokens, each_s = tokens // 2, each_s / 2
    while costs_too_much() and steps / every > _VALIDATIONS_MIN:
        every = _next_handy(every)
    return change(
        spec,
        budget=change(spec.budget, steps=steps),
        optimizer=change(spec.optimizer, warmup_steps=warmup),
        evaluation=change(spec.evaluation, every_steps=every, max_tokens=tokens),
        checkpoint=change(spec.checkpoint, every_steps=max(handy(steps / _CHECKPOINTS), 1)),
    )


def handy(number: float) -> int:
    """The nearest of 1, 2, 5, 10, 20, 50 … that is not larger than the number; at least 1."""
    if number < 1:
        return 1
    magnitude = 10 ** math.floor(math.log10(number))
    return int(max(factor for factor in (1, 2, 5) if factor * magnitude <= number) * magnitude)


def _next_handy(number: int) -> int:
    """The next larger of 1, 2, 5, 10, 20, 50 …"""
    leading = number // 10 ** int(math.log10(number))
    return number * 5 // 2 if leading == 2 else number * 2


def _positive(number: float, name: str) -> float:
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"{name} is {number}; it must be a number above 0")
    return number

"""How long a training will take, and how often it measures held-out text, by its parts' speed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from studio.planner.facts import DataFacts
from trainer_core.checkpoint_plan import checkpoints_saved
from trainer_core.spec import TrainSpec

Source = Literal["probe", "run", "reckoned"]

_END_S = 0.7
"""From the last record until the process is gone."""
_BANDS: dict[Source, float] = {"probe": 0.05, "run": 0.12, "reckoned": 1.0}
"""Two standard deviations of log time, about, by where it comes from."""


@dataclass(frozen=True)
class TimeParts:
    """Seconds of the parts of a training.

    Attributes:
        start: Until the first step: the program, the data, the model.
        compile: Compiling the step.
        steps: The steps themselves.
        validation: Measuring held-out text.
        checkpoints: Standing still for checkpoints, samples, and writing the last one.
    """

    start: float
    compile: float
    steps: float
    validation: float
    checkpoints: float

    @property
    def seconds(self) -> float:
        """All of them."""
        return self.start + self.compile + self.steps + self.validation + self.checkpoints


@dataclass(frozen=True)
class TimeEstimate:
    """How long a training will take.

    Attributes:
        parts: Seconds by what for.
        low_s: Lower end of the band.
        high_s: Upper end.
        source: Where the speed of the steps comes from.
        from_run: Name of the earlier run, where it is one.
        exact: Whether nothing had to be scaled: the same shape and batch were measured.
        measured_s: When the probe was made, seconds since the epoch; 0 without one.
        tokens_per_s: Over everything.
        validation_s: One validation.
    """

    parts: TimeParts
    low_s: float
    high_s: float
    source: Source
    from_run: str = ""
    exact: bool = False
    measured_s: float = 0.0
    tokens_per_s: float = 0.0
    validation_s: float = 0.0

    @property
    def seconds(self) -> float:
        """From the start to the end."""
        return self.parts.seconds

    @property
    def band_s(self) -> float:
        """Half the width of the band."""
        return (self.high_s - self.low_s) / 2


@dataclass(frozen=True)
class Speed:
    """How fast a training's parts go on this computer; seconds.

    Attributes:
        step: One step.
        spread: Share by which steps differ, one standard deviation of their mean.
        validation: One validation.
        blocked: Standing still for a checkpoint.
        samples: Writing the samples that belong to one.
        written: Until a checkpoint is whole on the disk.
        start: Until the first step.
        compile: Of the step; 0 where it is not compiled.
    """

    step: float
    spread: float
    validation: float
    blocked: float
    samples: float
    written: float
    start: float
    compile: float
    source: Source
    from_run: str = ""
    exact: bool = False
    measured_s: float = 0.0


def time_of(spec: TrainSpec, speed: Speed) -> TimeEstimate:
    """The time of a training whose parts have this speed."""
    steps_s = spec.budget.steps * speed.step
    saves = checkpoints_saved(spec)
    parts = TimeParts(
        start=speed.start,
        compile=speed.compile,
        steps=steps_s,
        validation=validations(spec, steps_s, speed.validation) * speed.validation,
        checkpoints=saves * speed.blocked
        + max(speed.written - speed.blocked, 0.0)
        + saves * speed.samples
        + _END_S,
    )
    spread = math.hypot(_BANDS[speed.source] * (0.5 if speed.exact else 1.0), 2 * speed.spread)
    if speed.source == "probe":
        spread = math.hypot(_BANDS["probe"], 2 * speed.spread)
    tokens = spec.budget.steps * spec.budget.batch_size * spec.model.context_length
    return TimeEstimate(
        parts=parts,
        low_s=parts.seconds * math.exp(-spread),
        high_s=parts.seconds * math.exp(spread),
        source=speed.source,
        from_run=speed.from_run,
        exact=speed.exact,
        measured_s=speed.measured_s,
        tokens_per_s=tokens / parts.seconds if parts.seconds else 0.0,
        validation_s=speed.validation,
    )


def validations(spec: TrainSpec, steps_s: float, validation_s: float) -> float:
    """How often held-out text is measured: before the first step, on the way, at the end.

    Args:
        spec: When it is due: every so many steps, or so that it takes a share of the time.
        steps_s: Seconds that all steps take.
        validation_s: Seconds of one validation.
    """
    steps, evaluation = spec.budget.steps, spec.evaluation
    if evaluation.time_share and validation_s > 0:
        allowed = evaluation.time_share / (1 - evaluation.time_share) * steps_s
        return max(2.0, 1.0 + min(float(steps), float(int(allowed / validation_s))))
    return 1.0 + -(-steps // evaluation.every_steps)


def validation_tokens(spec: TrainSpec, data: DataFacts) -> int:
    """Held-out tokens that one validation measures, over all its sets and ways."""
    evaluation, context = spec.evaluation, spec.model.context_length

    def of(tokens: int) -> int:
        windows = max(1, min((tokens - 1) // context, evaluation.max_tokens // context))
        return windows * context

    own = of(max(data.validation_tokens, context + 1))
    sets = len(evaluation.sets) * max(1, evaluation.max_tokens // context) * context
    if evaluation.by_source and data.sources > 1:
        each = max(data.validation_tokens // data.sources, context + 1)
        sets += data.sources * of(each)
    ways = 2 if evaluation.without_index and spec.model.match_input else 1
    return (own + sets) * ways

"""When held-out text is measured: every so many steps, or as often as a share of time allows."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from trainer_core.metrics import Rows
from trainer_core.spec import EvaluationConfig
from trainer_core.train.checkpoints.checkpoint import TrainState

_RECENT_STEPS = 128
_ENOUGH_STEPS = 8
"""Fewer steps of this session than this say too little: caches are cold, something is compiled."""


class Rhythm:
    """Says at which steps a training validates; what it has learned stands in the state.

    A share of time is kept over the whole run: what is left of it after the validations so far is
    spread evenly over the steps that are left, the one at the end among them. The first validation,
    before any step, is always made.

    Args:
        evaluation: The settings.
        steps: The run's length.
        state: Of the run; `validation_s`, `last_validation_s` and `step_s` are kept here.
    """

    def __init__(self, evaluation: EvaluationConfig, steps: int, state: TrainState) -> None:
        self._evaluation, self._steps, self._state = evaluation, steps, state
        self._recent: deque[float] = deque(maxlen=_RECENT_STEPS)  # seconds of each
        self._elapsed_s = state.elapsed_s
        self._next_step = self._planned()

    def due(self, step: int) -> bool:
        """Whether to validate after this step; 0 is the time before the first one."""
        if step in (0, self._steps):
            return True
        if not self._evaluation.time_share:
            return step % self._evaluation.every_steps == 0
        return step >= self._next_step

    def set_end(self, steps: int) -> None:
        """Take note of another length of the run."""
        self._steps = steps
        self._next_step = self._planned()

    def watch(self, rows: Rows) -> None:
        """Learn how long steps take, from their figures; there is at least one row."""
        if not self._evaluation.time_share:
            return
        self._recent.extend(np.diff(rows["elapsed_s"], prepend=self._elapsed_s).tolist())
        self._elapsed_s = float(rows["elapsed_s"][-1])
        if len(self._recent) >= _ENOUGH_STEPS:
            self._state.step_s = float(np.median(self._recent))
            self._next_step = self._planned()

    def measured(self, seconds: float) -> None:
        """Take note of a validation of the state's step."""
        self._state.validation_s += seconds
        self._state.last_validation_s = seconds
        self._next_step = self._planned()

    def _planned(self) -> int:
        """The step of the next validation, by what is known now."""
        state, share = self._state, self._evaluation.time_share
        if not (state.step_s and state.last_validation_s):
            return self._steps
        training_s = state.elapsed_s + (self._steps - state.step) * state.step_s
        allowed_s = training_s * share / (1 - share)
        left = max(1, int((allowed_s - state.validation_s) / state.last_validation_s))
        last = max(0, state.validated_step)
        return last + max(1, math.ceil((self._steps - last) / left))

"""When a training validates: by steps, or so that a share of its time goes there."""

import msgspec
import numpy as np
import pytest

from trainer_core.metrics import STEP_DTYPE
from trainer_core.spec import EvaluationConfig
from trainer_core.train.checkpoints.checkpoint import TrainState
from trainer_core.train.validation.rhythm import Rhythm


class Clock:
    """A training in which steps and validations take as long as they are told to."""

    def __init__(self, steps, share, *, step_s=0.5, validation_s=4.0, state=None):
        self.steps, self.step_s, self.validation_s = steps, step_s, validation_s
        self.state = state or TrainState()
        self.rhythm = Rhythm(EvaluationConfig(time_share=share), steps, self.state)
        self.validated = []

    def run(self, until=None):
        state = self.state
        self.between()
        for step in range(state.step + 1, (until or self.steps) + 1):
            state.step, state.elapsed_s = step, state.elapsed_s + self.step_s_at(step)
            row = np.zeros(1, STEP_DTYPE)
            row["elapsed_s"] = state.elapsed_s
            self.rhythm.watch(row)
            self.between()
        return self

    def step_s_at(self, step):
        return self.step_s

    def between(self):
        state = self.state
        if self.rhythm.due(state.step) and state.validated_step != state.step:
            state.validated_step = state.step
            self.validated.append(state.step)
            self.rhythm.measured(self.validation_s)

    @property
    def share(self):
        return self.state.validation_s / (self.state.validation_s + self.state.elapsed_s)


def test_by_steps_the_clock_plays_no_part():
    rhythm = Rhythm(EvaluationConfig(every_steps=20), 50, TrainState())
    assert [step for step in range(51) if rhythm.due(step)] == [0, 20, 40, 50]


@pytest.mark.parametrize(
    ("share", "validation_s"),
    [(0.01, 0.3), (0.01, 4.0), (0.05, 0.3), (0.05, 4.0), (0.3, 0.3), (0.5, 4.0)],
)
def test_a_share_of_the_time_is_kept_over_the_whole_run(share, validation_s):
    clock = Clock(3000, share, validation_s=validation_s).run()
    one = validation_s / (clock.state.elapsed_s + clock.state.validation_s)
    assert share - 2 * one <= clock.share <= share + 1e-9


def test_validations_are_spread_evenly_with_one_at_each_end():
    clock = Clock(1000, 0.05).run()
    assert (clock.validated[0], clock.validated[-1]) == (0, 1000)
    gaps = np.diff(clock.validated)
    assert len(gaps) == 5 and gaps.max() - gaps.min() <= 1


def test_a_step_is_validated_once_however_much_time_may_be_spent():
    assert Clock(50, 0.5, validation_s=0.01).run().validated[-20:] == list(range(31, 51))


def test_a_share_too_small_for_more_leaves_the_first_and_the_last():
    assert Clock(100, 0.001).run().validated == [0, 100]


def test_a_slow_first_step_brings_nothing_forward():
    class Compiling(Clock):
        def step_s_at(self, step):
            return 60.0 if step == 1 else 0.5

    assert Compiling(2000, 0.05).run().validated[1] > 100


def test_validations_that_become_slower_become_rarer():
    clock = Clock(4000, 0.05, validation_s=1.0).run(until=2000)
    clock.validation_s = 8.0
    clock.run()
    late = np.diff([step for step in clock.validated if step > 2200])
    early = np.diff([step for step in clock.validated if step < 1800])
    assert late.mean() > 5 * early.mean()
    assert clock.share == pytest.approx(0.05, abs=0.01)


def test_a_resumed_run_keeps_its_rhythm():
    whole = Clock(2000, 0.05).run()
    first = Clock(2000, 0.05).run(until=777)
    state = msgspec.json.decode(msgspec.json.encode(first.state), type=TrainState)
    second = Clock(2000, 0.05, state=state).run()
    assert first.validated + second.validated == whole.validated


def test_a_validation_that_was_broken_off_is_due_again_after_a_resume():
    clock = Clock(2000, 0.05).run(until=300)
    broken_off = next(s for s in Clock(2000, 0.05).run().validated if s > 300)
    clock.between = lambda: None  # the pause comes while it is measured
    clock.run(until=broken_off)
    state = msgspec.json.decode(msgspec.json.encode(clock.state), type=TrainState)
    assert Rhythm(EvaluationConfig(time_share=0.05), 2000, state).due(broken_off)


def test_a_state_of_an_older_version_has_no_rhythm_yet():
    state = msgspec.json.decode(
        b'{"step": 40, "elapsed_s": 20.0, "validated_step": 40}', type=TrainState
    )
    rhythm = Rhythm(EvaluationConfig(time_share=0.05), 100, state)
    assert not rhythm.due(41) and rhythm.due(100)

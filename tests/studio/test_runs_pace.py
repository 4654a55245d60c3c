"""The time left: what compiles, waits or starts a session says nothing of the steps to come."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from studio.runs.model import JobModel
from studio.runs.pace import SessionStart, measure_pace
from studio.runs.series import StepSeries
from studio.runs.tail import Update
from trainer_core import records
from trainer_core.metrics import STEP_DTYPE
from trainer_core.records import Validated
from trainer_core.spec import (
    BudgetConfig,
    EvaluationConfig,
    ModelConfig,
    OptimizerConfig,
    TrainSpec,
)

STEP_S, VALIDATION_S = 0.5, 2.0
PER_STEP = 4 * 256


def train_spec(steps=100, **evaluation):
    return TrainSpec(
        corpus="-",
        model=ModelConfig(context_length=256),
        budget=BudgetConfig(steps=steps, batch_size=4),
        optimizer=OptimizerConfig(warmup_steps=1),
        evaluation=EvaluationConfig(**({"every_steps": 10} | evaluation)),
    )


def rows(first, last, step_s=STEP_S):
    """Figures of the steps from `first` + 1 to `last`."""
    found = np.zeros(last - first, STEP_DTYPE)
    found["step"] = np.arange(first, last) + 1
    found["tokens_seen"] = found["step"] * PER_STEP
    found["tokens_per_s"] = PER_STEP / step_s
    return found


def series(*parts):
    steps = StepSeries()
    for part in parts:
        steps.append(part)
    return steps


def validated(step, time_s, seconds=VALIDATION_S):
    return Validated(
        time_s=time_s,
        step=step,
        tokens_seen=step * PER_STEP,
        loss=3.0,
        bits_per_byte=1.0,
        tokens=1024,
        best=True,
        seconds=seconds,
    )


def test_what_was_compiled_before_the_first_step_is_no_part_of_the_rounds_to_come():
    compiled = (100.0, 130.0)
    validations = [validated(0, 100.0), validated(10, 130.0 + 10 * STEP_S + VALIDATION_S)]
    starts = [SessionStart(90.0, 0)]
    honest = measure_pace(
        train_spec(), series(rows(0, 10)), starts, validations, [], idle=[compiled]
    )
    assert honest.remaining_s == pytest.approx(90 * STEP_S + 9 * VALIDATION_S)
    fooled = measure_pace(train_spec(), series(rows(0, 10)), starts, validations, [])
    assert fooled.remaining_s == pytest.approx(honest.remaining_s + 9 * 30.0)


def test_a_sessions_first_step_is_left_out():
    slow = rows(0, 1, 8.0)
    pace = measure_pace(
        train_spec(), series(slow, rows(1, 12)), [SessionStart(0.0, 0)], [validated(0, 1.0)], []
    )
    assert pace.s_per_step == pytest.approx(STEP_S)


def test_right_after_a_resume_the_earlier_sessions_tell():
    starts = [SessionStart(0.0, 0), SessionStart(900.0, 40)]
    before = series(rows(0, 40))
    assert measure_pace(train_spec(), before, starts, [], []).s_per_step == pytest.approx(STEP_S)
    after = series(rows(0, 40), rows(40, 43, 9.0))
    assert measure_pace(train_spec(), after, starts, [], []).s_per_step < 2.0
    known = series(rows(0, 40), rows(40, 50, 1.0))
    assert measure_pace(train_spec(), known, starts, [], []).s_per_step == pytest.approx(1.0)


def test_validations_by_a_share_of_time_spend_what_is_left_of_it():
    spec = train_spec(time_share=0.2)
    done = [validated(0, 10.0), validated(10, 18.0)]
    pace = measure_pace(spec, series(rows(0, 10)), [SessionStart(0.0, 0)], done, [])
    rounds = int((0.25 * 100 * STEP_S - 2 * VALIDATION_S) / VALIDATION_S)
    between_s = 18.0 - 10.0 - 10 * STEP_S
    assert pace.remaining_s == pytest.approx(90 * STEP_S + rounds * between_s)


def test_a_process_that_is_killed_while_it_waits_waited_until_its_last_word():
    model = JobModel(Path("run"))
    told = (
        records.JobStarted(time_s=100.0, verb="train", pid=1, host="h", version="0"),
        records.StateChanged(time_s=110.0, state="waiting"),
        records.Noted(time_s=130.0, level="info", title="Still waiting"),
        records.JobStarted(time_s=9_000.0, verb="train", pid=2, host="h", version="0"),
    )
    model.apply(Update(Path("run"), spec=train_spec(), records=told, alive=True))
    assert model.elapsed_s(9_005.0) == pytest.approx(10.0 + 5.0)


def test_a_model_takes_compiling_and_waiting_off():
    model = JobModel(Path("run"))
    told = (
        records.JobStarted(time_s=90.0, verb="train", pid=1, host="h", version="0"),
        validated(0, 100.0),
        records.StateChanged(time_s=100.0, state="compiling"),
        records.StateChanged(time_s=130.0, state="running"),
        records.StateChanged(time_s=132.0, state="waiting"),
        records.Held(time_s=132.0, step=4, reason="the computer runs on its battery"),
        records.Released(time_s=232.0, step=4, seconds=100.0),
        records.StateChanged(time_s=232.0, state="running"),
        validated(10, 230.0 + 10 * STEP_S + VALIDATION_S),
    )
    update = Update(Path("run"), spec=train_spec(), records=told, rows=rows(0, 10), alive=True)
    model.apply(update)
    assert model.pace.remaining_s == pytest.approx(90 * STEP_S + 9 * VALIDATION_S)
    assert model.elapsed_s(300.0) == pytest.approx(300.0 - 90.0 - 100.0)  # compiling is work

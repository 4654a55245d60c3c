"""A job's model tells what the folder told: figures, events, errors, and honest times."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from job_folders import FakeJob, dead_pid, saved, step_rows, train_spec, validated

from studio.runs.events import Event, EventGroup, grouped
from studio.runs.facts import SPARKLINE_POINTS, facts_of, sparkline
from studio.runs.model import JobModel
from studio.runs.series import StepSeries
from studio.runs.tail import JobTail, Update
from studio.runs.wording import count_text, duration_text, size_text
from trainer_core import records
from trainer_core import spec as specs
from trainer_core.spec import CheckpointConfig, EvaluationConfig


@pytest.fixture
def job(tmp_path):
    spec = train_spec(
        1000,
        evaluation=EvaluationConfig(every_steps=100),
        checkpoint=CheckpointConfig(every_steps=200),
    )
    job = FakeJob(tmp_path / "job", spec)
    yield job
    job.close()


def watch(job: FakeJob, opened_s: float | None = None) -> JobModel:
    model = JobModel(job.folder, opened_s)
    model.apply(JobTail(job.folder).poll())
    return model


def titles(model: JobModel) -> list[str]:
    return [event.title for event in model.events]


# --- series --------------------------------------------------------------------------------------


def test_columns_grow_without_losing_anything_and_views_cannot_be_written():
    series = StepSeries()
    for step in range(0, 5000, 7):
        series.append(step_rows(step, step + 7, loss=step))
    assert series.n == 5005
    assert series.column("step").tolist() == list(range(1, 5006))
    with pytest.raises(ValueError, match="read-only"):
        series.column("loss")[0] = 0
    assert series.column("loss")[-1] == series.last("loss") == 4998.0
    with pytest.raises(KeyError):
        series.column("accuracy")


def test_a_view_keeps_its_values_while_the_series_grows_or_is_cut():
    series = StepSeries()
    series.append(step_rows(0, 10, loss=1.0))
    view = series.column("loss")
    generation = series.generation
    series.append(step_rows(10, 9000, loss=2.0))
    assert len(view) == 10
    assert series.generation == generation
    series.truncate(5)
    assert series.generation == generation + 1
    assert series.n == 5
    series.truncate(7)
    assert series.n == 5
    assert math.isnan(StepSeries().last("loss"))


def test_a_million_steps_open_within_half_a_second():
    rows = step_rows(0, 1_000_000)
    tries_s = []
    for _ in range(3):  # other work on the machine may slow down one of them
        series = StepSeries()
        began = time.perf_counter()
        for first in range(0, len(rows), 200_000):
            series.append(rows[first : first + 200_000])
        tries_s.append(time.perf_counter() - began)
    assert series.n == 1_000_000
    assert min(tries_s) < 0.5


# --- facts ---------------------------------------------------------------------------------------


def test_progress_is_counted_in_steps_and_tokens(job):
    job.begin()
    job.write(records.StateChanged(state="running"))
    job.steps.append(step_rows(0, 250))
    model = watch(job)
    assert (model.verb, model.state, model.alive) == ("train", "running", True)
    assert (model.step, model.total_steps, model.share_done) == (250, 1000, 0.25)
    assert (model.tokens_seen, model.total_tokens) == (250 * 32, 1000 * 32)


def test_other_jobs_progress_by_phase(tmp_path):
    job = FakeJob(tmp_path / "job", specs.IndexSpec(corpus="c"))
    job.begin()
    job.write(records.Progress(phase="sorting", done=3, total=4, unit="tokens"))
    model = watch(job)
    assert (model.share_done, model.progress.phase, model.total_steps) == (0.75, "sorting", 0)
    assert model.pace.remaining_s is None
    job.write(records.Ended(state="finished", exit_code=0))
    assert watch(job).share_done == 1.0
    job.close()


def test_elapsed_time_counts_sessions_but_not_the_breaks(job):
    now = time.time()
    job.begin(now - 1000)
    job.write(records.Ended(state="paused", exit_code=0, step=5, time_s=now - 900))
    model = watch(job)
    assert model.elapsed_s(now) == pytest.approx(100)
    job.begin(now - 50)
    assert watch(job).elapsed_s(now) == pytest.approx(150)
    job.begin(now - 20, pid=dead_pid())
    job.write(records.StateChanged(state="running", time_s=now - 10))
    model = watch(job)
    assert model.state == "killed"
    assert model.elapsed_s(now) == pytest.approx(100 + 0 + 10), (
        "a killed session ends where it fell"
    )


def test_what_lists_show_is_remembered(job):
    job.begin(time.time() - 100)
    rows = step_rows(0, 640)
    rows["loss"] = np.linspace(4, 2, 640)
    job.steps.append(rows)
    job.write(
        validated(320, 3.0, best=True),
        validated(640, 3.5),
        records.Ended(state="failed", exit_code=5, what="The disk is full.", time_s=time.time()),
    )
    facts = facts_of(watch(job))
    assert (facts.state, facts.step, facts.total_steps) == ("failed", 640, 1000)
    assert (facts.val_loss, facts.best_loss, facts.bits_per_byte) == (3.5, 3.0, 1.75)
    assert facts.problem == "The disk is full."
    assert facts.elapsed_s == pytest.approx(100, abs=1)
    assert len(facts.sparkline) == SPARKLINE_POINTS
    assert facts.sparkline[0] > facts.sparkline[-1]


def test_a_sparkline_leaves_out_what_is_no_number():
    assert sparkline(np.array([], np.float32)) == ()
    assert sparkline(np.array([2.0, np.nan, np.inf, 1.0], np.float32)) == (2.0, 1.0)
    assert len(sparkline(np.ones(100_000, np.float32))) == SPARKLINE_POINTS


# --- events --------------------------------------------------------------------------------------


def test_events_read_as_sentences(job):
    job.begin()
    job.write(
        validated(100, 3.786, best=True),
        saved(200),
        records.Noted(level="warning", title="Gradient spike clipped", text="norm 11.8", step=300),
        records.Ended(state="stopped", exit_code=0, step=300),
    )
    model = watch(job)
    assert [(event.title, event.text) for event in model.events] == [
        ("Training started", "Plan: 1,000 steps, 32,000 tokens"),
        ("Validation 3.786, best so far", "step 100, 1.893 bits per byte"),
        ("Checkpoint saved", "step 200, 1.96 GB"),
        ("Gradient spike clipped", "norm 11.8"),
        ("Training stopped", "at step 300"),
    ]
    job.begin()
    job.resume(0)
    job.write(records.Ended(state="failed", exit_code=1, what="Full.", safe="Whole.", do="Free."))
    model = watch(job)
    assert titles(model)[-2:] == ["Training resumed", "Full."]
    assert model.events[-1].text == "Whole. Free."
    assert (model.error.what, model.error.do) == ("Full.", "Free.")


def test_a_validation_that_a_killed_session_left_is_not_shown_twice(job):
    job.begin(pid=dead_pid())
    job.write(validated(0, 9.0))
    job.begin()
    job.write(validated(0, 9.0), validated(100, 8.0))
    model = watch(job)
    assert [v.step for v in model.validations] == [0, 100]
    assert [title for title in titles(model) if title.startswith("Validation")] == [
        "Validation 9.000",
        "Validation 8.000",
    ]


def event(kind: str, step: int) -> Event:
    return Event(float(step), kind, "info", f"{kind} {step}", step=step)


def test_routine_events_fold_but_for_the_newest():
    events = [event("started", 0)]
    for step in range(100, 1000, 100):
        events.append(event("validation", step))
        if step % 300 == 0:
            events.append(event("checkpoint", step))
    events.insert(7, event("note", 550))
    shown = [each.title for each in grouped(events)]
    assert shown == [
        "checkpoint 900",
        "validation 900",
        "2 validations",
        "checkpoint 600",
        "validation 600",
        "note 550",
        "5 validations, 1 checkpoint",
        "started 0",
    ]
    group = next(each for each in reversed(grouped(events)) if isinstance(each, EventGroup))
    assert [each.step for each in group.events] == [500, 400, 300, 300, 200, 100]
    assert grouped([]) == []


def test_figures_are_written_as_people_do():
    assert [size_text(n) for n in (0, 999, 1000, 999_600, 29_400_000, 1.96e9, 3e15)] == [
        "0 bytes",
        "999 bytes",
        "1.00 kB",
        "1.00 MB",
        "29.4 MB",
        "1.96 GB",
        "3000 TB",
    ]
    assert [duration_text(s) for s in (0, 12.4, 59.6, 61, 3599, 3600, 164_760)] == [
        "0 s",
        "12 s",
        "1 min",
        "1 min",
        "1 h 00 min",
        "1 h 00 min",
        "45 h 46 min",
    ]
    assert count_text(1, "run", "runs") + count_text(1200, "run", "runs") == "1 run1,200 runs"


# --- reattaching ---------------------------------------------------------------------------------


def test_a_job_that_was_at_work_before_the_studio_is_reattached_once(job):
    job.begin(time.time() - 100)
    tail, model = JobTail(job.folder), JobModel(job.folder, opened_s=time.time() - 10)
    model.apply(tail.poll())
    assert model.reattached_s == pytest.approx(time.time(), abs=5)
    job.write(validated(100, 3.0))
    model.apply(tail.poll())
    assert titles(model).count("Window reattached") == 1


def test_a_job_that_began_later_or_has_ended_is_not_reattached(job):
    job.begin(time.time())
    assert watch(job, opened_s=time.time() - 10).reattached_s is None
    job.begin(time.time() - 100)
    assert watch(job).reattached_s is None
    job.write(records.Ended(state="finished", exit_code=0))
    assert watch(job, opened_s=time.time() - 10).reattached_s is None


def test_observers_are_told_until_they_let_go(job):
    model = JobModel(job.folder)
    calls = []
    let_go = model.subscribe(lambda: calls.append(model.step))
    model.apply(Update(job.folder))
    let_go()
    let_go()
    model.apply(Update(job.folder))
    assert calls == [0]


# --- time left -----------------------------------------------------------------------------------

STEP_S, VALIDATION_S, CHECKPOINT_S, SAMPLE_S = 0.1, 3.0, 2.0, 1.0
ROUND_S = VALIDATION_S + (CHECKPOINT_S + SAMPLE_S) / 2  # a checkpoint every other validation


def simulate(job: FakeJob, clock: float, first: int, end: int, speed: float = 1.0) -> float:
    """Steps first + 1 to end with validation every 100 and checkpoints every 200; the clock."""
    for step in range(first, end, 10):
        job.steps.append(step_rows(step, step + 10, tokens_per_s=32 / STEP_S * speed))
        clock += 10 * STEP_S / speed
        at = step + 10
        if at % 100 == 0:
            clock += VALIDATION_S
            job.write(validated(at, 3.0, time_s=clock, seconds=VALIDATION_S))
        if at % 200 == 0:
            clock += CHECKPOINT_S
            job.write(saved(at, time_s=clock, seconds=CHECKPOINT_S))
            clock += SAMPLE_S
    return clock


def time_it_takes(first: int, end: int, speed: float = 1.0) -> float:
    steps = (end - first) * STEP_S / speed
    rounds = end // 100 - first // 100
    saves = end // 200 - first // 200
    return steps + rounds * VALIDATION_S + saves * (CHECKPOINT_S + SAMPLE_S)


def test_nothing_is_promised_before_anything_was_measured(job):
    job.begin()
    assert watch(job).pace.remaining_s is None
    assert watch(job).pace.finish_s(0.0) is None


@pytest.mark.parametrize("done", [100, 210, 500, 990])
def test_the_time_left_counts_validations_checkpoints_and_samples(job, done):
    job.begin(1000.0)
    simulate(job, 1010.0, 0, done)
    remaining = watch(job).pace.remaining_s
    assert remaining == pytest.approx(time_it_takes(done, 1000), rel=0.15, abs=5)


@pytest.mark.parametrize("steps_since", [0, 10, 50])
def test_the_time_left_is_right_at_once_after_a_pause(job, steps_since):
    job.begin(1000.0)
    clock = simulate(job, 1010.0, 0, 400)
    job.write(records.Ended(state="paused", exit_code=0, step=400, time_s=clock))
    job.begin(clock + 90_000.0)
    job.resume(400, clock + 90_005.0)
    simulate(job, clock + 90_010.0, 400, 400 + steps_since)
    remaining = watch(job).pace.remaining_s
    assert remaining == pytest.approx(time_it_takes(400 + steps_since, 1000), rel=0.1)


def test_a_session_on_a_faster_computer_is_judged_by_itself(job):
    job.begin(1000.0)
    clock = simulate(job, 1010.0, 0, 400)
    job.begin(clock + 100.0)
    job.resume(400, clock + 105.0)
    simulate(job, clock + 110.0, 400, 490, speed=10.0)
    remaining = watch(job).pace.remaining_s
    assert remaining == pytest.approx(time_it_takes(490, 1000, speed=10.0), rel=0.15)


def test_the_finish_is_the_time_left_from_now(job):
    job.begin(1000.0)
    simulate(job, 1010.0, 0, 400)
    pace = watch(job).pace
    assert pace.s_per_step == pytest.approx(STEP_S, rel=0.01)
    assert pace.finish_s(5000.0) == 5000.0 + pace.remaining_s
    simulate(job, 2000.0, 400, 1000)
    assert watch(job).pace.remaining_s == 0.0


def test_steps_whose_figures_were_lost_do_not_spoil_the_estimate(job):
    job.begin(1000.0)
    rows = step_rows(0, 200, tokens_per_s=32 / STEP_S)
    rows["tokens_per_s"][:100] = np.nan
    job.steps.append(rows)
    assert watch(job).pace.s_per_step == pytest.approx(STEP_S, rel=0.01)

"""Following a job folder: every record and row once, whatever moment it is looked at."""

from __future__ import annotations

import shutil
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from job_folders import FakeJob, saved, step_rows, system_rows, validated
from tail_for_tests import follow, told, watch

from studio.runs import tail as tails
from studio.runs.model import JobModel
from studio.runs.tail import JobTail
from trainer_core import records
from trainer_core.metrics import StepLog


@pytest.fixture
def job(tmp_path):
    job = FakeJob(tmp_path / "job")
    yield job
    job.close()


def test_a_folder_that_is_not_there_yet_has_nothing_to_tell(tmp_path):
    tail, model = JobTail(tmp_path / "job"), JobModel(tmp_path / "job")
    follow(tail, model)
    assert (model.state, model.alive, model.error, model.step) == ("unborn", False, None, 0)
    assert not tail.poll().is_news
    job = FakeJob(tmp_path / "job")
    job.begin()
    follow(tail, model)
    assert model.state == "starting"
    assert model.alive
    job.close()


def test_rows_and_records_come_once_and_in_order(job):
    tail, model = JobTail(job.folder), JobModel(job.folder)
    job.begin()
    for step in range(0, 50, 10):
        job.steps.append(step_rows(step, step + 10))
        job.write(validated(step + 10, 3.0 - step / 100))
        follow(tail, model)
        assert model.step == step + 10
    assert model.steps.column("step").tolist() == list(range(1, 51))
    assert [v.step for v in model.validations] == [10, 20, 30, 40, 50]
    assert model.steps.column("loss").dtype == np.float32
    assert model.steps.column("tokens_seen").dtype == np.float64
    assert not tail.poll().is_news


def test_a_resume_takes_back_whatever_was_reported_for_later_steps(job):
    tail, model = JobTail(job.folder), JobModel(job.folder)
    now = time.time()
    job.begin(now - 100)
    job.steps.append(step_rows(0, 30, loss=2.0))
    job.write(
        saved(10),
        validated(10, 3.0),
        saved(20),
        validated(20, 2.9),
        records.Sampled(step=20, prompt="a", text="b"),
        records.Noted(level="warning", title="Spike", step=25),
        records.Noted(level="error", title="Checkpoint not saved", step=26),
    )
    job.system.append(system_rows(np.arange(now - 90, now - 60), np.arange(30)))
    follow(tail, model)
    assert (model.step, model.system.n) == (30, 30)

    job.begin(now - 50)
    job.resume(10, now - 49)
    job.steps.append(step_rows(10, 40, loss=1.0))
    job.system.append(system_rows([now - 40, now - 39], [11, 12]))
    job.write(validated(20, 2.5))
    follow(tail, model)
    assert model.step == 40
    assert model.steps.column("loss").tolist() == [2.0] * 10 + [1.0] * 30
    assert [v.loss for v in model.validations] == [3.0, 2.5]
    assert [c.step for c in model.checkpoints] == [10]
    assert model.samples == ()
    titles = [event.title for event in model.events]
    assert "Spike" not in titles
    assert "Checkpoint not saved" in titles, "what went wrong stays known"
    assert "Training resumed" in titles
    assert model.system.column("step").tolist() == [*range(11), 11, 12]
    assert told(watch(job.folder)) == told(model), "a fresh look shows the same"


@pytest.mark.parametrize("grown_to", [12, 29, 30, 31, 60])
def test_rows_that_were_cut_and_grew_again_between_two_looks_are_all_new(job, grown_to):
    tail, model = JobTail(job.folder), JobModel(job.folder)
    job.begin()
    job.steps.append(step_rows(0, 30, loss=2.0))
    follow(tail, model)
    job.resume(10, cut=False)
    follow(tail, model)  # the job has told, but not cut its rows yet: these are the old ones
    job.steps.truncate(10)
    job.steps.append(step_rows(10, grown_to, loss=1.0))
    follow(tail, model)
    assert model.steps.column("loss").tolist() == [2.0] * 10 + [1.0] * (grown_to - 10)


def test_a_resume_between_reading_the_journal_and_the_rows_is_noticed(job, monkeypatch):
    tail, model = JobTail(job.folder), JobModel(job.folder)
    job.begin()
    job.steps.append(step_rows(0, 30, loss=2.0))
    follow(tail, model)
    read_rows = tails.read_rows

    def read_late(path, start, dtype, most):
        rows = read_rows(path, start, dtype, most)
        if path.name == "steps.bin" and job.steps.rows == 35:
            job.resume(20)
            job.steps.append(step_rows(20, 40, loss=1.0))
        return rows

    job.steps.append(step_rows(30, 35, loss=2.0))
    monkeypatch.setattr(tails, "read_rows", read_late)
    follow(tail, model)
    assert model.step == 20, "no row is shown that may be void"
    follow(tail, model)
    assert model.steps.column("loss").tolist() == [2.0] * 20 + [1.0] * 20


def write_all_kinds(job: FakeJob) -> None:
    now = time.time() - 1000
    job.begin(now)
    job.steps.append(step_rows(0, 6))
    job.system.append(system_rows([now + 1, now + 2], [1, 2]))
    job.write(
        records.StateChanged(state="running", time_s=now),
        records.Progress(phase="reading", done=1, total=2),
        validated(
            2, 3.0, best=True, buckets=(records.MatchBucket(low=0, high=3, tokens=1, loss=1),)
        ),
        saved(2, val_loss=3.0, best=True),
        records.Sampled(step=2, prompt="a", text="b"),
        saved(4),
        records.CheckpointRemoved(step=2),
        records.Noted(level="info", title="Note", step=4),
        records.ChildStarted(verb="train", name="plain", folder="plain"),
    )
    job.begin(now + 10)
    job.resume(4, now + 11)
    job.steps.append(step_rows(4, 8, loss=1.5))
    job.write(
        validated(8, 2.0, best=True),
        records.Result(values={"step": 8}),
        records.Ended(state="finished", exit_code=0, step=8),
    )


def test_a_journal_cut_at_any_byte_shows_its_whole_records(job, tmp_path):
    write_all_kinds(job)
    whole = told(watch(job.folder))
    data = (job.folder / "journal.bin").read_bytes()
    copy = tmp_path / "copy"
    shutil.copytree(job.folder, copy, ignore=shutil.ignore_patterns("spec.toml"))
    shown = 0
    for length in range(len(data) + 1):
        (copy / "journal.bin").write_bytes(data[:length])
        tail, model = JobTail(copy), JobModel(copy)
        follow(tail, model)
        assert model.error is None or model.state in ("killed", "failed")
        count = len(model.events)
        assert count >= shown or length == len(data)
        shown = count
        if length % 23 == 0:  # and what is missing arrives later
            with (copy / "journal.bin").open("ab") as file:
                file.write(data[length:])
            assert told(follow(tail, model)) == whole
    assert told(watch(copy)) == whole


def test_steps_cut_at_any_byte_show_their_whole_rows(job, tmp_path):
    job.begin()
    job.steps.append(step_rows(0, 5))
    data = (job.folder / "steps.bin").read_bytes()
    row_bytes = StepLog.dtype.itemsize
    tail, model = JobTail(job.folder), JobModel(job.folder)
    for length in range(len(data) + 1):
        (job.folder / "steps.bin").write_bytes(data[:length])
        follow(tail, model)
        assert model.step == max(0, length - 16) // row_bytes
    for length in range(len(data), -1, -1):
        (job.folder / "steps.bin").write_bytes(data[:length])
        follow(tail, model)
        assert model.step == max(0, length - 16) // row_bytes


@settings(max_examples=60, deadline=None)
@given(
    moves=st.lists(
        st.one_of(
            st.tuples(st.just("step"), st.integers(1, 9)),
            st.tuples(st.just("resume"), st.integers(0, 30)),
            st.tuples(st.just("validate"), st.just(0)),
            st.tuples(st.just("save"), st.just(0)),
            st.tuples(st.just("look"), st.integers(0, 1)),
        ),
        max_size=40,
    )
)
def test_whoever_looks_whenever_ends_up_with_the_same(tmp_path_factory, moves):
    job = FakeJob(tmp_path_factory.mktemp("job"))
    tails = [JobTail(job.folder), JobTail(job.folder)]
    models = [JobModel(job.folder), JobModel(job.folder)]
    now, session = time.time() - 10_000, 1.0
    job.begin(now)
    for kind, number in moves:
        now += 1
        step = job.steps.rows
        if kind == "step":
            rows = step_rows(step, step + number, loss=session)
            rows["elapsed_s"] += now
            job.steps.append(rows)
            job.system.append(system_rows([now], [step + number]))
        elif kind == "resume":
            session += 1
            job.begin(now)
            job.resume(min(number, step), now)
        elif kind == "validate":
            job.write(validated(step, session, time_s=now))
        elif kind == "save":
            job.write(saved(step, time_s=now))
        else:
            follow(tails[number], models[number])
    fresh = told(watch(job.folder))
    for tail, model in zip(tails, models, strict=True):
        assert told(follow(tail, model)) == fresh
    job.close()


def test_a_long_run_comes_in_pieces_that_do_not_hold_up_a_frame(job, monkeypatch):
    monkeypatch.setattr(tails, "ROWS_MAX", 100)
    monkeypatch.setattr(tails, "RECORDS_MAX", 10)
    job.begin()
    for step in range(0, 1000, 40):
        job.steps.append(step_rows(step, step + 40))
        job.write(validated(step + 40, 3.0))
    tail, model = JobTail(job.folder), JobModel(job.folder)
    pieces = 0
    while True:
        update = tail.poll()
        assert len(update.records) <= 10
        assert update.rows is None or len(update.rows) <= 100
        model.apply(update)
        pieces += 1
        assert model.caught_up == (not update.more)
        if not update.more:
            break
    assert pieces >= 10
    assert (model.step, len(model.validations)) == (1000, 25)

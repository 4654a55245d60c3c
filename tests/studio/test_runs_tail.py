"""Following a job folder: every record and row once, whatever moment it is looked at."""

from __future__ import annotations

import os
import shutil
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from job_folders import FakeJob, dead_pid, saved, step_rows, system_rows, train_spec, validated

from studio.runs import tail as tails
from studio.runs.launch import write_launch
from studio.runs.model import JobModel
from studio.runs.tail import JobTail
from trainer_core import records
from trainer_core import spec as specs
from trainer_core.journal import HEADER, JournalWriter
from trainer_core.metrics import StepLog


@pytest.fixture
def job(tmp_path):
    job = FakeJob(tmp_path / "job")
    yield job
    job.close()


def follow(tail: JobTail, model: JobModel, polls: int = 1) -> JobModel:
    """Poll until there is nothing more to read, at least this often."""
    for _ in range(polls):
        update = tail.poll()
        model.apply(update)
        while update.more:
            update = tail.poll()
            model.apply(update)
    return model


def watch(folder) -> JobModel:
    return follow(JobTail(folder), JobModel(folder))


def told(model: JobModel) -> tuple:
    """Everything that a model shows of the files."""
    return (
        model.status.validations,
        model.status.checkpoints,
        model.status.samples,
        [(event.kind, event.title, event.step) for event in model.events],
        {name: model.steps.column(name).tolist() for name in ("step", "loss", "tokens_seen")},
        model.system.column("time_s").tolist(),
    )


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

    def read_late(path, start, dtype):
        rows = read_rows(path, start, dtype)
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


# --- liveness ------------------------------------------------------------------------------------


def test_a_job_whose_process_is_gone_is_shown_as_killed(job):
    job.begin(pid=dead_pid())
    job.write(records.StateChanged(state="running"), saved(20))
    job.steps.append(step_rows(0, 25))
    model = watch(job.folder)
    assert (model.state, model.alive) == ("killed", False)
    assert model.status.resumable
    assert "step 20" in model.error.safe
    assert model.events[-1].level == "error"
    tail = JobTail(job.folder)
    follow(tail, model := JobModel(job.folder), polls=3)
    assert [event.title for event in model.events].count("Training was killed") == 1
    assert not tail.poll().is_news


def test_a_job_that_is_alive_is_not_killed_and_one_that_ended_is_neither(job):
    job.begin()
    job.write(records.StateChanged(state="validating"))
    tail, model = JobTail(job.folder), JobModel(job.folder)
    follow(tail, model)
    assert (model.state, model.alive) == ("validating", True)
    job.write(records.Ended(state="paused", exit_code=0, step=3))
    follow(tail, model)
    assert (model.state, model.alive, model.error) == ("paused", False, None)
    assert model.status.resumable


def test_a_killed_job_that_goes_on_is_at_work_again(job):
    job.begin(pid=dead_pid())
    tail, model = JobTail(job.folder), JobModel(job.folder)
    follow(tail, model)
    assert model.state == "killed"
    job.begin()
    job.write(records.StateChanged(state="running"))
    follow(tail, model)
    assert (model.state, model.alive, model.error) == ("running", True, None)


def test_another_program_with_the_same_process_id_is_not_the_job(job):
    job.begin()
    owner = (job.folder / "owner.json").read_text()
    (job.folder / "owner.json").write_text(
        owner.replace('"create_time": ', '"create_time": 1')  # some centuries later
    )
    assert watch(job.folder).state == "killed"


def test_a_folder_copied_without_its_owner_is_not_at_work(job):
    job.begin()
    (job.folder / "owner.json").unlink()
    assert watch(job.folder).state == "killed"


def test_a_job_on_another_computer_counts_as_at_work_until_it_says_otherwise(job):
    job.begin()
    job.own(job.pid, host="elsewhere")
    assert watch(job.folder).alive
    job.write(records.Ended(state="finished", exit_code=0))
    assert not watch(job.folder).alive


def test_a_process_that_died_before_its_first_record_is_a_failure_with_its_log(job):
    job.begin(time.time() - 60, pid=dead_pid())
    job.write(records.Ended(state="paused", exit_code=0, step=3))
    tail, model = JobTail(job.folder), JobModel(job.folder)
    follow(tail, model)
    assert model.state == "paused"
    (job.folder / "log.txt").write_text("x" * 50_000 + "\nImportError: no torch\n")
    write_launch(job.folder, dead_pid(), time.time())
    follow(tail, model)
    assert model.state == "failed"
    assert model.status.resumable
    assert model.error.details.endswith("ImportError: no torch")
    assert len(model.error.details) < 20_000
    job.begin()  # the next try works
    job.write(records.StateChanged(state="running"))
    follow(tail, model)
    assert (model.state, model.error) == ("running", None)


def test_a_process_that_was_just_started_counts_as_starting(job):
    job.begin(time.time() - 60, pid=dead_pid())
    job.write(records.Ended(state="failed", exit_code=3, what="No.", safe="Yes.", do="So."))
    tail, model = JobTail(job.folder), JobModel(job.folder)
    follow(tail, model)
    assert (model.state, model.error.what) == ("failed", "No.")
    write_launch(job.folder, os.getpid(), time.time())
    follow(tail, model)
    assert (model.state, model.alive, model.error) == ("starting", True, None)


# --- bad folders ---------------------------------------------------------------------------------


def test_a_journal_of_a_newer_version_is_named(job):
    job.close()
    path = job.folder / "journal.bin"
    path.write_bytes(HEADER[:-1] + b"\x63" + path.read_bytes()[8:])
    model = watch(job.folder)
    assert "newer version" in model.error.what
    assert "Update" in model.error.do


@pytest.mark.parametrize("name", ["journal.bin", "steps.bin", "system.bin"])
def test_a_file_that_is_something_else_is_named(job, name):
    job.begin()
    (job.folder / name).write_bytes(b"something else entirely, and long enough for a header")
    model = watch(job.folder)
    assert name in model.error.what
    assert model.error.safe
    assert model.error.do


def test_a_spec_that_cannot_be_read_does_not_hide_the_rest(job):
    (job.folder / "spec.toml").write_text("verb = 'dance'")
    job.begin()
    job.steps.append(step_rows(0, 3))
    tail, model = JobTail(job.folder), JobModel(job.folder)
    follow(tail, model)
    assert "spec.toml" in model.error.what
    assert (model.step, model.verb) == (3, "train")
    (job.folder / "spec.toml").write_text(specs.to_toml(train_spec()))
    follow(tail, model)
    assert model.error is None
    assert model.total_steps == 100


def test_a_folder_that_is_removed_keeps_what_was_read_and_is_named(job):
    job.begin()
    job.steps.append(step_rows(0, 3))
    tail, model = JobTail(job.folder), JobModel(job.folder)
    follow(tail, model)
    shutil.rmtree(job.folder)
    follow(tail, model)
    assert "is gone" in model.error.what
    assert model.step == 3


def test_a_folder_that_was_replaced_by_another_job_starts_over(job, tmp_path):
    job.begin()
    job.steps.append(step_rows(0, 9))
    job.write(validated(5, 3.0))
    tail, model = JobTail(job.folder), JobModel(job.folder)
    follow(tail, model)
    shutil.rmtree(job.folder)
    other = FakeJob(job.folder, train_spec(7))
    other.begin()
    other.write(*(validated(step, 1.0) for step in range(1, 8)))
    other.steps.append(step_rows(0, 2))
    follow(tail, model)
    assert (model.step, model.total_steps, len(model.validations)) == (2, 7, 7)
    other.close()


def test_another_job_is_noticed_though_its_longer_journal_has_the_same_file_number(job, tmp_path):
    job.begin()
    tail, model = JobTail(job.folder), JobModel(job.folder)
    follow(tail, model, polls=2)
    other = FakeJob(tmp_path / "other")
    other.begin()
    other.write(*(validated(step, 1.0) for step in range(1, 8)))
    other.close()
    path = job.folder / "journal.bin"
    number = path.stat().st_ino
    path.write_bytes((other.folder / "journal.bin").read_bytes())  # as if the number was freed
    assert path.stat().st_ino == number
    update = tail.poll()
    model.apply(update)
    assert update.reset
    assert len(model.validations) == 7
    assert not tail.poll().reset


def test_a_writer_that_recovers_a_torn_journal_does_not_confuse_the_reader(job):
    job.begin()
    job.write(validated(1, 3.0))
    job.close()
    path = job.folder / "journal.bin"
    with path.open("ab") as file:
        file.write(b"\x40\x00\x00\x00torn")
    tail, model = JobTail(job.folder), JobModel(job.folder)
    follow(tail, model)
    with JournalWriter(path) as journal:
        journal.append(validated(2, 2.9))
    follow(tail, model)
    assert [v.step for v in model.validations] == [1, 2]

"""Following a job folder: who is at work there, and folders that are not as they should be."""

from __future__ import annotations

import os
import shutil
import time

import pytest
from job_folders import FakeJob, dead_pid, saved, step_rows, train_spec, validated
from tail_for_tests import follow, watch

from studio.runs.launch import write_launch
from studio.runs.model import JobModel
from studio.runs.tail import JobTail
from trainer_core import records
from trainer_core import spec as specs
from trainer_core.journal import HEADER, JournalWriter


@pytest.fixture
def job(tmp_path):
    job = FakeJob(tmp_path / "job")
    yield job
    job.close()


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

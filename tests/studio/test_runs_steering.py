"""Changes of a training's plan as the studio gives them, follows them and tells of them."""

from __future__ import annotations

import math
import time

import pytest
from job_folders import FakeJob, dead_pid, saved, step_rows, train_spec, validated

from studio.runs.model import JobModel
from studio.runs.supervisor import STUDIO_LOG, Supervisor
from studio.runs.tail import JobTail
from trainer_core import records
from trainer_core.errors import KnownError
from trainer_core.spawn import process_of, write_launch
from trainer_core.status import read_status

PATIENCE_S = 120.0


@pytest.fixture
def job(tmp_path):
    """A training of 100 steps that has done 60 of them."""
    job = FakeJob(tmp_path / "job", train_spec(100))
    job.begin(time.time() - 60)
    job.steps.append(step_rows(0, 60))
    job.write(validated(20, 3.0), saved(20), validated(40, 2.5), saved(40), saved(60))
    yield job
    job.close()


@pytest.fixture
def supervisor(tmp_path):
    supervisor = Supervisor(tmp_path / "home")
    yield supervisor
    supervisor.close()


class Follower:
    """A model that is kept up to date by hand."""

    def __init__(self, job):
        self._tail, self.model = JobTail(job.folder), JobModel(job.folder)

    def look(self) -> JobModel:
        while True:
            self.model.apply(update := self._tail.poll())
            if not update.more:
                return self.model


def end(job, state="paused"):
    """As a process that ended in order and is gone."""
    job.write(records.Ended(time_s=time.time(), state=state, exit_code=0, step=60))
    job.own(dead_pid())


# --- following ------------------------------------------------------------------------------------


def test_the_length_follows_what_was_changed(job):
    follower = Follower(job)
    model = follower.look()
    assert (model.total_steps, model.total_tokens, model.share_done) == (100, 3200, 0.6)
    left_s = model.pace.remaining_s
    job.write(records.PlanChanged(step=60, steps=140, lr=1e-4, why="it still learns"))
    model = follower.look()
    assert (model.total_steps, model.total_tokens) == (140, 4480)
    assert model.share_done == pytest.approx(60 / 140)
    assert model.pace.remaining_s == pytest.approx(2 * left_s)
    assert model.plan.peak_lr(61) == 1e-4
    event = model.events[-1]
    assert (event.kind, event.step) == ("changed", 60)
    assert event.title == "The plan is changed"
    assert event.text == (
        "learning rate is now 0.0001, the end is now step 140, after step 60, it still learns"
    )


def test_a_run_that_is_taken_back_shows_nothing_of_later_steps(job):
    follower = Follower(job)
    follower.look()
    end(job)
    job.write(
        records.Rewound(time_s=time.time(), step=20, from_step=60),
        records.PlanChanged(step=29, skip=2),
    )
    job.steps.truncate(20)
    for model in (follower.look(), Follower(job).look()):
        assert model.step == 20
        assert [v.step for v in model.validations] == [20]
        assert [c.step for c in model.checkpoints] == [20]
        assert (model.state, model.status.resumable, model.error) == ("paused", True, None)
        titles = [event.title for event in model.events]
        assert titles[-2:] == ["Training taken back", "2 batches are left out"]
        assert "Validation 2.500" not in titles


def test_a_killed_run_that_was_taken_back_is_no_longer_shown_as_killed(job):
    follower = Follower(job)
    job.own(dead_pid())
    assert follower.look().state == "killed"
    job.write(records.Rewound(time_s=time.time(), step=40, from_step=60))
    job.steps.truncate(40)
    for model in (follower.look(), Follower(job).look()):
        assert model.state == "paused"
    assert read_status(job.folder).state == "paused"
    assert sum("killed" in event.title for event in follower.model.events) == 1


def test_a_finished_run_with_a_later_end_can_go_on(job):
    job.steps.append(step_rows(60, 100))
    end(job, "finished")
    follower = Follower(job)
    assert not follower.look().status.resumable
    job.write(records.PlanChanged(step=100, steps=150))
    model = follower.look()
    assert (model.state, model.status.resumable) == ("paused", True)
    assert model.share_done == pytest.approx(100 / 150)


def test_waiting_is_told_with_its_reason_and_is_no_rest(job):
    follower = Follower(job)
    job.write(
        records.StateChanged(state="waiting"),
        records.Held(step=60, reason="the computer runs on its battery"),
    )
    model = follower.look()
    assert (model.state, model.alive) == ("waiting", True)
    assert model.status.held.reason == "the computer runs on its battery"
    assert model.events[-1].title == "Training waits"
    job.write(records.Released(step=60, seconds=3600.0), records.StateChanged(state="running"))
    model = follower.look()
    assert (model.state, model.status.held) == ("running", None)
    event = model.events[-1]
    assert (event.title, event.text) == ("Training goes on", "after 1 h 00 min")


def test_a_process_that_dies_while_it_waits_is_killed(job):
    job.write(records.StateChanged(state="waiting"), records.Held(step=60, reason="it is hot"))
    job.own(dead_pid())
    assert Follower(job).look().state == "killed"


def test_what_is_changed_at_rest_is_no_work(job):
    job.write(records.StateChanged(time_s=time.time(), state="waiting"))
    job.own(dead_pid())
    follower = Follower(job)
    worked_s = follower.look().elapsed_s()
    assert worked_s == pytest.approx(60, abs=5)
    tomorrow = time.time() + 86_400
    job.write(records.PlanChanged(time_s=tomorrow, step=60, steps=140))
    job.write(records.Rewound(time_s=tomorrow, step=40, from_step=60))
    assert follower.look().elapsed_s() == pytest.approx(worked_s)
    assert Follower(job).look().elapsed_s() == pytest.approx(worked_s)


# --- giving ---------------------------------------------------------------------------------------


def test_at_rest_it_is_done_by_a_command(job, supervisor):
    end(job)
    supervisor.change(job.folder, steps=140, why="more — “text”").result(PATIENCE_S)
    (change,) = read_status(job.folder).changes
    assert (change.step, change.steps, change.lr, change.why) == (0, 140, None, "more — “text”")
    supervisor.change(job.folder, lr=1.25e-4).result(PATIENCE_S)
    assert read_status(job.folder).changes[-1].lr == 1.25e-4
    log = (supervisor.home / STUDIO_LOG).read_text(encoding="utf-8")
    assert "change --steps=140" in log


def test_what_is_refused_comes_back_in_the_commands_words(job, supervisor):
    end(job)
    before = (job.folder / "journal.bin").read_bytes()
    refusals = [
        (supervisor.change(job.folder, lr=-1.0), "learning rate of -1"),
        (supervisor.change(job.folder, lr=math.nan), "learning rate of nan"),
        (supervisor.change(job.folder, steps=0), "cannot end at step 0"),
        (supervisor.change(job.folder), "Nothing to change"),
        (supervisor.rewind(job.folder, 33), "no checkpoint of step 33"),
        (supervisor.rewind(job.folder, 0, (70, 80)), "cannot be left out"),
        (supervisor.change(job.folder / "nowhere", steps=10), "not a job folder"),
    ]
    for future, what in refusals:
        with pytest.raises(KnownError, match=what) as refused:
            future.result(PATIENCE_S)
        assert refused.value.safe
        assert refused.value.do
    assert (job.folder / "journal.bin").read_bytes() == before


def test_a_way_back_to_the_beginning(job, supervisor):
    end(job)
    supervisor.rewind(job.folder, 0, (5, 5)).result(PATIENCE_S)
    status = read_status(job.folder)
    assert (status.state, status.rewind_to, status.rewound[-1].from_step) == ("paused", 0, 60)
    assert [(c.step, c.skip) for c in status.changes] == [(4, 1)]


def test_a_broken_command_is_told_as_such(job, tmp_path):
    end(job)
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho Traceback >&2\necho 'ValueError: no' >&2\nexit 3\n")
    broken.chmod(0o755)
    supervisor = Supervisor(tmp_path / "home", command=(str(broken),))
    with pytest.raises(KnownError, match="The change failed: ValueError: no"):
        supervisor.change(job.folder, steps=140).result(PATIENCE_S)
    absent = Supervisor(tmp_path / "other", command=(str(tmp_path / "nothing"),))
    with pytest.raises(KnownError, match="Starting a command"):
        absent.change(job.folder, steps=140).result(PATIENCE_S)
    supervisor.close()
    absent.close()


@pytest.mark.parametrize("entry", ["later end", "way back"])
def test_a_process_that_has_just_ended_keeps_nobody_from_going_on(job, entry):
    """Its parent may not have taken it away yet, so that its number still answers."""
    write_launch(job.folder, job.pid, time.time() - 61)
    job.write(records.Ended(time_s=time.time(), state="finished", exit_code=0))
    if entry == "later end":
        job.write(records.PlanChanged(step=60, steps=140))
    else:
        job.write(records.Rewound(time_s=time.time(), step=40, from_step=60))
    assert read_status(job.folder).resumable or read_status(job.folder).alive
    assert process_of(job.folder) is None

"""What a training's user is told: each thing once, and nothing of the past."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest
from job_folders import FakeJob, dead_pid, validated

from studio.runs.model import JobModel
from studio.runs.news import QUIET_S, NewsDesk
from studio.runs.tail import JobTail
from trainer_core import records


class Told:
    """A job that writes record after record, and a desk that reads along."""

    def __init__(self, folder: Path) -> None:
        self.job = FakeJob(folder)
        self.now_s = time.time()
        self.job.begin(self.now_s - 100)
        self.model, self.tail = JobModel(folder), JobTail(folder)
        self.desk = NewsDesk(self.now_s)

    def after(self, *written: records.Record, later_s: float = 1.0) -> list[tuple[str, str]]:
        for record in written:
            self.now_s += later_s
            self.job.write(msgspec.structs.replace(record, time_s=self.now_s))
        return self.read()

    def read(self) -> list[tuple[str, str]]:
        self.model.apply(self.tail.poll())
        return [(news.kind, news.title) for news in self.desk.read(self.model)]


@pytest.fixture
def told(tmp_path):
    made = Told(tmp_path / "run")
    yield made
    made.job.close()


def test_what_happened_before_is_history(told):
    told.job.write(records.Noted(time_s=told.now_s - 50, level="error", title="old trouble"))
    told.job.write(msgspec.structs.replace(validated(5, 3.0, best=True), time_s=told.now_s - 40))
    assert told.read() == []


def test_the_guardian_is_heard_and_routine_is_not(told):
    assert told.after(records.Noted(level="info", title="a routine")) == []
    warning = records.Noted(level="warning", title="Throughput fell", text="by half")
    assert told.after(warning) == [("guardian", "Throughput fell")]
    assert told.read() == []
    assert told.after(warning) == []  # the like was just told
    assert told.after(warning, later_s=QUIET_S) == [("guardian", "Throughput fell")]
    other = records.Noted(level="error", title="A bad step")
    assert told.after(other) == [("guardian", "A bad step")]


def test_new_bests_are_told_once_in_a_while(told):
    assert told.after(validated(10, 4.0, best=True)) == [("best", "a new best")]
    assert told.after(validated(20, 3.9, best=True), validated(30, 3.95)) == []
    assert told.after(validated(40, 3.5, best=True), later_s=QUIET_S) == [("best", "a new best")]


def test_the_end_is_told_whatever_it_is(told):
    told.read()
    assert told.after(records.Ended(state="paused", exit_code=0)) == []  # a person's own wish
    told.job.begin(told.now_s + 1)
    told.now_s += 1
    ended = records.Ended(state="paused", exit_code=0, what="The loss is no number.", do="Look.")
    assert told.after(ended) == [("guardian", "paused itself")]
    told.job.begin(told.now_s + 1)
    told.now_s += 1
    failed = records.Ended(state="failed", exit_code=1, what="The disk is full.")
    assert told.after(failed) == [("failed", "failed")]
    told.job.begin(told.now_s + 1)
    told.now_s += 1
    assert told.after(records.Ended(state="finished", exit_code=0)) == [("finished", "finished")]
    assert told.read() == []


def test_a_killed_process_is_told_when_it_was_seen_alive(told):
    told.read()
    told.after(validated(10, 4.0))
    told.job.own(dead_pid())
    assert told.read() == [("failed", "was killed")]
    assert told.read() == []
    late = NewsDesk(told.now_s)
    assert late.read(told.model) == []  # it was dead before this desk was there

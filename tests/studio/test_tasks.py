"""Slow work stays off the UI thread, and whatever comes of it arrives there."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future

import pytest
from job_folders import FakeJob, dead_pid, saved, step_rows, validated
from PySide6.QtCore import QObject, QThread

from studio.keeper import Keeper
from studio.runs import tail as tails
from studio.storage.library import Library, RunFacts
from studio.tasks import JobWatcher, Tasks
from trainer_core import records
from trainer_core.errors import KnownError


def threads_of_ours() -> set[str]:
    names = ("database", "work", "job-watcher", "supervisor")
    return {t.name for t in threading.enumerate() if t.name.startswith(names)}


@pytest.fixture
def tasks(qapp):
    tasks = Tasks()
    yield tasks
    tasks.close()
    assert threads_of_ours() == set()


@pytest.fixture
def watcher(qapp):
    watcher = JobWatcher()
    yield watcher
    watcher.close()
    assert "job-watcher" not in threads_of_ours()


@pytest.fixture
def job(tmp_path):
    job = FakeJob(tmp_path / "job")
    yield job
    job.close()


# --- tasks ---------------------------------------------------------------------------------------


def test_an_op_runs_in_a_thread_and_its_outcome_arrives_on_the_ui_thread(tasks, qtbot):
    seen = []
    tasks.run_op(
        lambda: threading.current_thread().name,
        lambda name: seen.append((name, QThread.currentThread().isMainThread())),
    )
    qtbot.waitUntil(lambda: bool(seen))
    ((name, on_ui),) = seen
    assert name.startswith("database")
    assert on_ui


def test_database_ops_run_one_after_another_in_order(tasks, qtbot):
    order, outcomes = [], []

    def op(number: int) -> int:
        order.append(("begin", number))
        time.sleep(0.005)
        order.append(("end", number))
        return number

    for number in range(10):
        tasks.run_op(lambda number=number: op(number), outcomes.append)
    qtbot.waitUntil(lambda: len(outcomes) == 10)
    assert outcomes == list(range(10))
    assert order == [(what, n) for n in range(10) for what in ("begin", "end")]


def test_slow_work_does_not_hold_up_the_database(tasks, qtbot):
    gate, seen = threading.Event(), []
    tasks.run_op(gate.wait, lane="work")
    tasks.run_op(lambda: "row", seen.append)
    qtbot.waitUntil(lambda: seen == ["row"])
    gate.set()


def test_a_failure_goes_to_whoever_asked_or_to_the_window(tasks, qtbot, caplog):
    def fail():
        raise KnownError("The disk is full.")

    taken, untaken = [], []
    tasks.failed.connect(untaken.append)
    tasks.run_op(fail, failure=taken.append)
    tasks.run_op(fail)
    qtbot.waitUntil(lambda: len(taken) == len(untaken) == 1)
    assert taken[0].what == untaken[0].what == "The disk is full."
    assert not caplog.records, "a known error is no bug"


def test_a_bug_is_logged_with_its_traceback_and_shown(tasks, qtbot, caplog):
    shown = []
    tasks.failed.connect(shown.append)
    with caplog.at_level(logging.ERROR):
        tasks.run_op(lambda: 1 // 0)
        qtbot.waitUntil(lambda: bool(shown))
    assert isinstance(shown[0], ZeroDivisionError)
    assert "ZeroDivisionError" in caplog.text
    assert "Traceback" in caplog.text


def test_nothing_is_delivered_to_a_page_that_is_gone(tasks, qtbot):
    owner, seen = QObject(), []
    gate = threading.Event()
    tasks.run_op(gate.wait, lambda _: seen.append("gone"), owner=owner)
    owner.deleteLater()
    qtbot.wait(20)
    gate.set()
    tasks.run_op(lambda: "later", seen.append)
    qtbot.waitUntil(lambda: bool(seen))
    assert seen == ["later"]


def test_futures_of_others_are_followed_the_same_way(tasks, qtbot):
    future: Future[int] = Future()
    cancelled: Future[int] = Future()
    seen = []
    tasks.follow(future, seen.append, seen.append)
    tasks.follow(cancelled, seen.append, seen.append)
    cancelled.cancel()
    threading.Timer(0.02, future.set_result, [7]).start()
    qtbot.waitUntil(lambda: seen == [7])


def test_closing_ends_what_runs_and_delivers_nothing_more(qapp, qtbot):
    tasks, seen = Tasks(), []
    tasks.run_op(lambda: time.sleep(0.05), lambda _: seen.append(1))
    for _ in range(50):
        tasks.run_op(lambda: time.sleep(1), lambda _: seen.append(2))
    began = time.monotonic()
    tasks.close()
    tasks.close()
    assert time.monotonic() - began < 2.5
    tasks.run_op(lambda: 3, seen.append)
    qtbot.wait(50)
    assert seen == []
    assert threads_of_ours() == set()


# --- watching ------------------------------------------------------------------------------------


def test_a_model_has_taken_in_the_news_when_its_signal_comes(watcher, job, qtbot):
    seen = []
    watcher.job_updated.connect(
        lambda key: seen.append((watcher.model(job.folder).step, QThread.currentThread()))
    )
    job.begin()
    job.write(records.StateChanged(state="running"))
    job.steps.append(step_rows(0, 3))
    model = watcher.watch(job.folder)
    qtbot.waitUntil(lambda: bool(seen))
    assert seen[0][0] == 3
    assert seen[0][1].isMainThread()
    job.steps.append(step_rows(3, 8))
    qtbot.waitUntil(lambda: model.step == 8, timeout=2000)
    job.write(records.Ended(state="finished", exit_code=0))
    qtbot.waitUntil(lambda: model.state == "finished")


def test_a_quiet_job_makes_no_signals(watcher, job, qtbot):
    job.begin()
    seen = []
    watcher.job_updated.connect(seen.append)
    watcher.watch(job.folder)
    qtbot.waitUntil(lambda: bool(seen))
    qtbot.wait(700)
    assert len(seen) == 1


def test_a_folder_is_followed_until_the_last_holder_lets_go(watcher, job, qtbot):
    job.begin()
    first, second = object(), object()
    model = watcher.watch(job.folder, first)
    assert watcher.watch(job.folder, second) is model
    assert watcher.watch(job.folder, second) is model
    watcher.unwatch(job.folder, second)
    assert watcher.model(job.folder) is model
    watcher.unwatch(job.folder, first)
    watcher.unwatch(job.folder, first)
    assert watcher.model(job.folder) is None
    assert watcher.models == []
    job.steps.append(step_rows(0, 5))
    qtbot.wait(300)
    assert model.step == 0 or model.step == 5, "an update may have been on its way"


def test_many_folders_share_one_thread(watcher, tmp_path, qtbot):
    jobs = [FakeJob(tmp_path / str(number)) for number in range(40)]
    for job in jobs:
        job.begin()
        job.steps.append(step_rows(0, 5))
    models = [watcher.watch(job.folder) for job in jobs]
    qtbot.waitUntil(lambda: all(model.step == 5 for model in models))
    assert threads_of_ours() == {"job-watcher"}
    for job in jobs:
        job.close()


def test_a_frozen_window_gathers_no_pile_of_updates(watcher, job, qtbot):
    job.begin()
    model = watcher.watch(job.folder)
    qtbot.waitUntil(lambda: model.caught_up)
    seen = []
    watcher.job_updated.connect(seen.append)
    for step in range(30):  # one update at most is made while the window does not take any
        job.steps.append(step_rows(step, step + 1))
        time.sleep(0.03)
    qtbot.waitUntil(lambda: model.step == 30, timeout=2000)
    assert len(seen) <= 3


def test_a_long_run_arrives_in_pieces(watcher, job, qtbot, monkeypatch):
    monkeypatch.setattr(tails, "ROWS_MAX", 1000)
    job.begin(pid=dead_pid())
    job.steps.append(step_rows(0, 20_000))
    began = time.monotonic()
    model = watcher.watch(job.folder)
    qtbot.waitUntil(lambda: model.step == 20_000)
    assert time.monotonic() - began < 2.0, "pieces follow each other without a pause"
    assert model.state == "killed"


def test_a_look_can_be_asked_for(watcher, job, qtbot, monkeypatch):
    monkeypatch.setattr("studio.tasks.IDLE_PERIOD_S", 60.0)
    job.begin()
    job.write(records.Ended(state="paused", exit_code=0))
    model = watcher.watch(job.folder)
    qtbot.waitUntil(lambda: model.state == "paused")
    job.begin()
    watcher.look_now(job.folder)
    qtbot.waitUntil(lambda: model.state == "starting", timeout=1000)


def test_a_bug_in_a_look_is_logged_and_the_others_are_still_followed(
    watcher, job, tmp_path, qtbot, monkeypatch, caplog
):
    poll = tails.JobTail.poll

    def broken(self):
        if self.folder.name == "bad":
            raise ZeroDivisionError
        return poll(self)

    monkeypatch.setattr(tails.JobTail, "poll", broken)
    job.begin()
    watcher.watch(tmp_path / "bad")
    model = watcher.watch(job.folder)
    qtbot.waitUntil(lambda: model.state == "starting")
    assert "ZeroDivisionError" in caplog.text


def test_the_tick_is_called_while_nothing_happens(qapp, qtbot, tmp_path):
    ticks = []
    watcher = JobWatcher(on_tick=lambda: ticks.append(1))
    watcher.watch(tmp_path / "job")
    qtbot.waitUntil(lambda: len(ticks) >= 2)
    watcher.close()
    watcher.close()


# --- keeping -------------------------------------------------------------------------------------


@pytest.fixture
def library(tmp_path):
    with Library.open(tmp_path / "home") as library:
        yield library


def make_run(library: Library) -> tuple[FakeJob, int]:
    run = library.add_run(library.add_project("P").id, "r")
    return FakeJob(run.folder), run.id


def test_a_run_that_ended_while_the_studio_was_closed_is_remembered(library, tasks, watcher, qtbot):
    job, run_id = make_run(library)
    library.remember_run(run_id, RunFacts(state="running", step=1))
    job.begin(pid=dead_pid())
    job.steps.append(step_rows(0, 40))
    job.write(
        validated(40, 2.5, best=True), saved(40), records.Ended(state="finished", exit_code=0)
    )
    keeper = Keeper(library, tasks, watcher)
    with qtbot.waitSignal(keeper.run_remembered):
        keeper.follow_all()
    facts = library.run(run_id).facts
    assert (facts.state, facts.step, facts.best_loss) == ("finished", 40, 2.5)
    assert [row.step for row in library.checkpoints(run_id)] == [40]
    assert watcher.models == [], "what rests is not followed"
    job.close()


def test_a_run_at_work_is_followed_until_it_rests(library, tasks, watcher, qtbot, monkeypatch):
    monkeypatch.setattr("studio.keeper.PERIOD_S", 0.0)
    job, run_id = make_run(library)
    job.begin()
    keeper = Keeper(library, tasks, watcher)
    model = keeper.follow(library.run(run_id))
    qtbot.waitUntil(lambda: library.run(run_id).facts.state == "starting")
    job.write(records.StateChanged(state="running"))
    job.steps.append(step_rows(0, 5))
    qtbot.waitUntil(lambda: library.run(run_id).facts.step == 5)
    job.own(dead_pid())
    qtbot.waitUntil(lambda: library.run(run_id).facts.state == "killed")
    assert model.state == "killed"
    assert watcher.model(job.folder) is None
    job.close()


def test_runs_at_rest_are_left_alone(library, tasks, watcher, qtbot):
    job, run_id = make_run(library)
    library.remember_run(run_id, RunFacts(state="finished", step=9))
    Keeper(library, tasks, watcher).follow_all()
    qtbot.wait(100)
    assert watcher.models == []
    assert library.run(run_id).facts.step == 9
    job.close()


def test_a_library_that_may_only_be_read_is_not_written(library, tasks, watcher, qtbot):
    job, run_id = make_run(library)
    job.begin()
    with Library.open(library.home) as second:
        keeper = Keeper(second, tasks, watcher)
        model = keeper.follow(second.run(run_id))
        qtbot.waitUntil(lambda: model.state == "starting")
        qtbot.wait(50)
        assert second.run(run_id).facts == RunFacts()
    job.close()


def test_a_run_that_cannot_be_remembered_is_tried_again(
    library, tasks, watcher, qtbot, monkeypatch, caplog
):
    monkeypatch.setattr("studio.keeper.PERIOD_S", 0.0)
    job, run_id = make_run(library)
    job.begin()
    refuse = [True]
    remember = Library.remember_run

    def full_disk(self, *args):
        if refuse:
            refuse.pop()
            raise KnownError("The disk is full.")
        remember(self, *args)

    monkeypatch.setattr(Library, "remember_run", full_disk)
    Keeper(library, tasks, watcher).follow(library.run(run_id))
    qtbot.waitUntil(lambda: not refuse)
    job.steps.append(step_rows(0, 5))
    qtbot.waitUntil(lambda: library.run(run_id).facts.step == 5)
    assert "The disk is full." in caplog.text
    job.close()

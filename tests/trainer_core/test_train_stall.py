"""A training that stands still, or has become slow, says so once, and once more when it goes on."""

import time

import numpy as np
import pytest
from train_for_tests import journal, make_corpus, tiny_spec, trained

from trainer_core.data.batches.loader import TrainBatches
from trainer_core.metrics import STEP_DTYPE
from trainer_core.records import Noted
from trainer_core.train import stall
from trainer_core.train.stall import SLOW_S, Slowness, Watchdog

STALLS, GOES_ON = "The training stands still", "The training goes on"
SLOW, FAST = "The training has become slow", "The training is as fast as before"


class Listener:
    """A job that remembers what it is told."""

    def __init__(self):
        self.told = []

    def note(self, level, title, text="", step=None):
        self.told.append((title, step))

    def wait(self, count):
        deadline = time.monotonic() + 10
        while len(self.told) < count and time.monotonic() < deadline:
            time.sleep(0.005)


@pytest.fixture
def job():
    return Listener()


@pytest.fixture
def watchdog(job):
    """It barks after 0.3 s."""
    dog = Watchdog(job, 0.005)
    yield dog
    dog.close()
    assert not dog._thread.is_alive()


def do_steps(dog, first, last, seconds=0.001):
    for step in range(first, last + 1):
        dog.begin(step)
        time.sleep(seconds)
        dog.rest()


def test_a_step_that_does_not_end_is_told_once(watchdog, job):
    do_steps(watchdog, 1, 5)
    watchdog.begin(6)
    job.wait(1)
    time.sleep(0.4)
    assert job.told == [(STALLS, 6)]
    watchdog.rest()
    assert job.told == [(STALLS, 6), (GOES_ON, 6)]
    do_steps(watchdog, 7, 9)
    watchdog.begin(10)
    job.wait(3)
    assert job.told[2:] == [(STALLS, 10)]


def test_what_is_done_between_steps_may_take_its_time(watchdog, job):
    do_steps(watchdog, 1, 5)
    time.sleep(0.7)
    do_steps(watchdog, 6, 8)
    assert job.told == []


def test_the_first_steps_may_take_their_time(watchdog, job):
    """They are compiled, and files are read for the first time."""
    do_steps(watchdog, 1, 1, seconds=0.7)
    assert job.told == []


def test_a_step_that_usually_takes_long_is_no_stall(watchdog, job):
    do_steps(watchdog, 1, 4, seconds=0.06)
    do_steps(watchdog, 5, 5, seconds=0.6)  # beyond the limit, and ten times the usual
    assert job.told == []


def test_stalls_need_not_be_watched(job):
    dog = Watchdog(job, 0.0)
    do_steps(dog, 1, 5)
    dog.begin(6)
    time.sleep(0.1)
    dog.close()
    assert job.told == []


def test_a_loader_that_hangs_is_told_in_the_journal(tmp_path, monkeypatch):
    batch = TrainBatches.batch

    def hanging(self, step):
        if step == 30:
            time.sleep(1.5)
        return batch(self, step)

    monkeypatch.setattr(TrainBatches, "batch", hanging)
    monkeypatch.setattr(
        stall, "USUAL_FACTOR", 1.0
    )  # so small a step may be slow on a busy computer
    spec = tiny_spec(make_corpus(tmp_path), guard={"stall_minutes": 0.5 / 60})
    folder = trained(tmp_path / "run", spec)
    told = [n for n in journal(folder, Noted) if n.title in (STALLS, GOES_ON) and n.step == 30]
    assert [(note.title, note.level) for note in told] == [(STALLS, "warning"), (GOES_ON, "info")]


# --- slower and slower ----------------------------------------------------------------------------


def timed(seconds, began_s=0.0, first=1):
    found = np.zeros(len(seconds), STEP_DTYPE)
    found["step"] = np.arange(first, first + len(seconds))
    found["elapsed_s"] = began_s + np.cumsum(seconds)
    return found


def watch(job, *phases):
    """Show a watcher steps of these times, in groups as a training hands them over."""
    watcher = Slowness(job)
    rows = timed(np.concatenate([np.full(count, seconds) for count, seconds in phases]))
    began_s = 0.0
    for at in range(0, len(rows), 7):
        watcher.watch(rows[at : at + 7], began_s)
        began_s = float(rows[at : at + 7]["elapsed_s"][-1])


def test_a_training_that_stays_slow_is_told_and_so_is_its_recovery(job):
    watch(job, (100, 1.0), (300, 3.0), (100, 1.0))
    (slow, at), (fast, again) = job.told
    assert (slow, fast) == (SLOW, FAST)
    assert 100 + SLOW_S / 3 <= at <= 130 + SLOW_S / 3 and 400 < again < 440


@pytest.mark.parametrize(
    "phases",
    [
        [(100, 1.0), (50, 3.0), (100, 1.0)],  # too short to matter
        [(100, 1.0), (800, 1.9)],  # not slow enough
        [(5, 60.0), (800, 1.0)],  # the first steps are the slow ones
    ],
)
def test_what_is_no_loss_of_speed_is_not_told(job, phases):
    watch(job, *phases)
    assert job.told == []

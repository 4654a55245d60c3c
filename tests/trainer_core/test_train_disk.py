"""The disk fills up: it is told before, and a training waits for room with nothing lost."""

import contextlib
import shutil
import threading
from types import SimpleNamespace

import pytest
from holding_for_tests import PATIENCE_S, is_held, wait_for

from tests.trainer_core.train_for_tests import (
    assert_same_training,
    ended,
    journal,
    make_corpus,
    notes,
    rows,
    saved_steps,
    tiny_spec,
    trained,
)
from trainer_core import protocol
from trainer_core.checkpoint_plan import CheckpointSize
from trainer_core.job import run_job
from trainer_core.records import CheckpointSaved, Held, Released
from trainer_core.status import read_status
from trainer_core.train import disk, holding
from trainer_core.train.disk import SPARE_BYTES, UNSURE, DiskForecast
from trainer_core.train.step import TrainStep

EACH = 100 * 10**6


class Listener:
    """A job that remembers what it is told."""

    def __init__(self, folder):
        self.folder, self.told = folder, []

    def note(self, level, title, text="", step=None):
        self.told.append((level, title, text))


@pytest.fixture
def free(monkeypatch):
    """Sets what the disk has left."""

    def leave(size_bytes):
        found = SimpleNamespace(free=size_bytes)
        monkeypatch.setattr(disk.shutil, "disk_usage", lambda _path: found)

    monkeypatch.setattr(disk, "LOOK_S", 0.0)
    return leave


def forecast(folder, **config):
    spec = tiny_spec("corpus", steps=1000, checkpoint={"every_steps": 100, "keep": 4} | config)
    return DiskForecast(Listener(folder), spec, CheckpointSize(EACH // 3, EACH)), spec


def test_it_is_told_once_before_the_disk_is_full_and_once_when_it_nearly_is(tmp_path, free):
    watched, spec = forecast(tmp_path)
    most = CheckpointSize(EACH // 3, EACH).most_on_disk(spec)
    told = watched._job.told
    free(most + 10**6)
    watched.look(0, 1000, 0.0)
    assert told == []
    for left in (most - 1, most - 2, most // 2):
        free(left)
        watched.look(1, 1000, 1.0)
    assert [(level, title) for level, title, _ in told] == [("warning", "The disk may fill up")]
    assert "MB are free" in told[0][2]
    for left in (EACH, EACH // 2, 0):
        free(left)
        watched.look(2, 1000, 2.0)
    assert [title for _, title, _ in told][1:] == ["The disk is nearly full"]
    free(2 * most)
    watched.look(3, 1000, 3.0)
    free(most // 2)
    watched.look(4, 1000, 4.0)
    assert [title for _, title, _ in told][2:] == ["The disk may fill up"]


def test_what_is_written_already_is_not_to_come(tmp_path, free):
    watched, spec = forecast(tmp_path)
    most = CheckpointSize(EACH // 3, EACH).most_on_disk(spec)
    (tmp_path / "checkpoints" / "step-1").mkdir(parents=True)
    with (tmp_path / "checkpoints" / "step-1" / "model").open("wb") as file:
        file.truncate(most - 3 * EACH)
    free(3 * EACH + 10**6)
    watched.look(500, 1000, 10.0)
    assert watched._job.told == []
    free(3 * EACH - 1)
    watched.look(500, 1000, 10.0)
    assert len(watched._job.told) == 1


def test_the_logs_of_a_long_run_count(tmp_path, free):
    spec = tiny_spec("corpus", steps=10_000_000)
    watched = DiskForecast(Listener(tmp_path), spec, CheckpointSize(10, 10))
    free(200 * 10**6)
    watched.look(10, 10_000_000, 1.0)
    assert [title for _, title, _ in watched._job.told] == ["The disk may fill up"]


def test_what_the_next_checkpoint_lacks(tmp_path, free, monkeypatch):
    watched, _ = forecast(tmp_path)
    needed = int(UNSURE * EACH) + SPARE_BYTES
    free(needed)
    assert watched.lack() is None
    free(needed - 1)
    assert "102 MB are needed and 102 MB are free" in watched.lack()

    def fail(_path):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(disk.shutil, "disk_usage", fail)
    assert watched.lack() is None  # whoever writes will say so
    watched.look(1, 10, 1.0)


# --- in a training ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def undisturbed(corpus, tmp_path_factory):
    return trained(tmp_path_factory.mktemp("run") / "undisturbed", spec_of(corpus))


def spec_of(corpus, steps=60):
    return tiny_spec(
        corpus, steps=steps, evaluation={"every_steps": 60}, checkpoint={"every_steps": 20}
    )


class Disk:
    """Full from a step of the training on, until a test frees it."""

    def __init__(self, full_from, monkeypatch):
        self.full, self.steps = True, 0
        real, step = shutil.disk_usage, TrainStep.__call__

        def count(*arguments):
            self.steps += 1
            return step(*arguments)

        def usage(path):
            is_full = self.full and self.steps >= full_from
            return SimpleNamespace(free=0) if is_full else real(path)

        monkeypatch.setattr(TrainStep, "__call__", count)
        monkeypatch.setattr(disk.shutil, "disk_usage", usage)


@contextlib.contextmanager
def started(folder, spec, monkeypatch, full_from):
    found = Disk(full_from, monkeypatch)
    monkeypatch.setattr(holding, "POLL_S", 0.01)
    thread = threading.Thread(target=run_job, args=(folder, spec))
    thread.start()
    try:
        yield found
    finally:
        found.full = False
        thread.join(PATIENCE_S)
    assert not thread.is_alive()


def test_a_training_waits_for_room_and_goes_on(corpus, undisturbed, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    with started(folder, spec_of(corpus), monkeypatch, full_from=21) as found:
        wait_for(lambda: is_held(folder))
        status = read_status(folder)
        assert (status.state, status.held.step) == ("waiting", 40)
        assert "no room for the next checkpoint" in status.held.reason
        assert saved_steps(folder) == [20]
        found.full = False
    assert ended(folder).state == "finished"
    assert_same_training(folder, undisturbed)
    assert [c.reason for c in journal(folder, CheckpointSaved)][:2] == ["schedule", "schedule"]
    assert len(journal(folder, Held)) == len(journal(folder, Released)) == 1
    assert len(notes(folder, "The disk is nearly full")) <= 1


def test_the_last_step_waits_as_well(corpus, undisturbed, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    with started(folder, spec_of(corpus), monkeypatch, full_from=60) as found:
        wait_for(lambda: is_held(folder))
        assert read_status(folder).held.step == 60
        assert len(rows(folder)) == 60
        found.full = False
    assert ended(folder).state == "finished"
    assert_same_training(folder, undisturbed)


def test_a_pause_meanwhile_saves_where_it_stands(corpus, undisturbed, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    with started(folder, spec_of(corpus), monkeypatch, full_from=21):
        wait_for(lambda: is_held(folder))
        protocol.send_command(folder, protocol.Pause())
        wait_for(lambda: read_status(folder).ended is not None)
    assert (ended(folder).state, ended(folder).step) == ("paused", 40)
    assert run_job(folder) == 0
    assert_same_training(folder, undisturbed)

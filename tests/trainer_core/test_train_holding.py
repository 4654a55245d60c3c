"""A training that holds by itself frees what it has and goes on bit for bit."""

import contextlib
import threading
import time

import pytest
import torch
from holding_for_tests import PATIENCE_S, is_held, wait_for

from tests.trainer_core.train_for_tests import (
    assert_same_training,
    ended,
    journal,
    make_corpus,
    rows,
    saved_steps,
    tiny_spec,
    trained,
)
from trainer_core import protocol
from trainer_core.conduct import conduct, judging
from trainer_core.job import run_job
from trainer_core.manners import Conditions, Manners, write_manners
from trainer_core.metrics import read_rows
from trainer_core.records import CheckpointSaved, Held, Noted, Released, StateChanged
from trainer_core.status import read_status
from trainer_core.train import holding
from trainer_core.train.checkpoints import background
from trainer_core.train.parking import park


class Computer:
    """Senses that a test sets; unplugged from a step on, until it is plugged in again."""

    gpu = None

    def __init__(self, folder, unplugged_from=0):
        self.folder, self.unplugged_from = folder, unplugged_from
        self.unplugged = True

    def on_battery(self):
        steps = self.folder / "steps.bin"
        done = len(read_rows(steps)) if steps.exists() else 0
        return self.unplugged and done >= self.unplugged_from

    def heat(self):
        return None

    def gpu_rival(self):
        return None

    def running(self, names):
        return None

    def minute_of_day(self):
        return 0


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("data"))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Everything that takes seconds takes none; a processor's memory is freed like a GPU's."""
    monkeypatch.setattr(conduct, "LOOK_S", 0.02)
    monkeypatch.setattr(conduct, "CHECK_S", 0.02)
    monkeypatch.setattr(judging, "CALM_S", 0.0)
    monkeypatch.setattr(holding, "POLL_S", 0.01)
    monkeypatch.setattr(holding, "RETRY_S", 0.05)
    monkeypatch.setattr(holding, "is_worth_freeing", lambda _device: True)


@contextlib.contextmanager
def started(folder, spec, monkeypatch, unplugged_from=0):
    """A training in a thread, and the computer that it runs on."""
    folder.mkdir()
    write_manners(folder, Manners(conditions=Conditions(on_battery=True), keep_awake=False))
    computer = Computer(folder, unplugged_from)
    monkeypatch.setattr(conduct, "Sensors", lambda: computer)
    thread = threading.Thread(target=run_job, args=(folder, spec))
    thread.start()
    computer.thread = thread
    try:
        yield computer
    finally:
        computer.unplugged = False
        thread.join(PATIENCE_S)
    assert not thread.is_alive()


def long(corpus, steps=120, **sections):
    return tiny_spec(corpus, steps=steps, **{"evaluation": {"every_steps": 60}} | sections)


@pytest.fixture(scope="module")
def undisturbed(corpus, tmp_path_factory):
    return trained(tmp_path_factory.mktemp("run") / "undisturbed", long(corpus))


def test_it_waits_and_goes_on_bit_for_bit(corpus, undisturbed, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    with started(folder, long(corpus), monkeypatch, unplugged_from=30) as computer:
        wait_for(lambda: is_held(folder))
        status = read_status(folder)
        assert status.state == "waiting"
        assert status.held.reason == "the computer runs on its battery"
        step = status.held.step
        assert 30 <= step < 120
        assert [c.step for c in status.checkpoints][-1] == step
        time.sleep(0.3)
        assert len(rows(folder)) == step
        computer.unplugged = False
    assert ended(folder).state == "finished"
    assert_same_training(folder, undisturbed)
    held, released = journal(folder, Held), journal(folder, Released)
    assert [record.step for record in held] == [record.step for record in released] == [step]
    assert released[0].seconds >= 0.3
    reasons = {c.step: c.reason for c in journal(folder, CheckpointSaved)}
    assert reasons[step] in ("hold", "schedule")
    states = [record.state for record in journal(folder, StateChanged)]
    after = states[states.index("waiting") + 1 :]
    assert after[0] == "running"
    # The wait is no training time.
    assert rows(folder)["elapsed_s"][step] - rows(folder)["elapsed_s"][step - 1] < 0.3


def test_it_holds_before_the_first_step(corpus, undisturbed, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    with started(folder, long(corpus), monkeypatch) as computer:
        wait_for(lambda: is_held(folder))
        assert read_status(folder).held.step == 0
        assert not saved_steps(folder)
        computer.unplugged = False
    assert_same_training(folder, undisturbed)


@pytest.mark.parametrize(("command", "state"), [("pause", "paused"), ("stop", "stopped")])
def test_whoever_ends_it_meanwhile_finds_it_saved(
    corpus, undisturbed, tmp_path, monkeypatch, command, state
):
    folder = tmp_path / "run"
    message = protocol.Pause() if command == "pause" else protocol.Stop()
    with started(folder, long(corpus), monkeypatch, unplugged_from=30):
        wait_for(lambda: is_held(folder))
        step = read_status(folder).held.step
        protocol.send_command(folder, message)
        wait_for(lambda: read_status(folder).ended is not None)
    assert (ended(folder).state, ended(folder).step) == (state, step)
    assert read_status(folder).held is None
    write_manners(folder, Manners())
    assert run_job(folder) == 0
    assert_same_training(folder, undisturbed)


def test_what_is_asked_meanwhile_is_done_afterwards(corpus, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    with started(folder, long(corpus), monkeypatch, unplugged_from=30) as computer:
        wait_for(lambda: is_held(folder))
        protocol.send_command(folder, protocol.CheckpointNow())
        assert is_held(folder)
        computer.unplugged = False
    assert ended(folder).state == "finished"
    assert "asked" in {c.reason for c in journal(folder, CheckpointSaved)}


def test_conditions_that_nobody_asks_for_any_more_are_over(corpus, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    with started(folder, long(corpus), monkeypatch, unplugged_from=30):
        wait_for(lambda: is_held(folder))
        write_manners(folder, Manners(keep_awake=False))
        wait_for(lambda: not is_held(folder))
    assert ended(folder).state == "finished"


def test_a_full_disk_keeps_nobody_from_waiting(corpus, undisturbed, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    real, full = background.save_checkpoint, threading.Event()

    def save(*args, **kwargs):
        if full.is_set():
            raise OSError(28, "No space left on device")
        return real(*args, **kwargs)

    monkeypatch.setattr(background, "save_checkpoint", save)
    spec = long(corpus, checkpoint={"every_steps": 1000})
    with started(folder, spec, monkeypatch, unplugged_from=30) as computer:
        full.set()
        wait_for(lambda: is_held(folder))
        titles = [note.title for note in journal(folder, Noted)]
        assert "Checkpoint not saved" in titles
        full.clear()
        # Nothing of it is on the disk: a pause has to save it, and can.
        protocol.send_command(folder, protocol.Pause())
        wait_for(lambda: read_status(folder).ended is not None)
        assert computer.unplugged
    assert ended(folder).state == "paused"
    assert saved_steps(folder)[-1] == ended(folder).step >= 30
    write_manners(folder, Manners())
    assert run_job(folder) == 0
    ours, theirs = rows(folder), rows(undisturbed)
    assert ours["loss"].tolist() == theirs["loss"].tolist()


def test_a_gpu_without_room_is_tried_again(corpus, undisturbed, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    from trainer_core.train.parking import Parked

    real, failures = Parked.bring_back, iter((True, True, False))

    def bring_back(self):
        if not next(failures):
            return real(self)
        assert real(self)
        self.leave_again()
        return False

    monkeypatch.setattr(Parked, "bring_back", bring_back)
    with started(folder, long(corpus), monkeypatch, unplugged_from=30) as computer:
        wait_for(lambda: is_held(folder))
        computer.unplugged = False
    assert [held.reason for held in journal(folder, Held)] == [
        "the computer runs on its battery",
        holding.GPU_IS_FULL,
    ]
    assert_same_training(folder, undisturbed)


def test_parked_tensors_stand_on_nothing_and_come_back_with_their_views():
    device = torch.device("cpu")
    one, other = torch.arange(1000.0), torch.full((3, 5), 2.5, dtype=torch.float64)
    view, twin = one[10:20], torch.nn.Parameter(one.view(10, 100))
    parked = park([one, twin, other, torch.zeros(0)], device)
    assert parked is not None
    assert parked.size_bytes == 4000 + 120
    assert one.untyped_storage().nbytes() == other.untyped_storage().nbytes() == 0
    assert parked.bring_back()
    assert view.tolist() == list(range(10, 20))
    assert twin.detach().sum() == 499500
    assert torch.equal(other, torch.full((3, 5), 2.5, dtype=torch.float64))
    parked.leave_again()
    assert one.untyped_storage().nbytes() == 0
    assert parked.bring_back()
    assert one[999] == 999


def test_nothing_is_parked_where_there_is_no_room(monkeypatch):
    class Memory:
        available = 1 << 20

    monkeypatch.setattr("psutil.virtual_memory", Memory)
    tensor = torch.arange(1000.0)
    assert park([tensor], torch.device("cpu")) is None
    assert tensor[999] == 999

"""A checkpoint reaches the disk while the training goes on, and holds what was when it was due."""

import threading
import time

import pytest
import torch
from train_for_tests import (
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

from trainer_core.errors import ExitCode
from trainer_core.job import Job, run_job
from trainer_core.records import CheckpointSaved, Ended
from trainer_core.spec import ModelConfig
from trainer_core.train import meter
from trainer_core.train.checkpoints import background
from trainer_core.train.checkpoints.checkpoint import TrainState, read_checkpoint
from trainer_core.train.checkpoints.folders import checkpoint_steps
from trainer_core.train.checkpoints.manifest import Fingerprints
from trainer_core.train.checkpoints.snapshot import Snapshot, SnapshotMemory


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    corpus = make_corpus(tmp_path_factory.mktemp("train-background"))
    return tiny_spec(corpus, evaluation={"every_steps": 1000}, checkpoint={"keep": 9})


@pytest.fixture(scope="module")
def undisturbed(spec, tmp_path_factory):
    return trained(tmp_path_factory.mktemp("undisturbed") / "run", spec)


@pytest.fixture(autouse=True)
def quick_handover(monkeypatch):
    monkeypatch.setattr(meter, "HANDOVER_S", 0.0)


def slow_disk(monkeypatch, folder, until_step=0, seconds=0.0):
    """Make each checkpoint but the last take this long, or until the training is this far."""
    save = background.save_checkpoint
    steps_at_end = {}

    def slow(run_folder, shot):
        step = shot.state.step
        if threading.current_thread() is not threading.main_thread():
            deadline = time.monotonic() + 20
            while len(rows(folder)) < until_step and time.monotonic() < deadline:
                time.sleep(0.002)
            time.sleep(seconds)
            steps_at_end[step] = len(rows(folder))
        return save(run_folder, shot)

    monkeypatch.setattr(background, "save_checkpoint", slow)
    return steps_at_end


def test_the_training_goes_on_while_a_checkpoint_is_written(
    spec, undisturbed, tmp_path, monkeypatch
):
    folder = tmp_path / "run"
    steps_at_end = slow_disk(monkeypatch, folder, until_step=19)
    trained(folder, spec)
    assert steps_at_end[10] >= 19  # the save of step 20 waits for this one
    for step in (10, 20, 30, 40):
        for name in ("model.safetensors", "optimizer.safetensors"):
            ours = read_checkpoint(folder, step).folder / name
            theirs = read_checkpoint(undisturbed, step).folder / name
            assert ours.read_bytes() == theirs.read_bytes()
        assert read_checkpoint(folder, step).load_state().step == step
    assert_same_training(folder, undisturbed)


def test_how_long_the_training_stood_still_is_told_beside_how_long_it_took(
    spec, tmp_path, monkeypatch
):
    folder = tmp_path / "run"
    slow_disk(monkeypatch, folder, seconds=0.2)
    trained(folder, spec)
    first, *others, last = journal(folder, CheckpointSaved)
    assert first.seconds - first.blocked_s >= 0.2
    assert all(record.blocked_s <= record.seconds for record in others)
    assert last.reason == "end" and last.blocked_s == last.seconds


def test_one_is_written_at_a_time_and_all_before_the_end(spec, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    at_work, most = [], []
    save = background.save_checkpoint

    def counted(run_folder, shot):
        at_work.append(shot.state.step)
        most.append(len(at_work))
        time.sleep(0.1)
        saved = save(run_folder, shot)
        at_work.remove(shot.state.step)
        return saved

    monkeypatch.setattr(background, "save_checkpoint", counted)
    trained(folder, spec)
    assert max(most) == 1
    assert saved_steps(folder) == [10, 20, 30, 40]
    assert isinstance(journal(folder)[-1], Ended)


def test_a_pause_waits_for_what_is_being_written(spec, undisturbed, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    slow_disk(monkeypatch, folder, seconds=0.5)
    wanted = property(lambda self: "pause" if self.step >= 12 else "")
    monkeypatch.setattr(Job, "wanted", wanted)
    assert run_job(folder, spec) == ExitCode.OK
    assert ended(folder).state == "paused" and saved_steps(folder) == [10, 12]
    monkeypatch.undo()
    assert run_job(folder) == ExitCode.OK
    assert_same_training(folder, undisturbed)


def test_a_training_that_fails_finishes_the_checkpoint_first(spec, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    slow_disk(monkeypatch, folder, seconds=0.5)

    def broken(self, *_):
        if len(rows(folder)) >= 12:
            raise ZeroDivisionError
        return handed_over(self)

    handed_over = meter.StepMeter.hand_over
    monkeypatch.setattr(meter.StepMeter, "hand_over", broken)
    assert run_job(folder, spec) == ExitCode.BUG
    assert checkpoint_steps(folder) == [10] and saved_steps(folder) == [10]


def test_a_mistake_in_the_thread_is_not_swallowed(spec, tmp_path, monkeypatch):
    folder = tmp_path / "run"

    def broken(run_folder, shot):
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(background, "save_checkpoint", broken)
    assert run_job(folder, spec) == ExitCode.BUG
    assert "planted" in ended(folder).what


@pytest.mark.parametrize("cause", ["known before", "found out"])
def test_without_memory_for_a_copy_the_training_waits(
    spec, undisturbed, tmp_path, monkeypatch, cause
):
    if cause == "known before":
        monkeypatch.setattr(background, "_SPARE_BYTES", 1 << 60)
    else:
        monkeypatch.setattr(SnapshotMemory, "copy", out_of_memory)
    folder = trained(tmp_path / "run", spec)
    for record in journal(folder, CheckpointSaved):
        assert record.blocked_s == record.seconds
    assert_same_training(folder, undisturbed)


def out_of_memory(_memory, _snapshot):
    raise RuntimeError("can't allocate memory")


def test_a_failure_in_the_background_is_told_at_the_step_it_belongs_to(spec, tmp_path, monkeypatch):
    def full(run_folder, shot):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(background, "save_checkpoint", full)
    folder = tmp_path / "run"
    assert run_job(folder, spec) == ExitCode.DISK_FULL
    assert [note.step for note in notes(folder, "Checkpoint not saved")] == [10, 20, 30]
    assert all("The training goes on" in n.text for n in notes(folder, "Checkpoint not saved"))


# --- the copy -------------------------------------------------------------------------------------


def shot(*, scale=1.0, extra=()):
    weights = {"a": torch.full((3, 4), scale), "b": torch.full((5,), -scale)}
    return Snapshot(
        config=ModelConfig(),
        fingerprints=Fingerprints(corpus="c", tokenizer="t"),
        state=TrainState(step=1, recent_norms=[scale]),
        weights=weights,
        optimizer={f"exp_avg/{n}": t * 2 for n, t in weights.items()} | dict(extra),
        val_loss=None,
    )


def test_a_copy_does_not_change_with_its_original():
    original = shot()
    copied, _ = SnapshotMemory().copy(original)
    original.weights["a"].zero_()
    original.optimizer["exp_avg/a"].zero_()
    original.state.step = 2
    original.state.recent_norms.append(9.0)
    assert (copied.weights["a"] == 1).all() and (copied.optimizer["exp_avg/a"] == 2).all()
    assert copied.state == TrainState(step=1, recent_norms=[1.0])


def test_memory_is_taken_once():
    memory = SnapshotMemory()
    assert memory.missing_bytes(shot()) == 2 * (12 + 5) * 4
    first, _ = memory.copy(shot())
    assert memory.missing_bytes(shot()) == 0
    second, _ = memory.copy(shot(scale=3.0))
    assert second.weights["a"].data_ptr() == first.weights["a"].data_ptr()
    assert (second.weights["a"] == 3).all()


def test_what_is_new_or_of_another_shape_gets_memory_of_its_own():
    memory = SnapshotMemory()
    memory.copy(shot())
    grown = shot(extra={"exp_avg/a": torch.ones(7), "step/a": torch.zeros(())}.items())
    assert memory.missing_bytes(grown) == 8 * 4
    copied, _ = memory.copy(grown)
    assert copied.optimizer["exp_avg/a"].shape == (7,)
    assert copied.optimizer.keys() == grown.optimizer.keys()

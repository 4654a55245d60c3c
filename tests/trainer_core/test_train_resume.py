"""However a training was interrupted, it ends as if it had not been."""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest
from train_for_tests import (
    assert_same_training,
    ended,
    journal,
    make_corpus,
    notes,
    resumed_steps,
    rows,
    saved_steps,
    tiny_spec,
    trained,
)

from trainer_core.errors import ExitCode
from trainer_core.job import Job, freeze_spec, run_job
from trainer_core.protocol import CheckpointNow, Pause, send_command
from trainer_core.records import CheckpointSaved
from trainer_core.train import meter
from trainer_core.train.checkpoints.checkpoint import open_checkpoint, read_checkpoint
from trainer_core.train.checkpoints.folders import checkpoint_steps

STEPS = 240


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("train-resume"))


@pytest.fixture(scope="module")
def spec(corpus):
    return tiny_spec(
        corpus,
        steps=STEPS,
        evaluation={"every_steps": 50, "max_tokens": 64},
        checkpoint={"every_steps": 60, "keep": 2},
    )


@pytest.fixture(scope="module")
def uninterrupted(spec, tmp_path_factory):
    return trained(tmp_path_factory.mktemp("uninterrupted") / "run", spec)


@pytest.fixture(autouse=True)
def quick_handover(monkeypatch):
    monkeypatch.setattr(meter, "HANDOVER_S", 0.01)


def when_step(folder, step, act):
    """Do something as soon as the log has this step; the thread that waits for it."""

    def wait():
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if (folder / "steps.bin").exists() and len(rows(folder)) >= step:
                act()
                return
            time.sleep(0.002)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def test_pausing_and_resuming_changes_nothing(spec, uninterrupted, tmp_path):
    folder = tmp_path / "run"
    waits = when_step(folder, 70, lambda: send_command(folder, Pause()))
    assert run_job(folder, spec) == ExitCode.OK
    waits.join()
    paused = ended(folder)
    assert paused.state == "paused" and 70 <= paused.step < STEPS
    assert open_checkpoint(folder, "last").step == paused.step
    assert run_job(folder) == ExitCode.OK
    assert resumed_steps(folder) == [paused.step]
    assert_same_training(folder, uninterrupted)
    assert open_checkpoint(folder).step == open_checkpoint(uninterrupted).step


def test_sigterm_saves_and_ends_in_order(spec, uninterrupted, tmp_path):
    folder = tmp_path / "run"
    waits = when_step(folder, 20, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert run_job(folder, spec) == ExitCode.OK
    waits.join()
    assert ended(folder).state == "stopped"
    assert journal(folder, CheckpointSaved)[-1].reason in ("stop", "schedule", "best")
    assert saved_steps(folder)[-1] == ended(folder).step
    assert run_job(folder) == ExitCode.OK
    assert_same_training(folder, uninterrupted)


def test_a_checkpoint_can_be_asked_for(spec, uninterrupted, tmp_path):
    folder = tmp_path / "run"
    waits = when_step(folder, 70, lambda: send_command(folder, CheckpointNow()))
    assert run_job(folder, spec) == ExitCode.OK
    waits.join()
    assert "asked" in [record.reason for record in journal(folder, CheckpointSaved)]
    assert_same_training(folder, uninterrupted)


def test_a_stop_before_the_first_step_can_be_resumed(spec, uninterrupted, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    monkeypatch.setattr(Job, "wanted", "stop")
    assert run_job(folder, spec) == ExitCode.OK
    assert (ended(folder).state, ended(folder).step) == ("stopped", 0)
    monkeypatch.undo()
    assert run_job(folder) == ExitCode.OK
    assert_same_training(folder, uninterrupted)


def test_a_killed_process_goes_on_from_its_last_checkpoint(spec, uninterrupted, tmp_path):
    folder = tmp_path / "run"
    freeze_spec(folder, spec)
    script = (  # what `python -m trainer_core run` does, slowly, with rows that can be watched
        "import sys, time; from pathlib import Path; from trainer_core.job import run_job;"
        "from trainer_core.train import meter; meter.HANDOVER_S = 0.01;"
        "add = meter.StepMeter.add;"
        "meter.StepMeter.add = lambda *a, **k: (time.sleep(0.01), add(*a, **k));"
        "run_job(Path(sys.argv[1]))"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(folder)])
    when_step(folder, random.randrange(65, 160), process.kill).join()
    assert process.wait() == -signal.SIGKILL
    assert run_job(folder) == ExitCode.OK
    assert len(resumed_steps(folder)) == 1 and resumed_steps(folder)[0] >= 50
    assert_same_training(folder, uninterrupted)


def test_rows_that_were_lost_do_not_stop_a_resume(spec, uninterrupted, tmp_path):
    folder = tmp_path / "run"
    waits = when_step(folder, 70, lambda: send_command(folder, Pause()))
    assert run_job(folder, spec) == ExitCode.OK
    waits.join()
    (folder / "steps.bin").unlink()
    assert run_job(folder) == ExitCode.OK
    ours, theirs = rows(folder), rows(uninterrupted)
    start = resumed_steps(folder)[0]
    assert ours["step"].tolist() == theirs["step"].tolist()
    assert (ours["loss"][start:] == theirs["loss"][start:]).all()


def test_another_corpus_is_refused_and_nothing_is_touched(spec, tmp_path):
    folder = tmp_path / "run"
    first = make_corpus(tmp_path / "a")
    here = tmp_path / "corpus"
    shutil.copytree(first, here)
    trained_spec = tiny_spec(here, steps=30)
    trained(folder, trained_spec)
    shutil.rmtree(folder / "checkpoints" / "step-00000030")
    shutil.rmtree(here)
    shutil.copytree(make_corpus(tmp_path / "b", seed=5), here)
    before = rows(folder).tobytes()
    assert run_job(folder) == ExitCode.KNOWN_ERROR
    assert ended(folder).field == "corpus" and "changed" in ended(folder).what
    assert rows(folder).tobytes() == before
    assert checkpoint_steps(folder) == [10, 20]


# --- ends in the middle of a checkpoint -----------------------------------------------------------

SLOW_SAVES = """
import signal, sys, time
from pathlib import Path
from trainer_core.job import run_job
from trainer_core.train import meter
from trainer_core.train.checkpoints import background
from trainer_core.train.checkpoints import saving

meter.HANDOVER_S = 0.01
folder = Path(sys.argv[1])
write, put = saving.write_tensors, saving.put_in_place

def slow_write(path, tensors):
    fact = write(path, tensors)
    (folder / "saving").touch()
    time.sleep(0.03)
    return fact

def slow_put(draft, target):
    time.sleep(0.03)
    put(draft, target)
    time.sleep(0.03)

saving.write_tensors, saving.put_in_place = slow_write, slow_put
sys.exit(run_job(folder))
"""
"""A training on a slow disk, which leaves a file where others see that it saves."""


@pytest.fixture(scope="module")
def busy(corpus, tmp_path_factory):
    """A run that saves nearly all the time: its settings, and the run without interruption."""
    spec = tiny_spec(
        corpus,
        steps=90,
        model={"dropout": 0.1},
        evaluation={"every_steps": 1000},
        checkpoint={"every_steps": 10, "keep": 2, "resumable": 1},
    )
    return spec, trained(tmp_path_factory.mktemp("busy") / "run", spec)


def begin_slow(folder):
    """A process that works in this folder, once it has begun to save."""
    process = subprocess.Popen([sys.executable, "-c", SLOW_SAVES, str(folder)])
    deadline = time.monotonic() + 60
    while not (folder / "saving").exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    return process


@pytest.mark.slow
def test_a_process_killed_in_the_middle_of_saving_loses_that_checkpoint_alone(busy, tmp_path):
    spec, reference = busy
    folder = tmp_path / "run"
    freeze_spec(folder, spec)
    draw = random.Random()
    for _ in range(2):
        process = begin_slow(folder)
        time.sleep(draw.uniform(0.0, 0.3))
        before = {s: whole(folder, s) for s in checkpoint_steps(folder)}
        process.kill()
        assert process.wait() == -signal.SIGKILL
        (folder / "saving").unlink()
        kept = [step for step in checkpoint_steps(folder) if step in before]
        assert all(whole(folder, step) for step in kept)
    assert run_job(folder) == ExitCode.OK
    assert notes(folder, "Damaged checkpoint set aside") == []
    assert_same_training(folder, reference)
    hidden = [p for p in (folder / "checkpoints").rglob("*") if p.name.startswith(".")]
    assert hidden == []


def whole(folder, step):
    return read_checkpoint(folder, step).load_model() is not None


def test_sigterm_twice_in_the_middle_of_saving_ends_in_order(busy, tmp_path):
    spec, reference = busy
    folder = tmp_path / "run"
    freeze_spec(folder, spec)
    process = begin_slow(folder)
    for _ in range(2):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.02)
    assert process.wait() == ExitCode.OK
    stopped = ended(folder)
    assert stopped.state == "stopped"
    assert checkpoint_steps(folder)[-1] == saved_steps(folder)[-1] == stopped.step
    assert run_job(folder) == ExitCode.OK
    assert resumed_steps(folder) == [stopped.step]
    assert_same_training(folder, reference)

"""However a run of several processes ends: nothing hangs, nothing is left over, all is told."""

import shutil

import numpy as np
import pytest
from distributed_for_tests import (
    PATIENCE_S,
    core,
    output_of,
    running,
    several_spec,
    start,
    workers_of,
)
from train_for_tests import assert_same_training, ended, journal, make_corpus, rows, saved_steps

from trainer_core import protocol
from trainer_core.errors import ExitCode, KnownError
from trainer_core.records import PlanChanged
from trainer_core.status import read_status
from trainer_core.train.checkpoints.folders import FOLDER, checkpoint_steps, folder_name

pytestmark = pytest.mark.slow
FOREVER = 1_000_000


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize("rank", [1, 0])
def test_a_dead_process_ends_the_run_with_a_word_about_it(corpus, tmp_path, rank):
    folder = tmp_path / "run"
    with running(folder, several_spec(corpus, steps=FOREVER)) as launcher:
        workers_of(launcher)[rank].kill()
    assert launcher.returncode == ExitCode.KNOWN_ERROR
    assert ended(folder).state == "failed"
    assert f"Process {rank + 1} of 2 died: it was ended by SIGKILL" in ended(folder).what
    assert f"step {saved_steps(folder)[-1]:,} is whole" in ended(folder).safe
    status = read_status(folder)
    assert (status.state, status.alive, status.resumable) == ("failed", False, True)
    assert not list(folder.glob(".rank-*"))


def test_without_their_launcher_they_save_and_stop(corpus, tmp_path):
    folder = tmp_path / "run"
    with running(folder, several_spec(corpus, steps=FOREVER)) as launcher:
        launcher.kill()
    assert ended(folder).state == "stopped"
    assert saved_steps(folder)[-1] == ended(folder).step


@pytest.mark.parametrize("how", ["signal", "command"])
def test_when_one_is_asked_all_stop_in_order(corpus, tmp_path, how):
    folder = tmp_path / "run"
    with running(folder, several_spec(corpus, steps=FOREVER)) as launcher:
        if how == "command":
            protocol.send_command(folder, protocol.Stop())
        else:
            launcher.terminate()
    assert launcher.returncode == ExitCode.OK
    assert ended(folder).state == "stopped"
    assert saved_steps(folder)[-1] == ended(folder).step


def test_when_the_first_pauses_in_trouble_the_others_end_with_it(corpus, tmp_path):
    wild = {"lr": 2.0, "weight_decay": 0.0, "clip_norm": 0.0, "schedule": "constant"}
    process = start(tmp_path / "run", several_spec(corpus, steps=5_000, optimizer=wild))
    output = output_of(process)
    assert process.returncode == ExitCode.KNOWN_ERROR, output
    assert ended(tmp_path / "run").state == "paused"
    assert "optimizer.lr" in ended(tmp_path / "run").do
    assert not list((tmp_path / "run").glob(".rank-*"))


def test_all_of_them_take_a_new_plan_at_the_same_step(corpus, tmp_path):
    """Else their weights, which each of them changes by itself, would drift apart."""
    folder = tmp_path / "run"
    spec = several_spec(corpus, steps=FOREVER, optimizer={"schedule": "constant"})
    with running(folder, spec):
        with pytest.raises(KnownError, match="cannot end at step 1"):
            protocol.send_command(folder, protocol.ChangePlan(steps=1), PATIENCE_S)
        protocol.send_command(folder, protocol.ChangePlan(lr=1e-3), PATIENCE_S)
        (changed,) = journal(folder, PlanChanged)
        end = changed.step + 400
        protocol.send_command(folder, protocol.ChangePlan(steps=end), PATIENCE_S)
    assert ended(folder).state == "finished"
    found = rows(folder)
    assert len(found) == end
    rate = found["lr"][5:]
    assert np.array_equal(rate, np.where(found["step"][5:] > changed.step, 1e-3, 1e-2).astype("f4"))
    copy = shutil.copytree(folder, tmp_path / "again")
    shutil.rmtree(copy / FOLDER / folder_name(checkpoint_steps(copy)[-1]))
    again = core("run", copy)
    output = output_of(again)
    assert again.returncode == 0, output
    assert_same_training(copy, folder)

"""However a run of several processes ends: nothing hangs, nothing is left over, all is told."""

import pytest
from distributed_for_tests import output_of, running, several_spec, start, workers_of
from train_for_tests import ended, make_corpus, saved_steps

from trainer_core import protocol
from trainer_core.errors import ExitCode
from trainer_core.status import read_status

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

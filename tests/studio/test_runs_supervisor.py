"""Jobs are started as processes of their own and ended rung by rung; each rung is logged."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from studio.runs.launch import read_launch
from studio.runs.model import JobModel
from studio.runs.supervisor import STUDIO_LOG, Patience, Supervisor
from studio.runs.tail import JobTail
from trainer_core import spec as specs
from trainer_core.errors import DiskFullError, JobFolderError, KnownError, LockedError, SpecError
from trainer_core.protocol import read_owner
from trainer_core.status import read_status

MISBEHAVING = (sys.executable, str(Path(__file__).with_name("jobs_that_misbehave.py")))
IMPATIENT = Patience(listen_s=5, answer_s=1.0, ask_s=3.0, save_s=10, terminate_s=0.5, kill_s=5)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals as Unix has them")


@pytest.fixture
def supervisor(tmp_path):
    supervisor = Supervisor(tmp_path / "home", IMPATIENT, MISBEHAVING)
    yield supervisor
    for path in (tmp_path / "home").rglob("launch.json"):
        launch = read_launch(path.parent)
        if launch.alive:
            os.kill(launch.process.pid, signal.SIGKILL)
    supervisor.close()


def spec(what: str) -> specs.IndexSpec:
    return specs.IndexSpec(corpus=what)


def wait_for(condition, timeout_s: float = 10.0):
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)
    return found


def begun(supervisor: Supervisor, what: str) -> Path:
    """A job of this kind that has said that it runs."""
    folder = supervisor.home / "indexes" / what
    supervisor.start(spec(what), folder)
    wait_for(lambda: read_status(folder).state == "running")
    return folder


def log_of(supervisor: Supervisor) -> str:
    return (supervisor.home / STUDIO_LOG).read_text()


def model_of(folder: Path) -> JobModel:
    model = JobModel(folder)
    model.apply(JobTail(folder).poll())
    return model


def test_a_job_runs_in_a_session_of_its_own_and_leaves_no_zombie(supervisor):
    folder = supervisor.home / "indexes" / "finish"
    pid = supervisor.start(spec("finish"), folder)
    assert os.getsid(pid) == pid != os.getsid(0)
    wait_for(lambda: read_status(folder).state == "finished")
    wait_for(lambda: supervisor.reap() or not psutil.pid_exists(pid))
    assert "finish: started as process" in log_of(supervisor)
    assert "ended with 0" in log_of(supervisor)
    assert specs.load(folder / "spec.toml") == spec("finish")


def test_a_job_outlives_the_process_that_started_it(tmp_path):
    folder = tmp_path / "job"
    code = (
        "import sys; from pathlib import Path\n"
        "from studio.runs.supervisor import Supervisor\n"
        "from trainer_core.spec import IndexSpec\n"
        f"s = Supervisor(Path({str(tmp_path)!r}), None, {MISBEHAVING!r})\n"
        f"print(s.start(IndexSpec(corpus='listen'), Path({str(folder)!r})), flush=True)\n"
        "import os; os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL
    pid = int(killed.stdout)
    wait_for(lambda: read_status(folder).state == "running")
    time.sleep(0.2)
    assert read_status(folder).alive
    other = Supervisor(tmp_path, IMPATIENT)
    assert other.stop(folder).result(10) == "asked"
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie"
    other.close()


def test_two_jobs_cannot_have_one_folder(supervisor):
    folder = begun(supervisor, "listen")
    with pytest.raises(LockedError, match="already"):
        supervisor.resume(folder)
    with pytest.raises(JobFolderError, match="another job"):
        supervisor.start(spec("busy"), folder)
    with pytest.raises(JobFolderError, match="no job"):
        supervisor.resume(supervisor.home / "nowhere")
    assert supervisor.stop(folder).result(10) == "asked"


def test_a_folder_with_a_spec_that_cannot_be_read_is_left_alone(supervisor):
    folder = supervisor.home / "indexes" / "odd"
    folder.mkdir(parents=True)
    (folder / "spec.toml").write_text("verb = 'dance'")
    with pytest.raises(SpecError):
        supervisor.start(spec("finish"), folder)
    assert (folder / "spec.toml").read_text() == "verb = 'dance'"


def test_a_folder_that_cannot_be_made_is_named(supervisor, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(KnownError, match="settings"):
        supervisor.start(spec("finish"), tmp_path / "file" / "job")


def test_a_full_disk_starts_nothing_and_leaves_no_half_written_spec(supervisor, monkeypatch):
    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    folder = supervisor.home / "indexes" / "full"
    with pytest.raises(DiskFullError, match="settings"):
        supervisor.start(spec("finish"), folder)
    assert list(folder.iterdir()) == []


def test_a_paused_job_ends_in_order_and_goes_on_where_it_stopped(supervisor):
    folder = begun(supervisor, "listen")
    supervisor.pause(folder).result(10)
    wait_for(lambda: read_status(folder).state == "paused")
    wait_for(lambda: read_owner(folder) is None)
    supervisor.resume(folder)
    wait_for(lambda: read_status(folder).state == "running")
    assert read_status(folder).sessions == 2
    assert supervisor.stop(folder).result(10) == "asked"
    assert read_status(folder).state == "stopped"


def test_a_stop_that_is_heard_needs_no_signal(supervisor):
    folder = begun(supervisor, "listen")
    assert supervisor.stop(folder).result(10) == "asked"
    log = log_of(supervisor)
    assert "stop was accepted" in log
    assert "SIGTERM" not in log
    assert supervisor.stop(folder).result(10) == "not_running"


def test_a_job_that_was_just_started_is_given_time_to_listen(supervisor):
    folder = supervisor.home / "indexes" / "slow_start"
    supervisor.start(spec("slow_start"), folder)
    assert supervisor.stop(folder).result(10) == "asked"
    assert read_status(folder).state == "stopped"


def test_saving_is_not_cut_short(supervisor):
    folder = begun(supervisor, "save_slowly")
    assert supervisor.stop(folder).result(10) == "asked"
    assert read_status(folder).state == "stopped"
    assert "SIGTERM" not in log_of(supervisor)


def test_a_job_that_does_not_listen_is_terminated(supervisor):
    folder = begun(supervisor, "deaf")
    assert supervisor.stop(folder).result(10) == "terminated"
    log = log_of(supervisor)
    assert log.index("SIGTERM") > 0
    assert "SIGKILL" not in log
    assert model_of(folder).state == "killed"


@pytest.mark.parametrize("what", ["busy", "frozen"])
def test_a_job_that_ignores_even_that_is_killed_and_shown_as_killed(supervisor, what):
    folder = begun(supervisor, what)
    assert supervisor.stop(folder).result(20) == "killed"
    log = log_of(supervisor)
    assert 0 < log.index("SIGTERM") < log.index("SIGKILL") < log.index("stop: killed")
    assert model_of(folder).state == "killed"


def test_a_command_to_a_job_that_is_gone_says_so(supervisor):
    folder = begun(supervisor, "listen")
    assert supervisor.stop(folder).result(10) == "asked"
    with pytest.raises(KnownError, match="Nothing answers"):
        supervisor.checkpoint_now(folder).result(10)
    with pytest.raises(KnownError):
        supervisor.pause(folder).result(10)


def test_a_command_that_the_job_does_not_take_is_refused_in_its_words(supervisor):
    folder = begun(supervisor, "listen")
    with pytest.raises(KnownError, match="does not take"):
        supervisor.checkpoint_now(folder).result(10)
    assert "was not taken" in log_of(supervisor)
    assert supervisor.stop(folder).result(10) == "asked"


def test_a_job_that_dies_before_its_first_record_shows_the_end_of_its_log(supervisor):
    folder = supervisor.home / "indexes" / "broken"
    supervisor.start(spec("broken"), folder)
    wait_for(lambda: supervisor.reap() or model_of(folder).state == "failed")
    model = model_of(folder)
    assert "this installation is broken" in model.error.details
    assert model.status.resumable


def test_closing_does_not_wait_for_a_job_that_will_not_end(supervisor):
    folder = begun(supervisor, "busy")
    future = supervisor.stop(folder)
    time.sleep(0.3)
    began = time.monotonic()
    supervisor.close()
    assert time.monotonic() - began < 2.0
    assert future.result(0) == "left"
    assert read_status(folder).alive


def test_the_real_core_is_started_the_same_way(tmp_path):
    (tmp_path / "text.txt").write_text("A line of text.\n" * 2000)
    spec = specs.PrepareSpec(
        source=specs.TextFiles(paths=(str(tmp_path / "text.txt"),)),
        tokenizer=specs.ByteTokenizer(),
    )
    supervisor = Supervisor(tmp_path / "home")
    folder = tmp_path / "home" / "data" / "text"
    supervisor.start(spec, folder)
    wait_for(lambda: read_status(folder).ended, 60)
    model = model_of(folder)
    wait_for(lambda: read_owner(folder) is None)
    supervisor.close()
    assert (model.verb, model.state) == ("prepare", "finished"), model.error
    assert (folder / "corpus").is_dir()

"""Jobs: one lock, one journal, one way to end, however they end."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from trainer_core import job as jobs
from trainer_core import job_folder, protocol
from trainer_core.errors import ExitCode, JobFolderError, LockedError, SpecError
from trainer_core.job import run_job
from trainer_core.journal import read_records
from trainer_core.records import Ended, JobStarted, Progress, Result
from trainer_core.spec import IndexSpec
from trainer_core.status import read_status

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def test_verbs(monkeypatch):
    monkeypatch.setitem(jobs.VERB_MODULES, "index", "verbs_for_tests")


def spec(what):
    return IndexSpec(corpus=what)


def start_process(folder, what):
    """A real process that runs one of the test verbs."""
    program = f"""
        import sys
        sys.path.insert(0, {str(HERE)!r})
        from pathlib import Path
        from trainer_core import job
        from trainer_core.spec import IndexSpec
        job.VERB_MODULES["index"] = "verbs_for_tests"
        sys.exit(job.run_job(Path({str(folder)!r}), IndexSpec(corpus={what!r})))
    """
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stderr=subprocess.PIPE, text=True
    )


def wait_for(path, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.01)


def test_a_job_tells_its_story_in_the_journal(tmp_path):
    assert run_job(tmp_path / "j", spec("finish")) == ExitCode.OK
    records, _ = read_records(tmp_path / "j" / "journal.bin")
    assert isinstance(records[0], JobStarted)
    assert records[0].pid == os.getpid()
    progress = [r for r in records if isinstance(r, Progress)]
    assert progress[-1].done == progress[-1].total == 100
    assert len(progress) < 20, "progress is throttled"
    assert isinstance(records[-2], Result)
    assert records[-2].values == {"count": 100}
    assert records[-1].state == "finished"
    status = read_status(tmp_path / "j")
    assert (status.state, status.alive, status.result) == ("finished", False, {"count": 100})
    assert status.notes[0].title == "Counted"


def test_a_known_error_is_the_last_record_with_all_its_parts(tmp_path):
    assert run_job(tmp_path / "j", spec("fail")) == ExitCode.KNOWN_ERROR
    ended = read_status(tmp_path / "j").ended
    assert (ended.what, ended.safe, ended.do, ended.field) == (
        "The text is gone.",
        "The corpus is whole.",
        "Find it.",
        "corpus",
    )


def test_a_full_disk_is_told_from_a_bug(tmp_path):
    assert run_job(tmp_path / "j", spec("no_space")) == ExitCode.DISK_FULL
    ended = read_status(tmp_path / "j").ended
    assert "disk is full" in ended.what
    assert ended.details == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a file that is always full")
def test_a_log_on_a_full_disk_says_nothing_of_its_own(tmp_path, capfd):
    (tmp_path / "j").mkdir()
    (tmp_path / "j" / "log.txt").symlink_to("/dev/full")
    assert run_job(tmp_path / "j", spec("fail")) == ExitCode.KNOWN_ERROR
    assert "Logging error" not in capfd.readouterr().err


def test_a_bug_keeps_its_traceback(tmp_path, capsys):
    assert run_job(tmp_path / "j", spec("bug")) == ExitCode.BUG
    ended = read_status(tmp_path / "j").ended
    assert "ZeroDivisionError" in ended.what
    assert "return 1 // 0" in ended.details
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert "ZeroDivisionError" in (tmp_path / "j" / "log.txt").read_text()


def test_the_spec_is_frozen(tmp_path):
    run_job(tmp_path / "j", spec("finish"))
    with pytest.raises(JobFolderError, match="another job"):
        run_job(tmp_path / "j", spec("fail"))
    assert run_job(tmp_path / "j") == ExitCode.OK
    assert read_status(tmp_path / "j").sessions == 2


def test_a_folder_without_a_spec_is_refused(tmp_path):
    with pytest.raises(SpecError):
        run_job(tmp_path)


def test_sigterm_ends_a_job_in_order(tmp_path):
    process = start_process(tmp_path / "j", "wait_for_stop")
    wait_for(tmp_path / "j" / "waiting")
    process.terminate()
    assert process.wait(20) == 0
    status = read_status(tmp_path / "j")
    assert (status.state, status.alive, status.resumable) == ("stopped", False, True)


@pytest.mark.parametrize(
    ("command", "state"), [(protocol.Pause(), "paused"), (protocol.Stop(), "stopped")]
)
def test_a_command_ends_a_job_in_order(tmp_path, command, state):
    process = start_process(tmp_path / "j", "wait_for_stop")
    wait_for(tmp_path / "j" / "waiting")
    assert read_status(tmp_path / "j").alive
    protocol.send_command(tmp_path / "j", command)
    assert process.wait(20) == 0
    assert read_status(tmp_path / "j").state == state


def test_a_command_that_the_verb_does_not_take_is_refused(tmp_path):
    process = start_process(tmp_path / "j", "wait_for_stop")
    wait_for(tmp_path / "j" / "waiting")
    with pytest.raises(Exception, match="does not take `generate`"):
        protocol.send_command(tmp_path / "j", protocol.Generate(request=1, prompt=""))
    process.terminate()
    assert process.wait(20) == 0


def test_a_killed_job_is_shown_as_killed_and_runs_again(tmp_path):
    process = start_process(tmp_path / "j", "die")
    assert process.wait(20) == -signal.SIGKILL
    status = read_status(tmp_path / "j")
    assert (status.state, status.alive, status.resumable) == ("killed", False, True)
    assert run_job(tmp_path / "k", spec("finish")) == ExitCode.OK


def test_one_folder_has_one_process(tmp_path, monkeypatch):
    monkeypatch.setattr(job_folder, "LOCK_PATIENCE_S", 0.2)
    process = start_process(tmp_path / "j", "wait_for_stop")
    wait_for(tmp_path / "j" / "waiting")
    with pytest.raises(LockedError, match=str(process.pid)):
        run_job(tmp_path / "j")
    process.terminate()
    assert process.wait(20) == 0


def test_a_job_runs_jobs_of_its_own(tmp_path):
    assert run_job(tmp_path / "j", spec("run_a_child")) == ExitCode.OK
    assert read_status(tmp_path / "j" / "child").state == "finished"


def test_a_stop_reaches_the_child_and_its_parent(tmp_path):
    assert run_job(tmp_path / "j", spec("stop_in_a_child")) == ExitCode.OK
    assert read_status(tmp_path / "j" / "child").state == "stopped"
    assert read_status(tmp_path / "j").state == "stopped"


@pytest.mark.parametrize("to", ["parent", "child"])
def test_a_command_to_either_ends_both(tmp_path, to):
    parent = tmp_path / "j"
    process = start_process(parent, "wait_in_a_child")
    wait_for(parent / "child" / "waiting")
    protocol.send_command(parent if to == "parent" else parent / "child", protocol.Pause())
    assert process.wait(20) == 0
    assert read_status(parent).state == read_status(parent / "child").state == "paused"


def test_a_newer_journal_is_refused_and_untouched(tmp_path):
    run_job(tmp_path / "j", spec("finish"))
    path = tmp_path / "j" / "journal.bin"
    data = bytearray(path.read_bytes())
    data[7] += 1
    path.write_bytes(data)
    with pytest.raises(JobFolderError, match="newer"):
        run_job(tmp_path / "j")
    assert path.read_bytes() == data


def test_the_disk_filling_up_under_the_journal_gives_its_exit_code(tmp_path, monkeypatch):
    real = jobs.JournalWriter.append

    def full(self, record, *, sync=True):
        if isinstance(record, Ended):
            raise OSError(28, "No space left on device")
        real(self, record, sync=sync)

    monkeypatch.setattr(jobs.JournalWriter, "append", full)
    assert run_job(tmp_path / "j", spec("finish")) == ExitCode.DISK_FULL
    monkeypatch.undo()
    assert read_status(tmp_path / "j").state == "killed"


def test_a_read_only_folder_is_a_known_error(tmp_path):
    if os.getuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(Exception, match="writing the job's settings"):
        run_job(tmp_path / "j", spec("finish"))

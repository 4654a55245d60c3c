"""The command line: plain answers, exit codes, errors without tracebacks."""

import json
import subprocess
import sys

import pytest

from trainer_core import spec as specs
from trainer_core.__main__ import _sentence, main
from trainer_core.errors import ExitCode
from trainer_core.job import freeze_spec
from trainer_core.records import Held
from trainer_core.status import JobStatus


def test_a_template_can_be_read_back(capsys):
    for verb in specs.VERBS:
        assert main(["template", verb]) == 0
        assert specs.verb_of(specs.from_toml(capsys.readouterr().out)) == verb


def test_an_error_is_three_sentences_and_no_traceback(capsys, tmp_path):
    assert main(["run", str(tmp_path)]) == ExitCode.USAGE
    error = capsys.readouterr().err
    assert "cannot be read" in error
    assert "Traceback" not in error


def test_status_of_a_job_that_never_ran(capsys, tmp_path):
    freeze_spec(tmp_path / "j", specs.IndexSpec(corpus="c"))
    assert main(["status", str(tmp_path / "j")]) == 0
    assert "unborn" in capsys.readouterr().out
    assert main(["status", str(tmp_path / "j"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "unborn"


def test_status_of_nothing_is_an_error(capsys, tmp_path):
    assert main(["status", str(tmp_path / "none")]) == ExitCode.KNOWN_ERROR
    assert "not a job folder" in capsys.readouterr().err


def test_a_command_to_nobody_is_an_error(capsys, tmp_path):
    assert main(["pause", str(tmp_path)]) == ExitCode.KNOWN_ERROR
    assert "Nothing answers" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--minutes", "0"], ["--seed", "-1"], ["--steps", "-5"]])
def test_absurd_tour_options_are_refused(capsys, tmp_path, options):
    assert main(["tour", str(tmp_path / "t"), *options]) == ExitCode.USAGE
    assert "cannot be used" in capsys.readouterr().err
    assert not (tmp_path / "t").exists()


def test_the_contract_and_the_command_line_start_without_torch():
    program = (
        "import sys, trainer_core.__main__ as m; m.main(['template', 'train']);"
        "sys.exit('torch' in sys.modules or 'numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True).returncode == 0


def test_status_says_why_a_training_waits():
    held = Held(step=30, reason="the computer runs on its battery")
    waiting = JobStatus(verb="train", state="waiting", alive=True, pid=7, held=held)
    assert _sentence(waiting) == ("train: waiting; process 7; the computer runs on its battery")

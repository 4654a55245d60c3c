"""What a run remembers of what it ran on and with."""

import subprocess
import threading
import time

import pytest
from train_for_tests import journal, make_corpus, tiny_spec, trained

from trainer_core import __version__, provenance
from trainer_core.data.corpus import open_corpus
from trainer_core.job import run_job
from trainer_core.provenance import Gathering, source_state
from trainer_core.records import Provenance
from trainer_core.status import read_status


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("provenance"))


def git(folder, *arguments):
    names = ["-c", "user.name=A", "-c", "user.email=a@b.example"]
    command = ["git", "-C", str(folder), *names, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_each_session_of_a_training_records_what_it_runs_on(corpus, tmp_path):
    folder = trained(tmp_path / "run", tiny_spec(corpus, steps=6))
    (found,) = journal(folder, Provenance)
    assert found.versions["hearth"] == __version__
    assert {"python", "torch", "numpy", "system"} <= found.versions.keys()
    assert found.hardware["cpu"]
    assert int(found.hardware["cores"]) >= 1
    assert found.hardware["ram"].endswith(" GiB")
    assert found.data["corpus"] == open_corpus(corpus).fingerprint
    assert "index" not in found.data
    assert read_status(folder).provenance == found
    assert read_status(folder).device == found.hardware["device"]
    assert run_job(folder) == 0  # it has nothing left to do
    assert len(journal(folder, Provenance)) == 1


def test_the_programs_own_repository_is_told_with_what_was_changed(tmp_path):
    (tmp_path / "trainer_core").mkdir()
    (tmp_path / "trainer_core" / "a.py").write_text("a = 1\n")
    assert source_state(tmp_path) == {}
    git(tmp_path, "init", "-q")
    assert source_state(tmp_path) == {}  # nothing was committed yet
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert source_state(tmp_path) == {"commit": commit, "changed": "no"}
    (tmp_path / "trainer_core" / "a.py").write_text("a = 2\n")
    assert source_state(tmp_path) == {"commit": commit, "changed": "1 file"}


def test_a_repository_around_the_program_is_not_its_own(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "program").mkdir()
    assert source_state(tmp_path / "program") == {}


def test_what_takes_too_long_is_left_out(tmp_path, monkeypatch):
    slow = threading.Event()
    monkeypatch.setattr(provenance, "_hardware", lambda: {"cpu": "x"} if slow.wait(60) else {})
    began = time.monotonic()
    found = Gathering(tmp_path).record("a device", {"corpus": "abc", "index": ""}, 0.02)
    slow.set()
    assert time.monotonic() - began < 30
    assert found.hardware == {"device": "a device"}
    assert found.data == {"corpus": "abc"}


def test_what_fails_is_left_out_and_the_rest_is_there(tmp_path, monkeypatch):
    def broken():
        raise RuntimeError("the driver is half gone")

    monkeypatch.setattr(provenance, "_hardware", broken)
    found = Gathering(tmp_path).record("a device", {}, 30.0)
    assert found.hardware == {"device": "a device"}
    assert found.versions["hearth"] == __version__


def test_without_git_there_is_no_word_of_it(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert source_state(tmp_path) == {}

"""The verb `prepare`: a whole corpus or none, whatever happens meanwhile."""

import errno
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from data_for_tests import numbered_texts, prepare_spec, records

from trainer_core import spec as specs
from trainer_core.data.corpus import open_corpus
from trainer_core.data.preparing import growing
from trainer_core.data.preparing.build import build_corpus
from trainer_core.errors import ExitCode
from trainer_core.job import run_job
from trainer_core.records import Noted, Progress
from trainer_core.spec import (
    BpeTokenizer,
    PrepareSpec,
    PythonLibrary,
)
from trainer_core.status import read_status


@pytest.fixture
def texts(tmp_path):
    return numbered_texts(tmp_path / "texts")


def content_of(folder):
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


# --- the job -----------------------------------------------------------------------------------


def test_a_job_leaves_a_corpus_and_says_what_is_in_it(texts, tmp_path):
    (texts / "binary.txt").write_bytes(b"\0")
    (texts / "twin.txt").write_bytes((texts / "03.txt").read_bytes())
    folder = tmp_path / "job"
    assert run_job(folder, prepare_spec(texts, name="letters")) == ExitCode.OK
    corpus = open_corpus(folder / "corpus", verify=True)
    values = read_status(folder).result
    assert values["corpus"] == "corpus"
    assert values["name"] == corpus.manifest.name == "letters"
    assert values["fingerprint"] == corpus.fingerprint
    assert values["vocab_size"] == corpus.vocab_size == corpus.tokenizer.vocab_size
    assert values["documents"] == 30
    assert values["tokens"] == corpus.train.n_tokens + corpus.validation.n_tokens
    assert values["bytes"] == sum(
        path.stat().st_size for path in texts.iterdir() if path.stem.isdigit()
    )
    assert values["bytes_per_token"] == values["bytes"] / (values["tokens"] - 30)
    assert values["skipped"] == {"binary": 1, "duplicate": 1}
    assert values["duplicates"] == 1
    assert values["seconds"] > 0
    progress = records(folder, Progress)
    assert len(progress) < 30, "progress is throttled"
    assert all(0 <= record.done <= record.total for record in progress)
    phases = list(dict.fromkeys(record.phase for record in progress))
    assert phases == [
        "looking for files",
        "reading",
        "learning the tokenizer",
        "tokenising",
        "hashing",
        "counting tokens",
        "saving",
    ]
    notes = records(folder, Noted)
    assert [(n.level, n.title) for n in notes] == [
        ("warning", "Left out 1: not text: NUL bytes inside"),
        ("info", "Left out 1: the same text as an earlier document"),
    ]
    assert str(texts / "binary.txt") in notes[0].text


def test_running_a_finished_job_again_changes_nothing(texts, tmp_path):
    folder = tmp_path / "job"
    run_job(folder, prepare_spec(texts))
    before, values = content_of(folder / "corpus"), read_status(folder).result
    for path in texts.iterdir():
        path.unlink()
    assert run_job(folder) == ExitCode.OK
    assert content_of(folder / "corpus") == before
    assert {**read_status(folder).result, "seconds": values["seconds"]} == values


def test_a_finished_corpus_that_was_damaged_is_not_overwritten(texts, tmp_path):
    folder = tmp_path / "job"
    run_job(folder, prepare_spec(texts))
    (folder / "corpus" / "manifest.json").write_text("{}")
    assert run_job(folder) == ExitCode.KNOWN_ERROR
    assert "manifest.json" in read_status(folder).ended.what


def test_a_source_that_is_missing_fails_the_job_and_names_the_field(tmp_path):
    folder = tmp_path / "job"
    assert run_job(folder, prepare_spec(tmp_path / "nowhere")) == ExitCode.KNOWN_ERROR
    ended = read_status(folder).ended
    assert ended.field == "source.paths[0]"
    assert "nowhere" in ended.what
    assert not (folder / "corpus").exists()
    assert not (folder / "corpus.partial").exists()


def start(folder):
    command = [sys.executable, "-m", "trainer_core", "run", str(folder)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def big_job(tmp_path, **settings):
    """A job folder with a job that takes some seconds."""
    folder = tmp_path / "job"
    folder.mkdir()
    source = PythonLibrary(max_bytes=16_000_000)
    frozen = PrepareSpec(source=source, tokenizer=BpeTokenizer(vocab_size=2000), **settings)
    (folder / "spec.toml").write_text(specs.to_toml(frozen))
    return folder


def wait_for_phase(folder, phase):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if (folder / "journal.bin").exists() and phase in {
            record.phase for record in records(folder, Progress)
        }:
            return
        time.sleep(0.02)
    raise AssertionError(f"the job never came to {phase}")


@pytest.mark.parametrize("phase", ["learning the tokenizer", "tokenising"])
def test_a_stopped_job_ends_well_and_says_that_it_can_go_on(tmp_path, phase):
    folder = big_job(tmp_path)
    process = start(folder)
    wait_for_phase(folder, phase)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0, process.stderr.read()
    assert read_status(folder).state == "stopped"
    assert not (folder / "corpus").exists()
    assert (folder / "corpus.partial" / "journal.json").exists()
    assert [note.title for note in records(folder, Noted)] == ["What was done so far is kept"]


def test_what_an_older_version_left_is_begun_anew_and_gives_the_same_corpus(texts, tmp_path):
    whole = build_corpus(prepare_spec(texts), tmp_path / "whole")
    folder = tmp_path / "job"
    folder.mkdir()
    (folder / "spec.toml").write_text(specs.to_toml(prepare_spec(texts)))
    # An unfinished corpus without a journal.
    (folder / "corpus.partial" / "train").mkdir(parents=True)
    (folder / "corpus.partial" / "train" / "tokens-00000.bin").write_bytes(b"half")
    process = start(folder)
    assert process.wait(60) == 0, process.stderr.read()
    corpus = open_corpus(folder / "corpus", verify=True)
    assert corpus.fingerprint == whole.fingerprint
    assert not (folder / "corpus.partial").exists()


@pytest.mark.slow
def test_killing_the_job_at_any_moment_leaves_a_whole_corpus_or_none(tmp_path):
    folder = big_job(tmp_path)
    rng = np.random.default_rng(5)
    for _ in range(5):
        process = start(folder)
        time.sleep(float(rng.uniform(0.4, 4.0)))
        process.kill()
        process.wait()
        if (folder / "corpus").exists():
            open_corpus(folder / "corpus", verify=True)
    process = start(folder)
    assert process.wait(120) == 0, process.stderr.read()
    open_corpus(folder / "corpus", verify=True)
    whole = build_corpus(specs.load(folder / "spec.toml"), tmp_path / "whole")
    names = content_of(whole.folder)
    assert names.keys() == content_of(folder / "corpus").keys()
    for name in names:
        assert (whole.folder / name).read_bytes() == (folder / "corpus" / name).read_bytes()
    assert not (folder / "corpus.partial").exists()


def test_a_full_disk_leaves_no_corpus_and_is_gone_on_from(texts, tmp_path, monkeypatch):
    append = growing.GrowingFile.append

    def append_on_full_disk(file, data):
        if file.path.name.startswith("tokens-"):
            raise OSError(errno.ENOSPC, "No space left on device", str(file.path))
        append(file, data)

    monkeypatch.setattr(growing.GrowingFile, "append", append_on_full_disk)
    folder = tmp_path / "job"
    assert run_job(folder, prepare_spec(texts)) == ExitCode.DISK_FULL
    assert "The disk is full" in read_status(folder).ended.what
    assert not (folder / "corpus").exists()
    monkeypatch.undo()
    assert run_job(folder) == ExitCode.OK
    assert [note.title for note in records(folder, Noted)] == [
        "Going on where the work was interrupted"
    ]
    assert (
        read_status(folder).result["fingerprint"]
        == build_corpus(prepare_spec(texts), tmp_path / "whole").fingerprint
    )
    assert not (folder / "corpus.partial").exists()

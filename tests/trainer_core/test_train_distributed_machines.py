"""A run on two machines, both of them this one: only the loopback network connects them."""

import contextlib
import os
import shutil
import signal

import psutil
import pytest
from distributed_for_tests import (
    core,
    free_port,
    output_of,
    several_spec,
    start,
    wait_for_note,
    wait_for_step,
)
from train_for_tests import ended, make_corpus, notes, saved_steps

from trainer_core.errors import ExitCode
from trainer_core.status import read_status

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("data"))


def on_two(corpus, **sections):
    """A run of two machines with a process each."""
    machines = {"processes": 1, "machines": 2, "port": free_port()}
    return several_spec(corpus, distributed=machines, **sections)


@contextlib.contextmanager
def joined(spec, *options):
    """The second machine; whatever it leaves behind is ended."""
    address = f"127.0.0.1:{spec.distributed.port}"
    process = core("join", address, "--machine", 2, *options)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def test_the_second_machine_comes_by_the_command_that_is_shown(corpus, tmp_path):
    elsewhere = shutil.copytree(corpus, tmp_path / "elsewhere")
    spec, folder = on_two(corpus, steps=1_000_000), tmp_path / "run"
    main = start(folder, spec)
    wait_for_note(folder, "Waiting for the other machines", main)
    (note,) = notes(folder, "Waiting for the other machines")
    assert f"hearth-core join 127.0.0.1:{spec.distributed.port} --machine 2" in note.text
    with joined(spec, "--corpus", elsewhere) as second:
        wait_for_step(folder, 10, main)
        second.terminate()  # whoever is asked, all stop
        assert "The run has ended" in output_of(second)
        assert second.returncode == ExitCode.OK
    assert "hearth-core join" in output_of(main)
    assert main.returncode == ExitCode.OK
    assert ended(folder).state == "stopped"
    assert saved_steps(folder)[-1] == ended(folder).step


def test_a_machine_without_the_corpus_ends_the_run_in_clear_words(corpus, tmp_path):
    spec, folder = on_two(corpus), tmp_path / "run"
    main = start(folder, spec)
    with joined(spec, "--corpus", tmp_path / "nothing") as second:
        assert "nothing" in output_of(second)
        assert second.returncode == ExitCode.KNOWN_ERROR
    output_of(main)
    assert main.returncode == ExitCode.KNOWN_ERROR
    assert "Process 2 of 2 on" in ended(folder).what
    assert "nothing" in ended(folder).what


def test_a_machine_that_vanishes_ends_the_run_in_clear_words(corpus, tmp_path):
    spec, folder = on_two(corpus, steps=1_000_000), tmp_path / "run"
    main = start(folder, spec)
    with joined(spec) as second:
        wait_for_step(folder, 10, main)
        for process in psutil.Process(second.pid).children(recursive=True):
            process.kill()
        second.kill()
        output_of(main)
    assert main.returncode == ExitCode.KNOWN_ERROR
    assert "on another machine" in ended(folder).what
    assert read_status(folder).resumable

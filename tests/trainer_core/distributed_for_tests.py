"""Trainings of several processes, as the studio and the command line start them."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

import psutil
from train_for_tests import journal, tiny_spec

from trainer_core.job import freeze_spec
from trainer_core.records import CheckpointSaved, Noted
from trainer_core.spec import DistributedConfig

PATIENCE_S = 180.0
"""How long anything may take on a busy computer."""


def several_spec(corpus, *, steps=40, distributed=None, **sections):
    """A tiny training of two processes; float32, so that losses can be compared."""
    config = DistributedConfig(**({"processes": 2} | (distributed or {})))
    sections.setdefault("precision", "fp32")
    return tiny_spec(corpus, steps=steps, distributed=config, **sections)


def core(*arguments, **options):
    """`hearth-core` with these arguments, in a session of its own."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "trainer_core", *map(str, arguments)]
    return subprocess.Popen(
        command,
        env=environment,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def start(folder, spec):
    """The launcher of a run in its folder."""
    freeze_spec(folder, spec)
    return core("run", folder)


def output_of(process):
    """What a process that has to end by now has written."""
    return process.communicate(timeout=PATIENCE_S)[0]


def finish(folder, spec):
    """A run to its end; its folder."""
    process = start(folder, spec)
    output = output_of(process)
    assert process.returncode == 0, output
    return folder


@contextlib.contextmanager
def running(folder, spec, step=10):
    """A run that has saved a checkpoint; whatever it leaves behind fails the test."""
    process = start(folder, spec)
    try:
        wait_for_step(folder, step, process)
        everyone = psutil.Process(process.pid).children(recursive=True)
        yield process
        output = output_of(process)
        _, left = psutil.wait_procs(everyone, timeout=20.0)
        assert not left, output
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def wait_for_step(folder, step, process):
    """Wait until the checkpoint of a step, or a later one, is whole."""
    wait_until(
        lambda: any(saved.step >= step for saved in journal(folder, CheckpointSaved)), process
    )


def wait_for_note(folder, title, process):
    """Wait until the user is told this."""
    wait_until(lambda: any(note.title == title for note in journal(folder, Noted)), process)


def wait_until(is_so, process):
    """Wait while a process runs."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.02)


def workers_of(launcher):
    """The processes of a launcher by their local rank."""
    children = psutil.Process(launcher.pid).children()
    return {int(child.environ()["LOCAL_RANK"]): child for child in children}


def free_port():
    """A port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]

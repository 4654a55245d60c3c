"""kill -9 of the studio, twenty times in one training: the training never notices, nothing is lost.

The studio here is its library and its view of the run, in a process of their own, writing as fast
as the disk allows, so that the kills fall into transactions. Once the whole program is killed too.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from test_kill_trainer import prepare, tiny_training

from studio.runs.model import JobModel
from studio.runs.supervisor import Supervisor
from studio.runs.tail import JobTail
from studio.storage.library import Library
from trainer_core.metrics import read_rows
from trainer_core.protocol import send_command
from trainer_core.protocol.messages import Stop
from trainer_core.status import read_status

KILLS = 20
SIDE = Path(__file__).with_name("studio_to_kill.py")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is a thing of Unix"),
]


def check_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def kill_after(process: subprocess.Popen, seconds: float) -> dict[str, int]:
    """Let it work for a while from its first line on, kill it; the last number of each kind."""
    first = process.stdout.readline()
    assert first, process.stderr.read()
    time.sleep(seconds)
    assert process.poll() is None, process.stderr.read()
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate()
    told: dict[str, int] = {}
    for line in (first + rest).splitlines(keepends=True):
        if line.endswith("\n"):  # the last one may be cut
            kind, number = line.split()
            told[kind] = int(number)
    return told


def looked_at(folder: Path) -> JobModel:
    model = JobModel(folder)
    tail = JobTail(folder)
    while True:
        update = tail.poll()
        model.apply(update)
        if not update.more:
            return model


@pytest.fixture
def training(private_home, monkeypatch):
    """A library with a run that is at work; stopped at the end."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    spec = tiny_training(prepare(private_home), 1_000_000, every_steps=50, keep=2)
    with Library.open(private_home) as library:
        run = library.add_run(library.add_project("P").id, "r")
    supervisor = Supervisor(private_home)
    supervisor.start(spec, run.folder)
    deadline = time.monotonic() + 60
    while read_status(run.folder).state != "running":
        assert time.monotonic() < deadline, (run.folder / "log.txt").read_text()
        time.sleep(0.05)
    yield run
    send_command(run.folder, Stop())
    while read_status(run.folder).ended is None:
        time.sleep(0.05)
    supervisor.close()


def test_a_studio_killed_twenty_times_loses_nothing_and_stops_nothing(training, private_home):
    chance = random.Random(time.time_ns())
    notes = seen = 0
    hot = 0
    for kill in range(KILLS):
        side = subprocess.Popen(
            [sys.executable, str(SIDE), str(private_home), str(training.id)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        told = kill_after(side, chance.uniform(0.0, 0.5))
        assert told["notes"] >= notes, f"kill {kill}: what was kept is gone"
        hot += (private_home / "hearth.db-journal").exists()
        check_database(private_home / "hearth.db")
        with Library.open(private_home) as library:
            kept = library.notes(training.id)
            assert [note.text.split()[1] for note in reversed(kept)] == [
                str(number + 1) for number in range(len(kept))
            ]
            assert len(kept) >= told["notes"], "a note that was kept is lost"
            notes = len(kept)
            facts = library.run(training.id).facts
            assert facts.step >= told.get("step", 0)
            seen = max(seen, facts.step)
        model = looked_at(training.folder)
        assert model.alive
        assert model.step >= seen
        assert np.array_equal(model.steps.column("step"), np.arange(model.step) + 1)
    print(f"{hot} of {KILLS} kills fell into a transaction; {notes} notes, {seen} steps seen")
    status = read_status(training.folder)
    assert status.alive
    assert status.sessions == 1, "the training was never interrupted"
    assert len(read_rows(training.folder / "steps.bin")) >= seen > 0


def test_the_whole_studio_can_be_killed_at_any_moment(training, private_home):
    chance = random.Random(time.time_ns())
    environment = dict(os.environ, HEARTH_HOME=str(private_home), QT_QPA_PLATFORM="offscreen")
    for _ in range(3):
        studio = subprocess.Popen([sys.executable, "-m", "studio"], env=environment)
        time.sleep(chance.uniform(0.3, 3.0))
        assert studio.poll() is None, "the studio ended by itself"
        studio.kill()
        studio.wait()
        check_database(private_home / "hearth.db")
        with Library.open(private_home) as library:
            assert not library.read_only
            assert [run.id for run in library.runs()] == [training.id]
    model = looked_at(training.folder)
    assert model.alive
    assert model.status.sessions == 1
    assert np.array_equal(model.steps.column("step"), np.arange(model.step) + 1)

"""The queue: real processes, started one after the other, none of them twice."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from trainer_core import protocol
from trainer_core.errors import KnownError
from trainer_core.job import freeze_spec
from trainer_core.journal import read_records
from trainer_core.manners import Conditions, Manners, write_manners
from trainer_core.protocol import read_owner
from trainer_core.queueing import at_work
from trainer_core.queueing.at_work import Begun, Computer
from trainer_core.records import ChildStarted, Ended, Held, Noted
from trainer_core.spawn import start_job
from trainer_core.spec import QueueSpec, TrainSpec
from trainer_core.status import read_status
from trainer_core.waiting_list import (
    QUEUE_FILE,
    Entry,
    WaitingList,
    read_reasons,
    write_waiting_list,
)

HERE = Path(__file__).parent
PATIENCE_S = 120.0

TRAINER = textwrap.dedent(f"""
    import sys
    from pathlib import Path
    sys.path.insert(0, {str(HERE)!r})
    from trainer_core import job
    job.VERB_MODULES["train"] = "verbs_for_tests"
    sys.exit(job.run_job(Path(sys.argv[-1])))
""")
QUEUE = textwrap.dedent(f"""
    import sys
    from pathlib import Path
    from trainer_core import job
    from trainer_core.queueing import verb
    verb.CORE = (sys.executable, "-c", {TRAINER!r})
    sys.exit(job.run_job(Path(sys.argv[-1])))
""")


class Home:
    """Runs and their queue."""

    def __init__(self, folder):
        self.runs, self.queue = folder / "runs", folder / "queue"
        self.runs.mkdir()
        freeze_spec(self.queue, QueueSpec(runs=(str(self.runs),), poll_s=0.05))
        self.entries = []
        self.processes = []

    def run(self, name, verb="wait_for_enough", conditions=None):
        folder = self.runs / name
        freeze_spec(folder, TrainSpec(corpus=verb))
        if conditions is not None:
            write_manners(folder, Manners(conditions=conditions, keep_awake=False))
        return folder

    def add(self, name, verb="wait_for_enough", conditions=None):
        folder = self.run(name, verb, conditions)
        self.put([*self.entries, Entry(id=name, folder=str(folder), added_s=time.time())])
        return folder

    def put(self, entries, *, held=False):
        self.entries = list(entries)
        write_waiting_list(self.queue, WaitingList(entries=tuple(self.entries), held=held))

    def start(self):
        process = subprocess.Popen([sys.executable, "-c", QUEUE, "run", str(self.queue)])
        self.processes.append(process)
        return process

    def start_by_hand(self, folder):
        child, _ = start_job(folder, (sys.executable, "-c", TRAINER))
        self.processes.append(child)
        return child

    def starts(self, name):
        with contextlib.suppress(FileNotFoundError):
            return len((self.runs / name / "starts").read_text().split())
        return 0

    def let_end(self, name):
        (self.runs / name / "enough").touch()

    def records(self, *kinds):
        found, _ = read_records(self.queue / "journal.bin")
        return [record for record in found if isinstance(record, kinds)]

    def end(self):
        for process in self.processes:
            process.kill()
            process.wait()
        for folder in self.runs.iterdir():
            owner = read_owner(folder)
            if owner is not None and owner.alive:
                with contextlib.suppress(psutil.NoSuchProcess):
                    psutil.Process(owner.pid).kill()


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path)
    yield made
    made.end()


def wait_for(is_so):
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def finished(folder):
    with contextlib.suppress(KnownError):
        return read_status(folder).ended is not None
    return False


def test_one_after_the_other_a_failing_one_included_and_then_it_ends(home):
    first, second, third = home.add("first"), home.add("second", "fail"), home.add("third")
    queue = home.start()
    wait_for(lambda: home.starts("first"))
    wait_for(lambda: read_reasons(home.queue).get("third"))
    assert not (second / "journal.bin").exists()
    home.let_end("first")
    wait_for(lambda: home.starts("third"))
    home.let_end("third")
    assert queue.wait(PATIENCE_S) == 0
    states = [read_status(folder).state for folder in (first, second, third)]
    assert states == ["finished", "failed", "finished"]
    children = home.records(ChildStarted)
    assert [(c.name, Path(c.folder)) for c in children] == [
        ("first", first),
        ("second", second),
        ("third", third),
    ]
    assert home.records(Ended)[-1].state == "finished"
    assert read_reasons(home.queue) == {}
    log = Path(home.queue / "log.txt").read_text()
    assert "first: started as process" in log


def test_it_waits_for_a_training_that_somebody_else_started(home):
    other = home.run("other")
    home.start_by_hand(other)
    wait_for(lambda: home.starts("other"))
    home.add("mine")
    home.add("next")
    home.start()
    wait_for(lambda: read_status(home.queue).held is not None)
    assert read_status(home.queue).state == "waiting"
    assert read_reasons(home.queue) == {
        "mine": "other is at work",
        "next": "it waits for its turn",
    }
    home.let_end("other")
    wait_for(lambda: home.starts("mine"))
    wait_for(lambda: read_reasons(home.queue) == {"next": "mine is at work"})


def test_conditions_and_a_hold_keep_it_waiting_and_say_why(home):
    home.add("tonight", conditions=Conditions(programs=("no-such-game", "sleep")))
    home.add("now")
    sleep = subprocess.Popen(["sleep", "300"])
    home.processes.append(sleep)
    home.put(home.entries, held=True)
    home.start()
    wait_for(lambda: set(read_reasons(home.queue).values()) == {"the queue is on hold"})
    home.put(home.entries)
    wait_for(lambda: home.starts("now"))
    assert home.starts("tonight") == 0
    home.let_end("now")
    wait_for(lambda: read_reasons(home.queue) == {"tonight": "sleep runs"})
    write_manners(home.runs / "tonight", Manners())
    wait_for(lambda: home.starts("tonight"))
    assert "the queue is on hold" in {held.reason for held in home.records(Held)}


def test_what_a_person_paused_is_left_alone_until_it_is_queued_again(home):
    folder = home.add("run")
    queue = home.start()
    wait_for(lambda: home.starts("run"))
    protocol.send_command(folder, protocol.Pause())
    assert queue.wait(PATIENCE_S) == 0
    assert (home.starts("run"), read_status(folder).state) == (1, "paused")
    home.put([Entry(id="run-2", folder=str(folder), added_s=time.time())])
    home.let_end("run")
    assert home.start().wait(PATIENCE_S) == 0
    assert (home.starts("run"), read_status(folder).state) == (2, "finished")


def test_the_end_of_the_queue_leaves_the_training_alone(home):
    folder = home.add("run")
    queue = home.start()
    wait_for(lambda: home.starts("run"))
    protocol.send_command(home.queue, protocol.Stop())
    assert queue.wait(PATIENCE_S) == 0
    assert home.records(Ended)[-1].state == "stopped"
    assert read_status(folder).alive
    home.let_end("run")
    wait_for(lambda: read_status(folder).state == "finished")


def test_new_entries_and_another_order_are_taken_over_while_it_waits(home):
    home.add("a")
    home.start()
    wait_for(lambda: home.starts("a"))
    b, c = home.add("b"), home.add("c")
    a_entry, b_entry, c_entry = home.entries
    home.put([a_entry, c_entry, b_entry])
    wait_for(lambda: read_reasons(home.queue).get("c") == "a is at work")
    home.let_end("a")
    wait_for(lambda: home.starts("c"))
    assert not (b / "journal.bin").exists()
    home.let_end("c")
    wait_for(lambda: home.starts("b"))
    assert (c / "journal.bin").exists()


def test_what_cannot_be_started_is_said_once_and_passed_over(home):
    gone = home.runs / "gone"
    home.put([Entry(id="gone", folder=str(gone), added_s=time.time())])
    thrown = home.add("thrown")
    (thrown / "trashed.json").write_text("{}")
    damaged = home.add("damaged")
    (damaged / "journal.bin").write_bytes(b"not a journal at all")
    home.add("good")
    queue = home.start()
    wait_for(lambda: home.starts("good"))
    wait_for(
        lambda: (
            read_reasons(home.queue)
            == {
                "gone": "its folder is gone",
                "thrown": "it lies in the trash",
                "damaged": "its folder cannot be read",
            }
        )
    )
    home.let_end("good")
    assert queue.wait(PATIENCE_S) == 0  # nothing of it is worth waiting for
    titles = [note.title for note in home.records(Noted)]
    assert titles == ["A training is passed over"]
    assert [child.name for child in home.records(ChildStarted)] == ["good"]
    assert home.starts("thrown") == 0


def test_what_fails_to_start_is_not_tried_at_every_look(home):
    folder = home.add("run")
    (folder / "log.txt").mkdir()
    home.add("good")
    home.start()
    wait_for(lambda: home.starts("good"))
    home.let_end("good")
    wait_for(lambda: "starting the job failed" in str(read_reasons(home.queue)).lower())
    time.sleep(0.5)
    assert [note.title for note in home.records(Noted)] == ["A training cannot be started"]
    assert len(home.records(ChildStarted)) == 2


def test_a_damaged_list_leaves_the_last_one(home):
    home.add("run")
    home.start()
    wait_for(lambda: home.starts("run"))
    home.add("next")
    wait_for(lambda: read_reasons(home.queue))
    (home.queue / QUEUE_FILE).write_bytes(b"{")
    wait_for(lambda: home.records(Noted))
    home.let_end("run")
    wait_for(lambda: home.starts("next"))
    assert [note.title for note in home.records(Noted)] == ["The list cannot be read"]


def test_a_queue_that_is_killed_at_any_moment_starts_nothing_twice(home):
    names = [f"run{number}" for number in range(6)]
    for name in names:
        home.add(name, "finish")
    home.add("last")
    delay_s, rounds = 0.0, 0
    while not home.starts("last"):
        assert rounds < 200
        queue = home.start()
        began_s = time.monotonic()
        while time.monotonic() - began_s < 0.25 + delay_s and queue.poll() is None:
            time.sleep(0.01)
        os.kill(queue.pid, signal.SIGKILL)
        queue.wait()
        delay_s, rounds = (delay_s + 0.037) % 0.5 + rounds * 0.01, rounds + 1
    home.let_end("last")
    for name in names:
        wait_for(lambda name=name: read_status(home.runs / name).state == "finished")
        assert read_status(home.runs / name).sessions == 1, name
        assert "in use" not in (home.runs / name / "log.txt").read_text()
    assert home.starts("last") == 1
    assert rounds > 1


def test_a_start_that_left_no_trace_is_made_again(home):
    """Killed between its record and the process: the record alone says nothing was started."""
    folder = home.add("run", "finish")
    queue = home.start()
    assert queue.wait(PATIENCE_S) == 0
    for name in ("journal.bin", "launch.json", "owner.json", "log.txt"):
        (folder / name).unlink(missing_ok=True)
    assert home.records(ChildStarted)
    assert home.start().wait(PATIENCE_S) == 0
    assert read_status(folder).state == "finished"


def test_thousands_of_runs_are_looked_at_from_their_dates_alone(home, monkeypatch):
    for number in range(300):
        (home.runs / f"old{number}").mkdir()
        (home.runs / f"old{number}" / "launch.json").write_text("{}")
    computer = Computer([home.runs])
    assert computer.at_work() is None
    monkeypatch.setattr(at_work, "is_alive", lambda folder: pytest.fail(f"{folder} again"))
    assert computer.at_work() is None


def test_a_run_of_before_it_was_queued_has_not_begun(home):
    folder = home.run("run", "finish")
    process = home.start_by_hand(folder)
    assert process.wait(PATIENCE_S) == 0
    begun = Begun()
    assert begun(Entry(id="1", folder=str(folder), added_s=0.0))
    assert not begun(Entry(id="2", folder=str(folder), added_s=time.time()))


def test_it_needs_neither_torch_nor_numba():
    program = (
        "import sys, trainer_core.__main__, trainer_core.queueing.verb;"
        "sys.exit(any(name in sys.modules for name in ('torch', 'numba', 'pyarrow')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0

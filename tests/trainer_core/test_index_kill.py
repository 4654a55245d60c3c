"""Builds and appends that are killed at random moments: whole or absent, and gone on with."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from index_for_tests import source_of

from trainer_core.errors import IndexFileError
from trainer_core.files import draft_beside, replaced_beside
from trainer_core.index import open_index
from trainer_core.index.building import assembly
from trainer_core.index.building.assembly import Settings
from trainer_core.index.building.build import build
from trainer_core.index.building.draft import PLAN_FILE, STEPS_FILE
from trainer_core.index.compiled import COMPILED

VOCAB_SIZE = 300
N_OLDER, N_TOKENS = 150_000, 250_000
CHUNK_BYTES = 700_000  # makes several chunks of the text
RANGE_ENTRIES = 100_000

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(os.name != "posix", reason="processes are forked and killed"),
    pytest.mark.skipif(not COMPILED, reason="builds without numba have one step"),
]


def source(n, seed=1):
    """The first n tokens of documents that quote each other; more tokens begin with the fewer."""
    random = np.random.default_rng(seed)
    text = np.zeros(N_TOKENS, dtype=np.uint16)
    done = 1
    while done < text.size:
        piece = random.integers(1, VOCAB_SIZE, random.integers(5, 200))
        if done > 1000:
            begin = random.integers(0, done - 300)
            piece = np.concatenate([text[begin : begin + 300], piece])
        piece[:1] *= random.random() < 0.7
        text[done : done + piece.size] = piece[: text.size - done]
        done += piece.size
    text[N_OLDER] = 0
    held_out = text[:2000] if text[1999] else text[:1999]
    return source_of(
        text[:n],
        np.flatnonzero(text[:n] == 0),
        held_out,
        np.flatnonzero(held_out == 0),
        vocab_size=VOCAB_SIZE,
    )


def settings(append_to="nothing"):
    return Settings(32, CHUNK_BYTES, 2, RANGE_ENTRIES, append_to=append_to)


def work(action, folder, last_report):
    """What a process that will be killed does; it kills itself at its report of that number."""
    assembly.RESUMABLE_TOKENS = 0
    reports = 0

    def report(*_said):
        nonlocal reports
        reports += 1
        if reports == last_report:
            os.kill(os.getpid(), signal.SIGKILL)

    append_to = "what is there" if action == "append" else "nothing"
    n = N_OLDER if action == "build older" else N_TOKENS
    build(source(n), Path(folder), settings(append_to), report)


NURSERY = """
import json, os, sys, traceback
from trainer_core.index.building.build import warm_up
from test_index_kill import work
import numpy as np

warm_up(np.dtype(np.uint16))
for line in sys.stdin:
    pid = os.fork()
    if not pid:
        try:
            work(*json.loads(line))
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    print(pid, flush=True)
    sys.stdin.readline()
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Nursery:
    """A process that forks others when everything is loaded and compiled."""

    def __init__(self, process):
        self._process = process

    def run(self, action, folder, *, kill_after_s=None, last_report=0):
        """Exit code of a child, or minus the signal that ended it."""
        pid = self._ask(f'["{action}", "{folder}", {last_report}]')
        if kill_after_s is not None:
            time.sleep(kill_after_s)
            os.kill(pid, signal.SIGKILL)  # until it is waited for, its number is its own
        return self._ask("wait for it")

    def _ask(self, line):
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def nursery_process():
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": f"{here.parents[1]}{os.pathsep}{here}"}
    with subprocess.Popen(
        [sys.executable, "-c", NURSERY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        yield Nursery(process)
        process.stdin.close()


@pytest.fixture(scope="module")
def nursery():
    with nursery_process() as found:
        yield found


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def whole(nursery, tmp_path_factory):
    """The content of an uninterrupted index, and in how many seconds it is made."""
    folder = tmp_path_factory.mktemp("whole") / "index"
    taken_s = []
    for _ in range(3):
        begun_s = time.monotonic()
        assert nursery.run("build", folder) == 0
        taken_s.append(time.monotonic() - begun_s)
    assert build(source(N_TOKENS), folder.with_name("again"), settings()).chunks > 2
    assert contents(folder.with_name("again")) == contents(folder)
    return contents(folder), min(taken_s)


def still_open(folder):
    """Tokens of the index in a folder, verified; None where there is none."""
    if not folder.exists():
        return None
    return open_index(folder, verify=True).n_tokens


def test_a_build_that_is_killed_again_and_again_ends_as_if_it_had_not_been(
    nursery, whole, tmp_path
):
    expected, taken_s = whole
    random = np.random.default_rng(12)
    killed = kept = 0
    for number in range(5):
        folder = tmp_path / f"index-{number}"
        for _ in range(3):
            died = nursery.run("build", folder, kill_after_s=random.uniform(0, 0.8 * taken_s))
            assert died in (0, -signal.SIGKILL)
            killed += died != 0
            assert still_open(folder) in (None, N_TOKENS)
            kept += (draft_beside(folder) / STEPS_FILE).exists()
        assert nursery.run("build", folder) == 0
        assert contents(folder) == expected
    assert sorted(tmp_path.iterdir()) == [tmp_path / f"index-{number}" for number in range(5)]
    assert killed > 4 and kept > 2


def test_a_build_that_is_killed_at_each_report_goes_on(nursery, whole, tmp_path):
    expected, _ = whole
    folder = tmp_path / "index"
    report = 1
    while nursery.run("build", folder, last_report=report) == -signal.SIGKILL:
        assert still_open(folder) is None
        report += 7  # a later one, as what is finished is not reported again
    assert report > 20
    assert contents(folder) == expected
    assert list(tmp_path.iterdir()) == [folder]


def test_the_older_index_stays_until_the_new_one_is_whole(nursery, whole, tmp_path):
    expected, taken_s = whole
    random = np.random.default_rng(13)
    folder = tmp_path / "index"
    for _ in range(3):
        assert nursery.run("build older", folder) == 0
        older = contents(folder)
        for _ in range(3):
            nursery.run("build", folder, kill_after_s=random.uniform(0, 1.1 * taken_s))
            found = still_open(folder)
            if found is None:  # killed between two renames: the older one stands aside
                assert contents(replaced_beside(folder)) == older
            else:
                assert contents(folder) == (older if found == N_OLDER else expected)
        assert nursery.run("build", folder) == 0
        assert contents(folder) == expected


def test_an_append_that_is_killed_leaves_the_older_index_and_goes_on(nursery, whole, tmp_path):
    expected, taken_s = whole
    random = np.random.default_rng(14)
    folder = tmp_path / "index"
    killed = 0
    for _ in range(4):
        assert nursery.run("build older", folder) == 0
        for _ in range(3):
            died = nursery.run("append", folder, kill_after_s=random.uniform(0, 0.5 * taken_s))
            if died == 0:
                break
            assert died == -signal.SIGKILL
            killed += 1
            assert still_open(folder) in (None, N_OLDER, N_TOKENS)
        assert nursery.run("append", folder) == 0
        assert contents(folder) == expected
    assert killed > 1  # how many is a matter of the computer's pace
    assert list(tmp_path.iterdir()) == [folder]


def test_an_append_that_is_killed_at_each_report_goes_on(nursery, whole, tmp_path):
    expected, _ = whole
    folder = tmp_path / "index"
    assert nursery.run("build older", folder) == 0
    report = 1
    while nursery.run("append", folder, last_report=report) == -signal.SIGKILL:
        assert still_open(folder) == N_OLDER
        report += 5
    assert report > 10
    assert contents(folder) == expected


def test_a_draft_that_nobody_can_go_on_with_is_cleared(nursery, whole, tmp_path):
    expected, taken_s = whole
    folder = tmp_path / "index"
    nursery.run("build", folder, kill_after_s=0.6 * taken_s)
    for name in (STEPS_FILE, PLAN_FILE):
        draft = draft_beside(folder)
        draft.mkdir(exist_ok=True)
        (draft / name).write_bytes(b"\xff{nonsense")
        (draft / "work-sorted-0-sorted-000.bin").write_bytes(b"nonsense")
        assert nursery.run("build", folder) == 0
        assert contents(folder) == expected
        assert not draft.exists()


def test_an_index_that_is_damaged_is_not_appended_to(nursery, tmp_path):
    folder = tmp_path / "index"
    assert nursery.run("build older", folder) == 0
    for path in sorted(folder.iterdir()):
        good = path.read_bytes()
        path.write_bytes(good[:-2] + bytes([good[-2] ^ 1]) + good[-1:])
        before = contents(folder)
        with pytest.raises(IndexFileError):
            build(source(N_TOKENS), folder, settings("what is there"))
        assert contents(folder) == before
        path.write_bytes(good)
    assert still_open(folder) == N_OLDER

"""A job that builds an index, stopped or killed while it works: it ends in order and goes on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from trainer_core.data.preparing.build import build_corpus
from trainer_core.errors import ExitCode, KnownError
from trainer_core.index import open_index
from trainer_core.index.compiled import COMPILED
from trainer_core.job import freeze_spec
from trainer_core.journal import read_records
from trainer_core.protocol import Stop, send_command
from trainer_core.records import Ended, Result, StateChanged
from trainer_core.spec import ByteTokenizer, IndexSpec, PrepareSpec, PythonLibrary
from trainer_core.status import JOURNAL_FILE

TEXT_BYTES = 2_000_000

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(os.name != "posix", reason="processes are ended by signals"),
    pytest.mark.skipif(not COMPILED, reason="builds without numba have one step"),
]

RUN = """
import sys
from pathlib import Path
from trainer_core.index.building import assembly
from trainer_core.job import run_job

assembly.RESUMABLE_TOKENS = 0
sys.exit(run_job(Path(sys.argv[1])))
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    spec = PrepareSpec(source=PythonLibrary(max_bytes=TEXT_BYTES), tokenizer=ByteTokenizer())
    return build_corpus(spec, tmp_path_factory.mktemp("stop") / "corpus")


def start(folder):
    """A job in a process of its own, once it builds; also the number of records before."""
    before = len(records_of(folder, StateChanged))
    here = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(folder)], env={**os.environ, "PYTHONPATH": here}
    )
    while process.poll() is None:
        states = records_of(folder, StateChanged)[before:]
        if any(record.state == "running" for record in states):
            break
        time.sleep(0.005)
    return process


def records_of(folder, kind):
    if not (folder / JOURNAL_FILE).exists():
        return []
    records, _ = read_records(folder / JOURNAL_FILE)
    return [record for record in records if isinstance(record, kind)]


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def whole(corpus, tmp_path_factory):
    """The content of the index of a job that nobody stopped, and how long it built."""
    folder = tmp_path_factory.mktemp("whole") / "job"
    freeze_spec(folder, IndexSpec(corpus=str(corpus.folder)))
    assert start(folder).wait() == ExitCode.OK
    values = records_of(folder, Result)[-1].values
    return contents(folder / "index"), values["seconds"]


def stop(process, folder, how):
    """End a job the one way or the other; one that has ended by itself is as good."""
    if how == "kill":
        process.kill()
    elif how == "SIGTERM":
        process.send_signal(signal.SIGTERM)
    else:
        try:
            send_command(folder, Stop())
        except KnownError:
            assert process.wait() == ExitCode.OK


@pytest.mark.parametrize("how", ["SIGTERM", "command", "kill"])
def test_a_stopped_job_leaves_no_half_index_and_goes_on_to_the_same_bytes(
    corpus, whole, tmp_path, how
):
    expected, taken_s = whole
    random = np.random.default_rng(21)
    folder = tmp_path / "job"
    freeze_spec(folder, IndexSpec(corpus=str(corpus.folder)))
    stopped = 0
    for _ in range(4):
        process = start(folder)
        time.sleep(random.uniform(0, 0.7 * taken_s))
        stop(process, folder, how)
        code = process.wait()
        if how == "kill":
            assert code in (ExitCode.OK, -signal.SIGKILL)
        else:
            state = records_of(folder, Ended)[-1].state
            # A signal that comes behind the job's end finds nobody who listens any more.
            late = (-signal.SIGTERM,) if how == "SIGTERM" and state == "finished" else ()
            assert code in (ExitCode.OK, *late)
            assert state in ("stopped", "finished")
        if (folder / "index").exists():
            assert contents(folder / "index") == expected
            break
        stopped += 1
    assert stopped > 0
    assert start(folder).wait() == ExitCode.OK
    assert contents(folder / "index") == expected
    assert open_index(folder / "index", verify=True).corpus_fingerprint == corpus.fingerprint
    assert not list(folder.glob(".index*"))

"""Run in place of `python -m trainer_core`: jobs that listen, and jobs that do not.

An index spec's `corpus` names what to do; it is the only free text that it has.
"""

import os
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

FOLDER = Path(sys.argv[2])
WHAT = next(
    line.split('"')[1]
    for line in (FOLDER / "spec.toml").read_text().splitlines()
    if line.startswith("corpus")
)
if WHAT == "broken":
    raise ImportError("this installation is broken")
if WHAT == "slow_start":
    time.sleep(1.0)

from trainer_core import job as jobs


def finish(job):
    return {"done": True}


def listen(job):
    job.state("running")
    while True:
        job.progress("waiting", 0, 1)
        time.sleep(0.01)


slow_start = listen


def save_slowly(job):
    job.state("running")
    while not job.wanted:
        time.sleep(0.01)
    job.state("saving")
    time.sleep(1.2)
    job.check_stop()


def busy(job):
    """Never looks at what is wanted."""
    job.state("running")
    while True:
        time.sleep(1.0)


def deaf(job):
    """Ends at SIGTERM alone."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    busy(job)


def frozen(job):
    job.state("running")
    os.kill(os.getpid(), signal.SIGSTOP)


sys.modules["verbs_here"] = SimpleNamespace(run=lambda job, spec: globals()[WHAT](job))
jobs.VERB_MODULES["index"] = "verbs_here"
sys.exit(jobs.run_job(FOLDER))

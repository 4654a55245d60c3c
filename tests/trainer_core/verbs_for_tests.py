"""Small verbs that the job tests run in place of the real ones."""

import os
import signal
import time
from pathlib import Path

from trainer_core.errors import DataError


def run(job, spec):
    """Do what the spec's `corpus` names; it is the only free text that an index spec has."""
    return globals()[spec.corpus](job)


def finish(job):
    job.state("running")
    for n in range(100):
        job.progress("counting", n + 1, 100, "things")
    job.note("good", "Counted", "all of them")
    return {"count": 100}


def fail(job):
    raise DataError("The text is gone.", safe="The corpus is whole.", do="Find it.", field="corpus")


def bug(job):
    return 1 // 0


def no_space(job):
    raise OSError(28, "No space left on device", "corpus.bin")


def wait_for_stop(job):
    (job.folder / "waiting").touch()
    while True:
        job.progress("waiting", 0, 1)
        time.sleep(0.01)


def wait_for_enough(job):
    """Count the starts in a file, and end when another one says that it is enough."""
    with (job.folder / "starts").open("a") as file:
        file.write(f"{os.getpid()}\n")
    while not (job.folder / "enough").exists():
        job.progress("waiting", 0, 1)
        time.sleep(0.01)
    return {}


def stop_itself(job):
    os.kill(os.getpid(), signal.SIGTERM)
    job.check_stop()


def die(job):
    job.state("running")
    os.kill(os.getpid(), signal.SIGKILL)


def run_a_child(job):
    from trainer_core.spec import IndexSpec

    code = job.run_child(job.folder / "child", IndexSpec(corpus="finish"))
    return {"code": int(code), "child": str(Path("child"))}


def stop_in_a_child(job):
    from trainer_core.spec import IndexSpec

    job.run_child(job.folder / "child", IndexSpec(corpus="stop_itself"))
    job.check_stop()


def wait_in_a_child(job):
    from trainer_core.spec import IndexSpec

    job.run_child(job.folder / "child", IndexSpec(corpus="wait_for_stop"))
    job.check_stop()

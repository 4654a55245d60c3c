"""One process of a run: rank 0 is its job, the others work for it quietly."""

from __future__ import annotations

import importlib
import logging
import shutil
import signal
import socket
import sys
from pathlib import Path

import msgspec
from torch.distributed.distributed_c10d import Store

from trainer_core.errors import ExitCode, KnownError
from trainer_core.job import JobStopped, ended_by, run_alone, signals_to
from trainer_core.spec import TrainSpec
from trainer_core.train.distributed import watch
from trainer_core.train.distributed.place import Place, place_of
from trainer_core.train.distributed.quiet import QuietJob
from trainer_core.train.distributed.store import connect
from trainer_core.verbs import VERB_MODULES

VERB = "train"
SCRATCH = ".rank-"
"""What the folder is called, but for its number, that a rank other than 0 takes for its job's."""
_log = logging.getLogger(__name__)


def work(folder: Path, spec: TrainSpec) -> ExitCode:
    """Do this process's part of a run.

    Returns:
        `OK` when the run ended in a way that the journal tells, so that nobody starts it again;
        anything else is a death.
    """
    place = place_of(spec.distributed)
    store = connect(place.host, place.port)
    key, code = (watch.FAILED, watch.LOST) if place.rank == 0 else (watch.OVER, int(ExitCode.OK))
    guard = watch.Watch(connect(place.host, place.port), key, code, _ask_to_stop)
    try:
        if place.rank == 0:
            return _lead(folder, spec, store)
        scratch = folder / f"{SCRATCH}{place.rank}"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        try:
            return _follow(QuietJob(scratch, VERB), spec, store, place)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    finally:
        guard.close()


def _ask_to_stop() -> None:
    signal.raise_signal(signal.SIGTERM)


def _lead(folder: Path, spec: TrainSpec, store: Store) -> ExitCode:
    try:
        code = run_alone(folder, spec)
    except KnownError as error:  # before there was a journal to tell it to
        print(error, file=sys.stderr)
        code = ExitCode(error.exit_code)
    if code == ExitCode.BUG:
        return code
    watch.leave_word(store, watch.OVER, str(int(code)).encode())
    return ExitCode.OK


def _follow(job: QuietJob, spec: TrainSpec, store: Store, place: Place) -> ExitCode:
    logging.basicConfig(format=f"%(asctime)s {place.name}: %(levelname)s %(name)s: %(message)s")
    try:
        with signals_to(job):
            importlib.import_module(VERB_MODULES[VERB]).run(job, spec)
    except JobStopped:
        return ExitCode.OK
    except Exception as error:
        ended = ended_by(error)
        if ended.exit_code == ExitCode.BUG:
            raise
        where = f"{place.name} on {socket.gethostname()} cannot go on: "
        ended = msgspec.structs.replace(ended, what=where + ended.what)
        watch.leave_word(store, watch.FAILED, msgspec.json.encode(ended))
    return ExitCode.OK

"""The time that the processes of a run spend together, and how each of them leaves."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator

import torch.distributed as dist
from torch.distributed.distributed_c10d import Store

from trainer_core.errors import ExitCode
from trainer_core.job import Job, JobStopped
from trainer_core.spec import TrainSpec
from trainer_core.train.checkpoints.manifest import Fingerprints
from trainer_core.train.distributed import watch
from trainer_core.train.distributed.gathering import claims_of, failure_in, gather
from trainer_core.train.distributed.place import Place, commands_for_others, place_of
from trainer_core.train.distributed.store import connect
from trainer_core.train.distributed.world import World

_LOOK_S = 0.05
_log = logging.getLogger(__name__)


@contextlib.contextmanager
def meeting(job: Job, spec: TrainSpec, fingerprints: Fingerprints) -> Iterator[World]:
    """The world of a run while it is there; a world of one without any other process.

    Args:
        job: Says what is wanted while the others are waited for.
        spec: Of the run.
        fingerprints: Of what this process trains on; rank 0 compares those of all.

    Raises:
        JobStopped: It was asked to stop before all were there.
        KnownError: The others cannot be reached, train on something else, or failed.
        SystemExit: The others are gone; whoever started this process says why.
    """
    if spec.distributed.world_size == 1:
        yield World()
        return
    place = place_of(spec.distributed)
    store = connect(place.host, place.port)
    _show_commands(job, spec)
    try:
        gather(job, store, place, claims_of(spec, fingerprints))
        yield World(place.rank, place.size, place.local_rank)
    except RuntimeError as error:
        if not _is_of_an_exchange(error):
            raise
        _log.warning("an exchange with the other processes failed: %s", error)
        raise _why_lost(job, store, place) from error
    except JobStopped:
        _part()
        raise
    _part()


def _show_commands(job: Job, spec: TrainSpec) -> None:
    commands = commands_for_others(spec.distributed)
    if commands:
        job.note(
            "info",
            "Waiting for the other machines",
            "Type there: " + "; ".join(commands) + ". Where the corpus or the index has another"
            " path, add --corpus PATH or --index PATH.",
        )


def _part() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def _is_of_an_exchange(error: RuntimeError) -> bool:
    return isinstance(error, dist.DistError) or "gloo" in str(error)


def _why_lost(job: Job, store: Store, place: Place) -> BaseException:
    """What to end with when the others are gone.

    Rank 0 may still be writing down how the run ended; others leave word before they go. If one
    died instead, the launcher sees that, and asks this process to stop.
    """
    key, patience_s = (watch.OVER, watch.LEAVE_S) if place.rank else (watch.FAILED, 1.0)
    deadline = time.monotonic() + patience_s
    try:
        while not store.check([key]) and not job.wanted and time.monotonic() < deadline:
            time.sleep(_LOOK_S)
        word = store.get(key) if store.check([key]) else b""
    except RuntimeError:
        word = b""  # the main machine is gone as well
    if not word:
        return SystemExit(watch.LOST)
    if place.rank:
        return SystemExit(int(ExitCode.OK))  # rank 0 has said how the run ended
    return failure_in(word)

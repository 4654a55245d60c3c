"""How the processes of a run find each other and make sure that they train the same."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import socket
import time
from collections.abc import Callable

import msgspec
import psutil
import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore, Store

from trainer_core import __version__
from trainer_core import spec as specs
from trainer_core.errors import ExitCode, KnownError
from trainer_core.job import Job
from trainer_core.records import Ended
from trainer_core.spec import TrainSpec
from trainer_core.train.checkpoints.manifest import Fingerprints
from trainer_core.train.distributed import watch
from trainer_core.train.distributed.place import Place

GATHER_S = 3600.0
"""How long the first process waits for the others, who may be started by hand elsewhere."""
EXCHANGE_S = 1800.0
"""How long an exchange may take; the others wait in one while rank 0 saves and writes samples."""
_LOOK_S = 0.05
_GENERATION = "generation"
_AGREED = "agreed"


def claims_of(spec: TrainSpec, fingerprints: Fingerprints) -> dict[str, str]:
    """What must be the same in every process; the places of corpus and index need not."""
    settings = msgspec.structs.replace(spec, corpus="", index="x" if spec.index else "")
    return {
        "version of Hearth": __version__,
        "version of torch": torch.__version__.partition("+")[0],
        "settings": specs.to_toml(settings),
        "corpus": fingerprints.corpus,
        "tokenizer": fingerprints.tokenizer,
        "index": fingerprints.index,
    }


def gather(job: Job, store: Store, place: Place, claims: dict[str, str]) -> None:
    """Wait for all processes, compare what they claim, and connect each with each.

    Args:
        job: Says what is wanted meanwhile.
        store: Where they meet.
        place: Of this one.
        claims: What it trains; see `claims_of`.

    Raises:
        JobStopped: It was asked to stop.
        KnownError: They do not train the same, do not all come, or one of them failed.
        SystemExit: Rank 0 has ended the run.
    """
    ours = meet(job, store, place, claims)
    _choose_interface(place.host)
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo",
        store=ours,
        rank=place.rank,
        world_size=place.size,
        timeout=datetime.timedelta(seconds=EXCHANGE_S),
    )


def meet(job: Job, store: Store, place: Place, claims: dict[str, str]) -> Store:
    """The part of the store that is this meeting's own, once all are there and agree.

    Arguments and errors as for `gather`.
    """
    part = _first if place.rank == 0 else _other
    return part(job, store, place, claims)


def _meeting(store: Store, number: int) -> Store:
    return PrefixStore(f"{_GENERATION}-{number}", store)


def _first(job: Job, store: Store, place: Place, claims: dict[str, str]) -> Store:
    """Open a new meeting, wait for everyone, and compare; each start of rank 0 opens another."""
    ours = _meeting(store, store.add(_GENERATION, 1))
    others = range(1, place.size)

    def are_here() -> bool:
        here = sum(ours.check([_claims_key(rank)]) for rank in others)
        job.progress("waiting for the other processes", here + 1, place.size, "processes")
        return here == len(others)

    _wait_until(are_here, job, store)
    for rank in others:
        _compare(rank, place.size, claims, json.loads(ours.get(_claims_key(rank))))
    ours.set(_AGREED, "yes")
    return ours


def _other(job: Job, store: Store, place: Place, claims: dict[str, str]) -> Store:
    """Enter the newest meeting where this one has not been before, until everyone came to one.

    Processes that are started again after a failure may be here before rank 0 has opened the
    meeting that they are to enter.
    """
    entered = 0
    key = f"entered-{place.rank}"

    def is_agreed() -> bool:
        nonlocal entered
        newest = store.add(_GENERATION, 0)
        if newest != entered and _meeting(store, newest).add(key, 1) == 1:
            entered = newest
            _meeting(store, entered).set(_claims_key(place.rank), json.dumps(claims))
        return entered > 0 and bool(_meeting(store, entered).check([_AGREED]))

    _wait_until(is_agreed, job, store)
    return _meeting(store, entered)


def _claims_key(rank: int) -> str:
    return f"claims-{rank}"


def _wait_until(is_so: Callable[[], bool], job: Job, store: Store) -> None:
    deadline = time.monotonic() + GATHER_S
    while not is_so():
        _heed(job, store)
        if time.monotonic() > deadline:
            raise KnownError(
                "Not all processes of this run have come within an hour.",
                safe="Nothing was changed.",
                do="Start it again, and then the other machines with the command that it shows.",
                field="distributed.machines",
            )
        time.sleep(_LOOK_S)


def _heed(job: Job, store: Store) -> None:
    """End here when asked to, or when another process has ended the run."""
    if store.check([watch.STOP]):
        job.ask_to_stop()
    job.check_stop()
    if store.check([watch.OVER]):
        raise SystemExit(int(ExitCode.OK))
    if store.check([watch.FAILED]):
        raise failure_in(store.get(watch.FAILED))


def failure_in(word: bytes) -> KnownError:
    """Why another process could not go on, as it left word of it."""
    ended = msgspec.json.decode(word, type=Ended)
    return KnownError(ended.what, safe=ended.safe, do=ended.do, field=ended.field)


def _compare(rank: int, size: int, ours: dict[str, str], theirs: dict[str, str]) -> None:
    for name, claim in ours.items():
        if theirs.get(name) != claim:
            values = f" ({theirs.get(name)}, here {claim})" if "version" in name else ""
            raise KnownError(
                f"Process {rank + 1} of {size} has another {name} than the first one{values}.",
                safe="Nothing was changed.",
                do="Give every machine the same version, the same corpus and the same index.",
                field="distributed",
            )


def _choose_interface(host: str) -> None:
    """Have the processes talk over the network that leads to the main machine.

    Left alone, gloo takes whatever the computer's own name resolves to, if it does at all.
    """
    name = _interface_to(host)
    if name is None:
        return
    os.environ.setdefault("GLOO_SOCKET_IFNAME", name)
    if not name.lower().startswith("lo"):  # within one computer NCCL needs no network
        os.environ.setdefault("NCCL_SOCKET_IFNAME", name)


def _interface_to(host: str) -> str | None:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, 9))  # sends nothing; the system picks the way
        own = probe.getsockname()[0]
        for name, addresses in psutil.net_if_addrs().items():
            if any(address.address == own for address in addresses):
                return name
    return None

"""`hearth-core join`: this machine's processes of a run whose folder is on another machine."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import msgspec
from torch.distributed.distributed_c10d import Store

from trainer_core import __version__
from trainer_core import spec as specs
from trainer_core.errors import ExitCode, KnownError, SpecError
from trainer_core.job import freeze_spec
from trainer_core.spec import TrainSpec
from trainer_core.train.distributed import watch
from trainer_core.train.distributed.agent import how_died, run_processes
from trainer_core.train.distributed.gathering import failure_in
from trainer_core.train.distributed.launcher import HERE, SPEC, VERSION
from trainer_core.train.distributed.store import CONNECT_S, connect

_SAFE = "Nothing was started here."


def join(
    address: str, machine: int, corpus: str = "", index: str = "", patience_s: float = CONNECT_S
) -> ExitCode:
    """Run this machine's processes until the run ends.

    Args:
        address: `host:port` of the main machine, as it shows it.
        machine: Number of this machine, from 2; the main one is 1.
        corpus: The corpus folder on this machine; empty where it has the main machine's path.
        index: The index folder, likewise.
        patience_s: How long the main machine is tried.

    Raises:
        KnownError: The main machine cannot be reached, or the run failed or was lost.
        SpecError: The address or the number of the machine makes no sense.
    """
    host, port = _parts(address)
    store = connect(host, port, patience_s)
    spec = _spec_in(store, machine)
    spec = msgspec.structs.replace(spec, corpus=corpus or spec.corpus, index=index or spec.index)
    store.add(HERE, 1)
    with tempfile.TemporaryDirectory(prefix="hearth-join-") as folder:
        freeze_spec(Path(folder) / "run", spec)
        death = run_processes(
            Path(folder) / "run",
            spec.distributed,
            machine - 1,
            f"{host}:{port}",
            lambda: None,  # our processes pass the wish on to all others
        )
    failed, over = _words(store)
    if failed:
        raise failure_in(failed)
    if death is not None and not over:
        raise KnownError(
            how_died(spec.distributed, death, machine - 1),
            safe="The checkpoints on the main machine are whole.",
            do="Start the run on the main machine again, then this command.",
        )
    print("The run has ended; the main machine says how.", file=sys.stderr)
    return ExitCode.OK


def _parts(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise SpecError(
            f"“{address}” is not an address such as 192.168.1.5:29500.",
            safe=_SAFE,
            do="Copy the command that the main machine shows.",
            field="distributed.address",
        )
    return host, int(port)


def _spec_in(store: Store, machine: int) -> TrainSpec:
    """The settings that the main machine has left, if this machine can work by them."""
    version = store.get(VERSION).decode()
    if version != __version__:
        raise KnownError(
            f"The main machine has Hearth {version}, this one {__version__}.",
            safe=_SAFE,
            do="Install the same version on both.",
        )
    spec = specs.from_toml(store.get(SPEC).decode())
    assert isinstance(spec, TrainSpec)  # only trainings have several processes
    machines = spec.distributed.machines
    if not 2 <= machine <= machines:
        raise SpecError(
            f"There is no machine {machine} for others to be: the run has {machines}.",
            safe=_SAFE,
            do=f"Choose a number from 2 to {machines}; the main machine is 1.",
            field="distributed.machines",
        )
    return spec


def _words(store: Store) -> tuple[bytes, bytes]:
    """Why the run failed and how it ended, as far as anyone has said; then take leave."""
    try:
        words = [
            store.get(key) if store.check([key]) else b"" for key in (watch.FAILED, watch.OVER)
        ]
        store.add(HERE, -1)
    except RuntimeError:  # the main machine is gone
        return b"", b""
    return words[0], words[1]

"""The process that a run of several is started by: it outlives them and says how they ended."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import time
from pathlib import Path

import msgspec
from torch.distributed.distributed_c10d import Store
from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

from trainer_core import __version__
from trainer_core import spec as specs
from trainer_core.conduct.telling import tell_end
from trainer_core.errors import ExitCode, KnownError
from trainer_core.job import ended_by, locked
from trainer_core.journal import JournalWriter
from trainer_core.records import Ended, JobStarted
from trainer_core.spec import DistributedConfig, TrainSpec
from trainer_core.status import JOURNAL_FILE, read_status
from trainer_core.train.checkpoints.folders import checkpoint_steps
from trainer_core.train.distributed import watch
from trainer_core.train.distributed.agent import how_died, run_processes
from trainer_core.train.distributed.place import commands_for_others
from trainer_core.train.distributed.store import host_store
from trainer_core.train.distributed.worker import SCRATCH, VERB

SPEC = "spec"
"""Key in the store: the settings as TOML, for other machines."""
VERSION = "version"
"""Key in the store: the version of Hearth on the main machine."""
HERE = "here"
"""Key in the store: how many other machines have not yet taken leave."""
_LEAVE_S = 2.0
_LOOK_S = 0.05
_LOOPBACK = "127.0.0.1"


def launch(folder: Path, spec: TrainSpec) -> ExitCode:
    """Run a training's processes on the main machine; its journal says how it ended.

    Raises:
        LockedError: Another process works in the folder.
        JobFolderError: The journal is damaged at its head or of a newer version.
    """
    with locked(folder):
        sessions = read_status(folder).sessions
    config = spec.distributed
    try:
        store, address = _open_store(config)
    except KnownError as error:
        return _record(folder, ended_by(error), is_new=True)
    store.set(SPEC, specs.to_toml(spec))
    store.set(VERSION, __version__)
    for command in commands_for_others(config):
        print(f"On another machine: {command}", file=sys.stderr)
    death = run_processes(folder, config, 0, address, lambda: store.set(watch.STOP, "yes"))
    for left in folder.glob(f"{SCRATCH}*"):  # of processes that were killed
        shutil.rmtree(left, ignore_errors=True)
    code = _ended_as(folder, config, store, death, sessions)
    _wait_for_leave(store)
    return code


def _ended_as(
    folder: Path,
    config: DistributedConfig,
    store: Store,
    death: ProcessFailure | None,
    sessions: int,
) -> ExitCode:
    """How the run ended; written down here where its first process could not."""
    if store.check([watch.OVER]):
        return ExitCode(int(store.get(watch.OVER)))
    status = read_status(folder)
    is_new = status.sessions == sessions
    if status.ended is not None and not is_new:
        return ExitCode(status.ended.exit_code)
    return _record(folder, _why(folder, config, store, death), is_new=is_new)


def _wait_for_leave(store: Store) -> None:
    """Give other machines time to see how the run ended."""
    deadline = time.monotonic() + _LEAVE_S
    while store.add(HERE, 0) > 0 and time.monotonic() < deadline:
        time.sleep(_LOOK_S)


def _open_store(config: DistributedConfig) -> tuple[Store, str]:
    """Where the processes meet; within one machine any free port will do."""
    several = config.machines > 1
    host, wanted = (config.address, config.port) if several else (_LOOPBACK, 0)
    try:
        store, port = host_store(host, wanted)
    except OSError as error:
        raise KnownError(
            f"The processes of this run cannot meet at {host}, port {wanted}:"
            f" {error.strerror or error}.",
            safe="Nothing was started.",
            do="Choose a free distributed.port, and an address of this machine.",
            field="distributed.port",
        ) from None
    return store, f"{host}:{port}"


def _why(
    folder: Path, config: DistributedConfig, store: Store, death: ProcessFailure | None
) -> Ended:
    """The last record of a run whose first process could not write one itself."""
    if store.check([watch.FAILED]):
        return msgspec.json.decode(store.get(watch.FAILED), type=Ended)
    steps = checkpoint_steps(folder)
    if store.check([watch.STOP]):
        return Ended(state="stopped", exit_code=ExitCode.OK, step=max(steps, default=0))
    saved = f"The checkpoint at step {steps[-1]:,} is" if steps else "Everything saved before is"
    return Ended(
        state="failed",
        exit_code=ExitCode.KNOWN_ERROR,
        what=how_died(config, death, 0),
        safe=f"{saved} whole.",
        do="Resume the run; if it happens again, look at the log of this folder.",
        field="distributed",
    )


def _record(folder: Path, ended: Ended, *, is_new: bool) -> ExitCode:
    """Write the last record of a session, and its first where nobody else has."""
    with locked(folder), JournalWriter(folder / JOURNAL_FILE) as journal:
        if is_new:
            journal.append(
                JobStarted(
                    time_s=time.time(),
                    verb=VERB,
                    pid=os.getpid(),
                    host=socket.gethostname(),
                    version=__version__,
                )
            )
        journal.append(msgspec.structs.replace(ended, time_s=time.time()))
    tell_end(folder, ended)
    return ExitCode(ended.exit_code)

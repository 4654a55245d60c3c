"""Starts a machine's processes and looks after them: torch's elastic agent, as in `torchrun`."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import psutil
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

import trainer_core
from trainer_core.spec import DistributedConfig
from trainer_core.train.distributed.place import MACHINE, STORE
from trainer_core.train.distributed.watch import LOST


def run_processes(
    folder: Path, config: DistributedConfig, machine: int, store: str, on_stop: Callable[[], None]
) -> ProcessFailure | None:
    """Run this machine's processes until all have ended; start them again as often as is allowed.

    Args:
        folder: Holds the frozen spec.
        config: How many, and how often they are started again.
        machine: The number of this machine, from 0.
        store: `host:port` where they meet.
        on_stop: Called when this process is asked to stop; they are asked then, too.

    Returns:
        The process that died first, or None when all ended in order.
    """
    source = str(Path(trainer_core.__file__).parents[1])
    others = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([source, others] if others else [source])
    os.environ[STORE], os.environ[MACHINE] = store, str(machine)
    launch = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=config.processes,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        local_addr="localhost",
        max_restarts=config.restarts,
        signals_to_handle="SIGQUIT",  # the others are ours
    )
    with _passing_on(on_stop):
        try:
            elastic_launch(launch, sys.executable)("-P", "-m", "trainer_core", "run", str(folder))
        except ChildFailedError as error:
            deaths = error.failures.values()
            return min(deaths, key=lambda death: (death.exitcode == LOST, death.timestamp))
    return None


@contextlib.contextmanager
def _passing_on(on_stop: Callable[[], None]) -> Iterator[None]:
    """Pass SIGTERM and SIGINT on to the processes, which decide when to end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(_number: int, _frame: FrameType | None) -> None:
        on_stop()
        for child in psutil.Process().children():
            with contextlib.suppress(psutil.NoSuchProcess):
                child.send_signal(signal.SIGTERM)

    before = {s: signal.signal(s, ask) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def how_died(config: DistributedConfig, death: ProcessFailure | None, machine: int) -> str:
    """What a person is told of the end of a run that could not tell it itself."""
    if death is None or death.exitcode == LOST:
        return "A process of this run on another machine died or can no longer be reached."
    rank = machine * config.processes + death.local_rank
    name = f"Process {rank + 1} of {config.world_size}"
    if death.exitcode >= 0:
        return f"{name} died with exit code {death.exitcode}."
    number = -death.exitcode
    hint = "; the system does that when memory runs out" if number == signal.SIGKILL else ""
    return f"{name} died: it was ended by {signal.Signals(number).name}{hint}."

"""Which process of a run this one is, as its launcher or `torchrun` told it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from trainer_core.errors import SpecError
from trainer_core.spec import DistributedConfig, TrainSpec

STORE = "HEARTH_STORE"
"""Environment variable of our own launcher: `host:port` where the processes of a run meet."""
MACHINE = "HEARTH_MACHINE"
"""Environment variable of our own launcher: the number of this machine, from 0."""


@dataclass(frozen=True)
class Place:
    """Where a process stands in its run.

    Attributes:
        rank: Among all processes, from 0; rank 0 owns the job folder.
        size: How many there are.
        local_rank: Among those on this machine.
        host: Where the processes meet.
        port: Of it.
    """

    rank: int
    size: int
    local_rank: int
    host: str
    port: int

    @property
    def name(self) -> str:
        """For people: `Process 2 of 4`."""
        return f"Process {self.rank + 1} of {self.size}"


def is_worker(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether an elastic agent, ours or `torchrun`'s, started this process for a training."""
    return "TORCHELASTIC_RUN_ID" in environment


def place_of(config: DistributedConfig, environment: Mapping[str, str] = os.environ) -> Place:
    """This process's place among those of a run.

    Raises:
        SpecError: `torchrun` was given another number of processes than the settings name.
    """
    local_rank, size = int(environment["LOCAL_RANK"]), config.world_size
    if STORE in environment:
        host, _, port = environment[STORE].rpartition(":")
        rank = int(environment[MACHINE]) * config.processes + local_rank
        return Place(rank, size, local_rank, host, int(port))
    started = int(environment["WORLD_SIZE"])
    if started != size:
        raise SpecError(
            f"torchrun started {started} processes, but the settings ask for {size}.",
            safe="Nothing was started.",
            do="Give torchrun and distributed.processes and .machines the same numbers.",
            field="distributed.processes",
        )
    port = environment["MASTER_PORT"]
    return Place(int(environment["RANK"]), size, local_rank, environment["MASTER_ADDR"], int(port))


def commands_for_others(config: DistributedConfig) -> list[str]:
    """What to type on each of the other machines."""
    place = f"{config.address}:{config.port}"
    numbers = range(2, config.machines + 1)
    return [f"hearth-core join {place} --machine {number}" for number in numbers]


def take_device(spec: TrainSpec) -> None:
    """Make this process's GPU the one that `cuda` means.

    Raises:
        SpecError: There are more processes than GPUs.
    """
    import torch

    if spec.distributed.world_size == 1 or spec.device == "cpu" or not torch.cuda.is_available():
        return
    processes, found = spec.distributed.processes, torch.cuda.device_count()
    if processes > found:
        raise SpecError(
            f"distributed.processes is {processes}, but this computer has {found}"
            f" GPU{'s' if found != 1 else ''}.",
            safe="Nothing was started.",
            do=f"Choose at most {found} processes on each machine, or device = cpu.",
            field="distributed.processes",
        )
    torch.cuda.set_device(place_of(spec.distributed).local_rank)


def threads_of(spec: TrainSpec) -> int:
    """CPU threads of this process: what the settings name, or its share of the cores."""
    if spec.threads or spec.distributed.processes == 1:
        return spec.threads
    from trainer_core.train.compute import core_count

    return max(1, core_count() // spec.distributed.processes)

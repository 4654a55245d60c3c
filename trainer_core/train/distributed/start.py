"""How a training of several processes starts: one process starts the others, or is one of them."""

from __future__ import annotations

from pathlib import Path

from trainer_core.errors import ExitCode
from trainer_core.spec import TrainSpec
from trainer_core.train.distributed.place import is_worker


def run(folder: Path, spec: TrainSpec) -> ExitCode:
    """Run the training of a folder, or this process's part of it.

    Raises:
        KnownError: It could not start; nothing was written about it.
    """
    if is_worker():
        from trainer_core.train.distributed.worker import work

        return work(folder, spec)
    from trainer_core.train.distributed.launcher import launch

    return launch(folder, spec)

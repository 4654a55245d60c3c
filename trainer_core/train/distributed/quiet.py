"""What the loop of a rank other than 0 takes for its job: it obeys, and says nothing."""

from __future__ import annotations

import time
from pathlib import Path

from trainer_core import protocol
from trainer_core.job import Job
from trainer_core.journal import JournalWriter
from trainer_core.records import Record


class _NoJournal(JournalWriter):
    """Forgets what it is told."""

    def __init__(self) -> None:
        self._descriptor = -1

    @property
    def size(self) -> int:
        return 0

    def append(self, record: Record, *, sync: bool = True) -> None:
        pass


class _NoServer(protocol.Server):
    """Nobody listens, nobody speaks."""

    def __init__(self) -> None:
        self._ended = True

    def receive(self) -> list[tuple[protocol.Peer, protocol.Message]]:
        return []

    def wait(self, timeout_s: float) -> tuple[protocol.Peer, protocol.Message] | None:
        time.sleep(timeout_s)
        return None

    def send(self, peer: protocol.Peer, message: protocol.Message) -> bool:
        return False

    def hint(self, changed: protocol.Changed) -> None:
        pass


class QuietJob(Job):
    """A job without journal and socket; rank 0 has the real one.

    Args:
        folder: An empty one of its own, for what nobody will read.
        verb: What it does.
    """

    def __init__(self, folder: Path, verb: str) -> None:
        super().__init__(folder, verb, _NoJournal(), _NoServer())

"""A job folder as its process takes it: the settings frozen, locked for one, with a log."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import filelock

from trainer_core import protocol, status
from trainer_core import spec as specs
from trainer_core.errors import JobFolderError, LockedError, from_os_error
from trainer_core.files import write_whole_file

LOCK_PATIENCE_S = 3.0


def freeze_spec(folder: Path, spec: specs.JobSpec) -> None:
    """Write the spec of a new job folder in one step; the folder is made when absent.

    Raises:
        JobFolderError: The folder belongs to a job with another spec.
        KnownError: It cannot be written.
    """
    path = folder / status.SPEC_FILE
    if path.exists():
        if specs.load(path) != spec:
            raise JobFolderError(
                f"{folder} already belongs to another job.",
                safe="That job was not touched.",
                do="Choose a new folder.",
            )
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole_file(path, specs.to_toml(spec).encode())
    except OSError as error:
        raise from_os_error(error, "writing the job's settings") from None


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Work in a folder alone.

    Raises:
        LockedError: Another process works in it.
        KnownError: It cannot be written.
    """
    lock = filelock.FileLock(folder / status.LOCK_FILE)
    try:
        lock.acquire(timeout=LOCK_PATIENCE_S, poll_interval=0.1)
    except filelock.Timeout:
        owner = protocol.read_owner(folder)
        who = f"process {owner.pid}" if owner else "another process"
        raise LockedError(
            f"{folder} is in use by {who}.",
            safe="That job goes on.",
            do="Wait until it ends, or stop it first.",
        ) from None
    except OSError as error:
        raise from_os_error(error, "locking the job folder") from None
    try:
        yield
    finally:
        lock.release()


class _LogFile(logging.FileHandler):
    """A log that a full disk leaves short: the job's error is told, not one of its own."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging asks for it)
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            super().close()


@contextlib.contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Write what the trainer logs into a file as well."""
    handler = _LogFile(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger("trainer_core")
    root.addHandler(handler)
    root.setLevel(min(root.level or logging.INFO, logging.INFO))
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()

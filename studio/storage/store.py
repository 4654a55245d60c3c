"""The open database: who may write, which thread is in, and transactions with known errors."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from studio.storage.database import (
    ReadOnlyLibraryError,
    known_errors,
    make_engine,
    prepare_database,
)
from studio.storage.tables import Dataset, Run
from trainer_core.errors import KnownError, from_os_error

DATABASE = "hearth.db"
LOCK = "hearth.lock"
SECOND_WINDOW = "Another window of Hearth works with this library."


class Store:
    """One open database. Every method may be called from any thread; one is inside at a time."""

    def __init__(self, home: Path, lock: FileLock | None, read_only_reason: str) -> None:
        """Connect; use `Library.open`."""
        self.home = home
        self.path = home / DATABASE
        self.read_only_reason = read_only_reason
        self.was_created = prepare_database(self.path, read_only=self.read_only)
        self._writer_lock = lock
        self._engine = make_engine(self.path, read_only=self.read_only)
        self._sessions = sessionmaker(self._engine, expire_on_commit=False)
        self._inside = threading.RLock()
        self._closed = False

    @property
    def read_only(self) -> bool:
        """Whether this process may only look; `read_only_reason` says why."""
        return bool(self.read_only_reason)

    def close(self) -> None:
        """Close the database and let another process write; may be called twice."""
        with self._inside:
            self._closed = True
            self._engine.dispose()
            if self._writer_lock is not None:
                self._writer_lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Session]:
        with self._inside:
            if self._closed:  # a new connection would write without the lock
                raise RuntimeError("the library is closed")
            with known_errors(self.path), self._sessions.begin() as session:
                yield session

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Session]:
        """A transaction that is kept when the block ends without an error, and else undone."""
        if self.read_only:
            raise ReadOnlyLibraryError(
                self.read_only_reason,
                safe="This one shows everything, but can change nothing.",
                do="Make the change in the other window, or close it and open this one again.",
            )
        with self._reading() as session:
            yield session

    def _stored(self, folder: Path) -> str:
        """A folder as the database has it: relative to the home where it lies inside."""
        absolute = folder.absolute()
        if absolute.is_relative_to(self.home):
            return absolute.relative_to(self.home).as_posix()
        return str(absolute)

    def _folder(self, stored: str) -> Path:
        return self.home / stored  # an absolute one stays as it is

    def _refuse_taken(self, session: Session, table: type[Dataset] | type[Run], at: Path) -> None:
        """Raise when a folder is registered already."""
        if session.scalar(select(table.id).where(table.folder == self._stored(at))) is not None:
            raise KnownError(
                f"{at} is in the library already.",
                safe="Nothing was changed.",
                do="Open it from its list.",
            )


def gone(what: str) -> KnownError:
    """The error for a row that is not in the database any more."""
    return KnownError(
        f"This {what} is not in the library any more.",
        safe="Nothing was changed.",
        do="Go back to the list and choose another.",
    )


def checked_name(name: str, what: str) -> str:
    """A name without spaces around it.

    Raises:
        KnownError: Nothing is left.
    """
    stripped = " ".join(name.split())
    if not stripped:
        raise KnownError(
            f"The {what} has no name.", safe="Nothing was changed.", do="Type a name.", field="name"
        )
    return stripped


def take_writer_lock(home: Path) -> tuple[FileLock | None, str]:
    """Become the one process that may write in this home.

    Returns:
        The lock and an empty string; or None and the reason why this process may only read.

    Raises:
        KnownError: The home cannot be created.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise from_os_error(error, f"creating the folder {home}") from error
    lock = FileLock(home / LOCK, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        return None, SECOND_WINDOW
    except OSError as error:
        if not (home / DATABASE).exists():
            raise from_os_error(error, f"writing in {home}") from error
        return None, f"The folder {home} cannot be written."
    return lock, ""

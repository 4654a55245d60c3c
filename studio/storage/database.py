"""Opens hearth.db: one connection, explicit transactions, migrations, and errors by name.

DELETE journal and FULL synchronous on purpose: SQLite before 3.51.3 can corrupt a WAL database that
two connections use, and Python 3.11 ships 3.40.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from trainer_core.errors import DiskFullError, KnownError, from_os_error

if TYPE_CHECKING:
    from alembic.config import Config

HEAD_REVISION = "0003"
"""The newest migration; kept here so that an ordinary start need not import Alembic."""
MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT_S = 10.0
_SAFE = "Your data, runs and checkpoints lie in folders of their own and are unharmed."


class LibraryError(KnownError):
    """The library's database cannot be used as asked."""


class DamagedLibraryError(LibraryError):
    """The database file is no database any more; the folders can rebuild it."""


class NewerLibraryError(LibraryError):
    """The database was written by a newer version."""


class ReadOnlyLibraryError(LibraryError):
    """Another window, or the file system, lets this one only look."""


def _damaged(path: Path) -> DamagedLibraryError:
    return DamagedLibraryError(
        f"The library file {path} is damaged.",
        safe="The folders are the truth: " + _SAFE[:1].lower() + _SAFE[1:],
        do="Let Hearth set the file aside and rebuild the library from the folders.",
    )


def known_error(error: sqlite3.Error, path: Path) -> KnownError | None:
    """The error that a user can act on behind one of SQLite's, or None for a bug."""
    name = getattr(error, "sqlite_errorname", None) or ""
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return _damaged(path)
    if name == "SQLITE_FULL":
        return DiskFullError(
            f"The disk is full: {path.name} could not be written.",
            safe="The change was not made; everything before it is kept.",
            do="Free some space, then do it again.",
        )
    if name.startswith("SQLITE_READONLY"):
        return ReadOnlyLibraryError(
            f"{path} cannot be written.",
            safe="Nothing was changed.",
            do="Check the permissions of the file and its folder.",
        )
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return LibraryError(
            f"Another program holds {path}.",
            safe="Nothing was changed.",
            do="Close the other program and do it again.",
        )
    if name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return LibraryError(
            f"{path} cannot be read or written ({name}).",
            safe=_SAFE,
            do="Check the drive, the permissions and the free space, then try again.",
        )
    return None


@contextlib.contextmanager
def known_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors inside the block into known ones; bugs pass unchanged.

    Raises:
        KnownError: A full disk, a damaged file, a busy or unwritable database.
    """
    try:
        yield
    except DBAPIError as error:
        known = known_error(error.orig, path) if isinstance(error.orig, sqlite3.Error) else None
        if known is None:
            raise
        raise known from error
    except sqlite3.Error as error:
        known = known_error(error, path)
        if known is None:
            raise
        raise known from error


def _connect(path: Path, *, read_only: bool, foreign_keys: bool) -> sqlite3.Connection:
    mode = "ro" if read_only else "rwc"
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,  # pysqlite begins nothing by itself: the `begin` event does
        check_same_thread=False,  # the library's lock lets one thread in at a time
    )
    try:
        connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        connection.execute("PRAGMA synchronous = FULL")
        if not read_only:
            connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def make_engine(path: Path, *, read_only: bool = False, foreign_keys: bool = True) -> Engine:
    """An engine with exactly one connection, opened on first use.

    Args:
        path: The database, absolute.
        read_only: Refuse every write.
        foreign_keys: Off only for migrations, which make tables anew.
    """
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        creator=lambda: _connect(path, read_only=read_only, foreign_keys=foreign_keys),
        poolclass=StaticPool,
    )

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


def _check_whole(connection: sqlite3.Connection, path: Path) -> None:
    answer = connection.execute("PRAGMA quick_check(1)").fetchone()
    if answer is None or answer[0] != "ok":
        raise _damaged(path)


def _tables(connection: sqlite3.Connection) -> set[str]:
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return {str(row[0]) for row in rows}


def _revision(path: Path, *, read_only: bool) -> str | None:
    """Revision of the database, None for an empty one; raises when it is not ours or damaged."""
    with contextlib.closing(_connect(path, read_only=read_only, foreign_keys=False)) as connection:
        _check_whole(connection, path)
        tables = _tables(connection)
        if not tables:
            return None
        row = None
        if "alembic_version" in tables:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        if row is None:
            raise LibraryError(
                f"{path} is a database, but not a library of Hearth.",
                safe="It was not changed.",
                do="Move it away, or choose another folder for Hearth's data.",
            )
        return str(row[0])


def _alembic_config(migrations: Path) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    return config


def _check_not_newer(path: Path, revision: str, migrations: Path) -> None:
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(_alembic_config(migrations))
    if revision not in {script.revision for script in scripts.walk_revisions()}:
        raise NewerLibraryError(
            f"{path} was written by a newer version of Hearth (revision {revision}).",
            safe="It was not changed.",
            do="Update Hearth, or choose another folder for Hearth's data.",
        )


def _keep_copy(path: Path, head: str) -> None:
    """Copy the database beside itself, through SQLite so that a hot journal is applied."""
    copy = path.with_name(f"{path.name}.before-{head}")
    part = copy.with_name(copy.name + ".part")
    part.unlink(missing_ok=True)
    source = _connect(path, read_only=False, foreign_keys=False)
    with contextlib.closing(source), contextlib.closing(sqlite3.connect(part)) as target:
        target.execute("PRAGMA synchronous = FULL")
        source.backup(target)
    part.replace(copy)


def _upgrade(path: Path, migrations: Path, head: str) -> None:
    """Walk to the newest revision in one transaction: all of it or nothing."""
    from alembic import command

    engine = make_engine(path, foreign_keys=False)
    try:
        with engine.begin() as connection:
            config = _alembic_config(migrations)
            config.attributes["connection"] = connection
            command.upgrade(config, head)
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            if broken:
                raise RuntimeError(f"the migration to {head} left broken references: {broken[:3]}")
    finally:
        engine.dispose()


def prepare_database(
    path: Path, *, read_only: bool, migrations: Path = MIGRATIONS, head: str = HEAD_REVISION
) -> bool:
    """Bring the database to the newest revision, or make a new one.

    Args:
        path: The database, absolute; it may be absent.
        read_only: Change nothing; an older revision is then an error.
        migrations: Folder of the migrations.
        head: Revision to reach.

    Returns:
        Whether there was none before.

    Raises:
        DamagedLibraryError: The file is no database or fails SQLite's check.
        NewerLibraryError: A newer version wrote it.
        KnownError: It is not ours, cannot be written, or the disk is full.
    """
    try:
        with known_errors(path):
            if read_only and not path.exists():
                raise ReadOnlyLibraryError(
                    f"There is no library at {path} yet, and none can be made there.",
                    safe="Nothing was changed.",
                    do="Check the permissions of the folder, or close the other window of Hearth.",
                )
            revision = _revision(path, read_only=read_only)
            if revision == head:
                return False
            if revision is not None:
                _check_not_newer(path, revision, migrations)
            if read_only:
                raise ReadOnlyLibraryError(
                    f"{path} is of an older version, and this window may not change it.",
                    safe="Nothing was changed.",
                    do="Close the other window of Hearth, then open this one again.",
                )
            if revision is not None:
                _keep_copy(path, head)
            _upgrade(path, migrations, head)
            return revision is None
    except OSError as error:
        raise from_os_error(error, f"opening the library {path}") from error

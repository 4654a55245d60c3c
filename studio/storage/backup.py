"""A copy of the database of the last start, for the day when the disk damages the original."""

from __future__ import annotations

import contextlib
import logging
import shutil
import sqlite3
from pathlib import Path

_log = logging.getLogger(__name__)


def backup_of(path: Path) -> Path:
    """Where the copy of a database lies."""
    return path.with_name(path.name + ".backup")


def keep_backup(path: Path) -> None:
    """Copy a database that was just found whole, unless the copy is newer.

    A copy that cannot be made is logged: the library works without one.
    """
    backup = backup_of(path)
    part = backup.with_name(backup.name + ".part")
    try:
        if backup.exists() and backup.stat().st_mtime >= path.stat().st_mtime:
            return
        part.unlink(missing_ok=True)
        with (
            contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as source,
            contextlib.closing(sqlite3.connect(part)) as target,
        ):
            source.backup(target)
        part.replace(backup)
    except (OSError, sqlite3.Error) as error:
        _log.warning("no copy of %s was kept: %s", path, error)
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def put_backup_in_place(path: Path) -> bool:
    """Put the copy where a damaged database stood; returns whether there was a whole one."""
    backup = backup_of(path)
    if not backup.exists() or not _is_whole(backup):
        return False
    try:
        shutil.copyfile(backup, path)
    except OSError as error:
        _log.warning("the copy %s could not be used: %s", backup, error)
        path.unlink(missing_ok=True)
        return False
    return True


def _is_whole(path: Path) -> bool:
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as opened:
            answer = opened.execute("PRAGMA quick_check(1)").fetchone()
            tables = opened.execute(
                "SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'"
            ).fetchone()
    except sqlite3.Error:
        return False
    return bool(answer and answer[0] == "ok" and tables and tables[0])

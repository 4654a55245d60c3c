"""The database walks every migration after a copy was made, and fails whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from studio.storage.database import (
    HEAD_REVISION,
    MIGRATIONS,
    DamagedLibraryError,
    LibraryError,
    NewerLibraryError,
    ReadOnlyLibraryError,
    make_engine,
    prepare_database,
)
from studio.storage.library import Library, RunFacts
from studio.storage.tables import Table
from trainer_core.errors import DiskFullError, KnownError

NEXT = "9001"
NEXT_SCRIPT = f'''
import sqlalchemy as sa
from alembic import op

revision = "{NEXT}"
down_revision = "{HEAD_REVISION}"

def upgrade():
    with op.batch_alter_table("project") as batch:
        batch.add_column(sa.Column("starred", sa.Boolean(), server_default="0", nullable=False))
        batch.alter_column("note", nullable=True)
    op.create_table("tag", sa.Column("name", sa.String(), primary_key=True))
'''


def revisions() -> list[str]:
    scripts = ScriptDirectory(str(MIGRATIONS))
    return [script.revision for script in reversed(list(scripts.walk_revisions()))]


def tables(path: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {row[0] for row in rows}


def revision_of(path: Path) -> str:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]


@pytest.fixture
def later(tmp_path):
    """The migrations with one more at the end, which makes a table anew that others refer to."""
    folder = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / f"{NEXT}_later.py").write_text(NEXT_SCRIPT)
    return folder


@pytest.fixture
def filled(tmp_path):
    """A database of today with a run and a note in it."""
    with Library.open(tmp_path / "home") as library:
        run = library.add_run(library.add_project("P").id, "r")
        library.add_note(run.id, "kept")
    return library.path


def test_the_newest_revision_is_the_one_that_the_code_expects():
    assert revisions()[-1] == HEAD_REVISION


@pytest.mark.parametrize("start", [None, *revisions()])
def test_every_revision_leads_to_exactly_the_tables_of_the_code(tmp_path, start):
    path = tmp_path / "hearth.db"
    if start is not None:
        prepare_database(path, read_only=False, head=start)
        assert revision_of(path) == start
    created = prepare_database(path, read_only=False)
    assert created == (start is None)
    assert revision_of(path) == HEAD_REVISION
    engine = make_engine(path)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Table.metadata) == []
    engine.dispose()


def test_a_migration_keeps_the_rows_and_a_copy_from_before(filled, later):
    before = filled.read_bytes()
    assert prepare_database(filled, read_only=False, migrations=later, head=NEXT) is False
    assert revision_of(filled) == NEXT
    assert "tag" in tables(filled)
    with contextlib.closing(sqlite3.connect(filled)) as connection:
        assert connection.execute("SELECT name, starred FROM project").fetchall() == [("P", 0)]
        assert connection.execute("SELECT text FROM note").fetchall() == [("kept",)]
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    copy = filled.with_name(f"hearth.db.before-{NEXT}")
    assert revision_of(copy) == HEAD_REVISION
    assert len(copy.read_bytes()) == len(before)


@pytest.mark.parametrize(
    "failure",
    [
        'raise RuntimeError("in the middle")',
        "op.execute(\"INSERT INTO note (run_id, text, created_s) VALUES (77, 'lost', 0)\")",
    ],
)
def test_a_migration_that_fails_changes_nothing(filled, later, failure):
    script = later / "versions" / f"{NEXT}_later.py"
    script.write_text(script.read_text() + f"    {failure}\n")
    with pytest.raises(RuntimeError):
        prepare_database(filled, read_only=False, migrations=later, head=NEXT)
    assert revision_of(filled) == HEAD_REVISION
    assert "tag" not in tables(filled)
    with Library.open(filled.parent) as library:
        assert [note.text for note in library.notes(1)] == ["kept"]


def test_a_database_of_a_newer_version_is_refused_and_left_alone(filled, later):
    prepare_database(filled, read_only=False, migrations=later, head=NEXT)
    before = filled.read_bytes()
    with pytest.raises(NewerLibraryError, match="newer version") as refused:
        Library.open(filled.parent)
    assert "Update Hearth" in refused.value.do
    assert filled.read_bytes() == before


def test_an_older_database_is_not_changed_by_a_window_that_may_only_read(filled, later):
    with pytest.raises(ReadOnlyLibraryError, match="older version"):
        prepare_database(filled, read_only=True, migrations=later, head=NEXT)
    assert revision_of(filled) == HEAD_REVISION


def test_a_database_of_another_program_is_left_alone(tmp_path):
    path = tmp_path / "hearth.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    with pytest.raises(LibraryError, match="not a library of Hearth"):
        Library.open(tmp_path)
    assert tables(path) == {"recipes"}
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA integrity_check")


@pytest.mark.parametrize("size", [0, 1])
def test_an_empty_file_is_a_new_library(tmp_path, size):
    (tmp_path / "hearth.db").write_bytes(b"S" * size)  # SQLite takes one byte for none
    with Library.open(tmp_path) as library:
        assert library.was_created
        assert library.projects() == []


@pytest.mark.parametrize("keep", [17, 99, 100, 1000, 4095, 4096, 8192])
def test_a_database_cut_anywhere_is_damaged_not_a_crash(filled, keep):
    filled.write_bytes(filled.read_bytes()[:keep])
    with pytest.raises(DamagedLibraryError):
        Library.open(filled.parent)


def test_the_connection_is_safe_against_a_power_cut(filled):
    engine = make_engine(filled)
    with engine.connect() as connection:
        ask = connection.exec_driver_sql
        assert ask("PRAGMA journal_mode").scalar() == "delete"
        assert ask("PRAGMA synchronous").scalar() == 2, "FULL"
        assert ask("PRAGMA foreign_keys").scalar() == 1
    engine.dispose()


def test_a_migration_of_the_installed_package_needs_no_other_files(tmp_path):
    code = (
        "import sys; from pathlib import Path; from studio.storage.library import Library\n"
        "Library.open(Path(sys.argv[1])).close()\n"
        "assert 'alembic' in sys.modules\n"
        "sys.modules.pop('alembic')\n"
        "Library.open(Path(sys.argv[1])).close()\n"
        "assert 'alembic' not in sys.modules, 'an ordinary start should not load Alembic'\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, cwd="/")


def mounted(folder: Path, options: str):
    """A small file system of its own, or a reason to skip."""
    folder.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root on Linux")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True
    )
    if done.returncode:
        pytest.skip(f"this machine does not let us mount: {done.stderr.decode().strip()}")


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "small"
    mounted(folder, "size=320k")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_undoes_the_change_and_keeps_the_rest(small_disk):
    with Library.open(small_disk) as library:
        run = library.add_run(library.add_project("P").id, "r")
        written = 0
        with pytest.raises(DiskFullError, match="full") as full:
            for _ in range(1000):
                library.add_note(run.id, "x" * 2000)
                written += 1
        assert "kept" in full.value.safe
        assert len(library.notes(run.id)) == written
        with pytest.raises(DiskFullError):
            library.remember_run(run.id, RunFacts(sparkline=tuple(range(20_000))))
        library.remove_note(library.notes(run.id)[0].id)
        assert len(library.notes(run.id)) == written - 1
    with Library.open(small_disk) as again:
        assert len(again.notes(run.id)) == written - 1


def test_a_home_on_a_full_disk_is_named(small_disk):
    (small_disk / "filler").write_bytes(b"x" * 300 * 1024)
    with pytest.raises(KnownError) as full:
        Library.open(small_disk)
    assert full.value.safe
    (small_disk / "filler").unlink()
    with Library.open(small_disk) as library:
        library.add_project("P")


def test_a_read_only_drive_is_shown_but_not_changed(small_disk):
    with Library.open(small_disk) as library:
        library.add_project("P")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with Library.open(small_disk) as library:
        assert library.read_only
        assert [row.name for row in library.projects()] == ["P"]
        with pytest.raises(ReadOnlyLibraryError, match="cannot be written"):
            library.add_project("Q")


def test_a_home_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(KnownError, match="folder"):
        Library.open(tmp_path / "file" / "home")

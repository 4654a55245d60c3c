"""A library of the first version, with everything in it, is the same library in this one."""

from __future__ import annotations

import sqlite3

import pytest
from alembic import command
from sqlalchemy import text

from studio.storage.database import MIGRATIONS, _alembic_config, make_engine
from studio.storage.library import Library

ROWS = """
INSERT INTO alembic_version VALUES ('0001');
INSERT INTO project VALUES (1, 'FineWeb 163M', 'two days', 100.0, 300.0);
INSERT INTO project VALUES (2, 'Notizen ü', '', 200.0, 200.0);
INSERT INTO dataset (id, name, what, folder, index_folder, tokenizer, private, created_s, tokens)
    VALUES (1, 'Slice', 'Web', 'data/slice', 'indexes/slice', 'GPT-2, 50,257', 1, 50.0, 3280000000);
INSERT INTO run (id, project_id, dataset_id, name, folder, color_slot, created_s, archived, state,
    step, total_steps, tokens_seen, total_tokens, elapsed_s, val_loss, best_loss, problem,
    sparkline)
    VALUES (1, 1, 1, 'index-163m', 'runs/index-163m', 3, 110.0, 0, 'paused', 400, 1000, 4, 10, 9.5,
    3.786, 3.701, '', x'0000803f00000040');
INSERT INTO run (id, project_id, dataset_id, name, folder, color_slot, created_s, archived, state,
    step, total_steps, tokens_seen, total_tokens, elapsed_s, problem, sparkline)
    VALUES (2, 2, NULL, 'away', 'runs/away', 0, 120.0, 1, 'failed', 0, 0, 0, 0, 0.0, 'Gone.', x'');
INSERT INTO checkpoint (id, run_id, step, folder, size_bytes, val_loss, best, created_s)
    VALUES (1, 1, 400, 'checkpoints/step-00000400', 2000, 3.701, 1, 130.0);
INSERT INTO note (id, run_id, text, step, created_s) VALUES (1, 1, 'a spike', 168, 140.0);
INSERT INTO prompt (id, text, created_s, last_used_s) VALUES (1, 'Once upon', 1.0, 2.0);
INSERT INTO setting VALUES ('theme', '"light"');
"""


@pytest.fixture
def first_version(tmp_path):
    """A home whose database was made by the first migration alone, and filled."""
    path = tmp_path / "hearth.db"
    engine = make_engine(path, foreign_keys=False)
    with engine.begin() as connection:
        config = _alembic_config(MIGRATIONS)
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text("DELETE FROM alembic_version"))
    engine.dispose()
    with sqlite3.connect(path) as raw:
        raw.executescript(ROWS)
    return tmp_path


def test_everything_is_still_there_and_new_columns_have_their_defaults(first_version):
    with Library.open(first_version) as library:
        assert [row.name for row in library.projects()] == ["FineWeb 163M", "Notizen ü"]
        away, paused = library.runs(archived=True)
        assert (away.name, away.archived, away.facts.problem) == ("away", True, "Gone.")
        assert paused.facts.sparkline == (1.0, 2.0)
        assert (paused.facts.best_loss, paused.color_slot, paused.dataset_id) == (3.701, 3, 1)
        assert (paused.kind, paused.starred, paused.tags) == ("train", False, ())
        assert (paused.trashed_s, paused.group_id, paused.parent_id) == (None, None, None)
        assert library.checkpoints(1)[0].step == 400
        assert library.notes(1)[0].text == "a spike"
        assert library.prompts()[0].text == "Once upon"
        assert library.setting("theme", "system") == "light"
        (dataset,) = library.datasets()
        assert (dataset.private, dataset.tokens, dataset.trashed_s) == (True, 3_280_000_000, None)
        library.tag_runs([1], add=["kept"])
        library.trash_project(2)
        assert [row.name for row in library.runs(archived=True)] == ["index-163m"]
    (copy,) = first_version.glob("hearth.db.before-*")
    with sqlite3.connect(copy) as raw:
        assert raw.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)
        assert raw.execute("SELECT count(*) FROM run").fetchone() == (2,)


def test_references_hold_after_it(first_version):
    with Library.open(first_version) as library:
        library.close()
    with sqlite3.connect(first_version / "hearth.db") as raw:
        assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)

"""Stars, tags, lineage and the trash: what the library keeps of them, and what it refuses."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from pathlib import Path

import pytest

from studio.storage.database import DamagedLibraryError
from studio.storage.erasing import erase_folders, folder_bytes
from studio.storage.library import Library
from studio.storage.markers import MARKER, marked_s
from trainer_core import spec as specs
from trainer_core.errors import DiskFullError, KnownError, LockedError
from trainer_core.spawn import write_launch


@pytest.fixture
def library(tmp_path):
    with Library.open(tmp_path / "home") as library:
        yield library


def add_run(library: Library, name: str = "r", **more):
    projects = library.projects()
    project = projects[0] if projects else library.add_project("P")
    row = library.add_run(project.id, name, **more)
    spec = specs.TrainSpec(corpus="elsewhere/corpus")
    (row.folder / "spec.toml").write_text(specs.to_toml(spec))
    return row


def test_stars_tags_project_and_shelf_are_set_for_many_runs_and_put_back(library):
    first, second = add_run(library, "a"), add_run(library, "b")
    other = library.add_project("Q")
    ids = [first.id, second.id]
    before = library.sort_runs(ids, starred=True, project_id=other.id, archived=True)
    library.tag_runs([first.id], add=["base line", "seed 1"])
    again = library.tag_runs(ids, add=["Base Line"], remove=["seed 1"])
    assert {row.tags for row in library.runs(archived=True)} == {("base line",), ("Base Line",)}
    library.put_back_runs(again)
    library.put_back_runs(before)
    rows = library.runs()
    assert [row.name for row in rows] == ["b", "a"]
    assert not any(row.starred or row.archived or row.tags for row in rows)


@pytest.mark.parametrize("tag", ["", "  ", "a,b", "x" * 33])
def test_a_tag_that_cannot_be_is_refused_and_changes_nothing(library, tag):
    run = add_run(library)
    with pytest.raises(KnownError) as refused:
        library.tag_runs([run.id], add=["fine", tag])
    assert refused.value.field == "tags"
    assert library.run(run.id).tags == ()


def test_a_run_cannot_collect_tags_without_end(library):
    run = add_run(library)
    library.tag_runs([run.id], add=[f"tag {n}" for n in range(20)])
    with pytest.raises(KnownError, match="at most 20"):
        library.tag_runs([run.id], add=["one more"])


def test_a_run_does_not_come_from_itself_by_any_way(library):
    first, second, third = (add_run(library, name) for name in "abc")
    library.set_parent(second.id, first.id)
    library.set_parent(third.id, second.id)
    with pytest.raises(KnownError, match="itself"):
        library.set_parent(first.id, third.id)
    library.set_parent(third.id, None)
    assert library.run(third.id).parent_id is None


def test_notes_are_found_by_run_and_a_run_by_its_folder(library):
    run = add_run(library)
    library.add_note(run.id, "spike", step=3)
    library.add_note(run.id, "calm")
    assert library.notes_of_runs() == {run.id: "calm\nspike"}
    assert library.run_of_folder(str(run.folder)).id == run.id
    assert library.run_of_folder("runs/nowhere") is None


# --- trash ---------------------------------------------------------------------------------------


def test_what_is_thrown_away_leaves_the_lists_and_comes_back_as_it_was(library):
    run = add_run(library, "zebra")
    library.add_note(run.id, "keep me")
    library.trash_runs([run.id])
    assert library.runs(archived=True) == library.search("zebra") == []
    assert [row.id for row in library.trash().runs] == [run.id]
    assert marked_s(run.folder) == pytest.approx(time.time(), abs=60)
    library.restore_runs([run.id])
    assert library.run(run.id) == run
    assert library.notes(run.id)[0].text == "keep me"
    assert not (run.folder / MARKER).exists()


def test_a_project_takes_its_runs_along_and_brings_only_those_back(library):
    early, late = add_run(library, "early"), add_run(library, "late")
    project = early.project_id
    library.trash_runs([early.id])
    library.trash_project(project)
    trash = library.trash()
    assert (len(trash.projects), len(trash.runs), len(trash)) == (1, 2, 1)
    assert library.projects() == []
    library.restore_project(project)
    assert [row.name for row in library.runs()] == ["late"]
    library.trash_project(project)
    library.restore_runs([late.id])
    assert [row.name for row in library.projects()] == ["P"], "a run brings its project back"


def test_a_name_in_the_trash_is_free_for_a_new_project(library):
    old = library.add_project("Tour")
    library.trash_project(old.id)
    new = library.add_project("Tour")
    library.restore_project(old.id)
    assert {row.name for row in library.projects()} == {"Tour", "Tour 2"}
    assert library.project(new.id).name == "Tour"


def test_a_run_at_work_is_not_thrown_away_nor_what_it_reads(library):
    dataset = library.add_dataset("Bees")
    run, idle = add_run(library, "busy", dataset_id=dataset.id), add_run(library, "idle")
    write_launch(run.folder, os.getpid(), time.time())
    with pytest.raises(LockedError, match="busy is at work"):
        library.trash_runs([idle.id, run.id])
    with pytest.raises(LockedError, match="busy is at work"):
        library.trash_project(run.project_id)
    with pytest.raises(LockedError, match="Bees is in use"):
        library.trash_dataset(dataset.id)
    assert len(library.trash()) == 0
    assert marked_s(idle.folder) is None


def test_a_dataset_that_is_thrown_away_leaves_its_runs(library):
    dataset = library.add_index_folder(library.add_dataset("Bees").id)
    run = add_run(library, dataset_id=dataset.id)
    library.trash_dataset(dataset.id)
    assert library.datasets() == []
    assert marked_s(dataset.index_folder) is not None
    library.restore_dataset(dataset.id)
    assert library.datasets() == [dataset]
    library.trash_dataset(dataset.id)
    erase_folders(library.folders_of_dataset(library.trash().datasets[0]), library.home)
    library.forget_dataset(dataset.id)
    assert library.run(run.id).dataset_id is None
    assert not dataset.folder.exists()
    assert not dataset.index_folder.exists()


def test_a_run_whose_folder_was_removed_by_hand_can_be_thrown_away(library):
    run = add_run(library)
    (run.folder / "spec.toml").unlink()
    run.folder.rmdir()
    library.trash_runs([run.id])
    erase_folders([run.folder], library.home)
    library.forget_run(run.id)
    assert len(library.trash()) == 0


def test_a_full_disk_leaves_a_run_where_it_is(library, monkeypatch):
    first, second = add_run(library, "a"), add_run(library, "b")
    written = []

    def write(path, data):
        if written:
            raise OSError(28, "No space left on device")
        written.append(path)
        path.write_bytes(data)

    monkeypatch.setattr("studio.storage.markers.write_whole_file", write)
    with pytest.raises(DiskFullError):
        library.trash_runs([first.id, second.id])
    assert len(library.runs()) == 2
    assert not written[0].exists()


def test_erasing_takes_only_marked_folders_and_survives_an_interruption(library):
    run = add_run(library)
    with pytest.raises(KnownError, match="not marked"):
        erase_folders([run.folder], library.home)
    big = run.folder / "checkpoints" / "step-00000001"
    big.mkdir(parents=True)
    (big / "model.safetensors").write_bytes(b"x" * 1000)
    library.trash_runs([run.id])
    assert folder_bytes(run.folder) > 1000
    (run.folder / "spec.toml").unlink()  # as far as an interrupted erasure came
    erase_folders([run.folder], library.home)
    assert not run.folder.exists()
    assert folder_bytes(run.folder) == 0


def test_erasing_never_takes_the_home_nor_what_a_link_points_to(library, tmp_path):
    (library.home / MARKER).write_text('{"trashed_s": 1.0}')
    with pytest.raises(KnownError, match="not marked"):
        erase_folders([library.home], library.home)
    real = tmp_path / "real"
    real.mkdir()
    (real / MARKER).write_text("{}")
    link = library.home / "runs" / "link"
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(real)
    erase_folders([link], library.home)
    assert real.is_dir()
    assert not link.is_symlink()


# --- rebuilt -------------------------------------------------------------------------------------


def damage(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 200)


def test_a_library_made_anew_leaves_the_trash_in_the_trash(library):
    gone, kept = add_run(library, "gone"), add_run(library, "kept")
    library.trash_runs([gone.id])
    library.close()
    damage(library.path)
    with Library.open(library.home, rebuild=True) as again:
        assert [row.name for row in again.runs()] == ["kept"]
        assert [row.name for row in again.trash().runs] == ["gone"]
        assert again.rebuilt.runs == 2
    assert kept.folder.is_dir()


def test_the_copy_of_the_last_start_brings_names_groups_and_notes_back(library):
    run = add_run(library, "slug me")
    library.change_run(run.id, name="A good name")
    library.sort_runs([run.id], starred=True)
    library.add_note(run.id, "never again")
    library.add_group(run.project_id, "Seeds", "seeds", {"seed": [1, 2]})
    library.close()
    Library.open(library.home).close()  # the start that makes the copy
    with Library.open(library.home) as later:
        add_run(later, "after the copy")
        later.trash_runs([run.id])
    os.utime(library.path.with_name("hearth.db.backup"), (0, 0))
    damage(library.path)
    with Library.open(library.home, rebuild=True) as again:
        assert [row.name for row in again.runs()] == ["after-the-copy"]
        (trashed,) = again.trash().runs
        assert (trashed.name, trashed.starred) == ("A good name", True)
        assert again.notes(trashed.id)[0].text == "never again"
        assert [group.name for group in again.groups()] == ["Seeds"]


def test_what_a_damaged_database_still_tells_is_used(library):
    runs = [add_run(library, f"Run number {n}") for n in range(40)]
    library.tag_runs([runs[0].id], add=["first"])
    for run in runs:
        library.add_note(run.id, "note " * 2000)
    library.close()
    with sqlite3.connect(library.path) as raw:
        (root,) = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'note'").fetchone()
    data = bytearray(library.path.read_bytes())
    data[(root - 1) * 4096 : root * 4096] = b"\xff" * 4096
    library.path.write_bytes(data)
    with pytest.raises(DamagedLibraryError):
        Library.open(library.home)
    with Library.open(library.home, rebuild=True) as again:
        rows = {row.name: row for row in again.runs()}
        assert set(rows) == {f"Run number {n}" for n in range(40)}
        assert rows["Run number 0"].tags == ("first",)
        assert [project.name for project in again.projects()] == ["P"]


def test_a_library_made_anew_knows_imported_curves_and_who_came_from_whom(library):
    first, second = add_run(library, "first"), add_run(library, "second")
    spec = specs.TrainSpec(
        corpus="elsewhere/corpus",
        continue_from=str(first.folder / "checkpoints" / "step-00000100"),
    )
    (second.folder / "spec.toml").write_text(specs.to_toml(spec))
    curves = library.home / "runs" / "gpt2-log"
    curves.mkdir()
    (curves / "reference.json").write_text(json.dumps({"version": 1}))
    library.close()
    library.path.unlink()
    with Library.open(library.home) as again:
        rows = {row.name: row for row in again.runs()}
        assert rows["gpt2-log"].kind == "reference"
        assert rows["second"].parent_id == rows["first"].id


# --- many ----------------------------------------------------------------------------------------


def test_two_thousand_runs_are_read_with_one_query(tmp_path):
    with Library.open(tmp_path) as library:
        projects = [library.add_project(f"Project {n}") for n in range(20)]
        rows = [
            (project.id, f"run {n}", f"runs/{n}", "[]", time.time(), b"\0" * 256)
            for n in range(2000)
            for project in [projects[n % 20]]
        ]
        library.close()
        with sqlite3.connect(library.path) as raw:
            raw.executemany(
                "INSERT INTO run (project_id, name, folder, tags, created_s, sparkline, color_slot,"
                " archived, kind, starred, state, step, total_steps, tokens_seen, total_tokens,"
                " elapsed_s, problem) VALUES (?, ?, ?, ?, ?, ?, 0, 0, 'train', 0, 'finished', 1, 1,"
                " 1, 1, 1.0, '')",
                rows,
            )
    with Library.open(tmp_path) as library:
        asked = []
        with library._engine.connect() as connection:
            connection.connection.driver_connection.set_trace_callback(asked.append)
        found = library.runs(archived=True)
        assert len(found) == 2000
        assert sum(query.startswith("SELECT") for query in asked) == 1

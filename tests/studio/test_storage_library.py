"""The library keeps what it is told, hands out frozen copies, and names what goes wrong."""

from __future__ import annotations

import dataclasses
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.storage.database import DamagedLibraryError, ReadOnlyLibraryError
from studio.storage.library import COLOR_SLOTS, Library, RunFacts
from studio.storage.slugs import LENGTH_MAX, make_folder, slug
from trainer_core import spec as specs
from trainer_core.errors import KnownError
from trainer_core.records import CheckpointSaved


@pytest.fixture
def library(tmp_path):
    with Library.open(tmp_path / "home") as library:
        yield library


def checkpoint(step: int, **more) -> CheckpointSaved:
    return CheckpointSaved(
        time_s=float(step), step=step, folder=f"checkpoints/step-{step:08}", size_bytes=9, **more
    )


def test_projects_come_last_used_first_and_a_new_run_counts_as_use(library):
    first = library.add_project("FineWeb 163M", note="two days")
    second = library.add_project("Notes")
    assert [row.name for row in library.projects()] == ["Notes", "FineWeb 163M"]
    library.add_run(first.id, "index-163m")
    assert [row.id for row in library.projects()] == [first.id, second.id]
    assert library.project(first.id).note == "two days"


def test_a_project_can_be_renamed_but_not_to_a_name_that_is_taken_or_empty(library):
    first, second = library.add_project("A"), library.add_project("B")
    assert library.change_project(first.id, name="  C   c ").name == "C c"
    assert library.change_project(first.id, name="C c", note="n").note == "n"
    with pytest.raises(KnownError, match="already") as taken:
        library.change_project(second.id, name="C c")
    assert taken.value.field == "name"
    with pytest.raises(KnownError, match="no name"):
        library.add_project(" \n")
    assert {row.name for row in library.projects()} == {"C c", "B"}


def test_rows_are_frozen(library):
    with pytest.raises(dataclasses.FrozenInstanceError):
        library.add_project("A").name = "B"


def test_a_run_gets_a_folder_of_its_own_and_the_least_used_colour(library):
    project = library.add_project("P")
    runs = [library.add_run(project.id, "Same name!") for _ in range(COLOR_SLOTS + 1)]
    assert [run.color_slot for run in runs] == [0, 1, 2, 3, 4, 5, 0]
    assert len({run.folder for run in runs}) == len(runs)
    assert all(run.folder.is_dir() and run.folder.parent.name == "runs" for run in runs)
    assert [run.id for run in library.runs(project.id)] == [run.id for run in reversed(runs)]
    assert library.runs(project.id + 1) == []


def test_run_figures_survive_closing(library):
    run = library.add_run(library.add_project("P").id, "r")
    facts = RunFacts(
        state="running", step=7, total_steps=10, best_loss=2.5, sparkline=(3.0, 2.5), problem=""
    )
    library.remember_run(run.id, facts)
    library.close()
    with Library.open(library.home) as again:
        assert again.run(run.id).facts == facts
        assert again.run(run.id).facts.share_done == 0.7


def test_archived_runs_are_listed_only_when_asked_for(library):
    project, other = library.add_project("P"), library.add_project("Q")
    run = library.add_run(project.id, "r")
    assert library.change_run(run.id, archived=True, name="s", project_id=other.id).name == "s"
    assert library.runs() == []
    assert [row.project_id for row in library.runs(archived=True)] == [other.id]


def test_checkpoints_are_exactly_those_of_the_last_report(library):
    run = library.add_run(library.add_project("P").id, "r")
    library.remember_checkpoints(run.id, [checkpoint(1), checkpoint(2, best=True, val_loss=2.0)])
    library.remember_checkpoints(run.id, [checkpoint(2, best=True, val_loss=2.0), checkpoint(3)])
    found = library.checkpoints(run.id)
    assert [(row.step, row.best, row.val_loss) for row in found] == [
        (2, True, 2.0),
        (3, False, None),
    ]
    assert found[0].folder == run.folder / "checkpoints/step-00000002"
    assert library.checkpoints(run.id + 1) == []


def test_notes_and_prompts_come_newest_first(library):
    run = library.add_run(library.add_project("P").id, "r")
    library.add_note(run.id, "spike", step=168)
    last = library.add_note(run.id, "calm again")
    assert [note.text for note in library.notes(run.id)] == ["calm again", "spike"]
    library.remove_note(last.id)
    library.remove_note(last.id)
    assert [note.step for note in library.notes(run.id)] == [168]

    first = library.add_prompt("def main(")
    library.add_prompt("Once upon")
    assert library.add_prompt("def main(").id == first.id
    assert [prompt.text for prompt in library.prompts()] == ["def main(", "Once upon"]
    library.remove_prompt(first.id)
    assert [prompt.text for prompt in library.prompts()] == ["Once upon"]


def test_settings_keep_their_type_and_fall_back_to_the_default(library):
    assert library.setting("theme", "system") == "system"
    library.set_setting("theme", "dark")
    library.set_setting("theme", "light")
    library.set_setting("splitter", [200, 300])
    library.set_setting("nothing", None)
    assert library.setting("theme", "system") == "light"
    assert library.setting("splitter", [0]) == [200, 300]
    assert library.setting("theme", 3) == 3, "another type than expected is no answer"
    assert library.setting("splitter", None) == [200, 300]
    assert library.setting("nothing", "x") == "x"


def test_a_dataset_gets_its_index_folder_once(library):
    row = library.add_dataset("Python library", what="Source code", tokenizer="own, 4,096")
    assert row.index_path is None
    assert row.corpus_folder == row.folder / "corpus"
    indexed = library.add_index_folder(row.id)
    assert library.add_index_folder(row.id) == indexed
    assert indexed.index_path == indexed.index_folder / "index"
    changed = library.change_dataset(row.id, tokens=7_900_000, private=True, name="Python")
    assert (changed.tokens, changed.private, changed.name) == (7_900_000, True, "Python")
    assert library.dataset(row.id) == library.datasets()[0] == changed


def test_an_existing_folder_is_registered_once_wherever_it_lies(library, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    row = library.add_dataset("A", folder=elsewhere)
    assert row.folder == elsewhere
    with pytest.raises(KnownError, match="already"):
        library.add_dataset("B", folder=elsewhere)


def test_folders_move_with_the_home(library, tmp_path):
    run = library.add_run(library.add_project("P").id, "r")
    library.close()
    library.home.rename(tmp_path / "moved")
    with Library.open(tmp_path / "moved") as moved:
        assert moved.run(run.id).folder == tmp_path / "moved" / "runs" / "r"


@pytest.mark.parametrize(
    "call",
    [
        lambda library: library.project(9),
        lambda library: library.dataset(9),
        lambda library: library.run(9),
        lambda library: library.add_run(9, "r"),
        lambda library: library.add_note(9, "n"),
        lambda library: library.remember_run(9, RunFacts()),
        lambda library: library.remember_checkpoints(9, []),
        lambda library: library.change_project(9, name="x"),
        lambda library: library.change_run(9, name="x"),
        lambda library: library.add_index_folder(9),
    ],
)
def test_what_is_gone_is_named(library, call):
    with pytest.raises(KnownError, match="not in the library any more"):
        call(library)


def test_a_failed_change_leaves_nothing_behind(library):
    project = library.add_project("P")
    with pytest.raises(KnownError):
        library.add_run(project.id, "r", dataset_id=9)
    assert library.runs() == []


def test_search_finds_every_word_in_any_case_and_the_closest_name_first(library):
    project = library.add_project("Fine web")
    library.add_run(project.id, "index-163m")
    library.add_run(project.id, "Índice")
    library.add_dataset("FineWeb slice", what="Web pages")
    assert [found.title for found in library.search("FINE")] == [
        "Fine web",
        "FineWeb slice",
        "Índice",
        "index-163m",
    ]
    assert [(found.kind, found.title) for found in library.search("163 fine")] == [
        ("run", "index-163m")
    ]
    assert [found.title for found in library.search("ÍNDICE")] == ["Índice"]
    assert library.search("  ") == library.search("zebra") == []
    assert len(library.search("i", limit=2)) == 2


def test_every_thread_may_call(library):
    def work(number: int) -> None:
        for turn in range(10):
            library.add_project(f"{number}-{turn}")
            library.projects()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))  # raises what a thread raised
    assert len(library.projects()) == 40


def test_a_second_studio_sees_everything_and_changes_nothing(library):
    library.add_project("P")
    with Library.open(library.home) as second:
        assert second.read_only
        assert "Another window" in second.read_only_reason
        assert [row.name for row in second.projects()] == ["P"]
        with pytest.raises(ReadOnlyLibraryError, match="Another window"):
            second.add_project("Q")
        with pytest.raises(sqlite3.OperationalError):
            connection = sqlite3.connect(f"{second.path.as_uri()}?mode=ro", uri=True)
            connection.execute("DELETE FROM project")
        library.add_project("R")
        assert {row.name for row in second.projects()} == {"P", "R"}
    library.close()
    with Library.open(library.home) as third:
        assert not third.read_only
        third.add_project("Q")


def test_a_closed_library_does_not_open_itself_again(library):
    library.close()
    library.close()
    with pytest.raises(RuntimeError, match="closed"):
        library.projects()


def write_job(folder: Path, spec: specs.Section) -> None:
    folder.mkdir(parents=True)
    (folder / "spec.toml").write_text(specs.to_toml(spec))


def make_jobs(home: Path) -> None:
    data = home / "data" / "python"
    write_job(data, specs.PrepareSpec(source=specs.PythonLibrary(), name="Python library"))
    write_job(home / "indexes" / "python", specs.IndexSpec(corpus=str(data / "corpus")))
    write_job(home / "runs" / "plain", specs.TrainSpec(corpus=str(data / "corpus")))
    write_job(home / "tour" / "1" / "plain", specs.TrainSpec(corpus="elsewhere/corpus"))
    (home / "runs" / "broken").mkdir()
    (home / "runs" / "broken" / "spec.toml").write_text("verb = 'train'\nsteps = 'x'")


def test_a_library_that_is_gone_is_made_anew_from_the_folders(tmp_path):
    make_jobs(tmp_path)
    with Library.open(tmp_path) as library:
        (dataset,) = library.datasets()
        assert (dataset.name, dataset.tokenizer) == ("Python library", "own, 4,096")
        assert dataset.index_folder == tmp_path / "indexes" / "python"
        runs = {run.folder.relative_to(tmp_path).as_posix(): run for run in library.runs()}
        assert set(runs) == {"runs/plain", "tour/1/plain"}
        assert runs["runs/plain"].dataset_id == dataset.id
        assert runs["tour/1/plain"].dataset_id is None
        again = library.rebuild_from_folders()
        assert (again.datasets, again.runs) == (0, 0)


def test_a_damaged_database_is_named_then_set_aside_and_rebuilt(tmp_path):
    make_jobs(tmp_path)
    with Library.open(tmp_path) as library:
        library.add_project("By hand")
    whole = library.path.read_bytes()
    library.path.write_bytes(whole[: len(whole) // 2 // 4096 * 4096])
    with pytest.raises(DamagedLibraryError, match="folders are the truth"):
        Library.open(tmp_path)
    library.path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(DamagedLibraryError, match="damaged"):
        Library.open(tmp_path)
    with Library.open(tmp_path, rebuild=True) as rebuilt:
        assert len(rebuilt.runs()) == 2
        assert len(rebuilt.datasets()) == 1
    (aside,) = tmp_path.glob("hearth.db.damaged-*")
    assert aside.read_bytes().startswith(b"not a database")


def test_a_whole_database_is_never_set_aside(library):
    library.add_project("P")
    with Library.open(library.home, rebuild=True) as second:
        assert second.read_only
    library.close()
    with Library.open(library.home, rebuild=True) as third:
        assert [row.name for row in third.projects()] == ["P"]


def test_a_damaged_database_that_another_window_works_with_stays(library):
    library.path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(DamagedLibraryError):
        Library.open(library.home, rebuild=True)
    assert not list(library.home.glob("*.damaged-*"))


def test_damage_that_shows_up_later_is_named_too(library):
    run = library.add_run(library.add_project("P").id, "r")
    for _ in range(20):
        library.add_note(run.id, "note " * 2000)
    library.close()
    data = bytearray(library.path.read_bytes())
    with Library.open(library.home) as again:
        for at in range(4096 * 8, len(data), 4096):
            data[at : at + 2048] = b"\xff" * 2048
        again.path.write_bytes(bytes(data))
        with pytest.raises(DamagedLibraryError):
            again.notes(run.id)


@given(st.text(max_size=80))
def test_slugs_are_safe_names(text):
    name = slug(text)
    assert 0 < len(name) <= LENGTH_MAX + 2
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not name.startswith("-")
    assert not name.endswith("-")


def test_slugs_keep_what_can_be_read_and_avoid_device_names():
    assert slug("Índex 163M / run #2") == "index-163m-run-2"
    assert slug("CON") == "con-1"
    assert slug("データ", "dataset") == "dataset"
    assert slug("../../etc") == "etc"


def test_folders_are_numbered_when_the_name_is_taken(tmp_path):
    names = [make_folder(tmp_path / "runs", "A b").name for _ in range(3)]
    assert names == ["a-b", "a-b-2", "a-b-3"]
    (tmp_path / "file").write_text("")
    with pytest.raises(KnownError, match="folder"):
        make_folder(tmp_path / "file", "x")

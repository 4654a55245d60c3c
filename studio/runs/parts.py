"""The parts of a job of jobs in the library: its project, its dataset, its runs. Qt-free."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from studio.storage.library import DatasetRow, Library, ProjectRow, RunRow
from studio.storage.tokenizer_labels import tokenizer_label
from trainer_core import spec as specs
from trainer_core.errors import KnownError
from trainer_core.status import SPEC_FILE, read_status


def spec_in(folder: Path) -> specs.Section | None:
    """The settings of a job folder; None while they are not there."""
    try:
        return specs.load(folder / SPEC_FILE)
    except KnownError:
        return None  # announced, but not begun yet


def first_of(folders: Iterable[Path], kind: type[specs.Section]) -> Path | None:
    """The first of some job folders whose settings are of a kind."""
    return next((folder for folder in folders if isinstance(spec_in(folder), kind)), None)


def project_named(library: Library, name: str, folders: Iterable[Path] = ()) -> ProjectRow:
    """The project of this name; made when it is not there.

    Args:
        library: Has it, or takes it.
        name: What it is called.
        folders: Runs that are to go there. Where all of them are known, it is their project,
            even in the trash: nothing that was thrown away comes back by itself.
    """
    wanted = {folder.absolute() for folder in folders}
    if wanted:
        rows = [row for row in library.runs(archived=True, trashed=True) if row.folder in wanted]
        if len(rows) == len(wanted):
            return library.project(rows[0].project_id)
    known = [project for project in library.projects() if project.name == name]
    return known[0] if known else library.add_project(name)


def register_dataset(
    library: Library, prepare: Path, index: Path | None, name: str, what: str
) -> DatasetRow:
    """A prepare job as a dataset, with what it counted as soon as it has; once.

    Args:
        library: Takes it.
        prepare: The job folder.
        index: Job folder of the index over it, or None.
        name: What it is called; a number follows where the name is taken.
        what: What it is, in a few words.
    """
    known = [row for row in library.datasets(trashed=True) if row.folder == prepare.absolute()]
    if known:
        row = known[0]
        if row.index_folder is None and index is not None:
            row = library.add_index_folder(row.id, index)
    else:
        found = spec_in(prepare)
        tokenizer = found.tokenizer if isinstance(found, specs.PrepareSpec) else None
        row = library.add_dataset(
            _free_name(name, [each.name for each in library.datasets()]),
            what=what,
            tokenizer=tokenizer_label(tokenizer) if tokenizer is not None else "",
            folder=prepare,
            index_folder=index,
        )
    return _with_counts(library, row)


def _with_counts(library: Library, row: DatasetRow) -> DatasetRow:
    """The dataset with what its jobs counted, once they have finished."""
    counted = read_status(row.folder).result if row.tokens is None else {}
    built = row.index_folder is not None and row.index_bytes is None
    indexed = read_status(row.index_folder).result if built and row.index_folder else {}
    if not counted and not indexed:
        return row
    return library.change_dataset(
        row.id,
        documents=counted.get("documents"),
        tokens=counted.get("tokens"),
        size_bytes=counted.get("bytes"),
        index_bytes=indexed.get("size_bytes"),
    )


def register_run(
    library: Library,
    project: ProjectRow,
    dataset: DatasetRow | None,
    folder: Path,
    name: str,
    color_slot: int | None = None,
) -> RunRow:
    """A train job as a run of a project; once.

    Args:
        library: Takes it.
        project: Whose run it is.
        dataset: What it learns from.
        folder: The job folder.
        name: What it is called.
        color_slot: Which of the series colours it has; None takes the next.
    """
    known = [
        row for row in library.runs(archived=True, trashed=True) if row.folder == folder.absolute()
    ]
    if known:
        return known[0]
    return library.add_run(
        project.id,
        name,
        dataset_id=dataset.id if dataset is not None else None,
        folder=folder,
        color_slot=color_slot,
    )


def _free_name(name: str, taken: list[str]) -> str:
    numbers = range(2, len(taken) + 3)
    return next(n for n in (name, *(f"{name} {i}" for i in numbers)) if n not in taken)

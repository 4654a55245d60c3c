"""The tour as the studio sees it: its folder, its stages, and its parts in the library. Qt-free."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from studio.storage.library import DatasetRow, Library, ProjectRow, RunRow
from studio.storage.rebuild import tokenizer_label
from studio.storage.slugs import make_folder
from trainer_core import spec as specs
from trainer_core.errors import KnownError
from trainer_core.records import ChildStarted
from trainer_core.status import SPEC_FILE, read_status

PROJECT = "Tour"
DATASET = "Python library"
WHAT = "Source code, from this computer"
INDEX_SLOT, PLAIN_SLOT = 0, 1
"""Series colours as in every picture: orange with the index, blue without."""
HIDDEN = "tour/hidden"
"""Setting: the user wants to see no more of the tour on Home."""


@dataclass(frozen=True)
class TourRows:
    """What of a tour is in the library; a part that has not begun is None."""

    project: ProjectRow | None
    dataset: DatasetRow | None
    plain: RunRow | None
    with_index: RunRow | None


# --- folder --------------------------------------------------------------------------------------


def find_tour(home: Path) -> Path | None:
    """The folder of the newest tour, or None."""
    tours = [folder for folder in (home / "tour").glob("*/") if _is_tour(folder)]
    return max(tours, key=lambda folder: (folder / SPEC_FILE).stat().st_mtime, default=None)


def new_tour(home: Path) -> Path:
    """A new, empty folder for a tour.

    Raises:
        KnownError: It cannot be created.
    """
    return make_folder(home / "tour", time.strftime("tour-%Y-%m-%d"))


def _is_tour(folder: Path) -> bool:
    try:
        return isinstance(specs.load(folder / SPEC_FILE), specs.TourSpec)
    except KnownError:
        return False


# --- library -------------------------------------------------------------------------------------


def register_tour(library: Library, folder: Path, children: Iterable[ChildStarted]) -> TourRows:
    """Put the parts of a tour that have begun into the library; those that are there stay.

    Args:
        library: Must be open for writing, unless everything is registered already.
        folder: The tour's job folder.
        children: What the tour has begun so far.

    Raises:
        KnownError: The library cannot be written.
    """
    begun = {child.folder: folder / child.folder for child in children}
    prepare = _first(begun.values(), specs.PrepareSpec)
    index = _first(begun.values(), specs.IndexSpec)
    dataset = _dataset(library, prepare, index) if prepare is not None else None
    trainings = {
        found.model.match_input: path
        for path in begun.values()
        if isinstance(found := _spec(path), specs.TrainSpec)
    }
    project = _project(library) if trainings else None
    rows = {
        backed: _run(library, project, dataset, path, INDEX_SLOT if backed else PLAIN_SLOT)
        for backed, path in trainings.items()
        if project is not None
    }
    return TourRows(project, dataset, rows.get(False), rows.get(True))


def _spec(folder: Path) -> specs.Section | None:
    try:
        return specs.load(folder / SPEC_FILE)
    except KnownError:
        return None  # announced, but not begun yet


def _first(folders: Iterable[Path], kind: type[specs.Section]) -> Path | None:
    return next((folder for folder in folders if isinstance(_spec(folder), kind)), None)


def _project(library: Library) -> ProjectRow:
    known = [project for project in library.projects() if project.name == PROJECT]
    return known[0] if known else library.add_project(PROJECT)


def _dataset(library: Library, prepare: Path, index: Path | None) -> DatasetRow:
    known = [row for row in library.datasets() if row.folder == prepare.absolute()]
    if known:
        row = known[0]
        if row.index_folder is None and index is not None:
            row = library.add_index_folder(row.id, index)
    else:
        found = _spec(prepare)
        tokenizer = found.tokenizer if isinstance(found, specs.PrepareSpec) else None
        row = library.add_dataset(
            _free_name(DATASET, [each.name for each in library.datasets()]),
            what=WHAT,
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


def _run(
    library: Library,
    project: ProjectRow,
    dataset: DatasetRow | None,
    folder: Path,
    color_slot: int,
) -> RunRow:
    known = [row for row in library.runs(archived=True) if row.folder == folder.absolute()]
    if known:
        return known[0]
    return library.add_run(
        project.id,
        folder.name,
        dataset_id=dataset.id if dataset is not None else None,
        folder=folder,
        color_slot=color_slot,
    )


def _free_name(name: str, taken: list[str]) -> str:
    numbers = range(2, len(taken) + 3)
    return next(n for n in (name, *(f"{name} {i}" for i in numbers)) if n not in taken)

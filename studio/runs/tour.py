"""The tour as the studio sees it: its folder, its stages, and its parts in the library. Qt-free."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from studio.runs.parts import (
    first_of,
    project_named,
    register_dataset,
    register_run,
    spec_in,
)
from studio.storage.library import DatasetRow, Library, ProjectRow, RunRow
from studio.storage.slugs import make_folder
from trainer_core import spec as specs
from trainer_core.errors import KnownError
from trainer_core.records import ChildStarted
from trainer_core.status import SPEC_FILE

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
    prepare = first_of(begun.values(), specs.PrepareSpec)
    index = first_of(begun.values(), specs.IndexSpec)
    dataset = None
    if prepare is not None:
        dataset = register_dataset(library, prepare, index, DATASET, WHAT)
    trainings = {
        found.model.match_input: path
        for path in begun.values()
        if isinstance(found := spec_in(path), specs.TrainSpec)
    }
    project = project_named(library, PROJECT, trainings.values()) if trainings else None
    rows = {
        backed: register_run(
            library, project, dataset, path, path.name, INDEX_SLOT if backed else PLAIN_SLOT
        )
        for backed, path in trainings.items()
        if project is not None
    }
    return TourRows(project, dataset, rows.get(False), rows.get(True))

"""What the trash shows, and how a thing in it is restored or erased. Knows nothing of Qt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from studio.storage.erasing import erase_folders, folder_bytes
from studio.storage.library import Library
from studio.storage.rows import Trashed
from studio.widgets import figures

Kind = Literal["project", "run", "dataset"]


@dataclass(frozen=True)
class TrashItem:
    """A thing in the trash."""

    kind: Kind
    id: int
    name: str
    what: str
    trashed_s: float
    folders: tuple[Path, ...]
    """What goes from the disk with it."""
    run_ids: tuple[int, ...] = ()
    """Runs that go with it: those of a project, or the run itself."""

    @property
    def key(self) -> tuple[str, int]:
        """Names it among all of them."""
        return self.kind, self.id


def read_trash(library: Library) -> list[TrashItem]:
    """What lies in the trash, the last thrown away first."""
    trash = library.trash()
    names = {row.id: row.name for row in (*library.projects(), *trash.projects)}
    items = [_project(trash, project_id) for project_id in (row.id for row in trash.projects)]
    gone = {row.id for row in trash.projects}
    items += [
        TrashItem(
            "run",
            run.id,
            run.name,
            f"Run of {names.get(run.project_id, '')}",
            run.trashed_s or 0.0,
            (run.folder,),
            (run.id,),
        )
        for run in trash.runs
        if run.project_id not in gone
    ]
    items += [
        TrashItem(
            "dataset",
            row.id,
            row.name,
            f"Dataset, {row.what}" if row.what else "Dataset",
            row.trashed_s or 0.0,
            library.folders_of_dataset(row),
        )
        for row in trash.datasets
    ]
    return sorted(items, key=lambda item: -item.trashed_s)


def _project(trash: Trashed, project_id: int) -> TrashItem:
    project = next(row for row in trash.projects if row.id == project_id)
    runs = [run for run in trash.runs if run.project_id == project_id]
    return TrashItem(
        "project",
        project.id,
        project.name,
        f"Project with {figures.plural(len(runs), 'run')}",
        project.trashed_s or 0.0,
        tuple(run.folder for run in runs),
        tuple(run.id for run in runs),
    )


def sizes_of(items: Iterable[TrashItem]) -> dict[tuple[str, int], int]:
    """What each takes on the disk, in bytes; takes as long as the disk does."""
    return {item.key: sum(folder_bytes(folder) for folder in item.folders) for item in items}


def restore(library: Library, items: Sequence[TrashItem]) -> None:
    """Take things out of the trash.

    Raises:
        KnownError: One was erased, or the library cannot be written.
    """
    for item in items:
        if item.kind == "project":
            library.restore_project(item.id)
        elif item.kind == "run":
            library.restore_runs([item.id])
        else:
            library.restore_dataset(item.id)


def throw_back(library: Library, items: Sequence[TrashItem]) -> None:
    """Put them into the trash again.

    Raises:
        KnownError: One is at work now, or the library cannot be written.
    """
    for item in items:
        if item.kind == "project":
            library.trash_project(item.id)
        elif item.kind == "run":
            library.trash_runs([item.id])
        else:
            library.trash_dataset(item.id)


def erase(library: Library, items: Sequence[TrashItem]) -> int:
    """Remove things from the disk and from the library; there is no way back.

    Each thing is gone as a whole before the next begins: what an error or the end of the program
    leaves over stays in the trash.

    Returns:
        How many bytes that freed.

    Raises:
        KnownError: A folder is in use, or cannot be removed.
    """
    freed = 0
    for item in items:
        library.check_erasable(item.run_ids, item.id if item.kind == "dataset" else None)
        size = sum(folder_bytes(folder) for folder in item.folders)
        erase_folders(item.folders, library.home)
        freed += size
        for run_id in item.run_ids:
            library.forget_run(run_id)
        if item.kind == "project":
            library.forget_project(item.id)
        elif item.kind == "dataset":
            library.forget_dataset(item.id)
    return freed

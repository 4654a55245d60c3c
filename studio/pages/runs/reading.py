"""Reads what the list of runs shows, on the database thread. Knows nothing of Qt."""

from __future__ import annotations

from studio.pages.runs.entries import Catalogue, Entry
from studio.storage.library import Library


def read_catalogue(library: Library) -> Catalogue:
    """Every run outside the trash, with the names that belong to it.

    A handful of queries, however many runs there are, and a look whether each folder is there.
    """
    runs = library.runs(archived=True)
    projects = library.projects()
    project_names = {row.id: row.name for row in projects}
    dataset_names = {row.id: row.name for row in library.datasets(trashed=True)}
    run_names = {row.id: row.name for row in runs}
    groups = library.group_names()
    notes = library.notes_of_runs()
    return Catalogue(
        tuple(
            Entry(
                run,
                project=project_names.get(run.project_id, ""),
                dataset="" if run.dataset_id is None else dataset_names.get(run.dataset_id, ""),
                group="" if run.group_id is None else groups.get(run.group_id, ""),
                parent="" if run.parent_id is None else run_names.get(run.parent_id, ""),
                notes=notes.get(run.id, ""),
                missing=not run.folder.is_dir(),
            )
            for run in runs
        ),
        tuple(projects),
    )

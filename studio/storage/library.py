"""The library: every project, dataset and run that the user has, as frozen rows."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Self

from studio.storage.backup import keep_backup, put_backup_in_place
from studio.storage.database import DamagedLibraryError
from studio.storage.drafts import Drafts
from studio.storage.groups import Groups
from studio.storage.markers import marked_s
from studio.storage.organising import Organising
from studio.storage.particulars import Particulars
from studio.storage.projects import Projects
from studio.storage.rebuild import (
    FoundRun,
    RebuildReport,
    Salvaged,
    find_datasets,
    find_runs,
    salvage,
    set_aside,
)
from studio.storage.rows import (
    CheckpointRow,
    DatasetRow,
    DraftRow,
    Found,
    GroupRow,
    NoteRow,
    ProjectRow,
    PromptRow,
    RunFacts,
    RunRow,
    Trashed,
)
from studio.storage.run_list import COLOR_SLOTS
from studio.storage.search import ranked
from studio.storage.store import DATABASE, take_writer_lock
from studio.storage.trash import Trash
from trainer_core.errors import KnownError, LockedError

__all__ = [
    "COLOR_SLOTS",
    "CheckpointRow",
    "DatasetRow",
    "DraftRow",
    "Found",
    "GroupRow",
    "Library",
    "NoteRow",
    "ProjectRow",
    "PromptRow",
    "RunFacts",
    "RunRow",
    "Trashed",
]

RECOVERED = "Recovered runs"


class Library(Projects, Organising, Trash, Drafts, Groups, Particulars):
    """The user's library; open it with `Library.open`, once per process.

    All methods may be called from any thread and block while they work; the studio calls them
    through `tasks.Tasks.run_op`. Methods that change something raise `ReadOnlyLibraryError` when
    another studio holds the library, and `DiskFullError` when there is no room.
    """

    rebuilt: RebuildReport | None = None
    """What was found in the folders when the database was made anew; None when it was whole."""

    @classmethod
    def open(cls, home: Path, *, rebuild: bool = False) -> Self:
        """Open the library of a home folder; both are made when absent.

        Args:
            home: Folder of the database, the data and the runs.
            rebuild: Set a damaged database aside; put its last copy in its place, or make a new
                one, and fill it from the folders.

        Raises:
            DamagedLibraryError: The database is damaged; opening with `rebuild` helps.
            NewerLibraryError: A newer version wrote it.
            KnownError: It cannot be read or created.
        """
        home = home.absolute()
        lock, reason = take_writer_lock(home)
        aside: Path | None = None
        try:
            try:
                library = cls(home, lock, reason)
            except DamagedLibraryError:
                if not rebuild or lock is None:
                    raise
                aside = set_aside(home / DATABASE)
                put_backup_in_place(home / DATABASE)
                library = cls(home, lock, reason)
        except BaseException:
            if lock is not None:
                lock.release()
            raise
        if not library.read_only:
            if library.was_created or aside is not None:
                salvaged = salvage(aside) if aside is not None else Salvaged()
                library.rebuilt = library.rebuild_from_folders(salvaged)
            keep_backup(library.path)
        return library

    def search(self, text: str, limit: int = 20) -> list[Found]:
        """Projects, runs and datasets whose names hold every word, best first.

        Args:
            text: Words in any order and case; an empty text finds nothing.
            limit: At most this many answers.
        """
        projects = self.projects()
        names = {project.id: project.name for project in projects}
        candidates = [Found("project", row.id, row.name, "project") for row in projects]
        candidates += [
            Found("run", row.id, row.name, names.get(row.project_id, ""))
            for row in self.runs(archived=True)
        ]
        candidates += [
            Found("dataset", row.id, row.name, row.what or "dataset") for row in self.datasets()
        ]
        return ranked(text, candidates)[:limit]

    # --- from the folders ----------------------------------------------------------------------

    def rebuild_from_folders(self, salvaged: Salvaged | None = None) -> RebuildReport:
        """Register the datasets and runs that lie under the home and are not known yet.

        What is marked as thrown away comes into the trash.

        Args:
            salvaged: What a damaged database still told; else names come from the folders, and
                runs get a project of their own.

        Raises:
            KnownError: The folders cannot be read or the database cannot be written.
        """
        told = salvaged or Salvaged()
        known = {row.folder for row in self.datasets(trashed=True)}
        known |= {row.folder for row in self.runs(archived=True, trashed=True)}
        datasets = [each for each in find_datasets(self.home) if each.folder not in known]
        for dataset in datasets:
            row = self.add_dataset(
                told.datasets.get(self._stored(dataset.folder), dataset.name),
                tokenizer=dataset.tokenizer,
                folder=dataset.folder,
                index_folder=dataset.index_folder,
            )
            if marked_s(dataset.folder) is not None:
                with contextlib.suppress(LockedError):
                    self.trash_dataset(row.id)
        by_corpus = {row.corpus_folder: row.id for row in self.datasets(trashed=True)}
        runs = [each for each in find_runs(self.home) if each.folder not in known]
        for run in runs:
            self._register_found(run, by_corpus.get(run.corpus), told)
        self._follow_marks()
        self._find_parents(runs)
        return RebuildReport(datasets=len(datasets), runs=len(runs))

    def _register_found(self, run: FoundRun, dataset_id: int | None, told: Salvaged) -> None:
        was = told.runs.get(self._stored(run.folder))
        project = self._project_named(was.project if was is not None else RECOVERED)
        row = self.add_run(
            project.id,
            was.name if was is not None else run.name,
            dataset_id=dataset_id,
            folder=run.folder,
            kind=run.kind,
        )
        if was is not None:
            self.sort_runs([row.id], archived=was.archived, starred=was.starred)
            with contextlib.suppress(KnownError):  # what is left of a damaged tag is none
                self.tag_runs([row.id], add=was.tags)

    def _follow_marks(self) -> None:
        """Runs in folders with a mark lie in the trash, whatever an older database says."""
        for run in self.runs(archived=True):
            if marked_s(run.folder) is not None:
                with contextlib.suppress(LockedError):  # somebody works with it: it is in use
                    self.trash_runs([run.id])

    def _find_parents(self, found: list[FoundRun]) -> None:
        """Runs that went on from another one's weights know it again."""
        rows = {row.folder: row.id for row in self.runs(archived=True, trashed=True)}
        for run in found:
            if run.parent is not None and run.parent in rows and run.parent != run.folder:
                self.set_parent(rows[run.folder], rows[run.parent])

    def _project_named(self, name: str) -> ProjectRow:
        found = [project for project in self.projects() if project.name == name]
        return found[0] if found else self.add_project(name)

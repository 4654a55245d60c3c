"""The trash of the library: what the user threw away, until it is restored or erased for good."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from studio.storage.datasets import Datasets, get_dataset
from studio.storage.markers import mark, unmark
from studio.storage.projects import get_project, project_row
from studio.storage.rows import DatasetRow, Trashed
from studio.storage.run_list import Runs, get_runs
from studio.storage.tables import Dataset, Project, Run
from trainer_core.errors import LockedError
from trainer_core.spawn import process_of


class Trash(Datasets, Runs):
    """The library's methods for the trash; see `Library` for the rest."""

    def trash(self) -> Trashed:
        """What lies in the trash, the last thrown away first."""
        with self._reading() as session:
            projects = session.scalars(
                select(Project)
                .where(Project.trashed_s.is_not(None))
                .order_by(Project.trashed_s.desc())
            )
            runs = session.scalars(
                select(Run).where(Run.trashed_s.is_not(None)).order_by(Run.trashed_s.desc())
            )
            datasets = session.scalars(
                select(Dataset)
                .where(Dataset.trashed_s.is_not(None))
                .order_by(Dataset.trashed_s.desc())
            )
            return Trashed(
                tuple(project_row(row) for row in projects),
                tuple(self._run_row(row) for row in runs),
                tuple(self._dataset_row(row) for row in datasets),
            )

    # --- throwing away -------------------------------------------------------------------------

    def trash_runs(self, run_ids: Sequence[int]) -> None:
        """Move runs to the trash; their folders stay where they are, with a mark.

        Raises:
            KnownError: A run is gone, at work, or its folder cannot be marked; all stay then.
        """
        now = time.time()
        with self._writing() as session:
            rows = [row for row in get_runs(session, run_ids) if row.trashed_s is None]
            folders = [self._folder(row.folder) for row in rows]
            for row, folder in zip(rows, folders, strict=True):
                refuse_at_work(folder, row.name)
                row.trashed_s = now
            session.flush()
            mark(folders, now)

    def trash_project(self, project_id: int) -> None:
        """Move a project to the trash with all its runs.

        Raises:
            KnownError: It is gone, or one of its runs is at work.
        """
        now = time.time()
        with self._writing() as session:
            project = get_project(session, project_id)
            rows = session.scalars(
                select(Run).where(Run.project_id == project_id, Run.trashed_s.is_(None))
            ).all()
            folders = [self._folder(row.folder) for row in rows]
            for row, folder in zip(rows, folders, strict=True):
                refuse_at_work(folder, row.name)
                row.trashed_s = now
            project.trashed_s = now
            session.flush()
            mark(folders, now)

    def trash_dataset(self, dataset_id: int) -> None:
        """Move a dataset to the trash, with its index. Runs that learned from it stay.

        Raises:
            KnownError: It is gone, its jobs are at work, or a run that uses it is.
        """
        now = time.time()
        with self._writing() as session:
            row = get_dataset(session, dataset_id)
            folders = self._folders_of(row)
            for folder in folders:
                refuse_at_work(folder, row.name)
            self._refuse_in_use(session, row)
            row.trashed_s = now
            session.flush()
            mark(folders, now)

    # --- back again ----------------------------------------------------------------------------

    def restore_runs(self, run_ids: Sequence[int]) -> None:
        """Take runs out of the trash, and their project when it lies there.

        Raises:
            KnownError: A run was erased, or the database cannot be written.
        """
        with self._writing() as session:
            rows = get_runs(session, run_ids)
            folders = [self._folder(row.folder) for row in rows]
            for row in rows:
                row.trashed_s = None
                get_project(session, row.project_id).trashed_s = None
        unmark(folders)

    def restore_project(self, project_id: int) -> None:
        """Take a project out of the trash, with the runs that were thrown away with it.

        Raises:
            KnownError: It was erased, or the database cannot be written.
        """
        with self._writing() as session:
            project = get_project(session, project_id)
            rows = session.scalars(
                select(Run).where(Run.project_id == project_id, Run.trashed_s == project.trashed_s)
            ).all()
            folders = [self._folder(row.folder) for row in rows]
            for row in rows:
                row.trashed_s = None
            project.trashed_s = None
        unmark(folders)

    def restore_dataset(self, dataset_id: int) -> None:
        """Take a dataset out of the trash.

        Raises:
            KnownError: It was erased, or the database cannot be written.
        """
        with self._writing() as session:
            row = get_dataset(session, dataset_id)
            row.trashed_s = None
            folders = self._folders_of(row)
        unmark(folders)

    # --- for good ------------------------------------------------------------------------------

    def forget_run(self, run_id: int) -> None:
        """Remove a run in the trash from the database, once its folder is gone.

        Runs that came from it stay, without a parent. One that is gone already is no error.
        """
        with self._writing() as session:
            session.execute(delete(Run).where(Run.id == run_id, Run.trashed_s.is_not(None)))

    def forget_dataset(self, dataset_id: int) -> None:
        """Remove a dataset in the trash from the database, once its folders are gone."""
        with self._writing() as session:
            session.execute(
                delete(Dataset).where(Dataset.id == dataset_id, Dataset.trashed_s.is_not(None))
            )

    def forget_project(self, project_id: int) -> None:
        """Remove a project in the trash from the database; one that still has runs stays."""
        with self._writing() as session:
            has_runs = select(Run.id).where(Run.project_id == project_id).exists()
            session.execute(
                delete(Project).where(
                    Project.id == project_id, Project.trashed_s.is_not(None), ~has_runs
                )
            )

    def check_erasable(self, run_ids: Sequence[int], dataset_id: int | None = None) -> None:
        """Make sure that nobody works with what is to be erased: it may be in use again since.

        Args:
            run_ids: Runs in the trash.
            dataset_id: A dataset in the trash.

        Raises:
            LockedError: A process works in one of the folders, or reads the dataset.
        """
        with self._reading() as session:
            for row in session.scalars(select(Run).where(Run.id.in_(run_ids))):
                refuse_at_work(self._folder(row.folder), row.name)
            if dataset_id is not None:
                dataset = get_dataset(session, dataset_id)
                for folder in self._folders_of(dataset):
                    refuse_at_work(folder, dataset.name)
                self._refuse_in_use(session, dataset)

    def _refuse_in_use(self, session: Session, dataset: Dataset) -> None:
        users = session.scalars(select(Run).where(Run.dataset_id == dataset.id))
        for run in users:
            refuse_at_work(self._folder(run.folder), run.name, f"{dataset.name} is in use: ")

    def folders_of_dataset(self, row: DatasetRow) -> tuple[Path, ...]:
        """The job folders that go when a dataset is erased."""
        return (row.folder, *([row.index_folder] if row.index_folder is not None else []))

    def _folders_of(self, row: Dataset) -> tuple[Path, ...]:
        return self.folders_of_dataset(self._dataset_row(row))


def refuse_at_work(folder: Path, name: str, because: str = "") -> None:
    """Raise when a process works in a folder.

    Raises:
        LockedError: One does.
        JobFolderError: Its journal is of a newer version, so that nobody can tell.
    """
    if not folder.is_dir() or process_of(folder) is None:
        return
    raise LockedError(
        f"{because}{name} is at work.",
        safe="It goes on, and nothing was moved.",
        do="Stop it first, or wait until it has finished.",
    )

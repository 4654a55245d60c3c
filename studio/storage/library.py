"""The library: every project, dataset and run that the user has, as frozen rows."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Self

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from studio.storage.database import DamagedLibraryError
from studio.storage.datasets import Datasets, get_dataset
from studio.storage.drafts import Drafts
from studio.storage.groups import Groups
from studio.storage.particulars import Particulars
from studio.storage.rebuild import RebuildReport, find_datasets, find_runs, set_aside
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
    RunKind,
    RunRow,
)
from studio.storage.search import ranked
from studio.storage.slugs import make_folder
from studio.storage.store import DATABASE, checked_name, gone, take_writer_lock
from studio.storage.tables import Project, Run
from trainer_core.errors import KnownError

__all__ = [
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
]

COLOR_SLOTS = 6
RECOVERED = "Recovered runs"


class Library(Datasets, Drafts, Groups, Particulars):
    """The user's library; open it with `Library.open`, once per process.

    All methods may be called from any thread and block while they work; the studio calls them
    through `tasks.Tasks.run_op`. Methods that change something raise `ReadOnlyLibraryError` when
    another studio holds the library, and `DiskFullError` when there is no room.
    """

    @classmethod
    def open(cls, home: Path, *, rebuild: bool = False) -> Self:
        """Open the library of a home folder; both are made when absent.

        Args:
            home: Folder of the database, the data and the runs.
            rebuild: Set a damaged database aside and make a new one from the folders.

        Raises:
            DamagedLibraryError: The database is damaged; opening with `rebuild` helps.
            NewerLibraryError: A newer version wrote it.
            KnownError: It cannot be read or created.
        """
        home = home.absolute()
        lock, reason = take_writer_lock(home)
        try:
            try:
                library = cls(home, lock, reason)
            except DamagedLibraryError:
                if not rebuild or lock is None:
                    raise
                set_aside(home / DATABASE)
                library = cls(home, lock, reason)
        except BaseException:
            if lock is not None:
                lock.release()
            raise
        if library.was_created and not library.read_only:
            library.rebuild_from_folders()
        return library

    # --- projects ------------------------------------------------------------------------------

    def projects(self) -> list[ProjectRow]:
        """Projects, the last used first."""
        with self._reading() as session:
            found = session.scalars(
                select(Project).order_by(Project.last_used_s.desc(), Project.id.desc())
            )
            return [_project_row(row) for row in found]

    def project(self, project_id: int) -> ProjectRow:
        """One project.

        Raises:
            KnownError: There is none with this id.
        """
        with self._reading() as session:
            return _project_row(_get_project(session, project_id))

    def add_project(self, name: str, note: str = "") -> ProjectRow:
        """Make a project.

        Raises:
            KnownError: The name is empty or taken.
        """
        now = time.time()
        with self._writing() as session:
            checked = _free_project_name(session, name)
            row = Project(name=checked, note=note, created_s=now, last_used_s=now)
            session.add(row)
            session.flush()
            return _project_row(row)

    def change_project(
        self, project_id: int, *, name: str | None = None, note: str | None = None
    ) -> ProjectRow:
        """Rename a project or change its note; what is None stays.

        Raises:
            KnownError: The name is empty or taken, or there is no such project.
        """
        with self._writing() as session:
            row = _get_project(session, project_id)
            if name is not None and name.strip() != row.name:
                row.name = _free_project_name(session, name)
            if note is not None:
                row.note = note
            return _project_row(row)

    # --- runs ----------------------------------------------------------------------------------

    def runs(self, project_id: int | None = None, *, archived: bool = False) -> list[RunRow]:
        """Runs, the newest first.

        Args:
            project_id: Only those of this project; None takes all.
            archived: Also those that the user put away.
        """
        query = select(Run).order_by(Run.created_s.desc(), Run.id.desc())
        if project_id is not None:
            query = query.where(Run.project_id == project_id)
        if not archived:
            query = query.where(Run.archived.is_(False))
        with self._reading() as session:
            return [self._run_row(row) for row in session.scalars(query)]

    def run(self, run_id: int) -> RunRow:
        """One run.

        Raises:
            KnownError: There is none with this id.
        """
        with self._reading() as session:
            return self._run_row(_get_run(session, run_id))

    def add_run(
        self,
        project_id: int,
        name: str,
        *,
        dataset_id: int | None = None,
        folder: Path | None = None,
        color_slot: int | None = None,
        kind: RunKind = "train",
        group_id: int | None = None,
        parent_id: int | None = None,
    ) -> RunRow:
        """Register a run.

        Args:
            project_id: Where it belongs.
            name: As the user knows it.
            dataset_id: What it trains on, where known.
            folder: An existing train job; None makes a new, empty folder under `runs/`.
            color_slot: Series colour, 0 to 5; None takes the one that the project used least.
            kind: `reference` for curves of another program.
            group_id: The group that it was started with.
            parent_id: The run whose weights it begins with.

        Raises:
            KnownError: The name is empty, there is no such project or dataset, or the folder is
                registered already or cannot be made.
        """
        checked = checked_name(name, "run")
        with self._writing() as session:
            project = _get_project(session, project_id)
            if dataset_id is not None:
                get_dataset(session, dataset_id)
            where = folder or make_folder(self.home / "runs", checked, "run")
            self._refuse_taken(session, Run, where)
            now = time.time()
            project.last_used_s = now
            row = Run(
                project_id=project_id,
                dataset_id=dataset_id,
                name=checked,
                folder=self._stored(where),
                color_slot=(
                    _free_color_slot(session, project_id) if color_slot is None else color_slot
                ),
                created_s=now,
                kind=kind,
                group_id=group_id,
                parent_id=parent_id,
            )
            session.add(row)
            session.flush()
            return self._run_row(row)

    def change_run(
        self,
        run_id: int,
        *,
        name: str | None = None,
        project_id: int | None = None,
        archived: bool | None = None,
    ) -> RunRow:
        """Rename a run, move it to another project, put it away or back; what is None stays.

        Raises:
            KnownError: There is no such run or project, or the name is empty.
        """
        with self._writing() as session:
            row = _get_run(session, run_id)
            if name is not None:
                row.name = checked_name(name, "run")
            if project_id is not None:
                row.project_id = _get_project(session, project_id).id
            if archived is not None:
                row.archived = archived
            return self._run_row(row)

    def remember_run(self, run_id: int, facts: RunFacts) -> None:
        """Keep a run's latest figures for the lists.

        Raises:
            KnownError: There is no such run.
        """
        values = asdict(facts)
        line = values.pop("sparkline")
        with self._writing() as session:
            row = _get_run(session, run_id)
            for column, value in values.items():
                setattr(row, column, value)
            row.sparkline = np.asarray(line, dtype="<f4").tobytes()

    # --- over all ------------------------------------------------------------------------------

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

    def rebuild_from_folders(self) -> RebuildReport:
        """Register the datasets and runs that lie under the home and are not known yet.

        Names come from the folders; runs get a project of their own, since projects, notes and
        prompts live in the database alone.

        Raises:
            KnownError: The folders cannot be read or the database cannot be written.
        """
        known = {row.folder for row in self.datasets()}
        known |= {row.folder for row in self.runs(archived=True)}
        datasets = [each for each in find_datasets(self.home) if each.folder not in known]
        for dataset in datasets:
            self.add_dataset(
                dataset.name,
                tokenizer=dataset.tokenizer,
                folder=dataset.folder,
                index_folder=dataset.index_folder,
            )
        by_corpus = {row.corpus_folder: row.id for row in self.datasets()}
        runs = [each for each in find_runs(self.home) if each.folder not in known]
        for run in runs:
            self.add_run(
                self._recovered_project().id,
                run.name,
                dataset_id=by_corpus.get(run.corpus),
                folder=run.folder,
            )
        return RebuildReport(datasets=len(datasets), runs=len(runs))

    def _recovered_project(self) -> ProjectRow:
        found = [project for project in self.projects() if project.name == RECOVERED]
        return found[0] if found else self.add_project(RECOVERED)

    def _run_row(self, row: Run) -> RunRow:
        return RunRow(
            id=row.id,
            project_id=row.project_id,
            name=row.name,
            folder=self._folder(row.folder),
            dataset_id=row.dataset_id,
            color_slot=row.color_slot,
            created_s=row.created_s,
            archived=row.archived,
            kind="reference" if row.kind == "reference" else "train",
            starred=row.starred,
            tags=tuple(row.tags) if isinstance(row.tags, list) else (),
            trashed_s=row.trashed_s,
            group_id=row.group_id,
            parent_id=row.parent_id,
            facts=RunFacts(
                state=row.state,
                step=row.step,
                total_steps=row.total_steps,
                tokens_seen=row.tokens_seen,
                total_tokens=row.total_tokens,
                elapsed_s=row.elapsed_s,
                tokens_per_s=row.tokens_per_s,
                val_loss=row.val_loss,
                best_loss=row.best_loss,
                bits_per_byte=row.bits_per_byte,
                started_s=row.started_s,
                ended_s=row.ended_s,
                problem=row.problem,
                sparkline=tuple(np.frombuffer(row.sparkline, dtype="<f4").tolist()),
            ),
        )


def _get_project(session: Session, project_id: int) -> Project:
    row = session.get(Project, project_id)
    if row is None:
        raise gone("project")
    return row


def _get_run(session: Session, run_id: int) -> Run:
    row = session.get(Run, run_id)
    if row is None:
        raise gone("run")
    return row


def _project_row(row: Project) -> ProjectRow:
    return ProjectRow(
        id=row.id,
        name=row.name,
        note=row.note,
        created_s=row.created_s,
        last_used_s=row.last_used_s,
    )


def _free_project_name(session: Session, name: str) -> str:
    checked = checked_name(name, "project")
    if session.scalar(select(Project.id).where(Project.name == checked)) is not None:
        raise KnownError(
            f"There is a project of the name {checked} already.",
            safe="Nothing was changed.",
            do="Choose another name.",
            field="name",
        )
    return checked


def _free_color_slot(session: Session, project_id: int) -> int:
    """The series colour that the fewest runs of a project have, the first among equals."""
    counted = session.execute(
        select(Run.color_slot, func.count())
        .where(Run.project_id == project_id)
        .group_by(Run.color_slot)
    )
    used: dict[int, int] = {row[0]: row[1] for row in counted}
    return min(range(COLOR_SLOTS), key=lambda slot: (used.get(slot, 0), slot))

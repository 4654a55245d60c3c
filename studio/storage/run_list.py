"""The runs of the library: which there are, where they belong, and their latest figures."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from studio.storage.datasets import get_dataset
from studio.storage.projects import get_project
from studio.storage.rows import RunFacts, RunKind, RunRow
from studio.storage.slugs import make_folder
from studio.storage.store import Store, checked_name, gone
from studio.storage.tables import Run

COLOR_SLOTS = 6


class Runs(Store):
    """The library's methods for runs; see `Library` for the rest."""

    def runs(
        self,
        project_id: int | None = None,
        *,
        archived: bool = False,
        group_id: int | None = None,
        trashed: bool = False,
    ) -> list[RunRow]:
        """Runs, the newest first.

        Args:
            project_id: Only those of this project; None takes all.
            archived: Also those that the user put away.
            group_id: Only those of this group; None takes all.
            trashed: Also those in the trash.
        """
        # Columns, not objects: a list of thousands is read in a fraction of the time.
        query = select(*Run.__table__.columns).order_by(Run.created_s.desc(), Run.id.desc())
        if project_id is not None:
            query = query.where(Run.project_id == project_id)
        if group_id is not None:
            query = query.where(Run.group_id == group_id)
        if not archived:
            query = query.where(Run.archived.is_(False))
        if not trashed:
            query = query.where(Run.trashed_s.is_(None))
        with self._reading() as session:
            return [self._run_row(row) for row in session.execute(query)]

    def run(self, run_id: int) -> RunRow:
        """One run, wherever it is.

        Raises:
            KnownError: There is none with this id.
        """
        with self._reading() as session:
            return self._run_row(get_run(session, run_id))

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
            project = get_project(session, project_id)
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
            row = get_run(session, run_id)
            if name is not None:
                row.name = checked_name(name, "run")
            if project_id is not None:
                row.project_id = get_project(session, project_id).id
            if archived is not None:
                row.archived = archived
            session.flush()
            return self._run_row(row)

    def remember_run(self, run_id: int, facts: RunFacts) -> None:
        """Keep a run's latest figures for the lists.

        Raises:
            KnownError: There is no such run.
        """
        values = asdict(facts)
        line = values.pop("sparkline")
        with self._writing() as session:
            row = get_run(session, run_id)
            for column, value in values.items():
                setattr(row, column, value)
            row.sparkline = np.asarray(line, dtype="<f4").tobytes()

    def _run_row(self, row: Run | Row[Any]) -> RunRow:
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


def get_run(session: Session, run_id: int) -> Run:
    """The run with this id.

    Raises:
        KnownError: There is none.
    """
    row = session.get(Run, run_id)
    if row is None:
        raise gone("run")
    return row


def get_runs(session: Session, run_ids: Sequence[int]) -> list[Run]:
    """The runs with these ids, in any order.

    Raises:
        KnownError: One of them is gone.
    """
    found = list(session.scalars(select(Run).where(Run.id.in_(run_ids))))
    if len(found) != len(set(run_ids)):
        raise gone("run")
    return found


def _free_color_slot(session: Session, project_id: int) -> int:
    """The series colour that the fewest runs of a project have, the first among equals."""
    counted = session.execute(
        select(Run.color_slot, func.count())
        .where(Run.project_id == project_id, Run.trashed_s.is_(None))
        .group_by(Run.color_slot)
    )
    used: dict[int, int] = {row[0]: row[1] for row in counted}
    return min(range(COLOR_SLOTS), key=lambda slot: (used.get(slot, 0), slot))

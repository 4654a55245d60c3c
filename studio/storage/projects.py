"""The projects of the library."""

from __future__ import annotations

import time

from sqlalchemy import select
from sqlalchemy.orm import Session

from studio.storage.rows import ProjectRow
from studio.storage.store import Store, checked_name, gone
from studio.storage.tables import Project
from trainer_core.errors import KnownError


class Projects(Store):
    """The library's methods for projects; see `Library` for the rest."""

    def projects(self) -> list[ProjectRow]:
        """Projects, the last used first, without those in the trash."""
        with self._reading() as session:
            found = session.scalars(
                select(Project)
                .where(Project.trashed_s.is_(None))
                .order_by(Project.last_used_s.desc(), Project.id.desc())
            )
            return [project_row(row) for row in found]

    def count_projects(self) -> int:
        """How many projects there are, without those in the trash."""
        with self._reading() as session:
            found = session.scalars(select(Project.id).where(Project.trashed_s.is_(None)))
            return len(list(found))

    def project(self, project_id: int) -> ProjectRow:
        """One project.

        Raises:
            KnownError: There is none with this id.
        """
        with self._reading() as session:
            return project_row(get_project(session, project_id))

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
            return project_row(row)

    def change_project(
        self, project_id: int, *, name: str | None = None, note: str | None = None
    ) -> ProjectRow:
        """Rename a project or change its note; what is None stays.

        Raises:
            KnownError: The name is empty or taken, or there is no such project.
        """
        with self._writing() as session:
            row = get_project(session, project_id)
            if name is not None and name.strip() != row.name:
                row.name = _free_project_name(session, name)
            if note is not None:
                row.note = note
            return project_row(row)


def get_project(session: Session, project_id: int) -> Project:
    """The project with this id.

    Raises:
        KnownError: There is none.
    """
    row = session.get(Project, project_id)
    if row is None:
        raise gone("project")
    return row


def project_row(row: Project) -> ProjectRow:
    """A frozen copy."""
    return ProjectRow(
        id=row.id,
        name=row.name,
        note=row.note,
        created_s=row.created_s,
        last_used_s=row.last_used_s,
        trashed_s=row.trashed_s,
    )


def _free_project_name(session: Session, name: str) -> str:
    checked = checked_name(name, "project")
    holder = session.scalar(select(Project).where(Project.name == checked))
    if holder is None:
        return checked
    if holder.trashed_s is None:
        raise KnownError(
            f"There is a project of the name {checked} already.",
            safe="Nothing was changed.",
            do="Choose another name.",
            field="name",
        )
    # What lies in the trash must not keep a name from the living.
    taken = set(session.scalars(select(Project.name)))
    holder.name = next(
        each for n in range(2, len(taken) + 3) if (each := f"{checked} {n}") not in taken
    )
    session.flush()
    return checked

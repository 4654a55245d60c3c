"""Runs that were started as one: the seeds of a run, or a sweep over settings."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from studio.storage.rows import GroupKind, GroupRow
from studio.storage.store import Store, checked_name, gone
from studio.storage.tables import Project, RunGroup


class Groups(Store):
    """The groups of the library; see `Library` for the rest."""

    def groups(self, project_id: int | None = None) -> list[GroupRow]:
        """Groups, the newest first; only those of a project where one is given."""
        query = select(RunGroup).order_by(RunGroup.created_s.desc(), RunGroup.id.desc())
        if project_id is not None:
            query = query.where(RunGroup.project_id == project_id)
        with self._reading() as session:
            return [_group_row(row) for row in session.scalars(query)]

    def add_group(
        self, project_id: int, name: str, kind: GroupKind, axes: Mapping[str, Sequence[Any]]
    ) -> GroupRow:
        """Make a group; `Library.add_run` puts runs into it.

        Args:
            project_id: Where it belongs.
            name: As the user knows it.
            kind: `seeds`, or `sweep`.
            axes: Values by the path of each varied setting.

        Raises:
            KnownError: The name is empty, or there is no such project.
        """
        checked = checked_name(name, "group")
        with self._writing() as session:
            if session.get(Project, project_id) is None:
                raise gone("project")
            row = RunGroup(
                project_id=project_id,
                name=checked,
                kind=kind,
                axes={path: list(values) for path, values in axes.items()},
                created_s=time.time(),
            )
            session.add(row)
            session.flush()
            return _group_row(row)


def _group_row(row: RunGroup) -> GroupRow:
    axes = row.axes if isinstance(row.axes, dict) else {}
    return GroupRow(
        id=row.id,
        project_id=row.project_id,
        name=row.name,
        kind="seeds" if row.kind == "seeds" else "sweep",
        axes={path: tuple(values) for path, values in axes.items()},
        created_s=row.created_s,
    )

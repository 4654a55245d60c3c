"""Runs that were planned and not started yet."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import select

from studio.storage.rows import DraftRow
from studio.storage.store import Store, checked_name
from studio.storage.tables import RunDraft


class Drafts(Store):
    """The drafts of the library; see `Library` for the rest."""

    def drafts(self) -> list[DraftRow]:
        """All drafts, the last changed first."""
        with self._reading() as session:
            found = session.scalars(
                select(RunDraft).order_by(RunDraft.changed_s.desc(), RunDraft.id.desc())
            )
            return [_draft_row(row) for row in found]

    def keep_draft(
        self,
        name: str,
        values: dict[str, Any],
        *,
        project_id: int | None = None,
        draft_id: int | None = None,
    ) -> DraftRow:
        """Keep a draft, a new one or in the place of an older state of it.

        Args:
            name: As the user knows it.
            values: What the wizard holds, as plain values.
            project_id: Where the run will belong; None: it is not known yet.
            draft_id: The draft that this is a newer state of; a removed one is made anew.

        Raises:
            KnownError: The name is empty or the database cannot be written.
        """
        checked = checked_name(name, "draft")
        with self._writing() as session:
            row = session.get(RunDraft, draft_id) if draft_id is not None else None
            if row is None:
                row = RunDraft(name=checked, values=values)
                session.add(row)
            row.name, row.values, row.project_id = checked, values, project_id
            row.changed_s = time.time()
            session.flush()
            return _draft_row(row)

    def remove_draft(self, draft_id: int) -> None:
        """Remove a draft; one that is gone already is no error."""
        with self._writing() as session:
            row = session.get(RunDraft, draft_id)
            if row is not None:
                session.delete(row)


def _draft_row(row: RunDraft) -> DraftRow:
    values = row.values if isinstance(row.values, dict) else {}
    return DraftRow(
        id=row.id,
        project_id=row.project_id,
        name=row.name,
        values=values,
        changed_s=row.changed_s,
    )

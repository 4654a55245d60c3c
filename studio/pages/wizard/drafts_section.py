"""Drafts of runs on other pages: those of a project or all, hidden while there are none."""

from __future__ import annotations

from functools import partial

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.context import Context
from studio.pages.wizard.kept_drafts import KeptDrafts
from studio.pages.wizard.target import WizardTarget
from studio.storage.library import Library
from studio.storage.rows import DraftRow

SHOWN_MAX = 3
"""The newest ones; the wizard's first step lists more."""


_BELOW_PX = 12
"""What parts the drafts from what is below them."""


class DraftsSection(QWidget):
    """Rows of drafts, each opened in the wizard or removed; a removed one can be had back."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.drafts = KeptDrafts(title="Drafts", offers_files=False)
        self.drafts.opened.connect(self._on_opened)
        self.drafts.removed.connect(partial(remove_draft, context))
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.addWidget(self.drafts)
        self.drafts.hide()
        context.undo.changed.connect(self.refresh)

    def showEvent(self, event: QShowEvent) -> None:
        """Read them anew."""
        super().showEvent(event)
        self.refresh()

    def refresh(self) -> None:
        """Read which drafts there are."""
        self._context.tasks.run_op(self._context.library.drafts, self._on_read, owner=self)

    def _on_read(self, rows: list[DraftRow]) -> None:
        self.drafts.show_rows(tuple(rows[:SHOWN_MAX]), read_only=self._context.library.read_only)
        self.drafts.setVisible(bool(rows))
        self._column.setContentsMargins(0, 0, 0, _BELOW_PX if rows else 0)

    def _on_opened(self, draft_id: int) -> None:
        self._context.navigate("wizard", WizardTarget(draft_id=draft_id))


def remove_draft(context: Context, draft_id: int) -> None:
    """Remove a draft in a way that can be undone."""
    removal = _Removal(context.library, draft_id)
    context.undo.do("Draft removed", removal.do, removal.undo)


class _Removal:
    """A draft that goes, and comes back as it was."""

    def __init__(self, library: Library, draft_id: int) -> None:
        self._library, self._id = library, draft_id
        self._row: DraftRow | None = None

    def do(self) -> None:
        rows = self._library.drafts()
        self._row = next((row for row in rows if row.id == self._id), None)
        self._library.remove_draft(self._id)

    def undo(self) -> None:
        row = self._row
        if row is not None:
            made = self._library.keep_draft(row.name, row.values, project_id=row.project_id)
            self._id = made.id

"""Where drafts lie: kept in the library, taken up again, and read from files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from studio.context import Context
from studio.pages.wizard.draft import Draft
from studio.pages.wizard.drafts_section import remove_draft
from studio.pages.wizard.keeping import draft_values, kept_draft
from studio.pages.wizard.opening import OpenedSettings, open_settings
from studio.pages.wizard.start import Shelf, read_shelf
from studio.storage.rows import DraftRow


@dataclass(frozen=True)
class TakenUp:
    """A draft to go on with.

    Attributes:
        draft: As it was kept.
        step: Which step it had reached.
        draft_id: Of its row.
        shelf: What there is to choose from by now.
    """

    draft: Draft
    step: int
    draft_id: int
    shelf: Shelf


class DraftDesk(QObject):
    """Does with drafts what takes the disk, in threads; errors are told as toasts.

    Signals:
        kept (object): A draft was kept; carries its `DraftRow`.
        taken_up (object): A draft is to be gone on with; carries a `TakenUp`.
        opened (object): Settings were read from a file; carries `OpenedSettings`.
        rows_changed: There are other drafts than before.
    """

    kept = Signal(object)
    taken_up = Signal(object)
    opened = Signal(object)
    rows_changed = Signal()

    def __init__(self, context: Context, parent: QWidget) -> None:
        super().__init__(parent)
        self._context = context
        self._window = parent
        context.undo.changed.connect(self.rows_changed)

    def keep(self, draft: Draft, step: int, draft_id: int | None) -> None:
        """Keep a draft, in the place of an older state of it."""
        library = self._context.library
        name = draft.name.strip() or draft.suggested_name()
        values = draft_values(draft, step)

        def op() -> DraftRow:
            return library.keep_draft(name, values, project_id=draft.project_id, draft_id=draft_id)

        def done(row: DraftRow) -> None:
            self.kept.emit(row)
            self.rows_changed.emit()

        self._context.tasks.run_op(op, done, self._context.toast, owner=self)

    def take_up(self, draft_id: int) -> None:
        """Read a draft back."""
        library = self._context.library

        def op() -> TakenUp | None:
            row = next((row for row in library.drafts() if row.id == draft_id), None)
            if row is None:
                return None
            shelf = read_shelf(library)
            draft, step = kept_draft(row, shelf.choices, shelf.projects)
            return TakenUp(draft, step, row.id, shelf)

        def done(found: TakenUp | None) -> None:
            if found is None:
                self.rows_changed.emit()  # it was removed in the meantime
            else:
                self.taken_up.emit(found)

        self._context.tasks.run_op(op, done, self._context.toast, owner=self)

    def remove(self, draft_id: int) -> None:
        """Remove a draft; it can be had back."""
        remove_draft(self._context, draft_id)

    def ask_for_file(self) -> None:
        """Let the user choose a TOML file."""
        dialog = QFileDialog(self._window, "Open settings", str(Path.home()))
        dialog.setNameFilters(["Settings (*.toml)", "All files (*)"])
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda path: self.read_file(Path(path)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def read_file(self, path: Path) -> None:
        """Read settings from a file; what is wrong with it is told with its line."""
        library = self._context.library

        def op() -> OpenedSettings:
            return open_settings(path, read_shelf(library).choices)

        self._context.tasks.run_op(op, self.opened.emit, self._context.toast, owner=self)

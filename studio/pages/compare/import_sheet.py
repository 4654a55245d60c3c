"""The sheet in which a log of another program is looked at, completed and imported."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from studio.context import Context
from studio.pages.compare.import_facts import (
    KnownTokenizer,
    check,
    first_answers,
    is_role,
    keep_reference,
    known_tokenizers,
    with_answers,
)
from studio.pages.compare.import_form import ImportForm
from studio.runs.importing.curves import Series
from studio.runs.importing.sources import (
    Source,
    look,
    reference_for,
    with_layout,
    with_tags,
)
from studio.runs.importing.table import guess_layout
from studio.storage.rows import ProjectRow, RunRow
from studio.widgets.empty import EmptyState, ErrorCard
from studio.widgets.sheet import Sheet

_FILTER: Final = (
    "Logs and tables (*.log *.txt *.out *.csv *.tsv *.jsonl *.gz *tfevents*);;All files (*)"
)
_TITLE: Final = "Import curves"
_PROJECT: Final = "References"
"""The project that references go to where there is none yet."""


class ImportSheet(Sheet):
    """Asks for a log, shows what is in it, and keeps it as a reference run.

    Args:
        context: The studio.
        host: The page that it lies over.
        top_px: Height of that page's header.

    Signals:
        kept: A reference run was made; carries its id.
    """

    kept = Signal(int)

    def __init__(self, context: Context, host: QWidget, top_px: int) -> None:
        super().__init__(host, top_px)
        self._context = context
        self._page = host
        self._source: Source | None = None
        self._read = 0
        """Counts what was asked to be read: answers to older questions are not shown."""
        self.form = ImportForm()
        self.form.changed.connect(self._on_changed)
        self.form.columns_changed.connect(self._on_columns_changed)
        self.form.submitted.connect(self._on_submitted)
        self.form.cancelled.connect(self.close_up)
        self._reading = EmptyState("Reading the log …")
        self._refused = _Refused()
        self._refused.again.connect(partial(self.begin, None))

    @property
    def source(self) -> Source | None:
        """What is being looked at."""
        return self._source

    def begin(self, path: Path | None = None) -> None:
        """Look at a file or folder; without one a dialog asks for a file."""
        if path is None:
            dialog = QFileDialog(self._page, "Import a log", "", _FILTER)
            dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
            self._follow(dialog)
            return
        self._read += 1
        self.open_view(self._reading, _TITLE, path.name)
        library = self._context.library

        def read() -> tuple[Source, list[ProjectRow], list[KnownTokenizer]]:
            return look(path), library.projects(), known_tokenizers(library)

        self._context.tasks.run_op(
            read,
            partial(self._on_read, self._read),
            partial(self._on_refused, self._read),
            owner=self,
            lane="work",
        )

    def ask_folder(self) -> None:
        """Ask for a folder with TensorBoard's event files."""
        dialog = QFileDialog(self._page, "Import event files")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        self._follow(dialog)

    def _follow(self, dialog: QFileDialog) -> None:
        dialog.finished.connect(dialog.deleteLater)
        dialog.fileSelected.connect(lambda chosen: self.begin(Path(chosen)))
        dialog.open()

    # --- what comes back -----------------------------------------------------------------------

    def _on_read(
        self, number: int, found: tuple[Source, list[ProjectRow], list[KnownTokenizer]]
    ) -> None:
        if number != self._read:
            return
        source, projects, tokenizers = found
        self._source = source
        self.form.set_choices([(row.id, row.name) for row in projects], tokenizers)
        self.form.show_source(source, first_answers(source))
        self.open_view(self.form, _TITLE, source.path.name)
        self._on_changed()
        self.form.name.setFocus()

    def _on_refused(self, number: int, error: Exception) -> None:
        if number == self._read:
            self._source = None
            self._refused.show_error(error)
            self.open_view(self._refused, _TITLE)

    def _on_changed(self) -> None:
        checked = check(self.form.answers())
        self.form.show_errors(checked.errors)
        self.form.set_ready(
            not checked.errors
            and self._source is not None
            and self._source.curves is not None
            and not self._context.library.read_only
        )

    def _on_columns_changed(self) -> None:
        """Read the table again as it was said now, or take other tags."""
        source = self._source
        if source is None:
            return
        self._read += 1
        chosen, form = self.form.chosen(), self.form
        per_step = check(form.answers()).tokens_per_step
        delimiter, unit = form.delimiter(), form.time_unit()
        self.form.set_ready(False)

        def read() -> Source:
            if source.layout is None:
                tags: dict[Series, str] = {}
                for series in ("loss", "val_loss", "val_bits", "lr", "grad_norm"):
                    if chosen.get(series):
                        tags[series] = str(chosen[series])
                return with_tags(source, tags, per_step)
            layout = source.layout
            if delimiter != layout.delimiter:
                return with_layout(source, guess_layout(source.path, delimiter), per_step)
            layout = replace(layout, time_unit=unit)
            for name, column in chosen.items():
                role = is_role(name)
                if role is not None:
                    at = layout.names.index(column) if column in layout.names else None
                    layout = layout.with_column(role, at)
            return with_layout(source, layout, per_step)

        self._context.tasks.run_op(
            read,
            partial(self._on_read_again, self._read),
            partial(self._on_refused, self._read),
            owner=self,
            lane="work",
        )

    def _on_read_again(self, number: int, source: Source) -> None:
        if number == self._read:
            self._source = source
            self.form.show_source(source)
            self._on_changed()

    # --- keeping -------------------------------------------------------------------------------

    def _on_submitted(self) -> None:
        source, answers = self._source, self.form.answers()
        checked = check(answers)
        if source is None or source.curves is None or checked.errors:
            return
        curves, project_id = source.curves, self.form.project_id()
        library = self._context.library
        self.form.set_ready(False)

        def keep() -> RunRow:
            reference = with_answers(reference_for(source), answers, checked)
            wanted = project_id
            if wanted is None:
                known = {row.name: row.id for row in library.projects()}
                wanted = known.get(_PROJECT) or library.add_project(_PROJECT).id
            return keep_reference(library, wanted, answers.name.strip(), curves, reference)

        self._context.tasks.run_op(keep, self._on_kept, self._on_failed, owner=self)

    def _on_kept(self, row: RunRow) -> None:
        self.close_up()
        self.kept.emit(row.id)

    def _on_failed(self, error: Exception) -> None:
        self.form.set_ready(True)
        self._context.toast(error)


class _Refused(QWidget):
    """Why a file cannot be imported, and a way to choose another."""

    again = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(16, 16, 16, 16)
        self._column.addStretch(1)
        self._card: ErrorCard | None = None

    def show_error(self, error: Exception) -> None:
        if self._card is not None:
            self._column.removeWidget(self._card)
            self._card.deleteLater()
        self._card = ErrorCard(error, button="Choose another file")
        self._card.clicked.connect(self.again)
        self._column.insertWidget(0, self._card)

"""A person's notes on a run, kept in the library."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from studio.storage.rows import NoteRow
from studio.widgets import figures
from studio.widgets.card import Hairline
from studio.widgets.controls import CheckBox, IconButton, LinkButton, SecondaryButton, TextEdit
from studio.widgets.empty import EmptyState
from studio.widgets.label import Label


class _Field(TextEdit):
    """The field for a new note; Ctrl+Enter keeps it."""

    submitted = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if enter and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.submitted.emit()
            return
        super().keyPressEvent(event)


class NotesPanel(QWidget):
    """The notes of a run, newest first, and a field for another.

    Signals:
        note_written: Carries the text and the step, or None.
        note_removed: Carries the note's id.
        step_chosen: A note's step was clicked.
    """

    note_written = Signal(str, object)
    note_removed = Signal(int)
    step_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._step: int | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._make_field())
        column.addWidget(Hairline())
        self._area = QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._area.viewport().setAutoFillBackground(False)
        self._empty = EmptyState("Notes stay with the run: what you tried, and what you saw.")
        column.addWidget(self._area, 1)
        column.addWidget(self._empty, 1)
        self.set_notes(())

    def set_notes(self, notes: Sequence[NoteRow]) -> None:
        """Show these notes, given newest first."""
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(16, 0, 16, 0)
        column.setSpacing(0)
        for place, note in enumerate(notes):
            if place:
                column.addWidget(Hairline())
            column.addWidget(self._entry(note))
        column.addStretch(1)
        self._area.setWidget(holder)
        holder.setAutoFillBackground(False)
        self._area.setVisible(bool(notes))
        self._empty.setVisible(not notes)

    def set_step(self, step: int | None) -> None:
        """Offer to write a note at this step; None offers nothing."""
        self._step = step
        self.at_step.setText("" if step is None else f"at step {step:,}")
        self.at_step.updateGeometry()
        self.at_step.setVisible(step is not None)

    def kept(self) -> None:
        """The note was kept: empty the field."""
        self.field.clear()

    def set_read_only(self, read_only: bool) -> None:
        """Whether another studio holds the library, so that notes cannot be kept."""
        self.field.setEnabled(not read_only)
        self.add.setEnabled(not read_only)

    def _make_field(self) -> QWidget:
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(8)
        self.field = _Field("", "Write a note", name="New note")
        self.field.setFixedHeight(76)
        self.field.submitted.connect(self._on_submitted)
        column.addWidget(self.field)
        row = QHBoxLayout()
        self.at_step = CheckBox("", True)
        self.add = SecondaryButton("Add note", "plus", size="small")
        self.add.setToolTip("Ctrl+Enter")
        self.add.clicked.connect(self._on_submitted)
        row.addWidget(self.at_step)
        row.addStretch(1)
        row.addWidget(self.add)
        column.addLayout(row)
        self.set_step(None)
        return holder

    def _entry(self, note: NoteRow) -> QWidget:
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 10, 0, 10)
        column.setSpacing(2)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(Label(figures.started(note.created_s), "label", "muted", elide=False))
        if note.step is not None:
            step = note.step
            link = LinkButton(f"step {step:,}")
            link.clicked.connect(lambda: self.step_chosen.emit(step))
            head.addWidget(link)
        head.addStretch(1)
        remove = IconButton("trash-2", "Remove this note", edge=22)
        remove.clicked.connect(lambda: self.note_removed.emit(note.id))
        head.addWidget(remove)
        column.addLayout(head)
        column.addWidget(Label(note.text.replace("\n", "\u2028"), "body", wrap=True))
        return holder

    def _on_submitted(self) -> None:
        text = self.field.toPlainText().strip()
        if text:
            at_step = self.at_step.isChecked() and self._step is not None
            self.note_written.emit(text, self._step if at_step else None)

"""Settings of an index build that few people need, folded away."""

from __future__ import annotations

import os

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.pages.data.build_form import DEFAULTS, BuildForm
from studio.pages.wizard.draft import field_message
from studio.widgets.controls import Button, LineEdit
from studio.widgets.field import Field
from trainer_core.errors import SpecError
from trainer_core.spec import MATCH_LENGTH_MAX


class AdvancedBuild(QWidget):
    """Longest match, memory and threads of a build; a link unfolds them.

    Signals:
        edited: A setting was typed.
    """

    edited = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings = QWidget()
        self._fold = Button("Advanced", kind="quiet", size="small", trailing_icon="chevron-down")
        self._fold.clicked.connect(lambda: self.unfold(not self.is_unfolded))
        cores = os.cpu_count() or 1
        self._edits = {
            "max_length": LineEdit(placeholder=f"{DEFAULTS.max_length}", mono=True),
            "memory_limit_bytes": LineEdit(placeholder="auto", mono=True),
            "threads": LineEdit(placeholder=f"{cores}", mono=True),
        }
        hints = {
            "max_length": ("Longest match", f"1 to {MATCH_LENGTH_MAX} tokens"),
            "memory_limit_bytes": ("Memory at most", "such as 4 GB"),
            "threads": ("Threads", "all cores" if cores > 1 else "one core"),
        }
        self._fields: dict[str, Field] = {}
        row = QHBoxLayout(self._settings)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        for name, edit in self._edits.items():
            title, hint = hints[name]
            self._fields[name] = Field(title, edit, hint=hint)
            edit.textEdited.connect(lambda _text: self.edited.emit())
            row.addWidget(self._fields[name], 1)
        self._settings.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self._fold, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self._settings)
        self._column = column

    def align_left(self) -> None:
        """Put the link at the left, for forms that begin there."""
        self._column.setAlignment(self._fold, Qt.AlignmentFlag.AlignLeft)

    def unfold(self, shown: bool = True) -> None:
        """Show the settings, or fold them away; what was typed stays in force."""
        self._settings.setVisible(shown)
        self._fold.set_text("Fewer settings" if shown else "Advanced")

    @property
    def is_unfolded(self) -> bool:
        """Whether the settings are shown."""
        return not self._settings.isHidden()

    def form(self) -> BuildForm:
        """What was typed."""
        return BuildForm(**{name: edit.text() for name, edit in self._edits.items()})

    def show_form(self, form: BuildForm) -> None:
        """Show these settings; called again and again, so it leaves alone what is so already."""
        for name, edit in self._edits.items():
            if edit.text() != getattr(form, name):
                edit.setText(getattr(form, name))

    def show_error(self, error: SpecError | None) -> None:
        """Show an error beside its setting, or none."""
        for name, field in self._fields.items():
            mine = error is not None and error.field == name
            field.set_error(field_message(error) if mine and error is not None else "")
        if error is not None and error.field in self._fields:
            self.unfold()

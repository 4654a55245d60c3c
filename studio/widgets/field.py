"""A setting in a form: its name, its control, and what is wrong with it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPlainTextEdit, QVBoxLayout, QWidget

from studio.language import tr
from studio.widgets.inputs import LineEdit
from studio.widgets.label import Label


class Field(QWidget):
    """A name above a control, and below it a hint or, in danger colour, an error.

    Args:
        name: As people call the setting.
        control: What it is set with.
        hint: Shown while there is no error.
        tooltip: Its definition.
        beside: Put the name at the left of the control, not above it.
    """

    def __init__(
        self,
        name: str,
        control: QWidget,
        *,
        hint: str = "",
        tooltip: str = "",
        beside: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.control = control
        self._hint = hint = tr(hint)
        label = Label(name, "secondary", "muted")
        label.set_tooltip(tooltip)
        example = ""
        if isinstance(control, QLineEdit | QPlainTextEdit):
            example = control.placeholderText()
        if control.accessibleName() in ("", example):  # an example is no name
            control.setAccessibleName(tr(name))
        self._message = Label(hint, "label", "muted", wrap=True)
        self._message.setVisible(bool(hint))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        if beside:
            row = QHBoxLayout()
            row.setSpacing(12)
            row.addWidget(label, 1, Qt.AlignmentFlag.AlignVCenter)
            row.addWidget(control)
            column.addLayout(row)
        else:
            column.addWidget(label)
            column.addWidget(control)
        column.addWidget(self._message)
        column.addStretch(1)

    @property
    def error(self) -> str:
        """The error that is shown, or an empty string."""
        return self._message.text() if self._message.text() != self._hint else ""

    def set_hint(self, hint: str) -> None:
        """Say something else while there is no error."""
        was_error = bool(self.error)
        self._hint = tr(hint)
        if not was_error:
            self.set_error("")

    def set_error(self, message: str) -> None:
        """Show what is wrong; an empty text shows the hint again."""
        self._message.set_text(message or self._hint)
        self._message.set_tone("danger" if message else "muted")
        self._message.setVisible(bool(message or self._hint))
        if isinstance(self.control, LineEdit):
            self.control.set_invalid(bool(message))
        self.control.setAccessibleDescription(message)

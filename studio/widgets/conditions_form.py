"""A form for when a training holds by itself: hours, programs, the GPU, battery, temperature."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.runs.conditions import (
    HOT_C,
    TONIGHT,
    UnreadableError,
    read_hours,
    read_programs,
    read_temperature,
)
from studio.widgets.choices import CheckBox
from studio.widgets.inputs import LineEdit
from studio.widgets.label import Label
from trainer_core.manners import Conditions

T = TypeVar("T")
_INDENT_PX = 21
"""Where the word of a check box begins."""


class ConditionsForm(QWidget):
    """One check box for each condition, with its figures beside it and what is wrong below.

    Args:
        conditions: What it shows at first.

    Signals:
        changed: The user has changed something; `problem` says whether it can be used.
    """

    changed = Signal()

    def __init__(self, conditions: Conditions | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._showing = False
        self._errors: dict[QWidget, Label] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        self.hours = CheckBox("Work only from")
        self.first = _field("Work from", TONIGHT[0], 62)
        self.last = _field("Work until", TONIGHT[1], 62)
        column.addLayout(self._row(self.hours, self.first, Label("to", "secondary"), self.last))
        column.addLayout(self._error_below(self.hours))
        self.while_programs = CheckBox("Hold while a program runs")
        self.programs = LineEdit("", "steam, blender", name="Programs to hold for")
        self.programs.setMinimumWidth(120)
        self.programs.setMaximumWidth(320)
        column.addLayout(self._row(self.while_programs, self.programs, stretched=True))
        column.addLayout(self._error_below(self.while_programs))
        self.gpu_wanted = CheckBox("Hold while another program works the GPU")
        column.addWidget(self.gpu_wanted)
        self.on_battery = CheckBox("Hold while the computer runs on its battery")
        column.addWidget(self.on_battery)
        self.hot = CheckBox("Hold above")
        self.temperature = _field("Temperature to hold above, in °C", str(HOT_C), 50)
        until = Label("°C, until it is 10 °C cooler", "secondary", elide=False)
        column.addLayout(self._row(self.hot, self.temperature, until))
        column.addLayout(self._error_below(self.hot))
        self.set_value(conditions or Conditions())
        self._connect()

    @property
    def problem(self) -> str:
        """What keeps the form from being used, or an empty string."""
        return next((label.text() for label in self._errors.values() if label.text()), "")

    def value(self) -> Conditions:
        """What is asked for; a condition whose figures cannot be read is left out."""
        hours = _read(lambda: read_hours(self.first.text(), self.last.text()))
        programs = _read(lambda: read_programs(self.programs.text()))
        highest = _read(lambda: read_temperature(self.temperature.text()))
        return Conditions(
            on_battery=self.on_battery.isChecked(),
            max_temperature_c=highest or 0 if self.hot.isChecked() else 0,
            gpu_wanted=self.gpu_wanted.isChecked(),
            programs=programs or () if self.while_programs.isChecked() else (),
            hours=hours if self.hours.isChecked() else None,
        )

    def set_value(self, conditions: Conditions) -> None:
        """Show conditions; `changed` is not emitted."""
        if not self.problem and self.value() == conditions:
            self._check()
            return  # what is being typed is left alone
        self._showing = True
        self.hours.setChecked(conditions.hours is not None)
        first, last = conditions.hours or TONIGHT
        self.first.setText(first)
        self.last.setText(last)
        self.while_programs.setChecked(bool(conditions.programs))
        self.programs.setText(", ".join(conditions.programs))
        self.gpu_wanted.setChecked(conditions.gpu_wanted)
        self.on_battery.setChecked(conditions.on_battery)
        self.hot.setChecked(bool(conditions.max_temperature_c))
        self.temperature.setText(str(conditions.max_temperature_c or HOT_C))
        self._showing = False
        self._check()

    # --- parts ---------------------------------------------------------------------------------

    def _row(self, box: CheckBox, *after: QWidget, stretched: bool = False) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(box, 0, Qt.AlignmentFlag.AlignVCenter)
        for widget in after:
            row.addWidget(widget, int(stretched), Qt.AlignmentFlag.AlignVCenter)
        row.addStretch(0 if stretched else 1)
        return row

    def _error_below(self, box: CheckBox) -> QHBoxLayout:
        label = Label("", "label", "danger", wrap=True)
        label.hide()
        self._errors[box] = label
        row = QHBoxLayout()
        row.setContentsMargins(_INDENT_PX, 0, 0, 0)
        row.addWidget(label)
        return row

    def _connect(self) -> None:
        boxes = (self.hours, self.while_programs, self.gpu_wanted, self.on_battery, self.hot)
        for box in boxes:
            box.toggled.connect(self._on_edited)
        self.while_programs.toggled.connect(self._on_programs_toggled)
        for field in (self.first, self.last, self.programs, self.temperature):
            field.textEdited.connect(self._on_edited)
            field.editingFinished.connect(self._on_finished)

    # --- reactions -----------------------------------------------------------------------------

    def _on_edited(self, _changed: object = None) -> None:
        if not self._showing:
            self._check()
            self.changed.emit()

    def _on_programs_toggled(self, on: bool) -> None:
        if on and not self._showing:
            self.programs.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_finished(self) -> None:
        """Write times as they are read: `7` becomes `07:00`."""
        if not self.problem and self.hours.isChecked():
            first, last = read_hours(self.first.text(), self.last.text())
            self.first.setText(first)
            self.last.setText(last)

    def _check(self) -> None:
        """Say what is wrong, and let only those figures be typed that count."""
        on = self.hours.isChecked()
        self._tell(
            self.hours,
            _problem(lambda: read_hours(self.first.text(), self.last.text())) if on else "",
            (self.first, self.last),
        )
        on = self.while_programs.isChecked()
        problem = _problem(lambda: read_programs(self.programs.text())) if on else ""
        self._tell(self.while_programs, problem, (self.programs,))
        on = self.hot.isChecked()
        problem = _problem(lambda: read_temperature(self.temperature.text())) if on else ""
        self._tell(self.hot, problem, (self.temperature,))

    def _tell(self, box: CheckBox, problem: str, fields: tuple[LineEdit, ...]) -> None:
        label = self._errors[box]
        label.set_text(problem)
        label.setVisible(bool(problem))
        for field in fields:
            field.setEnabled(box.isChecked())
            field.set_invalid(bool(problem))
            field.setAccessibleDescription(problem)


def _field(name: str, text: str, width_px: int) -> LineEdit:
    field = LineEdit(text, name=name, mono=True)
    field.setFixedWidth(width_px)
    field.setMaxLength(8)
    return field


def _problem(read: Callable[[], object]) -> str:
    try:
        read()
    except UnreadableError as error:
        return str(error)
    return ""


def _read(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except UnreadableError:
        return None

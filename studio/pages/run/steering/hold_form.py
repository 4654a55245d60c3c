"""When a run waits by itself, and whether it keeps the computer awake: its manners."""

from __future__ import annotations

import msgspec
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.widgets.conditions_form import ConditionsForm
from studio.widgets.controls import CheckBox, PrimaryButton
from studio.widgets.icon import IconLabel
from studio.widgets.label import Label
from trainer_core.manners import Manners


class HoldForm(QWidget):
    """Conditions and the keeping awake, with a button that keeps them.

    Signals:
        wanted: The manners shall be these.
    """

    wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._manners = Manners()
        self.conditions = ConditionsForm()
        self.conditions.changed.connect(self._on_changed)
        self.awake = CheckBox("Keep the computer awake while it trains", True)
        self.awake.toggled.connect(self._on_changed)
        self.keep = PrimaryButton("Keep these", "check")
        self.keep.clicked.connect(self._on_keep)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 14, 16, 16)
        column.setSpacing(14)
        column.addWidget(self.conditions)
        column.addWidget(self.awake, 0, Qt.AlignmentFlag.AlignLeft)
        words = QHBoxLayout()
        words.setSpacing(8)
        words.addWidget(IconLabel("info", "muted", 14), 0, Qt.AlignmentFlag.AlignTop)
        text = (
            "While it holds, a checkpoint is saved and the memory of the GPU is free. It goes on"
            " by itself, and computes what it would have computed without the wait."
        )
        words.addWidget(Label(text, "secondary", "muted", wrap=True), 1)
        column.addLayout(words)
        column.addWidget(self.keep, 0, Qt.AlignmentFlag.AlignLeft)
        column.addStretch(1)

    def show_manners(self, manners: Manners) -> None:
        """Show what a run minds now."""
        self._manners = manners
        self.conditions.set_value(manners.conditions)
        self.awake.setChecked(manners.keep_awake)
        self._on_changed()

    def manners(self) -> Manners:
        """What the form says; what it does not show stays as it was."""
        return msgspec.structs.replace(
            self._manners,
            conditions=self.conditions.value(),
            keep_awake=self.awake.isChecked(),
        )

    def _on_changed(self, _what: object = None) -> None:
        problem = self.conditions.problem
        self.keep.setEnabled(not problem and self.manners() != self._manners)
        self.keep.setToolTip(problem)

    def _on_keep(self) -> None:
        self.wanted.emit(self.manners())

"""A popover over the window that asks when a training may work: Keep keeps it, Escape leaves it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.widgets.buttons import PrimaryButton, QuietButton
from studio.widgets.conditions_form import ConditionsForm
from studio.widgets.floating_card import FloatingCard
from studio.widgets.label import Label
from trainer_core.manners import Conditions

_WIDTH_PX = 440


class ConditionsPopover(FloatingCard):
    """One form over the window; it removes itself when it is answered or left.

    Args:
        window: What it lies over.
        title: What it is about, such as "When plain-163m trains".
        conditions: As they are.
        accept: Gets the new ones; not called when nothing was changed.
    """

    def __init__(
        self,
        window: QWidget,
        title: str,
        conditions: Conditions,
        accept: Callable[[Conditions], object],
    ) -> None:
        super().__init__(window, _WIDTH_PX)
        self._before = conditions
        self._accept = accept
        self.setAccessibleName(title)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 14)
        column.setSpacing(10)
        column.addWidget(Label(title, "strong"))
        self.form = ConditionsForm(conditions)
        self.form.changed.connect(self._on_changed)
        column.addWidget(self.form)
        column.addWidget(
            Label(
                "While it holds, its memory on the GPU is free; then it goes on exactly.",
                "label",
                "muted",
                wrap=True,
            )
        )
        row = QHBoxLayout()
        row.addStretch(1)
        cancel = QuietButton("Cancel", size="small")
        cancel.clicked.connect(self.close_up)
        self.keep = PrimaryButton("Keep", size="small")
        self.keep.clicked.connect(self.accept)
        row.addWidget(cancel)
        row.addWidget(self.keep)
        column.addLayout(row)

    def first(self) -> QWidget:
        """The hours."""
        return self.form.hours

    def _on_changed(self) -> None:
        self.keep.setEnabled(not self.form.problem)
        self.fit()

    def accept(self) -> None:
        """Keep them, where they can be used."""
        if self.form.problem:
            return
        conditions = self.form.value()
        self.close_up()
        if conditions != self._before:
            self._accept(conditions)

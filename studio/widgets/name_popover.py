"""A small popover that asks for a name, in place: Enter keeps it, Escape leaves all as it was."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.widgets.buttons import PrimaryButton, QuietButton
from studio.widgets.floating_card import FloatingCard
from studio.widgets.inputs import LineEdit
from studio.widgets.label import Label

_WIDTH_PX = 320


class NamePopover(FloatingCard):
    """One question over the window; it removes itself when it is answered or left.

    Args:
        window: What it lies over.
        title: The question.
        name: The name so far.
        accept: Gets the new name; not called when it is empty or unchanged.
        word: Of the button that keeps it.
    """

    def __init__(
        self,
        window: QWidget,
        title: str,
        name: str,
        accept: Callable[[str], object],
        *,
        word: str = "Rename",
    ) -> None:
        super().__init__(window, _WIDTH_PX)
        self._before = name
        self._accept = accept
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 10, 12, 12)
        column.setSpacing(8)
        column.addWidget(Label(title, "strong"))
        self.field = LineEdit(name, name=title)
        self.takes_keys_of(self.field)
        column.addWidget(self.field)
        row = QHBoxLayout()
        row.addStretch(1)
        cancel = QuietButton("Cancel", size="small")
        cancel.clicked.connect(self.close_up)
        keep = PrimaryButton(word, size="small")
        keep.clicked.connect(self.accept)
        row.addWidget(cancel)
        row.addWidget(keep)
        column.addLayout(row)

    def first(self) -> QWidget:
        """The field, its text marked to be typed over."""
        self.field.selectAll()
        return self.field

    def accept(self) -> None:
        """Keep the name."""
        name = self.field.text().strip()
        self.close_up()
        if name and name != self._before:
            self._accept(name)

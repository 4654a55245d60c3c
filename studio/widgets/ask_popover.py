"""A small popover that asks before something is done: Enter does it, Escape leaves all be."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.widgets.buttons import DangerButton, QuietButton
from studio.widgets.floating_card import FloatingCard
from studio.widgets.label import Label

_WIDTH_PX = 352


class AskPopover(FloatingCard):
    """A question over the window; it removes itself when it is answered or left.

    Args:
        window: What it lies over.
        title: The question.
        text: What follows from it.
        word: Of the button that does it.
        accept: Does it.
    """

    def __init__(
        self, window: QWidget, title: str, text: str, word: str, accept: Callable[[], object]
    ) -> None:
        super().__init__(window, _WIDTH_PX)
        self._accept = accept
        self.setAccessibleName(f"{title} {text}")
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 14, 12)
        column.setSpacing(6)
        heading = Label("", "strong", wrap=True)
        heading.set_text(title)
        self.text = Label("", "secondary", "muted", wrap=True)
        self.text.set_text(text)
        column.addWidget(heading)
        column.addWidget(self.text)
        column.addSpacing(4)
        row = QHBoxLayout()
        row.addStretch(1)
        cancel = QuietButton("Cancel", size="small")
        cancel.clicked.connect(self.close_up)
        self.button = DangerButton(word, size="small")
        self.button.clicked.connect(self._on_accepted)
        row.addWidget(cancel)
        row.addWidget(self.button)
        column.addLayout(row)

    def first(self) -> QWidget:
        """The button that does it."""
        return self.button

    def _on_accepted(self) -> None:
        self.close_up()
        self._accept()

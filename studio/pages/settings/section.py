"""A card of the settings: a title, and rows of a name, what it does, and its controls."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.widgets.card import Card, Hairline
from studio.widgets.label import Label


class Section(Card):
    """A card with a title and rows, a hairline between two of them."""

    def __init__(self, title: str) -> None:
        super().__init__(padding=16, spacing=12)
        self.body.addWidget(Label(title, "title"))
        self._rows = 0

    def add_row(self, name: str, hint: str, *controls: QWidget) -> Label:
        """Add a row; returns the hint, which may change."""
        self._separate()
        row = QHBoxLayout()
        row.setSpacing(12)
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(Label(name, "body"))
        below = Label(hint, "secondary", "muted", wrap=True)
        words.addWidget(below)
        row.addLayout(words, 1)
        for control in controls:
            row.addWidget(control, 0, Qt.AlignmentFlag.AlignVCenter)
        self.body.addLayout(row)
        return below

    def add_block(self, name: str, hint: str, *blocks: QWidget) -> Label:
        """Add a row whose controls stand below its words; returns the hint, which may change."""
        below = self.add_row(name, hint)
        for block in blocks:
            self.body.addWidget(block)
        return below

    def _separate(self) -> None:
        if self._rows:
            self.body.addWidget(Hairline())
        self._rows += 1

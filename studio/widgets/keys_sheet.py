"""The list of keys, over the right side of the window."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from studio.keys import KEYS
from studio.widgets.keycap import KeyCap
from studio.widgets.label import Label
from studio.widgets.scroll import ClearScroll
from studio.widgets.sheet import Sheet


class KeysSheet(Sheet):
    """Every key by its place; F1 opens it, Esc closes it."""

    def __init__(self, host: QWidget) -> None:
        super().__init__(host)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Keys")
        self._list = ClearScroll(_list())
        self._before: QWidget | None = None
        self.closed.connect(self._on_closed)

    def call_up(self) -> None:
        """Open it, or close it again."""
        if self.view is not None:
            self.close_up()
            return
        self._before = self._host.focusWidget()
        self.open_view(self._list, "Keys")
        self.setFocus()

    def _on_closed(self) -> None:
        if self._before is not None and self._before.isVisible():
            self._before.setFocus()
        self._before = None


def _list() -> QWidget:
    inner = QWidget()
    column = QVBoxLayout(inner)
    column.setContentsMargins(16, 14, 16, 16)
    column.setSpacing(16)
    for title, keys in KEYS:
        column.addWidget(Label(title, "strong"))
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(8)
        grid.setColumnMinimumWidth(0, 132)
        grid.setColumnStretch(1, 1)
        for row, key in enumerate(keys):
            grid.addWidget(KeyCap(key.keys), row, 0)
            grid.addWidget(Label(key.does, "secondary", "muted", wrap=True), row, 1)
        column.addLayout(grid)
    column.addStretch(1)
    return inner

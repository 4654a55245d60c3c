"""Context menus in the look of the theme."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QMenu, QWidget

from studio.language import tr
from studio.theme import font, icon, theme


class Menu(QMenu):
    """A menu of actions; it removes itself when it closes."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFont(font("body"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

    def add(
        self, word: str, action: Callable[[], object], icon_name: str = "", *, enabled: bool = True
    ) -> None:
        """Add an entry."""
        word = tr(word)
        tint = theme().palette.muted if enabled else theme().palette.faint
        entry = self.addAction(icon(icon_name, tint), word) if icon_name else self.addAction(word)
        entry.setEnabled(enabled)
        entry.triggered.connect(lambda _=False: action())

    def open_at(self, point: QPoint) -> None:
        """Show it at a global point, without waiting for it."""
        self.popup(point)

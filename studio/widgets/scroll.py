"""A scroll area that shows the ground it stands on, and scrolls down only."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QScrollArea, QWidget


class ClearScroll(QScrollArea):
    """Holds one widget as wide as itself.

    Args:
        content: What is scrolled.
    """

    def __init__(self, content: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(content)
        # `setWidget` turns the filling on; the panel below has its own ground.
        content.setAutoFillBackground(False)
        self.viewport().setAutoFillBackground(False)

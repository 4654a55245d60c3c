"""The key of a shortcut, drawn as a small cap beside what it does."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.theme import font, text_width, theme
from studio.widgets.paint import painter_for, repaint_on_theme, rounded_box


class KeyCap(QWidget):
    """A key, such as `Alt ←`."""

    def __init__(self, key: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._key = key
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(key)
        repaint_on_theme(self)

    def sizeHint(self) -> QSize:
        """The key and its padding."""
        return QSize(text_width(self._key, "mono_small") + 12, 18)

    def paintEvent(self, event: QPaintEvent) -> None:
        """A box with the key in it."""
        palette = theme().palette
        painter = painter_for(self)
        rounded_box(painter, QRectF(self.rect()), 4, border=palette.line2)
        painter.setFont(font("mono_small"))
        painter.setPen(QColor(palette.muted))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._key)
        painter.end()

"""What looks like a search field in a header and calls up the search of the window."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPaintEvent
from PySide6.QtWidgets import QWidget

from studio.theme import font, theme
from studio.widgets.paint import draw_icon, painter_for, rounded_box
from studio.widgets.pressable import Pressable


class SearchButton(Pressable):
    """240 × 30, with a magnifying glass, a hint and the shortcut."""

    def __init__(self, hint: str, shortcut_text: str, parent: QWidget | None = None) -> None:
        super().__init__(hint, parent)
        self._shortcut_text = shortcut_text
        self.setCursor(Qt.CursorShape.IBeamCursor)

    def sizeHint(self) -> QSize:
        """Fixed."""
        return QSize(240, 30)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Box, glass, hint, key."""
        p = theme().palette
        painter = painter_for(self)
        border = p.faint if self._hovered else p.line2
        rounded_box(painter, QRectF(self.rect()), 6, fill=p.bg2, border=border)
        draw_icon(painter, "search", p.muted, 10, 8, 14)
        painter.setFont(font("secondary"))
        painter.setPen(QColor(p.muted))
        box = QRectF(31, 0, self.width() - 31, self.height())
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, self.text())
        painter.setFont(font("mono_small"))
        width = painter.fontMetrics().horizontalAdvance(self._shortcut_text) + 12
        chip = QRectF(self.width() - width - 9, 6, width, 18)
        rounded_box(painter, chip, 4, border=p.line2)
        painter.setPen(QColor(p.muted))
        painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, self._shortcut_text)
        painter.end()

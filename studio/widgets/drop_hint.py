"""What lies over a page, or the window, while files hover that could be dropped."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from studio.language import tr
from studio.theme import font, theme
from studio.widgets.paint import painter_for

_INSET_PX = 16
_WORDS = "Drop files, folders, a tokenizer.json or a settings file to add them"


class DropHint(QWidget):
    """A frame and a sentence; it takes no mouse, so that the page below gets the drop.

    Args:
        page: What it lies over, below the header.
        top_px: Height of that header.
        words: What can be dropped, and what comes of it.
    """

    def __init__(self, page: QWidget, top_px: int, words: str = _WORDS) -> None:
        super().__init__(page)
        self._page, self._top_px, self._words = page, top_px, tr(words)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def show_hint(self, shown: bool) -> None:
        """Lie over the page, or go away."""
        if shown:
            height = self._page.height() - self._top_px
            self.setGeometry(0, self._top_px, self._page.width(), height)
            self.raise_()
        self.setVisible(shown)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The page shines through; the frame is dashed."""
        p = theme().palette
        painter = painter_for(self)
        ground = QColor(p.bg0)
        ground.setAlphaF(0.82)
        painter.fillRect(self.rect(), ground)
        frame = QRectF(self.rect()).adjusted(_INSET_PX, _INSET_PX, -_INSET_PX, -_INSET_PX)
        painter.setPen(QPen(QColor(p.accent), 2, Qt.PenStyle.DashLine))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(frame, 8, 8)
        painter.setPen(QColor(p.text))
        painter.setFont(font("title"))
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        painter.drawText(frame.adjusted(24, 0, -24, 0), flags, self._words)
        painter.end()

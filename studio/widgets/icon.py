"""An icon as a widget, in a tone that follows the theme."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.theme import Tone, tone_colour
from studio.widgets.paint import draw_icon, painter_for, repaint_on_theme


class IconLabel(QWidget):
    """A picture beside words; screen readers skip it.

    Args:
        name: File name in `assets/icons` without its ending.
        tone: Its colour.
        edge: Its width and height in pixels.
    """

    def __init__(
        self, name: str, tone: Tone = "muted", edge: int = 16, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._name = name
        self._tone: Tone = tone
        self._edge = edge
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        repaint_on_theme(self)

    def set_icon(self, name: str, tone: Tone | None = None) -> None:
        """Show another icon."""
        if name != self._name or (tone is not None and tone != self._tone):
            self._name = name
            self._tone = tone or self._tone
            self.update()

    def sizeHint(self) -> QSize:
        """A square."""
        return QSize(self._edge, self._edge)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it."""
        painter = painter_for(self)
        top = (self.height() - self._edge) / 2
        draw_icon(painter, self._name, tone_colour(self._tone), 0, top, self._edge)
        painter.end()

"""A progress line: 4 px by default, in the colour of what it says."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.theme import theme
from studio.widgets.paint import bar, painter_for, repaint_on_theme


class ProgressLine(QWidget):
    """A share of a whole.

    Args:
        share: 0 to 1.
        colour: Palette colour by name, such as `fill`, `ok`, `warn`, `muted` or `s5`.
        thickness: Pixels.
    """

    def __init__(
        self,
        share: float = 0.0,
        colour: str = "fill",
        *,
        thickness: int = 4,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._share = share
        self._colour = colour
        self._thickness = thickness
        self.setFixedHeight(thickness)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        repaint_on_theme(self)

    @property
    def share(self) -> float:
        """What is shown, 0 to 1."""
        return self._share

    def set_share(self, share: float) -> None:
        """Show another share."""
        if share != self._share:
            self._share = share
            self.update()

    def set_colour(self, colour: str) -> None:
        """Another palette colour, by name."""
        if colour != self._colour:
            self._colour = colour
            self.update()

    def sizeHint(self) -> QSize:
        """Any width."""
        return QSize(64, self._thickness)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Track and filled part."""
        p = theme().palette
        colour = getattr(p, self._colour)
        painter = painter_for(self)
        bar(painter, QRectF(self.rect()), self._share, getattr(colour, "fg", colour), p.bg3)
        painter.end()

"""A panel: rounded, with a hairline, in the panel colour; and the hairline alone."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from studio.theme import theme
from studio.widgets.paint import horizontal_line, painter_for, repaint_on_theme, rounded_box

Ground = Literal["bg0", "bg1", "bg2"]


class Card(QWidget):
    """A panel with a vertical layout inside, reached as `body`.

    Args:
        padding: Pixels inside the border.
        spacing: Pixels between what is inside.
        ground: Colour name of the ground.
    """

    def __init__(
        self,
        *,
        padding: int = 16,
        spacing: int = 8,
        ground: Ground = "bg1",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._ground: Ground = ground
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(padding, padding, padding, padding)
        self.body.setSpacing(spacing)
        repaint_on_theme(self)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Ground and border."""
        p = theme().palette
        painter = painter_for(self)
        fill = str(getattr(p, self._ground))
        rounded_box(painter, QRectF(self.rect()), 8, fill=fill, border=self.border_colour())
        painter.end()

    def border_colour(self) -> str:
        """The hairline around it; subclasses that react to the pointer change it."""
        return theme().palette.line


class Panel(QWidget):
    """A plain area in one of the ground colours, with optional hairlines at its edges."""

    def __init__(
        self,
        ground: Ground = "bg0",
        *,
        top_line: bool = False,
        bottom_line: bool = False,
        left_line: bool = False,
        right_line: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._ground: Ground = ground
        self._lines = (top_line, bottom_line, left_line, right_line)
        repaint_on_theme(self)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Ground and lines."""
        p = theme().palette
        painter = painter_for(self)
        painter.fillRect(self.rect(), str(getattr(p, self._ground)))
        top, bottom, left, right = self._lines
        width, height = self.width(), self.height()
        if top:
            painter.fillRect(0, 0, width, 1, p.line)
        if bottom:
            painter.fillRect(0, height - 1, width, 1, p.line)
        if left:
            painter.fillRect(0, 0, 1, height, p.line)
        if right:
            painter.fillRect(width - 1, 0, 1, height, p.line)
        painter.end()


class Hairline(QWidget):
    """A line of 1 px across, or down when `vertical`."""

    def __init__(self, *, vertical: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._vertical = vertical
        if vertical:
            self.setFixedWidth(1)
        else:
            self.setFixedHeight(1)
        self.setSizePolicy(
            QSizePolicy.Policy.Fixed if vertical else QSizePolicy.Policy.Expanding,
            QSizePolicy.Policy.Expanding if vertical else QSizePolicy.Policy.Fixed,
        )
        repaint_on_theme(self)

    def sizeHint(self) -> QSize:
        """One pixel."""
        return QSize(1, 1)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The line."""
        painter = painter_for(self)
        line = theme().palette.line
        if self._vertical:
            painter.fillRect(self.rect(), line)
        else:
            horizontal_line(painter, 0, self.width(), 0, line)
        painter.end()


class Dot(QWidget):
    """A small coloured square with rounded corners, or a disc: the key of a series.

    Args:
        colour: Name of a palette colour, such as `s2`.
        round_: A disc instead of a square.
        edge: Its width in pixels.
    """

    def __init__(
        self,
        colour: str,
        *,
        round_: bool = False,
        edge: int = 8,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._colour = colour
        self._radius = edge / 2 if round_ else 2.0
        self._edge = edge
        self.setFixedSize(edge, edge)
        repaint_on_theme(self)

    def set_colour(self, colour: str) -> None:
        """Another palette colour, by name."""
        self._colour = colour
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it."""
        painter = painter_for(self)
        painter.setPen(Qt.PenStyle.NoPen)
        colour = getattr(theme().palette, self._colour)
        rounded_box(painter, QRectF(self.rect()), self._radius, fill=getattr(colour, "fg", colour))
        painter.end()

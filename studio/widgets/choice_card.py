"""A large choice: a name and a few lines of what it means; one of a group is in force."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.language import tr
from studio.theme import FontRole, font, line_height, theme
from studio.widgets.paint import draw_icon, painter_for, rounded_box
from studio.widgets.pressable import Pressable

Line = tuple[str, FontRole]
_PADDING = 14


class ChoiceCard(Pressable):
    """A card that is chosen by a click, Enter or Space.

    Args:
        name: What it is called.
        lines: Lines below the name, each with its font.
        icon: Stands before the name.
    """

    focus_radius = 8.0

    def __init__(
        self, name: str, *lines: Line, icon: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(tr(name), parent)
        self._icon = icon
        self._lines: tuple[Line, ...] = lines
        self.setCheckable(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._describe()

    def set_name(self, name: str) -> None:
        """Call it something else."""
        name = tr(name)
        if name != self.text():
            self.setText(name)
            self._describe()
            self.update()

    def set_lines(self, *lines: Line) -> None:
        """Say something else below the name."""
        if lines != self._lines:
            self._lines = lines
            self._describe()
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        """Name and lines, with 12 px above and below."""
        return QSize(160, 24 + line_height("strong") + sum(line_height(r) for _, r in self._lines))

    def minimumSizeHint(self) -> QSize:
        """Lines may be elided."""
        return QSize(96, self.sizeHint().height())

    def nextCheckState(self) -> None:
        """A click chooses; only another card's click takes the choice away."""
        self.setChecked(True)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Box, icon, name, lines."""
        palette = theme().palette
        painter = painter_for(self)
        chosen = self.isChecked()
        fill = palette.accent_soft if chosen else palette.bg2 if self._hovered else palette.bg1
        border = palette.accent if chosen else palette.line
        rounded_box(painter, QRectF(self.rect()), 8, fill=fill, border=border)
        left = float(_PADDING)
        if self._icon:
            colour = palette.accent if chosen else palette.muted
            draw_icon(painter, self._icon, colour, left, 14, 16)
            left += 28
        self._paint_line(painter, left, 12.0, self.text(), font("strong"), palette.text)
        top = 12.0 + line_height("strong")
        for text, role in self._lines:
            colour = palette.text if chosen and role.startswith("mono") else palette.muted
            self._paint_line(painter, left, top, text, font(role, QFont.Weight.Normal), colour)
            top += line_height(role)
        painter.end()

    def _paint_line(
        self, painter: QPainter, left: float, top: float, text: str, used: QFont, colour: str
    ) -> None:
        painter.setFont(used)
        painter.setPen(QColor(colour))
        metrics = painter.fontMetrics()
        room = self.width() - left - _PADDING
        words = metrics.elidedText(text, Qt.TextElideMode.ElideRight, int(room))
        box = QRectF(left, top, room + 2, metrics.height() + 2)
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, words)

    def _describe(self) -> None:
        self.setAccessibleName(self.text())
        self.setAccessibleDescription(", ".join(text for text, _ in self._lines))
        self.setToolTip("\n".join(text for text, _ in self._lines))

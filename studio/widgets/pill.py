"""A state as an icon and a word on a soft ground: never colour alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.language import tr
from studio.theme import RoleName, font, theme
from studio.widgets.paint import draw_icon, painter_for, repaint_on_theme

HEIGHT_PX = 20
_ICON_PX = 12


@dataclass(frozen=True)
class PillLook:
    """What a pill shows; without an icon the word stands alone."""

    word: str
    icon: str
    role: RoleName


PILLS: dict[str, PillLook] = {
    # what a training run does
    "queued": PillLook("Queued", "clock", "neutral"),
    "unborn": PillLook("Not started", "clock", "neutral"),
    "starting": PillLook("Starting", "clock", "info"),
    "running": PillLook("Training", "play", "accent"),
    "compiling": PillLook("Compiling", "clock", "info"),
    "validating": PillLook("Validating", "eye", "accent"),
    "saving": PillLook("Saving", "save", "accent"),
    "waiting": PillLook("Waiting", "clock", "warn"),
    "paused": PillLook("Paused", "pause", "warn"),
    "stopped": PillLook("Stopped", "square", "neutral"),
    "finished": PillLook("Finished", "check", "ok"),
    "failed": PillLook("Failed", "x", "danger"),
    "killed": PillLook("Killed", "x", "danger"),
    "reference": PillLook("Reference", "chart-no-axes-column", "neutral"),
    "gone": PillLook("Folder gone", "triangle-alert", "danger"),
    "disk_full": PillLook("Disk full", "x", "danger"),
    # what other jobs do
    "ready": PillLook("Ready", "check", "ok"),
    "reading": PillLook("Reading", "clock", "info"),
    "building": PillLook("Building", "clock", "info"),
    "not_built": PillLook("Not built", "", "neutral"),
    "outdated": PillLook("Out of date", "triangle-alert", "warn"),
    "measuring": PillLook("Measuring", "clock", "info"),
    "touring": PillLook("Tour", "play", "accent"),
}


def look_for(state: str) -> PillLook:
    """The look of a state; an unknown one is shown by its own word in grey."""
    look = PILLS.get(state) or PillLook(state.replace("_", " ").capitalize(), "", "neutral")
    return replace(look, word=tr(look.word))


def pill_font() -> QFont:
    """11 px, medium."""
    return font("label", QFont.Weight.Medium)


def pill_width(look: PillLook) -> int:
    """Width in pixels."""
    text = QFontMetrics(pill_font()).horizontalAdvance(look.word)
    return round(text) + 16 + (_ICON_PX + 5 if look.icon else 0)


def paint_pill(painter: QPainter, left: float, top: float, look: PillLook) -> None:
    """Draw a pill with its upper left corner at a point; antialiasing must be on."""
    role = theme().palette.role(look.role)
    box = QRectF(left, top, pill_width(look), HEIGHT_PX)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(role.soft))
    painter.drawRoundedRect(box, HEIGHT_PX / 2, HEIGHT_PX / 2)
    text_left = left + 8
    if look.icon:
        draw_icon(painter, look.icon, role.on_soft, text_left, top + 4, _ICON_PX)
        text_left += _ICON_PX + 5
    painter.setFont(pill_font())
    painter.setPen(QColor(role.on_soft))
    words = QRectF(text_left, top, box.right() - text_left, HEIGHT_PX)
    painter.drawText(words, Qt.AlignmentFlag.AlignVCenter, look.word)


class Pill(QWidget):
    """A pill as a widget.

    Args:
        state: A key of `PILLS`, or a `PillLook` of its own.
    """

    def __init__(self, state: str | PillLook, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._look = PILLS["finished"]
        self.set_state(state)
        repaint_on_theme(self)

    def set_state(self, state: str | PillLook) -> None:
        """Show another state."""
        self._look = state if isinstance(state, PillLook) else look_for(state)
        self.setAccessibleName(self._look.word)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Icon and word."""
        return QSize(pill_width(self._look), HEIGHT_PX)

    def minimumSizeHint(self) -> QSize:
        """Never cut."""
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it."""
        painter = painter_for(self)
        paint_pill(painter, 0, (self.height() - HEIGHT_PX) / 2, self._look)
        painter.end()

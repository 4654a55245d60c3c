"""The wizard's steps at the left: what is done, where one is, what was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from studio.theme import font, theme
from studio.widgets.card import Panel
from studio.widgets.paint import draw_icon, painter_for, rounded_box
from studio.widgets.pressable import Pressable

_ITEM_PX = 54
_DISC_PX = 22
_LEFT_PX = 10


class StepItem(Pressable):
    """One step: its number or a tick, its name, and what was chosen there."""

    def __init__(
        self, number: int, name: str, *, last: bool, parent: QWidget | None = None
    ) -> None:
        super().__init__(name, parent)
        self._number = number
        self._last = last
        self._summary = ""
        self._done = False
        self._current = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_state(self, summary: str, *, done: bool, current: bool, enabled: bool) -> None:
        """Show where the step stands."""
        self._summary, self._done, self._current = summary, done, current
        self.setEnabled(enabled)
        pointing = enabled and not current
        shape = Qt.CursorShape.PointingHandCursor if pointing else Qt.CursorShape.ArrowCursor
        self.setCursor(shape)
        state = "current" if current else "done" if done else "to do"
        self.setAccessibleName(f"Step {self._number}: {self.text()}, {state}. {summary}")
        self.update()

    def sizeHint(self) -> QSize:
        """Fixed height."""
        return QSize(184, _ITEM_PX)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Ground, line to the next step, disc, words."""
        palette = theme().palette
        painter = painter_for(self)
        if self._current or (self._hovered and self.isEnabled()):
            ground = palette.bg3 if self._current else palette.bg2
            rounded_box(painter, QRectF(self.rect()), 6, fill=ground)
        disc = QRectF(_LEFT_PX, 9, _DISC_PX, _DISC_PX)
        middle = disc.center().x()
        if not self._last:
            painter.fillRect(
                QRectF(middle - 0.5, disc.bottom() + 4, 1, self.height() - disc.bottom() - 4),
                QColor(palette.line2),
            )
        if self._number > 1:
            painter.fillRect(QRectF(middle - 0.5, 0, 1, 5), QColor(palette.line2))
        self._paint_disc(painter, disc)
        left = disc.right() + 11
        room = self.width() - left - 6
        painter.setPen(QColor(palette.text if self._current or self._done else palette.muted))
        painter.setFont(font("strong"))
        painter.drawText(QRectF(left, 8, room, 20), Qt.AlignmentFlag.AlignVCenter, self.text())
        painter.setPen(QColor(palette.muted))
        painter.setFont(font("label"))
        words = painter.fontMetrics().elidedText(
            self._summary, Qt.TextElideMode.ElideRight, int(room)
        )
        painter.drawText(QRectF(left, 27, room, 18), Qt.AlignmentFlag.AlignVCenter, words)
        painter.end()

    def _paint_disc(self, painter: QPainter, disc: QRectF) -> None:
        palette = theme().palette
        if self._done:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(palette.ok.soft))
            painter.drawEllipse(disc)
            draw_icon(painter, "check", palette.ok.fg, disc.left() + 5, disc.top() + 5, 12)
            return
        if self._current:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(palette.fill))
        else:
            painter.setPen(QPen(QColor(palette.line2), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawEllipse(disc.adjusted(0.5, 0.5, -0.5, -0.5))
        painter.setPen(QColor(palette.ink if self._current else palette.muted))
        painter.setFont(font("label", QFont.Weight.DemiBold))
        painter.drawText(disc, Qt.AlignmentFlag.AlignCenter, str(self._number))


class StepRail(Panel):
    """All steps.

    Signals:
        chosen (int): A step that can be gone to was clicked; counted from 0.
    """

    chosen = Signal(int)

    def __init__(self, names: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__("bg1", right_line=True, parent=parent)
        self.setFixedWidth(216)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 18, 12, 12)
        column.setSpacing(2)
        self.items: list[StepItem] = []
        for number, name in enumerate(names):
            item = StepItem(number + 1, name, last=number + 1 == len(names))
            item.clicked.connect(partial(self.chosen.emit, number))
            column.addWidget(item)
            self.items.append(item)
        column.addStretch(1)

    def show_state(self, current: int, reached: int, summaries: Sequence[str]) -> None:
        """Show where the draft stands.

        Args:
            current: The step that is open.
            reached: The furthest step that was open.
            summaries: What was chosen in each.
        """
        for number, item in enumerate(self.items):
            done = number < max(current, reached) and number != current
            item.show_state(
                summaries[number] if number <= reached else "",
                done=done,
                current=number == current,
                enabled=number <= reached,
            )

"""Painted choices: segmented switch, toggle, check box and slider."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QSlider, QWidget

from studio.language import tr
from studio.theme import FontRole, font, text_width, theme
from studio.widgets.buttons import HEIGHT_PX, ButtonSize
from studio.widgets.focus import KeyboardFocus
from studio.widgets.paint import bar, draw_icon, painter_for, repaint_on_theme, rounded_box
from studio.widgets.pressable import Pressable


def _translated(choices: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Keys as they are, words in the user's language."""
    return [(key, tr(word)) for key, word in choices]


class Segmented(KeyboardFocus, QWidget):
    """A few choices side by side, one of them in force; arrow keys move it.

    Args:
        choices: Pairs of key and word.
        current: The key in force; the first one when empty.
        size: Height.
        name: Accessible name of the whole.

    Signals:
        chosen: The user took another one; carries its key.
    """

    chosen = Signal(str)

    def __init__(
        self,
        choices: list[tuple[str, str]],
        current: str = "",
        *,
        size: ButtonSize = "small",
        name: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._choices = _translated(choices)
        self._current = current or choices[0][0]
        self._hovered = -1
        self._size: ButtonSize = size
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(tr(name) or ", ".join(word for _, word in self._choices))
        repaint_on_theme(self)

    @property
    def current(self) -> str:
        """The key in force."""
        return self._current

    def set_current(self, key: str) -> None:
        """Show another choice as the one in force, without a signal."""
        if key in (known for known, _ in self._choices):
            self._current = key
            self.update()

    def set_choices(self, choices: list[tuple[str, str]], current: str = "") -> None:
        """Show other choices; the one in force stays if it is still there."""
        self._choices = _translated(choices)
        keys = [key for key, _ in choices]
        wanted = current or self._current
        self._current = wanted if wanted in keys else keys[0]
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Each word and 12 px on either side of it."""
        return QSize(sum(self._widths()), HEIGHT_PX[self._size])

    def minimumSizeHint(self) -> QSize:
        """Words are never cut."""
        return self.sizeHint()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and right take the neighbour."""
        moves = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}
        move = moves.get(Qt.Key(event.key()))
        if move is None:
            super().keyPressEvent(event)
            return
        index = self._index() + move
        if 0 <= index < len(self._choices):
            self._choose(index)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take the choice under the pointer."""
        index = self._at(event.position().x())
        if event.button() == Qt.MouseButton.LeftButton and index >= 0:
            self._choose(index)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Light up the choice under the pointer."""
        index = self._at(event.position().x())
        if index != self._hovered:
            self._hovered = index
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Nothing is under the pointer."""
        self._hovered = -1
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """One frame, a hairline between words, a line below the one in force."""
        p = theme().palette
        painter = painter_for(self)
        frame = QRectF(self.rect())
        rounded_box(painter, frame, 6, fill=p.bg1 if not p.is_dark else p.bg2, border=p.line2)
        inside = QPainterPath()
        inside.addRoundedRect(frame.adjusted(1, 1, -1, -1), 5, 5)
        painter.setClipPath(inside)
        left = 0.0
        for index, (width, (key, word)) in enumerate(
            zip(self._widths(), self._choices, strict=True)
        ):
            box = QRectF(left, 0, width, self.height())
            self._paint_segment(painter, box, word, key == self._current, index == self._hovered)
            left += width
            if index + 1 < len(self._choices):
                painter.fillRect(QRectF(left - 1, 1, 1, self.height() - 2), QColor(p.line2))
        painter.end()

    def _paint_segment(
        self, painter: QPainter, box: QRectF, word: str, current: bool, hovered: bool
    ) -> None:
        p = theme().palette
        if current or (hovered and self.isEnabled()):
            painter.fillRect(box, QColor(p.bg3))
        if current and self.isEnabled():
            painter.fillRect(QRectF(box.left(), box.bottom() - 3, box.width(), 2), QColor(p.fill))
        medium = font("secondary", font("strong").weight() if current else None)
        painter.setFont(medium)
        colour = p.text if current or hovered else p.muted
        painter.setPen(QColor(colour if self.isEnabled() else p.faint))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, word)

    def _widths(self) -> list[int]:
        return [text_width(word, "secondary") + 24 for _, word in self._choices]

    def _index(self) -> int:
        return [key for key, _ in self._choices].index(self._current)

    def _at(self, x: float) -> int:
        left = 0
        for index, width in enumerate(self._widths()):
            if left <= x < left + width:
                return index
            left += width
        return -1

    def _choose(self, index: int) -> None:
        key = self._choices[index][0]
        if key != self._current:
            self._current = key
            self.update()
            self.chosen.emit(key)


class Toggle(Pressable):
    """On or off at once, 28 × 16; `toggled` says so."""

    focus_radius = 8.0

    def __init__(self, name: str, checked: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self.setAccessibleName(tr(name))
        self.setCheckable(True)
        self.setChecked(checked)

    def sizeHint(self) -> QSize:
        """Fixed."""
        return QSize(28, 16)

    def paintEvent(self, event: QPaintEvent) -> None:
        """A track with its knob at the side that is in force."""
        p = theme().palette
        painter = painter_for(self)
        on = self.isChecked()
        if not self.isEnabled():
            fill, border, knob = p.bg1, p.line, p.line2
        elif on:
            fill, border, knob = p.fill, p.fill, p.ink
        else:
            fill, border, knob = p.bg3, p.faint, p.muted
        rounded_box(painter, QRectF(self.rect()), 8, fill=fill, border=border)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(knob))
        painter.drawEllipse(QPointF(20 if on else 8, 8), 5.5, 5.5)
        painter.end()


class CheckBox(Pressable):
    """A box with a word beside it; `toggled` says when it changes. A quiet one is small."""

    focus_radius = 4.0

    def __init__(
        self,
        text: str,
        checked: bool = False,
        *,
        quiet: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(tr(text), parent)
        self._quiet = quiet
        self._role: FontRole = "label" if quiet else "secondary"
        self.setCheckable(True)
        self.setChecked(checked)

    def sizeHint(self) -> QSize:
        """Box, gap, word."""
        return QSize(14 + 7 + text_width(self.text(), self._role), 20)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The box, filled with a tick when on."""
        p = theme().palette
        painter = painter_for(self)
        box = QRectF(0, (self.height() - 14) / 2, 14, 14)
        on = self.isChecked()
        border = p.line2 if not self.isEnabled() else p.text if self._hovered else p.faint
        if on and self.isEnabled():
            rounded_box(painter, box, 3, fill=p.fill)
        else:
            rounded_box(painter, box, 3, border=border)
        if on:
            ink = p.ink if self.isEnabled() else p.faint
            draw_icon(painter, "check", ink, box.left() + 1, box.top() + 1, 12)
        painter.setFont(font(self._role))
        tint = p.muted if self._quiet else p.text
        painter.setPen(QColor(tint if self.isEnabled() else p.faint))
        words = QRectF(21, 0, self.width() - 21, self.height())
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter, self.text())
        painter.end()


class Slider(KeyboardFocus, QSlider):
    """Track 4, thumb 14; arrows step, Page keys jump. Values are whole numbers, as in QSlider."""

    focus_radius = 4.0

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setAccessibleName(tr(name))
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setMinimumWidth(80)
        self.setFixedHeight(18)
        repaint_on_theme(self)

    def sizeHint(self) -> QSize:
        """Any width."""
        return QSize(120, 18)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Jump to the pointer."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self._go_to(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Follow the pointer."""
        if self.isSliderDown():
            self._go_to(event.position().x())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go."""
        self.setSliderDown(False)
        self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave the wheel to the page: a slider must not change while one scrolls past it."""
        event.ignore()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Track, filled part, thumb."""
        p = theme().palette
        painter = painter_for(self)
        span = max(self.maximum() - self.minimum(), 1)
        share = (self.value() - self.minimum()) / span
        x = 7 + share * (self.width() - 14)
        middle = self.height() / 2
        enabled = self.isEnabled()
        track = QRectF(0, middle - 2, self.width(), 4)
        bar(painter, track, x / self.width(), p.fill if enabled else p.line2, p.bg3)
        painter.setPen(QPen(QColor(p.bg1), 1.0))
        painter.setBrush(QColor(p.text if enabled else p.faint))
        painter.drawEllipse(QPointF(x, middle), 7.0, 7.0)
        painter.end()

    def _go_to(self, x: float) -> None:
        share = (x - 7) / max(self.width() - 14, 1)
        span = self.maximum() - self.minimum()
        self.setValue(self.minimum() + round(min(max(share, 0.0), 1.0) * span))
        self.update()

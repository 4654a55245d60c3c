"""The slider for training tokens: a log scale with the marks that help to choose."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.pages.wizard.plan import (
    CHINCHILLA_TOKENS_PER_PARAMETER,
    REPEATS_PAY_LITTLE_PASSES,
)
from studio.theme import font, theme
from studio.widgets.figures import count
from studio.widgets.focus import KeyboardFocus
from studio.widgets.paint import painter_for, repaint_on_theme, rounded_box

_STEP = 1.05
_PAGE = 1.5
_TRACK_Y = 57.0
_EDGE = 12.0
_FEW_PER_PARAMETER = 5.0


_PASSES = {1: "1 pass", 2: "2 passes", 4: "4 passes"}


@dataclass(frozen=True)
class SliderMarks:
    """What the scale is marked with; all in training tokens."""

    best: float = 0.0
    """Chinchilla's point for this size; 0 while it is unknown."""
    one_pass: float = 0.0
    """The training part, read once; 0 while it is unknown."""

    def range(self, value: float) -> tuple[float, float]:
        """The ends of the scale, so that every mark and the value are on it."""
        marks = [mark for mark in (self.best, self.one_pass, value) if mark > 0] or [1e6]
        high = max(4 * self.best, 6 * self.one_pass, value, 4 * min(marks))
        return min(marks) / 4, high * 1.3


class BudgetSlider(KeyboardFocus, QWidget):
    """Training tokens on a log scale. Arrows step by 5 %, Page keys by half.

    Signals:
        moved (float): Another number of training tokens was chosen.
    """

    focus_radius = 6.0
    moved = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._value = 0.0
        self._marks = SliderMarks()
        self._range = (1e5, 1e7)
        self._dragging = False
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Training tokens")
        repaint_on_theme(self)

    def show_value(self, tokens: float, marks: SliderMarks) -> None:
        """Show a number of tokens; the scale stays put while it is dragged."""
        self._value = tokens
        self._marks = marks
        if not self._dragging and tokens > 0:
            self._range = marks.range(tokens)
        self.setAccessibleDescription(f"{tokens:,.0f} tokens")
        self.update()

    def sizeHint(self) -> QSize:
        """Chip, track, scale and passes."""
        return QSize(480, 100)

    # --- input -------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Jump to the pointer."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._dragging = True
            self._move_to(self._tokens_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Follow the pointer."""
        if self._dragging:
            self._move_to(self._tokens_at(event.position().x()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go; the scale may fit itself now."""
        self._dragging = False
        self.show_value(self._value, self._marks)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows and Page keys."""
        factors = {
            Qt.Key.Key_Left: 1 / _STEP,
            Qt.Key.Key_Down: 1 / _STEP,
            Qt.Key.Key_Right: _STEP,
            Qt.Key.Key_Up: _STEP,
            Qt.Key.Key_PageUp: _PAGE,
            Qt.Key.Key_PageDown: 1 / _PAGE,
        }
        factor = factors.get(Qt.Key(event.key()))
        if factor is None or event.modifiers() & Qt.KeyboardModifier.AltModifier:
            super().keyPressEvent(event)
            return
        self._move_to(self._value * factor)

    def _move_to(self, tokens: float) -> None:
        if tokens > 0 and tokens != self._value:
            self._value = tokens
            self.update()
            self.moved.emit(tokens)

    # --- scale -------------------------------------------------------------------------------

    def _x_of(self, tokens: float) -> float:
        low, high = (math.log(end) for end in self._range)
        share = (math.log(max(tokens, 1.0)) - low) / max(high - low, 1e-9)
        return _EDGE + min(max(share, 0.0), 1.0) * (self.width() - 2 * _EDGE)

    def _tokens_at(self, x: float) -> float:
        low, high = (math.log(end) for end in self._range)
        share = min(max((x - _EDGE) / max(self.width() - 2 * _EDGE, 1), 0.0), 1.0)
        return math.exp(low + share * (high - low))

    def _inside(self, tokens: float) -> bool:
        return self._range[0] <= tokens <= self._range[1]

    # --- painting ----------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Track, marks, thumb."""
        painter = painter_for(self)
        self._paint_scale(painter)
        self._paint_track(painter)
        self._paint_passes(painter)
        self._paint_few(painter)
        self._paint_best(painter)
        self._paint_thumb(painter)
        painter.end()

    def _paint_track(self, painter: QPainter) -> None:
        palette = theme().palette
        whole = QRectF(_EDGE - 6, _TRACK_Y - 3, self.width() - 2 * _EDGE + 12, 6)
        rounded_box(painter, whole, 3, fill=palette.bg3)
        if self._marks.one_pass > 0:
            repeats = self._x_of(REPEATS_PAY_LITTLE_PASSES * self._marks.one_pass)
            zone = QRectF(repeats, _TRACK_Y - 3, whole.right() - repeats, 6)
            colour = QColor(palette.warn.fg)
            colour.setAlphaF(0.4)
            rounded_box(painter, zone, 3, fill=colour)
            painter.setFont(font("label"))
            painter.setPen(QColor(palette.warn.fg))
            words = "repeats pay little"
            width = painter.fontMetrics().horizontalAdvance(words)
            left = max(repeats, whole.right() - width)
            best = self._x_of(self._marks.best) if self._marks.best else -100.0
            if left - 8 < best < left + width + 8:  # the line of Chinchilla's mark goes through
                left = best + 8 if best + 8 + width < self.width() else best - 8 - width
            painter.drawText(QPointF(left, _TRACK_Y - 16), words)
        filled = QRectF(whole.left(), whole.top(), self._x_of(self._value) - whole.left(), 6)
        rounded_box(painter, filled, 3, fill=palette.fill)

    def _paint_scale(self, painter: QPainter) -> None:
        palette = theme().palette
        painter.setFont(font("axis"))
        low, high = self._range
        last_right = -100.0
        for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
            for factor in (1, 3):
                tokens = factor * 10.0**power
                if not self._inside(tokens):
                    continue
                x = self._x_of(tokens)
                label = count(tokens)
                width = painter.fontMetrics().horizontalAdvance(label)
                left = min(max(x - width / 2, 0.0), self.width() - width)
                crossed = any(left - 4 < x < left + width + 4 for x in self._pass_marks())
                if left < last_right + 14 or crossed:
                    continue
                last_right = left + width
                painter.fillRect(QRectF(x, _TRACK_Y + 7, 1, 4), QColor(palette.line2))
                painter.setPen(QColor(palette.muted))
                painter.drawText(QPointF(left, _TRACK_Y + 24), label)

    def _pass_marks(self) -> list[float]:
        """Where the lines of one, two and four passes stand."""
        if self._marks.one_pass <= 0:
            return []
        tokens = [passes * self._marks.one_pass for passes in _PASSES]
        return [self._x_of(number) for number in tokens if self._inside(number)]

    def _paint_passes(self, painter: QPainter) -> None:
        palette = theme().palette
        painter.setFont(font("label"))
        for passes, words in _PASSES.items():
            tokens = passes * self._marks.one_pass
            if tokens <= 0 or not self._inside(tokens):
                continue
            x = self._x_of(tokens)
            painter.fillRect(QRectF(x, _TRACK_Y + 7, 1, 21), QColor(palette.faint))
            painter.setPen(QColor(palette.text))
            width = painter.fontMetrics().horizontalAdvance(words)
            left = min(max(x - width / 2, 0.0), self.width() - width)
            painter.drawText(QPointF(left, _TRACK_Y + 40), words)

    def _paint_few(self, painter: QPainter) -> None:
        """A mark where text is scarce for the size, where Chinchilla's mark leaves room for it."""
        tokens = self._marks.best / CHINCHILLA_TOKENS_PER_PARAMETER * _FEW_PER_PARAMETER
        if tokens <= 0 or not self._inside(tokens):
            return
        palette = theme().palette
        x = self._x_of(tokens)
        painter.setFont(font("label"))
        words = f"{_FEW_PER_PARAMETER:.0f} per parameter"
        width = painter.fontMetrics().horizontalAdvance(words)
        left = max(x - width / 2, 0.0)
        repeats = REPEATS_PAY_LITTLE_PASSES * self._marks.one_pass
        taken = self._x_of(repeats) if self._marks.one_pass > 0 else self.width()
        if left + width + 8 > min(self._x_of(self._marks.best), max(taken, x)):
            return
        painter.fillRect(QRectF(x, _TRACK_Y - 12, 1, 5), QColor(palette.line2))
        painter.setPen(QColor(palette.muted))
        painter.drawText(QPointF(left, _TRACK_Y - 16), words)

    def _paint_best(self, painter: QPainter) -> None:
        best = self._marks.best
        if best <= 0 or not self._inside(best):
            return
        role = theme().palette.info
        x = self._x_of(best)
        per = CHINCHILLA_TOKENS_PER_PARAMETER
        words = f"Chinchilla: {per:.0f} tokens per parameter = {count(best)}"
        painter.setFont(font("label"))
        width = painter.fontMetrics().horizontalAdvance(words) + 12
        left = min(max(x - width / 2, 0.0), self.width() - width)
        rounded_box(painter, QRectF(left, 4, width, 20), 4, fill=role.soft)
        painter.setPen(QColor(role.on_soft))
        painter.drawText(QRectF(left, 4, width, 20), Qt.AlignmentFlag.AlignCenter, words)
        painter.fillRect(QRectF(x - 0.5, 24, 1.5, _TRACK_Y - 24), QColor(role.fg))

    def _paint_thumb(self, painter: QPainter) -> None:
        palette = theme().palette
        painter.setPen(QPen(QColor(palette.bg1), 2))
        painter.setBrush(QColor(palette.text))
        painter.drawEllipse(QPointF(self._x_of(self._value), _TRACK_Y), 8.0, 8.0)

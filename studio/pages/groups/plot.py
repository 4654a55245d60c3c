"""The figures of a group on one axis: each run as a dot, the mean and its interval as a bar."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.charts.axis import linear_ticks
from studio.theme import font, theme
from studio.widgets import figures
from studio.widgets.paint import painter_for, repaint_on_theme

_ROW_PX = 40
_AXIS_PX = 26
_FIGURE_PX = 118
_NARROW_PX, _WIDE_PX = 90, 220


@dataclass(frozen=True)
class Line:
    """A row of the plot.

    Args:
        label: What its runs share.
        values: One for each run.
        mean: Of them; None without any.
        low: Lower end of the interval of the mean; None for a single run.
        high: Its upper end.
        is_base: Whether the others are set against it.
    """

    label: str
    values: tuple[float, ...] = ()
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    is_base: bool = False


class IntervalPlot(QWidget):
    """Rows of dots and bars above a shared axis; the base's mean runs through all of them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._lines: tuple[Line, ...] = ()
        self._range = (0.0, 1.0)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Best validation loss of each setting")
        repaint_on_theme(self)

    def set_lines(self, lines: Sequence[Line]) -> None:
        """Show these."""
        self._lines = tuple(lines)
        self._range = _range_of(self._lines)
        spoken = [f"{line.label} {_figure(line)}" for line in self._lines]
        self.setAccessibleDescription("; ".join(spoken))
        self.setFixedHeight(self.sizeHint().height())
        self.update()

    def sizeHint(self) -> QSize:
        """As high as the rows and the axis."""
        return QSize(480, _ROW_PX * len(self._lines) + _AXIS_PX)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Grid, base, rows."""
        painter = painter_for(self)
        area = self._area(painter)
        if any(line.values for line in self._lines):
            self._paint_axis(painter, area)
        for place, line in enumerate(self._lines):
            middle = area.top() + (place + 0.5) * _ROW_PX
            self._paint_line(painter, area, middle, line)
        painter.end()

    # --- parts ---------------------------------------------------------------------------------

    def _area(self, painter: QPainter) -> QRectF:
        painter.setFont(font("secondary"))
        widest = max(
            (painter.fontMetrics().horizontalAdvance(line.label) for line in self._lines), default=0
        )
        left = min(max(widest + 16, _NARROW_PX), _WIDE_PX)
        width = self.width() - left - _FIGURE_PX
        return QRectF(left, 0, max(width, 40), _ROW_PX * len(self._lines))

    def _x(self, area: QRectF, value: float) -> float:
        low, high = self._range
        return area.left() + (value - low) / (high - low) * area.width()

    def _paint_axis(self, painter: QPainter, area: QRectF) -> None:
        p = theme().palette
        painter.setFont(font("axis"))
        last = -math.inf
        ticks = linear_ticks(*self._range, max(int(area.width() / 90), 2))
        for value, text in zip(ticks.values, ticks.labels, strict=True):
            x = self._x(area, value)
            painter.fillRect(QRectF(round(x), area.top(), 1, area.height()), QColor(p.grid))
            width = painter.fontMetrics().horizontalAdvance(text) + 4
            if x - width / 2 < last:
                continue
            last = x + width / 2
            painter.setPen(QColor(p.muted))
            box = QRectF(x - width / 2, area.bottom() + 4, width, 14)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
        base = next((line for line in self._lines if line.is_base and line.mean is not None), None)
        if base is not None and base.mean is not None and len(self._lines) > 1:
            pen = QPen(QColor(p.muted), 1, Qt.PenStyle.DashLine)
            painter.setPen(pen)
            x = round(self._x(area, base.mean)) + 0.5
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))

    def _paint_line(self, painter: QPainter, area: QRectF, middle: float, line: Line) -> None:
        p = theme().palette
        weight = QFont.Weight.Medium if line.is_base else QFont.Weight.Normal
        painter.setFont(font("secondary", weight))
        painter.setPen(QColor(p.text))
        room = area.left() - 12
        words = painter.fontMetrics().elidedText(line.label, Qt.TextElideMode.ElideRight, int(room))
        box = QRectF(0, middle - 10, room, 20)
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, words)
        if line.low is not None and line.high is not None:
            left = max(self._x(area, line.low), area.left())
            right = min(self._x(area, line.high), area.right())
            bar = QColor(p.s1)
            bar.setAlphaF(0.28)
            painter.fillRect(QRectF(left, middle - 5, max(right - left, 1.0), 10), bar)
        if line.mean is not None:
            x = self._x(area, line.mean)
            painter.fillRect(QRectF(x - 1, middle - 9, 2, 18), QColor(p.s1))
        painter.setPen(QPen(QColor(p.bg1), 1))
        painter.setBrush(QColor(p.s2))
        for value in line.values:
            painter.drawEllipse(QPointF(self._x(area, value), middle), 4.0, 4.0)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setFont(font("mono"))
        painter.setPen(QColor(p.text if line.mean is not None else p.muted))
        figure = _figure(line)
        width = painter.fontMetrics().horizontalAdvance(figure) + 1
        box = QRectF(self.width() - width, middle - 10, width, 20)
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, figure)


def _figure(line: Line) -> str:
    """Mean and half of its interval."""
    if line.mean is None:
        return "–"
    if line.low is None or line.high is None:
        return figures.loss(line.mean)
    return f"{figures.loss(line.mean)} ± {(line.high - line.low) / 2:.3f}"


def _range_of(lines: Sequence[Line]) -> tuple[float, float]:
    """What the axis spans: all dots, and as much of the intervals as does not squeeze them."""
    dots = [value for line in lines for value in line.values]
    if not dots:
        return 0.0, 1.0
    low, high = min(dots), max(dots)
    width = max(high - low, abs(high) * 1e-3, 1e-6)
    ends = [end for line in lines for end in (line.low, line.high) if end is not None]
    low = min([low, *(max(end, low - width) for end in ends)])
    high = max([high, *(min(end, high + width) for end in ends)])
    air = 0.06 * max(high - low, width)
    return low - air, high + air

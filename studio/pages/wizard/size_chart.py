"""The chart "Is this the right size?": expected loss of models of every size, equal computing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPolygonF,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.planner import SizeCurve
from studio.theme import font, theme
from studio.widgets.figures import count, gib
from studio.widgets.focus import KeyboardFocus
from studio.widgets.paint import painter_for, repaint_on_theme, rounded_box

_LEFT, _RIGHT, _TOP, _BOTTOM = 26.0, 0.0, 4.0, 38.0
_SHOWN_FACTOR = 7.0
"""The chart reaches so many times below and above what is planned."""
_ROOM = 0.07

_Place = Callable[[float, float], QPointF]
"""From parameters and loss to a point."""


class SizeChart(KeyboardFocus, QWidget):
    """Curve with its band, the plain curve, the memory's end, and the plan's own place.

    The pointer reads the curve off; so do Left and Right while it has the focus.
    """

    focus_radius = 6.0

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._curve: SizeCurve | None = None
        self._own = 0.0
        self._loss = 0.0
        self._band = 0.0
        self._memory_bytes = 0
        self._index = False
        self._read: int | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(200)
        self.setAccessibleName("Expected loss by size, same computing")
        repaint_on_theme(self)

    def sizeHint(self) -> QSize:
        """So that the step fits the usual window."""
        return QSize(320, 262)

    def show_curve(
        self,
        curve: SizeCurve | None,
        own: float,
        loss: float,
        band: float,
        memory_bytes: int,
        *,
        index: bool,
    ) -> None:
        """Show what sizes would reach.

        Args:
            curve: Of the plan's computing; None: a setting is wrong.
            own: The plan's own parameters.
            loss: That it may expect, in nats per token.
            band: Half the width of its band.
            memory_bytes: Of the device; 0 where it is unknown.
            index: Whether the model reads the memory index.
        """
        self._curve, self._own, self._loss, self._band = curve, own, loss, band
        self._memory_bytes, self._index = memory_bytes, index
        if curve is not None:
            self.setAccessibleDescription(
                f"{count(own)} parameters: loss {loss:.2f} give or take {band:.2f}. Best size"
                f" {count(curve.best)}."
            )
        self.update()

    # --- reading ------------------------------------------------------------------------------

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Read the curve off under the pointer."""
        self._read_at(event.position().x())

    def leaveEvent(self, event: QEvent) -> None:
        """Back to the plan's own place."""
        self._read = None
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and Right move along the curve, Esc goes back to the plan's own place."""
        moves = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        move = moves.get(Qt.Key(event.key()))
        curve = self._curve
        plain = event.modifiers() in (
            Qt.KeyboardModifier.NoModifier,
            Qt.KeyboardModifier.KeypadModifier,
        )
        if move is not None and curve is not None and plain:
            shown = self._shown(curve)
            at = self._read if self._read is not None else self._nearest(curve, self._own)
            self._read = min(max(at + move, shown[0]), shown[-1])
            self._tell()
        elif event.key() == Qt.Key.Key_Escape and self._read is not None:
            self._read = None
        else:
            super().keyPressEvent(event)
            return
        self.update()

    def _tell(self) -> None:
        curve, at = self._curve, self._read
        if curve is not None and at is not None:
            self.setAccessibleDescription(
                f"{count(float(curve.parameters[at]))} parameters: loss {curve.loss[at]:.2f}"
            )

    def _read_at(self, x: float) -> None:
        curve = self._curve
        if curve is None:
            return
        low, high = self._ends(curve)
        share = min(max((x - _LEFT) / max(self._plot().width(), 1), 0.0), 1.0)
        self._read = self._nearest(curve, low * (high / low) ** share)
        self.update()

    @staticmethod
    def _nearest(curve: SizeCurve, parameters: float) -> int:
        wanted = math.log(max(parameters, 1.0))
        return min(
            range(len(curve.parameters)),
            key=lambda number: abs(math.log(float(curve.parameters[number])) - wanted),
        )

    # --- scales -------------------------------------------------------------------------------

    def _plot(self) -> QRectF:
        return QRectF(self.rect()).adjusted(_LEFT, _TOP, -_RIGHT, -_BOTTOM)

    def _ends(self, curve: SizeCurve) -> tuple[float, float]:
        low = max(float(curve.parameters[0]), self._own / _SHOWN_FACTOR)
        high = min(float(curve.parameters[-1]), self._own * _SHOWN_FACTOR)
        return (low, high) if low < high else (low, low * 2)

    def _shown(self, curve: SizeCurve) -> list[int]:
        low, high = self._ends(curve)
        numbers = range(len(curve.parameters))
        return [n for n in numbers if low <= float(curve.parameters[n]) <= high] or list(numbers)

    def _losses(self, curve: SizeCurve) -> tuple[float, float]:
        shown = self._shown(curve)
        values = [float(curve.low[n]) for n in shown] + [float(curve.loss[n]) for n in shown]
        if self._index:
            plain = [float(curve.plain[n]) for n in shown]
            values.append((min(plain) + max(plain)) / 2)
        values += [float(curve.high[self._nearest(curve, self._own)])]
        low, high = min(values), max(values)
        room = max(high - low, 0.05) * _ROOM
        return low - room, high + room

    # --- painting -----------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Grid, zone, band, curves, marker."""
        painter = painter_for(self)
        curve, plot = self._curve, self._plot()
        if curve is None or plot.width() < 40 or plot.height() < 40:
            painter.setFont(font("secondary"))
            painter.setPen(QColor(theme().palette.muted))
            painter.drawText(
                QRectF(self.rect()), Qt.AlignmentFlag.AlignCenter, "A setting is wrong."
            )
            painter.end()
            return
        low, high = self._ends(curve)
        bottom, top = self._losses(curve)

        def place(parameters: float, loss: float) -> QPointF:
            x = plot.left() + plot.width() * math.log(parameters / low) / math.log(high / low)
            y = plot.bottom() - plot.height() * (loss - bottom) / (top - bottom)
            return QPointF(x, y)

        self._paint_grid(painter, plot, (low, high), (bottom, top), place)
        painter.save()
        painter.setClipRect(plot.adjusted(0, -1, 1, 1))
        self._paint_curves(painter, curve, place)
        self._paint_zone(painter, plot, curve, place)
        painter.restore()
        self._paint_marker(painter, plot, curve, place)
        painter.end()

    def _paint_grid(
        self,
        painter: QPainter,
        plot: QRectF,
        sizes: tuple[float, float],
        losses: tuple[float, float],
        place: _Place,
    ) -> None:
        palette = theme().palette
        painter.setFont(font("axis"))
        metrics = painter.fontMetrics()
        for value in nice_ticks(*losses):
            y = round(place(sizes[0], value).y())
            painter.fillRect(QRectF(plot.left(), y, plot.width(), 1), QColor(palette.grid))
            painter.setPen(QColor(palette.muted))
            text = f"{value:.{2 if losses[1] - losses[0] < 0.3 else 1}f}"
            box = QRectF(0, y - 8, _LEFT - 6, 16)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)
        last = -100.0
        for value in size_ticks(*sizes):
            x = place(value, losses[0]).x()
            painter.fillRect(QRectF(round(x), plot.top(), 1, plot.height()), QColor(palette.grid))
            text = count(value)
            width = metrics.horizontalAdvance(text)
            left = min(max(x - width / 2, 0.0), self.width() - width)
            if left > last + 12:
                painter.setPen(QColor(palette.muted))
                painter.drawText(QPointF(left, plot.bottom() + 14), text)
                last = left + width
        painter.fillRect(QRectF(plot.left(), plot.top(), 1, plot.height()), QColor(palette.line2))
        painter.fillRect(QRectF(plot.left(), plot.bottom(), plot.width(), 1), QColor(palette.line2))
        painter.setFont(font("label"))
        painter.setPen(QColor(palette.muted))
        words = QRectF(plot.left(), plot.bottom() + 20, plot.width(), 16)
        text = "parameters, same computing effort everywhere"
        painter.drawText(words, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_curves(self, painter: QPainter, curve: SizeCurve, place: _Place) -> None:
        palette = theme().palette
        sizes = [float(value) for value in curve.parameters]
        band = [place(x, float(y)) for x, y in zip(sizes, curve.high, strict=True)]
        band += [place(x, float(y)) for x, y in zip(sizes, curve.low, strict=True)][::-1]
        main = palette.s1 if self._index else palette.s2
        soft = QColor(main)
        soft.setAlphaF(0.18 if palette.is_dark else 0.14)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(soft)
        painter.drawPolygon(QPolygonF(band))
        if self._index:
            pen = QPen(QColor(palette.s2), 1.6)
            pen.setDashPattern([4, 3])
            painter.strokePath(_path(sizes, curve.plain, place), pen)
        painter.strokePath(_path(sizes, curve.loss, place), QPen(QColor(main), 2))

    def _paint_zone(self, painter: QPainter, plot: QRectF, curve: SizeCurve, place: _Place) -> None:
        limit = curve.memory_limit
        if limit is None:
            return
        role = theme().palette.danger
        x = place(limit, curve.best_loss).x()
        if x >= plot.right():
            return
        x = max(x, plot.left())
        zone = QColor(role.fg)
        zone.setAlphaF(0.12)
        painter.fillRect(QRectF(x, plot.top(), plot.right() - x + 1, plot.height()), zone)
        pen = QPen(QColor(role.fg), 1)
        pen.setDashPattern([4, 3])
        painter.setPen(pen)
        painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()))
        painter.setFont(font("label"))
        text = f"over {gib(self._memory_bytes / 2**30, 0)} GiB"
        width = painter.fontMetrics().horizontalAdvance(text)
        left = x - width - 6 if x - width - 6 > plot.left() else x + 6
        painter.drawText(QPointF(left, plot.top() + 13), text)

    def _paint_marker(
        self, painter: QPainter, plot: QRectF, curve: SizeCurve, place: _Place
    ) -> None:
        palette = theme().palette
        main = palette.s1 if self._index else palette.s2
        if self._read is None:
            where, text = place(self._own, self._loss), f"{count(self._own)}  {self._loss:.2f}"
            text += f" ± {self._band:.2f}"
        else:
            at = self._read
            size, loss = float(curve.parameters[at]), float(curve.loss[at])
            where, text = place(size, loss), f"{count(size)}  {loss:.2f}"
            text += f", {count(float(curve.tokens[at]))} tokens"
        x = min(max(where.x(), plot.left()), plot.right())
        y = min(max(where.y(), plot.top()), plot.bottom())
        pen = QPen(QColor(palette.muted), 1)
        pen.setDashPattern([3, 3])
        painter.setPen(pen)
        painter.setFont(font("mono_small"))
        width = painter.fontMetrics().horizontalAdvance(text) + 10
        left = min(max(x - width / 2, plot.left() + 2), plot.right() - width)
        top = y - 78 if y - 78 > plot.top() + 18 else y + 26
        top = min(top, plot.bottom() - 26)
        painter.drawLine(QPointF(x, top + 22), QPointF(x, plot.bottom()))
        box = QRectF(round(left), round(top), width, 22)
        rounded_box(painter, box, 4, fill=palette.bg1, border=palette.line2)
        painter.setPen(QColor(palette.text))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
        painter.setPen(QPen(QColor(main), 2))
        painter.setBrush(QColor(palette.text if palette.is_dark else palette.bg1))
        painter.drawEllipse(QPointF(x, y), 5.5, 5.5)


def _path(sizes: Sequence[float], losses: Iterable[float], place: _Place) -> QPainterPath:
    points = [place(size, float(loss)) for size, loss in zip(sizes, losses, strict=True)]
    path = QPainterPath(points[0])
    for point in points[1:]:
        path.lineTo(point)
    return path


def nice_ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round values between two, about as many as wanted."""
    span = max(high - low, 1e-9)
    rough = span / about
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next((f * magnitude for f in (1, 2, 5, 10) if f * magnitude >= rough), rough)
    first = math.ceil(low / step)
    return [number * step for number in range(first, math.floor(high / step) + 1)]


def size_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 of each power of ten between two sizes."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
    return [value for value in found if low <= value <= high]

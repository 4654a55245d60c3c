"""A loss curve in miniature; its width shows how far the training has come."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.theme import theme
from studio.widgets.paint import horizontal_line, painter_for, repaint_on_theme


class Sparkline(QWidget):
    """The curve over a faint base line, with a dot at its newest point.

    Args:
        colour: Palette colour of the run, by name.
    """

    def __init__(self, colour: str = "s1", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._values: tuple[float, ...] = ()
        self._share = 1.0
        self._colour = colour
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(52)
        repaint_on_theme(self)

    def set_series(self, values: Sequence[float], share: float, colour: str) -> None:
        """Show a curve.

        Args:
            values: Loss at even distances; not finite ones are left out.
            share: How far the training has come, 0 to 1.
            colour: Palette colour by name.
        """
        self._values = tuple(value for value in values if math.isfinite(value))
        self._share = min(max(share, 0.0), 1.0)
        self._colour = colour
        self.update()

    def sizeHint(self) -> QSize:
        """Any width."""
        return QSize(160, 52)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Base line, area, curve, dot."""
        p = theme().palette
        painter = painter_for(self)
        base = self.height() - 2
        horizontal_line(painter, 2, self.width() - 8, base, p.line)
        points = self._points(base)
        if points:
            colour = QColor(str(getattr(p, self._colour)))
            curve = QPainterPath(points[0])
            for point in points[1:]:
                curve.lineTo(point)
            area = QPainterPath(curve)
            area.lineTo(points[-1].x(), base)
            area.lineTo(points[0].x(), base)
            area.closeSubpath()
            soft = QColor(colour)
            soft.setAlphaF(0.10 if p.is_dark else 0.12)
            painter.fillPath(area, soft)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(colour, 1.5))
            painter.drawPath(curve)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour)
            painter.drawEllipse(points[-1], 3.0, 3.0)
        painter.end()

    def _points(self, base: int) -> list[QPointF]:
        values = self._values
        if len(values) < 2:
            return []
        low, high = min(values), max(values)
        box = QRectF(2, 4, max((self.width() - 10) * self._share, 6.0), base - 10)
        span = (high - low) or 1.0
        step = box.width() / (len(values) - 1)
        return [
            QPointF(box.left() + i * step, box.bottom() - (value - low) / span * box.height())
            for i, value in enumerate(values)
        ]

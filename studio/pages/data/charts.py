"""The two charts of the data page, painted: document lengths and longest matches."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QHelpEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from studio.pages.data.corpus import LengthBar
from studio.pages.data.facts import MatchBar
from studio.theme import font, theme
from studio.widgets.figures import count, percent, whole
from studio.widgets.paint import painter_for, repaint_on_theme
from trainer_core.records import bucket_label

_LEFT = 32.0
_BOTTOM = 22.0
_LABEL_PX = 14.0
_LABEL_INSIDE_FROM_PX = 34.0
_DISC_PX = 6.0
STRONG_MATCH = 8
"""Matches of at least this many tokens are painted in full colour."""


@dataclass(frozen=True)
class Scale:
    """A share axis from 0 to `top` with a grid line at every `step`."""

    top: float
    step: float

    @classmethod
    def over(cls, highest: float) -> Scale:
        """The axis that shows shares up to `highest` with three to five lines."""
        wanted = max(highest, 0.01) * 1.12
        magnitude = 10.0 ** math.floor(math.log10(wanted))
        for factor in (0.2, 0.25, 0.5, 1.0, 2.0, 2.5, 5.0):
            step = factor * magnitude
            if wanted / step <= 5:
                return cls(math.ceil(wanted / step - 1e-9) * step, step)
        return cls(wanted, wanted / 5)

    def ticks(self) -> list[float]:
        """Where the lines are."""
        return [i * self.step for i in range(round(self.top / self.step) + 1)]


class ShareChart(QWidget):
    """A frame-less chart with a share axis at the left and a tooltip for each bar."""

    right_margin = 4.0
    top_margin = 26.0

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setMinimumHeight(150)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._hits: list[tuple[QRectF, str]] = []
        repaint_on_theme(self)

    def sizeHint(self) -> QSize:
        """Some room."""
        return QSize(320, 150)

    def event(self, event: QEvent) -> bool:
        """Explain the bar under the pointer."""
        if isinstance(event, QHelpEvent):
            text = next((t for r, t in self._hits if r.contains(QPointF(event.pos()))), "")
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return super().event(event)

    def plot_area(self) -> QRectF:
        """Where the bars stand."""
        return QRectF(self.rect()).adjusted(_LEFT, self.top_margin, -self.right_margin, -_BOTTOM)

    def paint_axes(self, painter: QPainter, area: QRectF, scale: Scale) -> None:
        """Grid, shares, and the two axes."""
        palette = theme().palette
        painter.setFont(font("axis"))
        for tick in scale.ticks():
            y = round(area.bottom() - tick / scale.top * area.height())
            painter.fillRect(QRectF(area.left(), y, area.width(), 1), QColor(palette.grid))
            painter.setPen(QColor(palette.muted))
            digits = 0 if scale.step >= 0.00999 else 1
            label = f"{tick * 100:.{digits}f}%"
            box = QRectF(0, y - 8, _LEFT - 6, 16)
            painter.drawText(
                box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, label
            )
        painter.fillRect(
            QRectF(area.left() - 1, area.top(), 1, area.height()), QColor(palette.line2)
        )
        painter.fillRect(
            QRectF(area.left() - 1, area.bottom(), area.width() + 1, 1), QColor(palette.line2)
        )

    def paint_below(self, painter: QPainter, area: QRectF, x: float, label: str) -> None:
        """A label under the axis, kept inside the widget."""
        painter.setFont(font("axis"))
        painter.setPen(QColor(theme().palette.muted))
        width = painter.fontMetrics().horizontalAdvance(label) + 2
        left = min(max(x - width / 2, 0), self.width() - width)
        painter.drawText(
            QRectF(left, area.bottom() + 5, width, 14), Qt.AlignmentFlag.AlignCenter, label
        )


class LengthChart(ShareChart):
    """Share of documents by length, on a log scale; longer ones than the context stand out."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Document length", parent)
        self._bars: tuple[LengthBar, ...] = ()
        self._median = 0.0
        self._context = 0

    def show_lengths(self, bars: tuple[LengthBar, ...], median: float, context: int) -> None:
        """Show other documents.

        Args:
            bars: Documents by length.
            median: Of the lengths, in tokens.
            context: Context length to draw a line at, in tokens.
        """
        self._bars = bars
        self._median = median
        self._context = context
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Axes, bars, median, context."""
        painter = painter_for(self)
        self._hits = []
        total = sum(bar.documents for bar in self._bars)
        if total:
            area = self.plot_area()
            scale = Scale.over(max(bar.documents for bar in self._bars) / total)
            self.paint_axes(painter, area, scale)
            x_of = self._x_axis(area)
            for bar in self._bars:
                self._paint_bar(painter, area, scale, x_of, bar, bar.documents / total)
            self._paint_ticks(painter, area, x_of)
            self._paint_marks(painter, area, x_of)
        painter.end()

    def _range(self) -> tuple[float, float]:
        """The shown lengths as powers of two, wide enough for the context's line."""
        low = math.log2(max(self._bars[0].low, 1))
        high = math.log2(self._bars[-1].high)
        if self._context:
            low = min(low, math.log2(self._context) - 0.5)
            high = max(high, math.log2(self._context) + 0.5)
        return low, max(high, low + 1)

    def _x_axis(self, area: QRectF) -> Callable[[float], float]:
        low, high = self._range()

        def x_of(tokens: float) -> float:
            return area.left() + (math.log2(max(tokens, 1)) - low) / (high - low) * area.width()

        return x_of

    def _paint_bar(
        self,
        painter: QPainter,
        area: QRectF,
        scale: Scale,
        x_of: Callable[[float], float],
        bar: LengthBar,
        share: float,
    ) -> None:
        palette = theme().palette
        left, right = x_of(bar.low), x_of(bar.high)
        height = share / scale.top * area.height()
        gap = 1.0 if right - left > 5 else 0.0
        box = QRectF(left + gap, area.bottom() - height, max(right - left - 2 * gap, 1), height)
        long = self._context and bar.low >= self._context * 0.999
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(palette.s1 if long else palette.s2))
        if height > 0:
            painter.drawRoundedRect(box, min(1.5, height / 2), min(1.5, height / 2))
        low, high = math.ceil(bar.low - 1e-6), math.ceil(bar.high - 1e-6) - 1
        text = f"{whole(low)} to {whole(high)} tokens: {whole(bar.documents)} documents"
        self._hits.append(
            (QRectF(left, area.top(), right - left, area.height()), f"{text}, {percent(share)}")
        )

    def _paint_ticks(self, painter: QPainter, area: QRectF, x_of: Callable[[float], float]) -> None:
        low, high = self._range()
        step = 2 if high - low > 4 else 1
        for power in range(step * math.ceil(low / step - 1e-9), math.floor(high + 1e-9) + 1, step):
            tokens = 2**power
            label = whole(tokens) if tokens < 2048 else f"{tokens // 1024}k"
            self.paint_below(painter, area, x_of(tokens), label)

    def _paint_marks(self, painter: QPainter, area: QRectF, x_of: Callable[[float], float]) -> None:
        palette = theme().palette
        median_x = x_of(self._median)
        context_x = x_of(self._context) if self._context else math.inf
        painter.setFont(font("label"))
        context = f"context {whole(self._context)}"
        taken = painter.fontMetrics().horizontalAdvance(context) + 14
        painter.setFont(font("axis"))
        label = f"median {whole(self._median)}"
        width = painter.fontMetrics().horizontalAdvance(label)
        left = median_x - width / 2
        if context_x - width - 8 < left < context_x + taken:
            left = context_x - width - 8 if median_x <= context_x else context_x + taken
        left = min(max(left, 0.0), self.width() - width)
        painter.setPen(QColor(palette.muted))
        painter.drawText(QPointF(left, area.top() - 12), label)
        painter.fillRect(QRectF(median_x, area.top() - 6, 1, 6), QColor(palette.muted))
        if self._context:
            pen = QPen(QColor(palette.text), 1)
            pen.setDashPattern([4, 3])
            painter.setPen(pen)
            painter.drawLine(QPointF(context_x, 4), QPointF(context_x, area.bottom()))
            painter.setFont(font("label"))
            painter.drawText(QPointF(context_x + 6, 14), context)


def label_top(bar: QRectF, point_y: float) -> float:
    """Where a bar's figure stands: in its top, above it where it is low, and off the line's disc.

    Args:
        bar: In pixels.
        point_y: Where the line's disc is in this column; infinite for none.
    """
    inside = bar.height() > _LABEL_INSIDE_FROM_PX
    top = bar.top() + 4 if inside else bar.top() - _LABEL_PX - 2
    if not top - _DISC_PX < point_y < top + _LABEL_PX + _DISC_PX:
        return top
    below = point_y + _DISC_PX
    if inside and below + _LABEL_PX <= bar.bottom():
        return below
    return min(point_y - _DISC_PX, bar.top()) - _LABEL_PX


class MatchChart(ShareChart):
    """Held-out tokens by the length of their match, and how often the match is right."""

    right_margin = 36.0
    top_margin = 12.0

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Longest match in training data", parent)
        self._bars: tuple[MatchBar, ...] = ()

    def show_bars(self, bars: tuple[MatchBar, ...]) -> None:
        """Show other figures."""
        self._bars = bars
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Axes, bars, line."""
        painter = painter_for(self)
        self._hits = []
        total = sum(bar.tokens for bar in self._bars)
        if total:
            area = self.plot_area()
            scale = Scale.over(max(bar.tokens for bar in self._bars) / total)
            self.paint_axes(painter, area, scale)
            self._paint_right_axis(painter, area)
            points: list[QPointF] = []
            width = area.width() / len(self._bars)
            for i, bar in enumerate(self._bars):
                column = QRectF(area.left() + i * width, area.top(), width, area.height())
                right_y = math.inf
                if bar.tokens and math.isfinite(bar.hit_rate):
                    right_y = area.bottom() - bar.hit_rate * area.height()
                    points.append(QPointF(column.center().x(), right_y))
                self._paint_bar(painter, column, scale, bar, bar.tokens / total, right_y)
            self._paint_line(painter, points)
        painter.end()

    def _paint_right_axis(self, painter: QPainter, area: QRectF) -> None:
        painter.setFont(font("axis"))
        painter.setPen(QColor(theme().palette.s2))
        for share in (0.0, 0.5, 1.0):
            y = area.bottom() - share * area.height()
            box = QRectF(area.right() + 6, y - 8, self.right_margin - 6, 16)
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, f"{share * 100:.0f}%")

    def _paint_bar(
        self,
        painter: QPainter,
        column: QRectF,
        scale: Scale,
        bar: MatchBar,
        share: float,
        right_y: float,
    ) -> None:
        palette = theme().palette
        height = share / scale.top * column.height()
        inset = max(column.width() * 0.13, 2.0)
        box = QRectF(
            column.left() + inset,
            column.bottom() - height,
            column.width() - 2 * inset,
            max(height, 0.5),
        )
        strong = bar.low >= STRONG_MATCH
        colour = QColor(palette.s1)
        if not strong:
            colour.setAlphaF(0.5)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawRoundedRect(box, min(2, height / 2), min(2, height / 2))
        top = label_top(box, right_y)
        painter.setFont(font("axis"))
        painter.setPen(QColor(palette.ink if top > box.top() and strong else palette.text))
        painter.drawText(
            QRectF(column.left(), top, column.width(), _LABEL_PX),
            Qt.AlignmentFlag.AlignCenter,
            "<0.1" if 0 < share < 0.0005 else f"{share * 100:.1f}",
        )
        label = bucket_label(bar.low, bar.high)
        self.paint_below(painter, column, column.center().x(), label)
        tip = f"Match of {label} tokens: {count(bar.tokens)} held-out tokens, {percent(share)}"
        self._hits.append((column, f"{tip}; the match is right {percent(bar.hit_rate)}"))

    def _paint_line(self, painter: QPainter, points: list[QPointF]) -> None:
        palette = theme().palette
        painter.setPen(QPen(QColor(palette.s2), 1.5))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(QPolygonF(points))
        painter.setPen(QPen(QColor(palette.s2), 2))
        painter.setBrush(QColor(palette.bg1))
        for point in points:
            painter.drawEllipse(point, 3.0, 3.0)

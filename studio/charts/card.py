"""The frame around a chart: title, legend, what belongs right, and the chart itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from studio.charts.paint import colour
from studio.theme import font, text_width, theme
from studio.widgets.card import Card
from studio.widgets.label import Label, Part
from studio.widgets.paint import painter_for, repaint_on_theme

Mark = Literal["line", "dash", "dot", "diamond", "square"]

HEADER_PX: Final = 40
_MARK_PX: Final[dict[Mark, int]] = {"line": 12, "dash": 16, "dot": 6, "diamond": 9, "square": 8}
_GAP: Final = 14


@dataclass(frozen=True)
class LegendEntry:
    """One key of a chart.

    Attributes:
        mark: How it is drawn.
        colour: Palette field or role.
        name: What it stands for.
        dash: Dash and gap in pixels for a dashed line.
    """

    mark: Mark
    colour: str
    name: str
    dash: tuple[int, int] | None = None


class Legend(QWidget):
    """The keys of a chart, on one line; those that do not fit are left out from the end."""

    def __init__(
        self, entries: tuple[LegendEntry, ...] = (), parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._entries = entries
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._name()
        repaint_on_theme(self)

    def set_entries(self, entries: tuple[LegendEntry, ...]) -> None:
        """Show other keys."""
        if entries != self._entries:
            self._entries = entries
            self._name()
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        """All keys on one line."""
        width = sum(_width(entry) + _GAP for entry in self._entries)
        return QSize(max(width - _GAP, 0), 16)

    def minimumSizeHint(self) -> QSize:
        """Nothing: keys may be left out."""
        return QSize(0, 16)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The keys."""
        palette = theme().palette
        painter = painter_for(self)
        left = 0.0
        for entry in self._entries:
            if left + _width(entry) > self.width() + 0.5:
                break
            tint = colour(palette, entry.colour)
            mark = _MARK_PX[entry.mark]
            middle = self.height() / 2
            if entry.mark in ("line", "dash"):
                pen = QPen(tint, 2.0)
                if entry.dash is not None:
                    pen.setDashPattern([part / 2 / 2 for part in entry.dash])
                    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
                painter.setPen(pen)
                painter.drawLine(QPointF(left + 1, middle), QPointF(left + mark - 1, middle))
            elif entry.mark == "diamond":
                painter.setPen(QPen(tint, 1.0))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                half = mark / 2 - 0.5
                x = left + mark / 2
                corners = [(x, middle - half), (x + half, middle), (x, middle + half)]
                corners.append((x - half, middle))
                painter.drawPolygon(QPolygonF([QPointF(*corner) for corner in corners]))
            else:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(tint)
                box = QRectF(left, middle - mark / 2, mark, mark)
                radius = mark / 2 if entry.mark == "dot" else 2
                painter.drawRoundedRect(box, radius, radius)
            painter.setFont(font("label"))
            painter.setPen(QColor(palette.muted))
            words = QRectF(left + mark + 6, 0, _width(entry), self.height())
            painter.drawText(words, Qt.AlignmentFlag.AlignVCenter, entry.name)
            left += _width(entry) + _GAP
        painter.end()

    def _name(self) -> None:
        self.setAccessibleName(", ".join(entry.name for entry in self._entries))


class ChartCard(Card):
    """A card with a title row and a chart, or several, below it.

    Args:
        title: Name of the chart.
        legend: Its keys.
        legend_right: Put the keys at the right end.
        head_px: Height of the title row.
    """

    def __init__(
        self,
        title: str,
        legend: tuple[LegendEntry, ...] = (),
        *,
        legend_right: bool = False,
        head_px: int = HEADER_PX - 5,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(padding=0, spacing=0, parent=parent)
        self.body.setContentsMargins(1, 1, 1, 4)  # charts keep off the round corners
        self.legend = Legend(legend)
        head = QWidget()
        head.setFixedHeight(head_px)
        self._row = QHBoxLayout(head)
        self._row.setContentsMargins(12, 2, 12, 0)
        self._row.setSpacing(12)
        self._name = Label("", "body", elide=False)
        self._row.addWidget(self._name)
        if legend_right:
            self._row.addStretch(1)
        self._row.addWidget(self.legend, 0 if legend_right else 1)
        self.remark = Label("", "label", "muted", elide=False)
        self._row.addWidget(self.remark)
        self.body.addWidget(head)
        self.set_title(title)

    def set_title(self, title: str) -> None:
        """Name the chart."""
        self.title = title
        self._name.set_parts(Part(title, weight=QFont.Weight.DemiBold))
        self.setAccessibleName(title)

    def add_right(self, widget: QWidget) -> None:
        """Put a control at the right end of the title row."""
        self._row.addWidget(widget)

    def add_chart(self, chart: QWidget, stretch: int = 1) -> None:
        """Put a chart below what is there."""
        self.body.addWidget(chart, stretch)


def _width(entry: LegendEntry) -> int:
    return _MARK_PX[entry.mark] + 6 + text_width(entry.name, "label")

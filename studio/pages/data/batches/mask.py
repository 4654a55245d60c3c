"""The attention mask of a sequence as a picture: who sees whom."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.pages.data.batches.facts import BatchRow
from studio.pages.data.batches.strips import COLOURS
from studio.theme import font, theme
from studio.widgets.paint import painter_for, repaint_on_theme

_EDGE_PX = 232
_LABEL_PX = 16


class MaskPicture(QWidget):
    """A triangle for each run of tokens that see each other; inputs go down, what they see across.

    A line marks what the chosen token sees.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._row = BatchRow()
        self._place = -1
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Attention mask")
        repaint_on_theme(self)

    def show_row(self, row: BatchRow) -> None:
        """Show another sequence."""
        self._row, self._place = row, -1
        self.update()

    def show_place(self, place: int) -> None:
        """Mark what an input sees; -1 marks nothing."""
        if place != self._place:
            self._place = place
            self.update()

    def sizeHint(self) -> QSize:
        """Square, with a line of words below."""
        return QSize(_EDGE_PX, _EDGE_PX + _LABEL_PX)

    def blocks(self) -> list[tuple[int, int]]:
        """First input, and the one behind the last, of each run that sees itself alone."""
        total = len(self._row.ids)
        starts = self._row.masks or (0,)
        ends = (*starts[1:], total)
        return [(a, b) for a, b in zip(starts, ends, strict=True) if b > a]

    def paintEvent(self, event: QPaintEvent) -> None:
        """Ground, triangles, the chosen token."""
        palette = theme().palette
        painter = painter_for(self)
        painter.fillRect(QRectF(0, 0, _EDGE_PX, _EDGE_PX), QColor(palette.bg2))
        total = len(self._row.ids)
        scale = _EDGE_PX / max(total, 1)
        painter.setPen(Qt.PenStyle.NoPen)
        for start, stop in self.blocks() if total else ():
            run = self._row.run_at(start)
            if run is None or run.is_padding:
                continue
            place = self._row.documents.index(run)
            colour = QColor(palette.role(COLOURS[place % len(COLOURS)]).fg)
            colour.setAlphaF(0.6)
            painter.setBrush(colour)
            a, b = start * scale, stop * scale
            painter.drawPolygon(QPolygonF([QPointF(a, a), QPointF(b, b), QPointF(a, b)]))
        if 0 <= self._place < total:
            first = self._row.seen_from(self._place) * scale
            y = (self._place + 0.5) * scale
            painter.setPen(QPen(QColor(palette.text), 2))
            painter.drawLine(QPointF(first, y), QPointF((self._place + 1) * scale, y))
        painter.setPen(QPen(QColor(palette.line2), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(QRectF(0.5, 0.5, _EDGE_PX - 1, _EDGE_PX - 1))
        painter.setFont(font("label"))
        painter.setPen(QColor(palette.muted))
        below = QRectF(0, _EDGE_PX, _EDGE_PX, _LABEL_PX)
        painter.drawText(below, Qt.AlignmentFlag.AlignVCenter, "inputs down, what they see across")
        painter.end()

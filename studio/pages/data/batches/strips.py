"""A batch at a glance: each sequence as a bar of its documents and its padding."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QHelpEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from studio.pages.data.batches.facts import Batches, BatchRow, DocumentRun
from studio.palette import RoleName
from studio.theme import font, theme
from studio.widgets.figures import plural, whole
from studio.widgets.focus import KeyboardFocus
from studio.widgets.paint import painter_for, repaint_on_theme, rounded_box

ROW_PX: Final = 24
_BAR_PX: Final = 12.0
_LEFT_PX: Final = 40.0
_RIGHT_PX: Final = 190.0
COLOURS: Final[tuple[RoleName, ...]] = ("info", "ok", "accent", "warn")
"""Of documents, in turn; `token_paint.group_colours` has their grounds in the same order."""


class RowStrips(KeyboardFocus, QWidget):
    """The sequences of one batch; a click or the arrow keys choose one.

    Signals:
        row_chosen (int): Another sequence is to be shown.
    """

    row_chosen = Signal(int)
    focus_radius = 6.0

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._batches = Batches()
        self._rows: tuple[BatchRow, ...] = ()
        self.current = 0
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Sequences of the batch")
        repaint_on_theme(self)

    def show_rows(self, batches: Batches, rows: tuple[BatchRow, ...]) -> None:
        """Show another batch; its first sequence is chosen."""
        self._batches, self._rows = batches, rows
        self.current = 0
        self.setFixedHeight(ROW_PX * max(len(rows), 1))
        self.update()

    def choose(self, row: int) -> None:
        """Choose a sequence."""
        if 0 <= row < len(self._rows) and row != self.current:
            self.current = row
            self.update()
            self.row_chosen.emit(row)

    def sizeHint(self) -> QSize:
        """Any width."""
        return QSize(400, ROW_PX * max(len(self._rows), 1))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Up and Down go to the neighbour."""
        moves = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}
        move = moves.get(Qt.Key(event.key()))
        if move is None:
            super().keyPressEvent(event)
            return
        self.choose(self.current + move)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose what is under the pointer."""
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self.choose(int(event.position().y() // ROW_PX))

    def event(self, event: QEvent) -> bool:
        """Name the document under the pointer."""
        if isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), self._tip(QPointF(event.pos())), self)
            return True
        return super().event(event)

    def _tip(self, at: QPointF) -> str:
        number = int(at.y() // ROW_PX)
        if not 0 <= number < len(self._rows):
            return ""
        row = self._rows[number]
        scale = self._scale(row)
        found = row.run_at(int((at.x() - _LEFT_PX) / scale)) if at.x() >= _LEFT_PX else None
        if found is None or at.x() > _LEFT_PX + scale * len(row.ids):
            return ""
        tokens = plural(found.stop - found.start, "token")
        if found.is_padding:
            return f"Padding, {tokens}"
        document = self._batches.documents.get(found.document)
        title = document.title if document is not None else f"document {whole(found.document)}"
        return f"{title}\n{tokens} from its token {whole(found.offset)}"

    def _scale(self, row: BatchRow) -> float:
        return max(self.width() - _LEFT_PX - _RIGHT_PX, 40.0) / max(len(row.ids), 1)

    def paintEvent(self, event: QPaintEvent) -> None:
        """A number, the bar, and words for each sequence."""
        painter = painter_for(self)
        for number, row in enumerate(self._rows):
            self._paint_row(painter, number, row)
        painter.end()

    def _paint_row(self, painter: QPainter, number: int, row: BatchRow) -> None:
        palette = theme().palette
        top = float(number * ROW_PX)
        chosen = number == self.current
        if chosen:
            rounded_box(painter, QRectF(0, top, self.width(), ROW_PX), 6, fill=palette.accent_soft)
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.setFont(font("mono_small"))
        painter.setPen(QColor(palette.text if chosen else palette.muted))
        right = middle | Qt.AlignmentFlag.AlignRight
        painter.drawText(QRectF(0, top, _LEFT_PX - 12, ROW_PX), right, f"{number + 1}")
        scale = self._scale(row)
        bar_top = top + (ROW_PX - _BAR_PX) / 2
        for place, run in enumerate(row.documents):
            box = QRectF(
                _LEFT_PX + run.start * scale, bar_top, (run.stop - run.start) * scale, _BAR_PX
            )
            _paint_run(painter, box, place, run)
        painter.setFont(font("label"))
        painter.setPen(QColor(palette.on_accent_soft if chosen else palette.muted))
        words = QRectF(self.width() - _RIGHT_PX + 12, top, _RIGHT_PX - 20, ROW_PX)
        painter.drawText(words, middle, row_words(row))


def row_words(row: BatchRow) -> str:
    """What a sequence holds, in a few words."""
    words = plural(row.n_documents, "document")
    return f"{words}, {whole(row.padding)} padding" if row.padding else words


def _paint_run(painter: QPainter, box: QRectF, place: int, run: DocumentRun) -> None:
    palette = theme().palette
    inside = box.adjusted(0, 0, -1 if box.width() > 3 else 0, 0)
    if run.is_padding:
        rounded_box(painter, inside, 2, border=palette.line2)
        return
    colour = QColor(palette.role(COLOURS[place % len(COLOURS)]).fg)
    colour.setAlphaF(0.75)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawRoundedRect(inside, 2, 2)

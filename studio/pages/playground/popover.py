"""The popover at a token: its match, and what else could have come next."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from studio.pages.playground.words import kind_words, matched_words, occurrence_parts
from studio.theme import font, theme
from studio.widgets.icon import IconLabel
from studio.widgets.keycap import KeyCap
from studio.widgets.label import Label, Part
from studio.widgets.paint import painter_for, repaint_on_theme, rounded_box
from studio.widgets.source_card import HeatChip
from studio.widgets.token_run import token_label
from trainer_core.protocol import Candidate, SourcesFound, TokenWritten

WIDTH_PX = 352
_ARROW_PX = 8
_GAP_PX = 4
_ROW_PX = 20
_CANDIDATES = 8
_NAME_PX = 96
_FIGURE_PX = 44


class TokenPopover(QWidget):
    """Floats over the page, below the token or above it, with an arrow to it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._arrow_x = WIDTH_PX / 2
        self._below = True
        self._place: tuple[QRect, QRect] | None = None
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._chip = HeatChip()
        self._matched = Label("", "strong")
        self._pin = IconLabel("pin", "muted", 14)
        head = QHBoxLayout()
        head.setSpacing(10)
        head.addWidget(self._chip)
        head.addWidget(self._matched, 1)
        head.addWidget(KeyCap("P"))
        head.addWidget(self._pin)
        self._kind = Label("", "secondary", "muted", wrap=True)
        self._occurrences = Label("", "secondary", "muted", wrap=True)
        title = QHBoxLayout()
        title.addWidget(Label("Next token", "secondary", "muted"))
        title.addStretch(1)
        title.addWidget(Label("percent", "secondary", "muted"))
        self._bars = _CandidateBars()
        self._column = QVBoxLayout(self)
        self._column.setSpacing(6)
        self._column.addLayout(head)
        self._column.addWidget(self._kind)
        self._column.addWidget(self._occurrences)
        self._column.addLayout(title)
        self._column.addWidget(self._bars)
        self.hide()
        repaint_on_theme(self)

    def show_token(self, token: TokenWritten, *, pinned: bool) -> None:
        """Show a token; its occurrences follow when they are known."""
        backed = token.match_length if token.followed else 0
        self._chip.show_token(token_label(token.data), backed)
        self._matched.set_text(matched_words(token))
        self._pin.set_icon("pin", "accent" if pinned else "muted")
        self._kind.set_text(kind_words(token))
        self._occurrences.set_text("")
        self._occurrences.hide()
        self._bars.show_candidates(token)

    def show_sources(self, found: SourcesFound) -> None:
        """Add how often the match occurs, and what followed."""
        parts = occurrence_parts(found)
        self._occurrences.set_parts(*(parts or [Part("")]))
        self._occurrences.setVisible(bool(parts))
        if self._place is not None:
            self.place(*self._place)

    def place(self, token: QRect, within: QRect) -> None:
        """Stand at a token.

        Args:
            token: Its place, in the parent's coordinates.
            within: Where the popover may be.
        """
        self._place = (token, within)
        self._set_margins(below=True)
        height = self._height()
        room_below = within.bottom() - token.bottom()
        self._below = room_below >= height + _GAP_PX or room_below >= token.top() - within.top()
        self._set_margins(below=self._below)
        left = token.center().x() - WIDTH_PX // 2
        left = min(max(left, within.left() + 8), max(within.right() - WIDTH_PX - 8, within.left()))
        top = token.bottom() + _GAP_PX if self._below else token.top() - _GAP_PX - height
        self._arrow_x = min(max(token.center().x() - left, 20), WIDTH_PX - 20)
        self.setGeometry(QRect(QPoint(left, top), QPoint(left + WIDTH_PX - 1, top + height - 1)))
        self.raise_()
        self.show()
        self.update()

    def _set_margins(self, *, below: bool) -> None:
        top = 12 + (_ARROW_PX if below else 0)
        bottom = 12 + (0 if below else _ARROW_PX)
        self._column.setContentsMargins(14, top, 14, bottom)

    def _height(self) -> int:
        self._column.activate()
        hint = self._column.totalHeightForWidth(WIDTH_PX)
        return hint if hint > 0 else self._column.totalSizeHint().height()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The box and its arrow."""
        palette = theme().palette
        painter = painter_for(self)
        top = _ARROW_PX if self._below else 0
        box = QRectF(0, top, self.width(), self.height() - _ARROW_PX)
        rounded_box(painter, box, 8, fill=palette.bg2, border=palette.line2)
        edge = box.top() if self._below else box.bottom()
        tip = edge - _ARROW_PX if self._below else edge + _ARROW_PX
        inward = 1.0 if self._below else -1.0
        left = QPointF(self._arrow_x - _ARROW_PX, edge)
        right = QPointF(self._arrow_x + _ARROW_PX, edge)
        point = QPointF(self._arrow_x, tip)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(palette.bg2))
        painter.drawPolygon(
            QPolygonF([left + QPointF(0, inward), point, right + QPointF(0, inward)])
        )
        painter.setPen(QPen(QColor(palette.line2), 1))
        painter.drawLine(left, point)
        painter.drawLine(point, right)
        painter.end()


class _CandidateBars(QWidget):
    """The likeliest tokens with bars of absolute length; the written one stands out."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: tuple[Candidate, ...] = ()
        self._written = b""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        repaint_on_theme(self)

    def show_candidates(self, token: TokenWritten) -> None:
        """Show what could have come, and the token itself where it is not among the first."""
        rows = token.top[:_CANDIDATES]
        if all(row.data != token.data for row in rows):
            mine = Candidate(data=token.data, probability=token.probability)
            rows = (*rows[: _CANDIDATES - 1], mine)
        self._rows, self._written = rows, token.data
        self.setFixedHeight(_ROW_PX * len(rows))
        self.setAccessibleName(
            "; ".join(f"{token_label(r.data)} {r.probability:.1%}" for r in rows)
        )
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """One row for each."""
        painter = painter_for(self)
        for number, row in enumerate(self._rows):
            self._paint_row(painter, number * _ROW_PX, row)
        painter.end()

    def _paint_row(self, painter: QPainter, top: int, row: Candidate) -> None:
        palette = theme().palette
        written = row.data == self._written
        weight = QFont.Weight.Bold if written else QFont.Weight.Medium
        painter.setFont(font("mono", weight))
        painter.setPen(QColor(palette.text if written else palette.muted))
        name = painter.fontMetrics().elidedText(
            token_label(row.data), Qt.TextElideMode.ElideRight, _NAME_PX - 6
        )
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(0, top, _NAME_PX, _ROW_PX), middle, name)
        room = self.width() - _NAME_PX - _FIGURE_PX
        length = max(row.probability * room, 1.5)
        colour = QColor(palette.s1)
        bar = QRectF(_NAME_PX, top + _ROW_PX / 2 - 3, length, 6)
        rounded_box(painter, bar, min(1.5, length / 2), fill=colour)
        painter.setPen(QColor(palette.text))
        figure = QRectF(self.width() - _FIGURE_PX, top, _FIGURE_PX, _ROW_PX)
        painter.drawText(
            figure, middle | Qt.AlignmentFlag.AlignRight, f"{row.probability * 100:.1f}"
        )

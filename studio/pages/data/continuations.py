"""What followed a match, as bars: the token, its share, how often."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.pages.data.answers import Continuation
from studio.theme import font, theme
from studio.widgets.figures import percent, whole
from studio.widgets.paint import bar, painter_for, repaint_on_theme, rounded_box
from studio.widgets.token_run import token_label

_ROW_PX = 26
_TOKEN_PX = 132
_SHARE_PX = 62
_COUNT_PX = 58


class ContinuationBars(QWidget):
    """One row for each token that followed, the most frequent first; bars are absolute shares."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: tuple[Continuation, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        repaint_on_theme(self)

    def show_rows(self, rows: tuple[Continuation, ...]) -> None:
        """Show other continuations."""
        self._rows = rows
        words = (f"{row.text!r}: {percent(row.share)}, {row.count:,} times" for row in rows)
        self.setAccessibleName("What followed: " + "; ".join(words))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """As high as the rows."""
        return QSize(320, _ROW_PX * len(self._rows))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Token, bar, share, count."""
        painter = painter_for(self)
        palette = theme().palette
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for number, row in enumerate(self._rows):
            top = number * _ROW_PX
            painter.setFont(font("mono_small"))
            label = token_label(row.text.encode())
            metrics = painter.fontMetrics()
            label = metrics.elidedText(label, Qt.TextElideMode.ElideRight, _TOKEN_PX - 14)
            width = min(metrics.horizontalAdvance(label) + 12, _TOKEN_PX)
            chip = QRectF(0, top + 3, width, _ROW_PX - 6)
            rounded_box(painter, chip, 4, fill=palette.bg3)
            painter.setPen(QColor(palette.text))
            painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, label)
            end = self.width() - _SHARE_PX - _COUNT_PX
            track = QRectF(_TOKEN_PX + 10, top + _ROW_PX / 2 - 3, end - _TOKEN_PX - 10, 6)
            bar(painter, track, row.share, palette.s1 if number == 0 else palette.s6, palette.bg3)
            painter.setFont(font("mono"))
            painter.setPen(QColor(palette.text))
            painter.drawText(QRectF(end, top, _SHARE_PX, _ROW_PX), right, percent(row.share))
            painter.setPen(QColor(palette.muted))
            painter.drawText(
                QRectF(end + _SHARE_PX, top, _COUNT_PX, _ROW_PX), right, whole(row.count)
            )
        painter.end()

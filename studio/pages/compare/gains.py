"""What the index buys: two losses by match length, as bars with their difference."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from studio.charts.card import ChartCard, LegendEntry
from studio.charts.paint import put_text
from studio.pages.compare.chart import HEAD_PX
from studio.pages.compare.facts import Compared, Gain, Gains
from studio.pages.compare.settings import change_role, change_text
from studio.theme import font, text_width, theme
from studio.widgets.empty import EmptyState
from studio.widgets.figures import NARROW
from studio.widgets.label import Label
from studio.widgets.paint import painter_for, repaint_on_theme

_TITLE: Final = "What the index buys"
_HEAD_PX: Final = 30
_ROW_PX: Final = 48
_TOTAL_PX: Final = 36
_BAR_PX: Final = 13
_LEFT: Final = 76
_CHANGE_PX: Final = 70
_SHARE_PX: Final = 62
_VALUE_PX: Final = 46
_MARGIN_PX: Final = 12
_KEY_PX: Final = 34
"""What a key of the legend needs besides its name."""
_L: Final = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_R: Final = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class GainBars(QWidget):
    """The rows; as high as they need."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._gains = Gains()
        self._colours = ("s2", "s1")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        repaint_on_theme(self)

    def show_gains(self, found: Gains, base_slot: int, other_slot: int) -> None:
        """Show these rows in the colours of the two runs."""
        self._gains = found
        self._colours = (f"s{base_slot + 1}", f"s{other_slot + 1}")
        spoken = [f"{row.label}: {row.base:.2f} to {row.other:.2f}" for row in found.rows]
        self.setAccessibleName("Validation loss by match length. " + "; ".join(spoken))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """All rows."""
        return QSize(420, _HEAD_PX + _ROW_PX * len(self._gains.rows) + _TOTAL_PX + 6)

    def minimumSizeHint(self) -> QSize:
        """Bars may be short, figures are never cut."""
        return QSize(320, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Headings, rows, the sum."""
        palette = theme().palette
        painter = painter_for(self)
        self._paint_head(painter)
        top = _HEAD_PX
        for row in self._gains.rows:
            self._paint_row(painter, top, row)
            top += _ROW_PX
            painter.fillRect(0, top - 1, self.width(), 1, QColor(palette.line))
        if self._gains.total is not None:
            painter.fillRect(0, top - 1, self.width(), 1, QColor(palette.line2))
            self._paint_total(painter, top, self._gains.total)
        painter.end()

    def _paint_head(self, painter: QPainter) -> None:
        muted = theme().palette.muted
        height = _HEAD_PX - 4
        put_text(painter, QRectF(0, 0, _LEFT, height), "match", "label", muted, _L)
        box = QRectF(_LEFT - 12, 0, 160, height)
        put_text(painter, box, "validation loss", "label", muted, _L)
        put_text(painter, self._change_box(0, height), "change", "label", muted, _R)
        put_text(painter, self._share_box(0, height), "of tokens", "label", muted, _R)
        line = QColor(theme().palette.line)
        painter.fillRect(0, _HEAD_PX - 1, self.width(), 1, line)

    def _paint_row(self, painter: QPainter, top: int, row: Gain) -> None:
        palette = theme().palette
        box = QRectF(0, top, _LEFT, _ROW_PX)
        put_text(painter, box, row.label, "mono", palette.text, _L)
        most = max(max(each.base, each.other) for each in self._gains.rows)
        room = self.width() - (_LEFT - 12) - _VALUE_PX - _CHANGE_PX - _SHARE_PX
        middle = top + _ROW_PX / 2
        values = (
            (row.base, self._colours[0], palette.muted, middle - _BAR_PX - 1.0),
            (row.other, self._colours[1], palette.text, middle + 1.0),
        )
        for value, name, tint, at in values:
            width = max(2.0, room * value / most) if most > 0 else 2.0
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(str(getattr(palette, name))))
            painter.drawRoundedRect(QRectF(_LEFT - 12, at, width, _BAR_PX), 2, 2)
            figure = QRectF(_LEFT - 12 + width + 6, at - 2, _VALUE_PX, _BAR_PX + 4)
            put_text(painter, figure, f"{value:.2f}", "mono_small", tint, _L)
        self._paint_change(painter, top, _ROW_PX, row, 2)

    def _paint_total(self, painter: QPainter, top: int, row: Gain) -> None:
        palette = theme().palette
        painter.setFont(font("body", QFont.Weight.DemiBold))
        painter.setPen(QColor(palette.text))
        painter.drawText(QRectF(0, top, _LEFT, _TOTAL_PX), _L, row.label)
        text = f"{row.base:.3f} → {row.other:.3f}"
        box = QRectF(_LEFT - 12, top, 200, _TOTAL_PX)
        put_text(painter, box, text, "mono", palette.text, _L)
        self._paint_change(painter, top, _TOTAL_PX, row, 3)

    def _paint_change(
        self, painter: QPainter, top: int, height: int, row: Gain, digits: int
    ) -> None:
        palette = theme().palette
        role = change_role(row.change, digits)
        tint = palette.muted if role is None else palette.role(role).fg
        text = change_text(row.change, digits)
        put_text(painter, self._change_box(top, height), text, "mono", tint, _R)
        share = "100" if row.share >= 1 else f"{row.share * 100:.1f}"
        box = self._share_box(top, height)
        put_text(painter, box, f"{share}{NARROW}%", "mono_small", palette.muted, _R)

    def _change_box(self, top: int, height: int) -> QRectF:
        return QRectF(self.width() - _SHARE_PX - _CHANGE_PX, top, _CHANGE_PX, height)

    def _share_box(self, top: int, height: int) -> QRectF:
        return QRectF(self.width() - _SHARE_PX, top, _SHARE_PX, height)


class GainsCard(ChartCard):
    """The bars with their title, or the reason why there are none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(_TITLE, legend_right=True, head_px=HEAD_PX, parent=parent)
        self.body.setContentsMargins(1, 1, 1, 8)
        self._runs: tuple[Compared, Compared] | None = None
        self._inner = QWidget()
        column = QVBoxLayout(self._inner)
        column.setContentsMargins(12, 0, 12, 0)
        column.setSpacing(6)
        explained = "Held-out tokens, grouped by how long a match the index finds."
        column.addWidget(Label(explained, "secondary", "muted", wrap=True))
        self.bars = GainBars()
        column.addWidget(self.bars)
        column.addStretch(1)
        self._reason = EmptyState("")
        self.add_chart(self._inner)
        self.add_chart(self._reason)

    def show_runs(self, base: Compared | None, other: Compared | None, found: Gains) -> None:
        """Show what two runs differ by."""
        has = bool(found.rows)
        self._inner.setVisible(has)
        self._reason.setVisible(not has)
        self._reason.sentence.set_text(found.reason)
        if not has or base is None or other is None:
            self._runs = None
            self.legend.set_entries(())
            return
        self._runs = base, other
        with_index = any(run.spec is not None and run.spec.index for run in self._runs)
        self.set_title(_TITLE if with_index else "By match length")
        self._name_runs()
        self.bars.show_gains(found, base.slot, other.slot)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Names take what room there is beside the title."""
        super().resizeEvent(event)
        self._name_runs()

    def _name_runs(self) -> None:
        if self._runs is None:
            return
        title = text_width(self.title, "body") + 16
        room = (self.width() - 2 * _MARGIN_PX - title - 2 * _KEY_PX) // 2
        metrics = QFontMetrics(font("label"))
        self.legend.set_entries(
            tuple(
                LegendEntry(
                    "square",
                    f"s{run.slot + 1}",
                    metrics.elidedText(run.row.name, Qt.TextElideMode.ElideRight, max(room, 40)),
                )
                for run in self._runs
            )
        )
        self.legend.setToolTip(", ".join(run.row.name for run in self._runs))

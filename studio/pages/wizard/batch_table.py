"""The card "Batch size": rows that a probe has measured, and the probe's own controls."""

from __future__ import annotations

import time
from functools import partial

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from studio.pages.wizard.batch_rows import BatchRow
from studio.pages.wizard.plan import Plan
from studio.pages.wizard.probing import Probing
from studio.theme import font, theme
from studio.widgets.card import Card
from studio.widgets.controls import SecondaryButton
from studio.widgets.figures import (
    MISSING,
    clock,
    day,
    duration,
    gib,
    percent,
    rough_duration,
    whole,
)
from studio.widgets.headings import card_title
from studio.widgets.icon import IconLabel
from studio.widgets.label import Label
from studio.widgets.paint import bar, draw_icon, painter_for, repaint_on_theme
from studio.widgets.pressable import Pressable
from studio.widgets.progress import ProgressLine

_ROW_PX = 36
_HEADER_PX = 28
_DAY_S = 86_400.0
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


def _columns(width: int) -> tuple[QRectF, QRectF, QRectF, QRectF, QRectF]:
    """Where batch, speed, its bar, memory and time stand in a row: left, width; heights are 0."""
    ends = QRectF(width - 8 - 90, 0, 90, 0)
    memory = QRectF(ends.left() - 8 - 48, 0, 48, 0)
    batch = QRectF(40, 0, 40, 0)
    speed = QRectF(80, 0, 52, 0)
    line = QRectF(speed.right() + 8, 0, max(memory.left() - speed.right() - 16, 0), 0)
    return batch, speed, line, memory, ends


class BatchLine(Pressable):
    """One row, as a radio button."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self._row: BatchRow | None = None
        self._fastest = 1.0
        self.setCheckable(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Fixed height."""
        return QSize(300, _ROW_PX)

    def nextCheckState(self) -> None:
        """A click chooses; only another row's click takes the choice away."""
        self.setChecked(True)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Up and Down go to the neighbours."""
        if event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.focusNextPrevChild(event.key() == Qt.Key.Key_Down)
            return
        super().keyPressEvent(event)

    def show_row(self, row: BatchRow, fastest: float) -> None:
        """Show a row; `fastest` is the speed of a full bar, in tokens per second."""
        if row == self._row and fastest == self._fastest:
            return
        self._row, self._fastest = row, fastest
        self.setEnabled(not row.failure)
        self.setChecked(row.chosen)
        words = row.failure or (
            f"{whole(row.row.tokens_per_s)} tokens per second, {gib(row.gib)} GiB,"
            f" {duration(row.seconds)}"
        )
        name = f"Batch {row.row.batch_size:,}{', ' if row.way else ''}{row.way}: {words}"
        self.setAccessibleName(name)
        self.setToolTip(row.failure or (row.way and f"{row.row.batch_size:,} sequences, {row.way}"))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Radio, figures, bar."""
        row = self._row
        if row is None:
            return
        palette = theme().palette
        painter = painter_for(self)
        box = QRectF(self.rect())
        if row.chosen:
            painter.fillRect(box, QColor(palette.accent_soft))
        elif self._hovered and self.isEnabled():
            painter.fillRect(box, QColor(palette.bg2))
        painter.fillRect(QRectF(0, box.height() - 1, box.width(), 1), QColor(palette.line))
        self._paint_radio(painter, row)
        batch, speed, line, memory, ends = (
            QRectF(place.left(), 0, place.width(), _ROW_PX - 1) for place in _columns(self.width())
        )
        painter.setFont(font("mono"))
        painter.setPen(QColor(palette.text if not row.failure else palette.muted))
        painter.drawText(batch, _LEFT, f"{row.row.batch_size:,}")
        if row.failure:
            self._paint_failure(painter, row, QRectF(speed.left(), 0, box.width() - 92, _ROW_PX))
            painter.end()
            return
        painter.drawText(speed, _RIGHT, whole(row.row.tokens_per_s))
        painter.drawText(memory, _RIGHT, gib(row.gib, 1 if row.gib >= 0.95 else 2))
        painter.drawText(ends, _RIGHT, _time_text(row.seconds))
        if row.way:
            painter.setFont(font("label"))
            painter.setPen(QColor(palette.muted))
            words = painter.fontMetrics().elidedText(
                row.way, Qt.TextElideMode.ElideRight, int(line.width())
            )
            painter.drawText(line, _LEFT, words)
        elif line.width() > 12:
            track = QRectF(line.left(), _ROW_PX / 2 - 2, line.width(), 4)
            colour = palette.fill if row.chosen else palette.muted
            share = row.row.tokens_per_s / max(self._fastest, 1e-9)
            bar(painter, track, share, colour, palette.bg3)
        painter.end()

    def _paint_radio(self, painter: QPainter, row: BatchRow) -> None:
        palette = theme().palette
        disc = QRectF(14.5, (_ROW_PX - 13) / 2 - 0.5, 13, 13)
        colour = palette.line2 if row.failure else palette.faint
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(palette.fill if row.chosen else colour), 1))
        if row.chosen:
            painter.setBrush(QColor(palette.fill))
        painter.drawEllipse(disc)
        if row.chosen:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(palette.ink))
            painter.drawEllipse(disc.adjusted(3.5, 3.5, -3.5, -3.5))

    def _paint_failure(self, painter: QPainter, row: BatchRow, box: QRectF) -> None:
        palette = theme().palette
        draw_icon(painter, "x", palette.danger.fg, box.left(), (_ROW_PX - 14) / 2, 14)
        painter.setFont(font("secondary"))
        painter.setPen(QColor(palette.danger.fg))
        room = box.adjusted(20, 0, 0, -1)
        words = painter.fontMetrics().elidedText(
            row.failure, Qt.TextElideMode.ElideRight, int(room.width())
        )
        painter.drawText(room, _LEFT, words)


class _Header(QWidget):
    """Names of the columns."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(_HEADER_PX)
        repaint_on_theme(self)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Words above their figures, a line below."""
        palette = theme().palette
        painter = painter_for(self)
        painter.setFont(font("label"))
        painter.setPen(QColor(palette.muted))
        batch, speed, _line, memory, ends = _columns(self.width())
        places = (
            (batch, "Batch", _LEFT),
            (QRectF(speed.left(), 0, 90, 0), "Tokens/s", _LEFT),
            (memory, "GiB", _RIGHT),
            (ends, "Time", _RIGHT),
        )
        for place, word, align in places:
            box = QRectF(place.left(), 0, place.width(), _HEADER_PX - 2)
            painter.drawText(box, align, word)
        line = QRectF(0, _HEADER_PX - 1, self.width(), 1)
        painter.fillRect(line, QColor(palette.line))
        painter.end()


class BatchCard(Card):
    """The table with its state: not measured, measuring, measured at some time.

    Signals:
        row_chosen (object): A row was chosen; carries its `BatchRow`.
        measure_requested: Measure, anew or on.
        stop_requested: End the probe.
    """

    row_chosen = Signal(object)
    measure_requested = Signal()
    stop_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(padding=0, spacing=0, parent=parent)
        self._sign = IconLabel("check", "ok", 14)
        self._state = Label("", "secondary", "muted", elide=False)
        head = QHBoxLayout()
        head.setSpacing(6)
        head.addWidget(card_title("Batch size"), 1)
        head.addWidget(self._sign)
        head.addWidget(self._state)
        self._what = Label("", "label", "muted")
        top = QVBoxLayout()
        top.setContentsMargins(15, 14, 15, 6)
        top.setSpacing(1)
        top.addLayout(head)
        top.addWidget(self._what)
        self._header = _Header()
        self._lines: list[BatchLine] = []
        self._rows: list[BatchRow] = []
        self._place = QVBoxLayout()
        self._place.setContentsMargins(1, 0, 1, 0)
        self._place.setSpacing(0)
        self._progress = ProgressLine()
        self._words = Label("", "secondary", "muted", wrap=True)
        self.measure = SecondaryButton("Measure", "maximize", size="small")
        self.measure.clicked.connect(self.measure_requested)
        self.stop = SecondaryButton("Stop", "square", size="small")
        self.stop.clicked.connect(self.stop_requested)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self.measure)
        buttons.addWidget(self.stop)
        buttons.addStretch(1)
        foot = QVBoxLayout()
        foot.setContentsMargins(15, 12, 15, 14)
        foot.setSpacing(10)
        foot.addWidget(self._progress)
        foot.addWidget(self._words)
        foot.addLayout(buttons)
        self.body.addLayout(top)
        self.body.addWidget(self._header)
        self.body.addLayout(self._place)
        self.body.addLayout(foot)
        self.body.addStretch(1)

    @property
    def lines(self) -> list[BatchLine]:
        """The rows that are shown."""
        return [line for line in self._lines if not line.isHidden()]

    def show_rows(self, rows: list[BatchRow], probing: Probing | None, plan: Plan) -> None:
        """Show what was measured, and where the probe stands."""
        spec = plan.spec
        if spec is not None:
            self._what.set_text(f"Sequences of {spec.model.context_length:,} tokens at once")
        fastest = max((row.row.tokens_per_s for row in rows), default=1.0)
        while len(self._lines) < len(rows):
            line = BatchLine()
            line.clicked.connect(partial(self._on_line_clicked, len(self._lines)))
            self._lines.append(line)
            self._place.addWidget(line)
        self._rows = rows
        for number, line in enumerate(self._lines):
            line.setVisible(number < len(rows))
            if number < len(rows):
                line.show_row(rows[number], fastest)
        self._header.setVisible(bool(rows))
        if probing is not None:
            self._show_state(probing, plan)

    def _show_state(self, probing: Probing, plan: Plan) -> None:
        state, busy = probing.state, probing.state == "measuring"
        signs = {"measured": "check", "partly": "clock", "measuring": "clock", "failed": "x"}
        self._sign.setVisible(state in signs)
        if state in signs:
            tone = {"measured": "ok", "failed": "danger"}.get(state, "muted")
            self._sign.set_icon(signs[state], tone)  # type: ignore[arg-type]  # they are tones
        measured_s = probing.measured.measured_s
        share, doing = probing.progress
        texts = {
            "none": "not measured",
            "measuring": "measuring",
            "measured": f"measured {when_words(measured_s)}",
            "partly": "measured in part",
            "failed": "not measured",
        }
        self._state.set_text(texts[state])
        self._state.set_tone("ok" if state == "measured" else "muted")
        self._progress.setVisible(busy)
        self._progress.set_share(share)
        self.stop.setVisible(busy)
        self.measure.setVisible(not busy)
        again = {"measured": "Measure again", "partly": "Measure on", "failed": "Try again"}
        self.measure.set_text(again.get(state, "Measure"))
        self.measure.setEnabled(not probing.obstacle)
        self.measure.setToolTip(probing.obstacle)
        self._words.set_text(self._foot_words(probing, plan, doing))
        self._words.set_tone("danger" if state == "failed" else "muted")

    def _foot_words(self, probing: Probing, plan: Plan, doing: str) -> str:
        match probing.state:
            case "measuring":
                return f"{doing}."
            case "failed":
                return probing.problem
            case "none":
                about = "a minute and a half"
                return probing.obstacle or (
                    "Real steps with growing batches until memory or speed ends, in a process of"
                    f" its own. That takes about {about}."
                )
        share = plan.outcome.validation.share if plan.outcome else 0.0
        reason = probing.table.reason
        best = f" Best: {reason[:1].lower()}{reason[1:]}" if reason else ""
        return f"Times have the {percent(share, 0)} for validation in them.{best}"

    def _on_line_clicked(self, number: int) -> None:
        if number < len(self._rows):
            self.row_chosen.emit(self._rows[number])


def when_words(time_s: float) -> str:
    """When something was measured: the clock within a day, else the day."""
    return clock(time_s) if time.time() - time_s < _DAY_S else day(time_s)


def _time_text(seconds: float | None) -> str:
    if seconds is None:
        return MISSING
    return duration(seconds) if seconds >= 60 else rough_duration(seconds)

"""The panel that says what the index is worth: by where matches stand, and with more text."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QGridLayout, QWidget

from studio.pages.data.answer_view import AnswerView
from studio.pages.data.answers import CurvePoint, Group, LengthValue, ValueAnswer
from studio.pages.data.charts import Scale, ShareChart
from studio.theme import font, theme
from studio.widgets.card import Hairline
from studio.widgets.figures import MISSING, count, percent, whole
from studio.widgets.label import Label, Part
from studio.widgets.paint import painter_for

_RIGHT = Qt.AlignmentFlag.AlignRight


class ValuePanel(AnswerView):
    """Held-out text as the index sees it."""

    def show_answer(self, answer: ValueAnswer) -> None:
        """Show what was measured."""
        self.clear()
        summary = Label("", "body", "muted", wrap=True)
        summary.set_parts(*value_words(answer))
        self.add(summary, top=14)
        if answer.whole is not None:
            self.add(_FigureTable(KIND_COLUMNS, kind_rows(answer.whole)), top=12)
        if len(answer.curve) > 1:
            self.add_title("With more training text")
            chart = CurveChart()
            chart.show_points(answer.curve)
            self.add(chart, top=4)
            grows = Label("", "secondary", "muted", wrap=True)
            grows.set_parts(*curve_words(answer))
            self.add(grows, top=6)
        if answer.lengths:
            self.add_title("By match length")
            self.add(_FigureTable(LENGTH_COLUMNS, length_rows(answer.lengths)), top=6)
            note = "Share of the held-out tokens, and how often the match is right there."
            self.add(Label(note, "label", "muted", wrap=True), top=8)


def value_words(answer: ValueAnswer) -> list[Part]:
    """How often the match is right, and where it then stands."""
    if not answer.tokens:
        return [Part("There is no held-out text to measure on.")]
    words = [
        Part("On "),
        Part(count(answer.tokens), "mono", "text"),
        Part(" held-out tokens the match names the right next token "),
        Part(percent(answer.hit_rate), "mono", "text"),
        Part(" of the time."),
    ]
    return words


def curve_words(answer: ValueAnswer) -> list[Part]:
    """What the last step of the curve brought."""
    before, last = answer.curve[-2], answer.curve[-1]
    times = last.history_tokens / max(before.history_tokens, 1)
    points = (last.hit_rate - before.hit_rate) * 100
    return [
        Part(f"{times:.0f} times the text brought "),
        Part(f"{points:+.1f}", "mono", "text"),
        Part(
            f" percentage points; measured at {whole(answer.positions)} positions, matches in the"
            " training text alone."
        ),
    ]


class CurveChart(ShareChart):
    """Share of right matches by how much training text there is, with its uncertainty."""

    right_margin = 26.0
    top_margin = 14.0

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Right matches by training text", parent)
        self.setFixedHeight(190)
        self._points: tuple[CurvePoint, ...] = ()

    def show_points(self, points: tuple[CurvePoint, ...]) -> None:
        """Show another curve, the least text first."""
        self._points = points
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Axes, band, line, figures."""
        painter = painter_for(self)
        self._hits = []
        area = self.plot_area()
        scale = Scale.over(max(point.hit_rate + point.margin for point in self._points))
        self.paint_axes(painter, area, scale)
        palette = theme().palette
        xs = self._columns(area)

        def y_of(share: float) -> float:
            return area.bottom() - min(max(share / scale.top, 0.0), 1.0) * area.height()

        placed = list(zip(xs, self._points, strict=True))
        upper = [QPointF(x, y_of(point.hit_rate + point.margin)) for x, point in placed]
        lower = [QPointF(x, y_of(point.hit_rate - point.margin)) for x, point in placed]
        band = QColor(palette.s1)
        band.setAlphaF(0.22)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(band)
        painter.drawPolygon(QPolygonF(upper + lower[::-1]))
        line = [QPointF(x, y_of(point.hit_rate)) for x, point in placed]
        painter.setPen(QPen(QColor(palette.s1), 2))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(QPolygonF(line))
        for at, point in zip(line, self._points, strict=True):
            painter.setPen(QPen(QColor(palette.s1), 2))
            painter.setBrush(QColor(palette.bg1))
            painter.drawEllipse(at, 3.0, 3.0)
            painter.setFont(font("axis"))
            painter.setPen(QColor(palette.text))
            box = QRectF(at.x() - 26, at.y() - 22, 52, 14)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, f"{point.hit_rate * 100:.1f}")
            self.paint_below(painter, area, at.x(), count(point.history_tokens))
            reach = QRectF(at.x() - 30, area.top(), 60, area.height())
            tip = f"{point.history_tokens:,} training tokens: {percent(point.hit_rate)} right"
            self._hits.append((reach, f"{tip}, ± {percent(point.margin)}"))
        painter.end()

    def _columns(self, area: QRectF) -> list[float]:
        """Where the points stand: amounts of text on a log scale."""
        logs = [math.log2(max(point.history_tokens, 1)) for point in self._points]
        span = max(logs[-1] - logs[0], 1e-9)
        inner = area.adjusted(18, 0, -18, 0)
        return [inner.left() + (log - logs[0]) / span * inner.width() for log in logs]


TableRow = tuple[str, tuple[Group, ...]]
KIND_COLUMNS = ("The match stands", "Share, right")
LENGTH_COLUMNS = ("Match", "All", "Same document", "Training text")


def kind_rows(found: LengthValue) -> list[TableRow]:
    """The matches by where they stand, and by whether their occurrences agree."""
    return [
        ("before it in the same document", (found.own_document,)),
        ("in the training text", (found.training,)),
        ("once", (found.one,)),
        ("several times, followed alike", (found.agree,)),
        ("several times, followed by this and that", (found.disagree,)),
    ]


def length_rows(lengths: tuple[LengthValue, ...]) -> list[TableRow]:
    """The matches by their length, in tokens."""
    return [
        (row.label, (Group(row.tokens, row.share, row.hit_rate), row.own_document, row.training))
        for row in lengths
    ]


class _FigureTable(QWidget):
    """Names at the left, groups of held-out tokens at the right."""

    def __init__(self, columns: tuple[str, ...], rows: list[TableRow]) -> None:
        super().__init__()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(5)
        for column, name in enumerate(columns):
            side = _RIGHT if column else Qt.AlignmentFlag.AlignLeft
            grid.addWidget(Label(name, "label", "muted", align=side), 0, column)
            grid.setColumnStretch(column, 3 if column else 2 if len(columns) > 2 else 9)
        grid.addWidget(Hairline(), 1, 0, 1, len(columns))
        for number, (name, groups) in enumerate(rows, start=2):
            grid.addWidget(Label(name, "secondary"), number, 0)
            for column, group in enumerate(groups, start=1):
                grid.addWidget(_figures(group), number, column)


def _figures(group: Group) -> Label:
    label = Label("", "mono", "muted", elide=False, align=_RIGHT)
    if not group.tokens:
        label.set_text(MISSING)
        return label
    label.set_parts(
        Part(percent(group.share)), Part("  "), Part(percent(group.hit_rate), tone="text")
    )
    return label

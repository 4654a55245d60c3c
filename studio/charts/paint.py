"""Draws a laid-out chart: grid, axes, lines, marks, limits and notes.

Paths are built by pyqtgraph's vectorised routine. Its plot items are not used: their downsampling
drops spikes and the newest points, their axes and grids cost more than the lines.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from studio.charts.content import Content, Strip
from studio.charts.frame import DrawnCurve, DrawnFlag, DrawnNote, DrawnPoints, DrawnRibbon, Frame
from studio.charts.paths import path_of
from studio.palette import Palette
from studio.theme import FontRole, font, text_width

_STRONG: Final = 0.45
"""A strong line is drawn twice, this far up and down: wide pens are many times slower."""
_FAINT: Final = 0.58
"""How much of the ground is mixed into the colour of extremes."""
_AREA: Final = 0.72
"""Likewise for areas."""
_DIAMOND: Final = 4.5
_DASH: Final = (4.0, 3.0)
_DOTS: Final = (1.0, 3.0)
_NOTE_GAP: Final = 11.0
_END_GAP: Final = 15.0
_END_WIDTH: Final = 130.0


def colour(palette: Palette, name: str) -> QColor:
    """A colour by its palette field; a role such as `warn` stands for its foreground."""
    found = getattr(palette, name)
    return QColor(found if isinstance(found, str) else found.fg)


def paint_chart(painter: QPainter, frame: Frame, content: Content, palette: Palette) -> None:
    """Draw everything but the crosshair.

    Args:
        painter: On a surface that already has its background.
        frame: The layout.
        content: What is shown.
        palette: The colours in force.
    """
    _paint_grid(painter, frame, content, palette)
    painter.save()
    painter.setClipRect(
        QRectF(frame.left, frame.top - 1, frame.right - frame.left + 1, frame.height + 2)
    )
    for ribbon in frame.ribbons:
        _paint_ribbon(painter, ribbon, palette)
    for drawn in frame.curves:
        _paint_curve(painter, drawn, palette)
    _paint_outside(painter, frame, palette)
    painter.restore()
    for flag in frame.flags:
        _paint_flag(painter, frame, flag, palette)
    if not frame.empty:
        _paint_limits(painter, frame, content, palette)
    for marks in frame.points:
        _paint_points(painter, frame, marks, palette)
    _paint_ends(painter, frame, palette)
    for note in frame.notes:
        _paint_note(painter, frame, note, palette)
    if frame.empty:
        area = QRectF(frame.left, frame.top, frame.right - frame.left, frame.height)
        put_text(painter, area, content.empty, "label", palette.muted, Qt.AlignmentFlag.AlignCenter)


# --- grid and axes ---------------------------------------------------------------------------


def _paint_grid(painter: QPainter, frame: Frame, content: Content, palette: Palette) -> None:
    width, height = frame.right - frame.left, frame.height
    grid = QColor(palette.grid)
    for value, label in zip(frame.y_ticks.values, frame.y_ticks.labels, strict=True):
        y = round(frame.y.pixel(value))
        if not frame.top - 1 <= y <= frame.bottom:
            continue
        painter.fillRect(QRectF(frame.left, y, width, 1), grid)
        box = QRectF(0, y - 8, frame.left - 7, 16)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        put_text(painter, box, label, "axis", palette.muted, right)
    for value, label in zip(frame.x_ticks.values, frame.x_ticks.labels, strict=True):
        x = round(frame.x.pixel(value))
        if not frame.holds_x(x):
            continue
        painter.fillRect(QRectF(x, frame.top, 1, height), grid)
        if content.x_labels:
            half = text_width(label, "axis") / 2
            middle = min(float(x), frame.right + content.right_margin - 2 - half)
            box = QRectF(middle - 60, frame.bottom + 3, 120, 16)
            put_text(painter, box, label, "axis", palette.muted, Qt.AlignmentFlag.AlignCenter)
    edge = QColor(palette.line2)
    painter.fillRect(QRectF(frame.left, frame.top, 1, height), edge)
    painter.fillRect(QRectF(frame.left, round(frame.bottom), width, 1), edge)
    if content.x_title:
        box = QRectF(frame.left, frame.bottom + 20, width, 16)
        put_text(
            painter, box, content.x_title, "label", palette.muted, Qt.AlignmentFlag.AlignCenter
        )


def _paint_outside(painter: QPainter, frame: Frame, palette: Palette) -> None:
    """A small mark at the upper edge for each spike that leaves the picture."""
    tint = QColor(palette.danger.fg)
    for x in frame.outside[:: max(1, len(frame.outside) // 200)]:
        if frame.holds_x(x):
            painter.fillRect(QRectF(float(x), frame.top - 1, 2, 4), tint)


# --- lines -----------------------------------------------------------------------------------


def _paint_ribbon(painter: QPainter, drawn: DrawnRibbon, palette: Palette) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(mixed(colour(palette, drawn.ribbon.colour).name(), palette.bg1, _AREA))
    corners = [QPointF(x, y) for x, y in zip(drawn.x.tolist(), drawn.y.tolist(), strict=True)]
    painter.drawPolygon(QPolygonF(corners))


def _paint_curve(painter: QPainter, drawn: DrawnCurve, palette: Palette) -> None:
    tint = colour(palette, drawn.curve.colour)
    if drawn.is_band:
        tint = mixed(tint.name(), palette.bg1, _FAINT)
    if len(drawn.x) < 2 or _all_lonely(drawn):
        _paint_lonely(painter, drawn, tint)
        return
    pen = QPen(tint, 1.0)
    if drawn.curve.dash is not None:
        pen.setDashPattern([float(part) for part in drawn.curve.dash])
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    extremes = drawn.is_band or not (drawn.whole or drawn.curve.band or drawn.curve.smooth > 1)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, not extremes)
    strong = drawn.curve.strong and not extremes
    shifts = (-_STRONG, _STRONG) if strong else (0.0,)
    path = path_of(drawn.x, drawn.y)
    for shift in shifts:
        painter.translate(0.0, shift)
        painter.drawPath(path)
        painter.translate(0.0, -shift)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)


def _all_lonely(drawn: DrawnCurve) -> bool:
    """Whether no two neighbouring values exist, so that a line would show nothing."""
    there = ~np.isnan(drawn.y)
    return not bool((there[1:] & there[:-1]).any())


def _paint_lonely(painter: QPainter, drawn: DrawnCurve, tint: QColor) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(tint)
    for x, y in zip(drawn.x.tolist(), drawn.y.tolist(), strict=True):
        if y == y:
            painter.drawEllipse(QPointF(x, y), 2.0, 2.0)


def _paint_ends(painter: QPainter, frame: Frame, palette: Palette) -> None:
    """A dot at the last value of each line that has an end label, and the label behind it."""
    ends = [
        drawn
        for drawn in frame.curves
        if drawn.curve.end_label
        and len(drawn.x)
        and not np.isnan(drawn.y[-1])
        and frame.holds_x(float(drawn.x[-1]))
    ]
    heights = [frame.clamp_y(float(drawn.y[-1])) for drawn in ends]
    lefts = [float(drawn.x[-1]) for drawn in ends]
    middles = keep_apart(lefts, heights)
    for drawn, x, height, middle in zip(ends, lefts, heights, middles, strict=True):
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour(palette, drawn.curve.colour))
        painter.drawEllipse(QPointF(x, height), 3.5, 3.5)
        figure, _, name = drawn.curve.end_label.partition(" ")
        width = text_width(figure, "mono_small") + text_width(name, "label") + 12
        ground = QColor(palette.bg1)
        ground.setAlphaF(0.8)  # another line may pass below
        painter.fillRect(QRectF(x + 8, middle - 7, width, 14), ground)
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        width = text_width(figure, "mono_small")
        box = QRectF(x + 10, middle - 8, width + 4, 16)
        put_text(painter, box, figure, "mono_small", palette.text, left)
        box = QRectF(x + 10 + width + 8, middle - 8, 200, 16)
        put_text(painter, box, name, "label", palette.muted, left)


def keep_apart(lefts: list[float], heights: list[float]) -> list[float]:
    """Heights of labels moved so that none covers another; labels side by side stay."""
    out = list(heights)
    order = sorted(range(len(lefts)), key=lambda i: lefts[i])
    while order:
        beside = [i for i in order if lefts[i] - lefts[order[0]] < _END_WIDTH]
        moved = spread([heights[i] for i in beside], _END_GAP)
        for i, height in zip(beside, moved, strict=True):
            out[i] = height
        order = order[len(beside) :]
    return out


def spread(places: list[float], gap: float) -> list[float]:
    """Places moved as little as needed to stand at least `gap` apart, in the order given."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    groups: list[tuple[float, list[int]]] = []  # middle of a group, and its members
    for i in order:
        groups.append((places[i], [i]))
        while len(groups) > 1:
            (upper, above), (lower, below) = groups[-2], groups[-1]
            reach = gap * (len(above) + len(below)) / 2
            if lower - upper >= reach:
                break
            members = above + below
            middle = sum(places[k] for k in members) / len(members)
            groups[-2:] = [(middle, members)]
    out = list(places)
    for middle, members in groups:
        for rank, i in enumerate(members):
            out[i] = middle + (rank - (len(members) - 1) / 2) * gap
    return out


# --- marks -----------------------------------------------------------------------------------


def _paint_points(painter: QPainter, frame: Frame, drawn: DrawnPoints, palette: Palette) -> None:
    points = drawn.points
    tint = colour(palette, points.colour)
    for x, y, index in zip(drawn.x.tolist(), drawn.y.tolist(), drawn.chosen, strict=True):
        if not frame.top - 2 <= y <= frame.bottom + 2:
            continue
        if points.shape == "diamond":
            filled = index < len(points.filled) and points.filled[index]
            _paint_diamond(painter, x, y, tint, QColor(palette.text if filled else palette.bg1))
        else:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(tint)
            painter.drawEllipse(QPointF(x, y), 2.4, 2.4)
        if index == points.best:
            _paint_best(painter, frame, QPointF(x, y), tint, points.best_label, palette)


def _paint_diamond(painter: QPainter, x: float, y: float, edge: QColor, fill: QColor) -> None:
    painter.setPen(QPen(edge, 1.0))
    painter.setBrush(fill)
    painter.drawPolygon(
        QPolygonF(
            [
                QPointF(x, y - _DIAMOND),
                QPointF(x + _DIAMOND, y),
                QPointF(x, y + _DIAMOND),
                QPointF(x - _DIAMOND, y),
            ]
        )
    )


def _paint_best(
    painter: QPainter, frame: Frame, at: QPointF, tint: QColor, label: str, palette: Palette
) -> None:
    painter.setPen(QPen(tint, 1.5))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawEllipse(at, 5.5, 5.5)
    if not label:
        return
    width = text_width(label, "mono_small") + 4
    left = min(max(at.x() - width + 4, frame.left + 4), frame.right - width)
    top = at.y() - 24 if at.y() - 24 > frame.top else at.y() + 8
    box = QRectF(left, top, width, 16)
    _paint_ground(painter, box, palette)
    right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
    put_text(painter, box, label, "mono_small", palette.text, right)


def _paint_ground(painter: QPainter, box: QRectF, palette: Palette) -> None:
    """What a text stands on where curves and marks may lie below."""
    ground = QColor(palette.bg1)
    ground.setAlphaF(0.75)
    painter.fillRect(box, ground)


def _paint_limits(painter: QPainter, frame: Frame, content: Content, palette: Palette) -> None:
    for limit in content.limits:
        y = round(frame.y.pixel(limit.value)) + 0.5
        if not frame.top <= y <= frame.bottom:
            continue
        pen = QPen(colour(palette, limit.colour), 1.0)
        pen.setDashPattern(list(_DASH))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setPen(pen)
        painter.drawLine(QPointF(frame.left + 1, y), QPointF(frame.right, y))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        right = limit.place == "right"
        flag = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
        top = y + 1 if limit.place == "below" else y - 17
        box = QRectF(frame.left + 6, top, frame.right - frame.left - 12, 16)
        width = text_width(limit.label, "label")
        text_left = box.right() - width if right else box.left()
        _paint_ground(painter, QRectF(text_left - 3, top, width + 6, 16), palette)
        side = flag | Qt.AlignmentFlag.AlignVCenter
        put_text(painter, box, limit.label, "label", palette.muted, side)


def _paint_flag(painter: QPainter, frame: Frame, drawn: DrawnFlag, palette: Palette) -> None:
    """A dotted line through the chart with its name at the top, right of it."""
    tint = colour(palette, drawn.flag.colour)
    pen = QPen(tint, 1.0)
    pen.setDashPattern(list(_DOTS))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.setPen(pen)
    x = round(drawn.x) + 0.5
    painter.drawLine(QPointF(x, frame.top), QPointF(x, frame.bottom))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    if drawn.named:
        box = QRectF(x + 4, frame.top, text_width(drawn.flag.label, "axis") + 2, 14)
        _paint_ground(painter, box, palette)
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        put_text(painter, box, drawn.flag.label, "axis", tint.name(), left)


def _paint_note(painter: QPainter, frame: Frame, drawn: DrawnNote, palette: Palette) -> None:
    """A note beside its point: left of it in a box, right of it as plain text, if there is room."""
    note, x, y = drawn.note, drawn.x, drawn.y
    tint = QColor(palette.warn.fg)
    painter.setPen(QPen(tint, 1.5))
    painter.setBrush(tint if note.boxed else QColor(palette.bg1))
    painter.drawEllipse(QPointF(x, y), 3.0, 3.0)
    if not note.text:
        return
    width = text_width(note.text, "label") + (18 if note.boxed else 4)
    to_left = x - _NOTE_GAP - width >= frame.left + 2
    to_right = x + _NOTE_GAP + width <= frame.right
    on_left = to_left if note.boxed else not to_right
    left = x - _NOTE_GAP - width if on_left else x + _NOTE_GAP
    top = min(max(y - 11, frame.top), frame.bottom - 22)
    box = QRectF(round(left), round(top), round(width), 22)
    if note.boxed:
        painter.setPen(QPen(mixed(palette.warn.fg, palette.warn.soft, 0.5), 1.0))
        painter.setBrush(QColor(palette.warn.soft))
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
    put_text(painter, box, note.text, "label", palette.warn.on_soft, Qt.AlignmentFlag.AlignCenter)


def paint_strip(
    painter: QPainter, area: QRectF, strip: Strip, figure: str, palette: Palette
) -> None:
    """The heading of a narrow chart: its name, the figure pointed at, and a remark."""
    left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
    right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
    box = QRectF(area.left(), area.top() + 1, area.width(), 18)
    put_text(painter, box, strip.name, "label", palette.muted, left)
    shifted = box.adjusted(max(92, text_width(strip.name, "label") + 12), 0, 0, 0)
    put_text(painter, shifted, figure, "mono_small", palette.text, left)
    put_text(painter, box, strip.remark, "label", palette.muted, right)


def put_text(
    painter: QPainter,
    box: QRectF,
    text: str,
    role: FontRole,
    tint: str,
    align: Qt.AlignmentFlag,
) -> None:
    """Write one line into a box."""
    painter.setFont(font(role))
    painter.setPen(QColor(tint))
    painter.drawText(box, align, text)


def mixed(one: str, other: str, share: float) -> QColor:
    """A colour between two; a `share` of 1 is the other one."""
    first, second = QColor(one), QColor(other)
    return QColor.fromRgbF(
        first.redF() + (second.redF() - first.redF()) * share,
        first.greenF() + (second.greenF() - first.greenF()) * share,
        first.blueF() + (second.blueF() - first.blueF()) * share,
    )

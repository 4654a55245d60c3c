"""The crosshair of a chart: a dashed line, rings on the curves, values in an opaque box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from studio.charts.content import Content
from studio.charts.frame import AXIS_CHAR, Frame
from studio.charts.paint import colour, put_text
from studio.palette import Palette
from studio.theme import text_width

_ROW: Final = 17
_PADDING: Final = 8
_SWATCH: Final = 8
_GAP: Final = 9
_DASH: Final = (3.0, 3.0)
_LEFT: Final = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT: Final = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True)
class BoxRow:
    """A line of the value box.

    Attributes:
        colour: Palette field of its swatch; empty for none.
        name: What the value is.
        value: The value as text.
        change: Difference to something, as text.
        change_colour: Palette field or role of the difference.
    """

    colour: str
    name: str
    value: str
    change: str = ""
    change_colour: str = "muted"


@dataclass(frozen=True)
class Box:
    """The value box; without names it is a mere chip with one value."""

    rows: tuple[BoxRow, ...]
    title: str = ""
    change_title: str = ""
    on_right: bool = False


@dataclass(frozen=True)
class Ring:
    """A point of a curve that the crosshair marks."""

    colour: str
    value: float


@dataclass(frozen=True)
class Cross:
    """The crosshair of one chart.

    Attributes:
        x: Pixel.
        label: What the chip on the axis says; empty for none.
        rings: Points to mark.
        box: Values to show, or None.
        figure: Value for the heading of a strip; empty for none.
    """

    x: float
    label: str
    rings: Sequence[Ring] = ()
    box: Box | None = None
    figure: str = ""


def paint_cross(
    painter: QPainter, frame: Frame, cross: Cross, content: Content, palette: Palette
) -> None:
    """Draw a crosshair over a chart that was drawn before."""
    if not frame.holds_x(cross.x):
        return
    x = round(cross.x) + 0.5
    pen = QPen(QColor(palette.text), 1.0)
    pen.setDashPattern(list(_DASH))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.setPen(pen)
    painter.drawLine(QPointF(x, frame.top), QPointF(x, frame.bottom))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    for ring in cross.rings:
        y = frame.y.pixel(ring.value)
        if frame.top - 1 <= y <= frame.bottom + 1:
            painter.setPen(QPen(colour(palette, ring.colour), 1.5))
            painter.setBrush(QColor(palette.bg1))
            painter.drawEllipse(QPointF(x, y), 3.0, 3.0)
    if cross.box is not None and cross.box.rows:
        _paint_box(painter, frame, cross, cross.box, palette)
    if content.x_labels and cross.label:
        _paint_chip(painter, frame, cross, palette)


def paint_span(
    painter: QPainter, frame: Frame, span: tuple[float, float], palette: Palette
) -> None:
    """Draw the part of the axis that a drag spans."""
    left, right = sorted(span)
    area = QRectF(left, frame.top, right - left, frame.height)
    tint = QColor(palette.info.fg)
    tint.setAlphaF(0.14)
    painter.fillRect(area, tint)
    edge = QColor(palette.info.fg)
    for x in (left, right):
        painter.fillRect(QRectF(round(x), frame.top, 1, frame.height), edge)


def _opaque_box(painter: QPainter, box: QRectF, radius: float, palette: Palette) -> None:
    painter.setPen(QPen(QColor(palette.line2), 1.0))
    painter.setBrush(QColor(palette.bg2))
    painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)


def _paint_chip(painter: QPainter, frame: Frame, cross: Cross, palette: Palette) -> None:
    width = text_width(cross.label, "mono_small") + 14
    left = min(max(cross.x - width / 2, 0.0), frame.right + 10 - width)
    box = QRectF(round(left), frame.bottom + 2, width, 18)
    for value, label in zip(frame.x_ticks.values, frame.x_ticks.labels, strict=True):
        # A label that the chip covers in part is taken away whole.
        half = len(label) * AXIS_CHAR / 2 + 3
        at = frame.x.pixel(value)
        if at + half > box.left() and at - half < box.right():
            painter.fillRect(QRectF(at - half, box.top(), 2 * half, 18), QColor(palette.bg1))
    _opaque_box(painter, box, 4, palette)
    centre = Qt.AlignmentFlag.AlignCenter
    put_text(painter, box, cross.label, "mono_small", palette.text, centre)


def _paint_box(painter: QPainter, frame: Frame, cross: Cross, box: Box, palette: Palette) -> None:
    columns = _columns(box)
    named = any(row.name for row in box.rows)
    width = sum(columns) + 2 * _PADDING + (_SWATCH + 6 if named else 0)
    lines = len(box.rows) + (1 if box.title else 0)
    height = lines * _ROW + (2 * _PADDING - 4 if named else 3)
    place = QRectF(_box_left(frame, cross, box, width), _box_top(frame, cross, height, named), 0, 0)
    place.setSize(QRectF(0, 0, round(width), round(height)).size())
    _opaque_box(painter, place, 6 if named else 4, palette)
    top = place.top() + (_PADDING - 2 if named else 1)
    if box.title:
        heading = QRectF(place.left() + _PADDING, top, place.width() - 2 * _PADDING, _ROW)
        put_text(painter, heading, box.title, "label", palette.muted, _LEFT)
        put_text(painter, heading, box.change_title, "label", palette.muted, _RIGHT)
        top += _ROW
    for row in box.rows:
        _paint_row(painter, QRectF(place.left(), top, place.width(), _ROW), row, columns, palette)
        top += _ROW


def _columns(box: Box) -> tuple[int, int, int]:
    """Widths of names, values and differences, with the gaps before them."""
    name = max(text_width(row.name, "label") if row.name else 0 for row in box.rows)
    value = max(text_width(row.value, "mono_small") for row in box.rows)
    change = max(text_width(row.change, "mono_small") if row.change else 0 for row in box.rows)
    if box.title:
        titles = text_width(box.title, "label") + text_width(box.change_title, "label") + 16
        name = max(name, titles - value - change - 24)
    return name, value + (14 if name else 0), change + 8 if change else 0


def _paint_row(
    painter: QPainter, area: QRectF, row: BoxRow, columns: tuple[int, int, int], palette: Palette
) -> None:
    left, middle = area.left() + _PADDING, area.center().y()
    right = area.right() - _PADDING
    if row.name:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour(palette, row.colour))
        painter.drawRoundedRect(QRectF(left, round(middle) - 4, _SWATCH, _SWATCH), 2, 2)
        name = QRectF(left + _SWATCH + 6, area.top(), columns[0], area.height())
        put_text(painter, name, row.name, "label", palette.muted, _LEFT)
    if row.change:
        tint = colour(palette, row.change_colour).name()
        change = QRectF(right - columns[2], area.top(), columns[2], area.height())
        put_text(painter, change, row.change, "mono_small", tint, _RIGHT)
    value = QRectF(right - columns[2] - columns[1], area.top(), columns[1], area.height())
    put_text(painter, value, row.value, "mono_small", palette.text, _RIGHT)


def _box_left(frame: Frame, cross: Cross, box: Box, width: float) -> float:
    """Beside the line, on the side that was asked for if there is room."""
    on_left, on_right = cross.x - _GAP - width, cross.x + _GAP
    fits_left = on_left >= frame.left + 2
    fits_right = on_right + width <= frame.right + 6
    if box.on_right:
        left = on_right if fits_right or not fits_left else on_left
    else:
        left = on_left if fits_left or not fits_right else on_right
    return float(round(min(max(left, frame.left + 2), frame.right + 6 - width)))


def _box_top(frame: Frame, cross: Cross, height: float, named: bool) -> float:
    """At the top; a chip with one value keeps off the curve instead."""
    if named:
        return frame.top + 8
    ring = frame.y.pixel(cross.rings[0].value) if cross.rings else frame.top
    middle = (frame.top + frame.bottom) / 2
    top = ring + 46 if frame.clamp_y(ring) < middle else ring - 46 - height
    return float(round(min(max(top, frame.top + 4), frame.bottom - height - 4)))

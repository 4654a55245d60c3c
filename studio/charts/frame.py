"""The layout of one picture of a chart: where everything lies in pixels. Knows nothing of Qt."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from studio.charts.axis import Scale, Ticks, linear_ticks, log_ticks, short_number, time_log_ticks
from studio.charts.content import Content, Curve, Flag, Note, Points, Ribbon
from studio.charts.lines import Doubles, Trace, XMode, trace
from studio.charts.pyramid import IndexArray
from studio.charts.ranges import vertical_range

AXIS_CHAR: Final = 6.0
"""Width of a character of axis text, in pixels."""
_LEFT: Final = 40
_TOP: Final = 6
_BOTTOM: Final = 28
_STRIP_TOP: Final = 24
_STRIP_BOTTOM: Final = 4
_TITLE: Final = 18
_TICK: Final = 34.0
"""Least distance of horizontal grid lines in pixels."""
_STRIP_TICK: Final = 17.0
_MARK_GAP: Final = {"dot": 6.0, "diamond": 13.0}
"""Marks closer than this are thinned out; zooming in shows them all."""
_TICK_GAP: Final = 40.0
_NOTE_FACTOR: Final = 1e4
_NOTE_SPANS: Final = 20.0
"""What is noted farther away than this, by factors or by spans, stays out of the picture."""
_FAR: Final = 4000.0
"""Pixels beyond the picture that nothing is drawn at: painters overflow far outside."""


class Axis(Protocol):
    """What a frame needs to know of the x axis; `ChartLink` is one."""

    @property
    def mode(self) -> XMode:
        """What it counts."""

    @property
    def log(self) -> bool:
        """Whether it is logarithmic."""

    @property
    def zoomed(self) -> bool:
        """Whether a part of it was chosen."""

    @property
    def first_percent(self) -> float:
        """Up to here vertical ranges do not look."""

    def scale(self, start: float, stop: float) -> Scale:
        """The axis between two pixels."""


@dataclass(frozen=True)
class DrawnCurve:
    """A curve in pixels; `y` may be NaN where it is interrupted.

    `is_band`: these are the extremes behind a line of means, drawn faintly.
    """

    curve: Curve
    x: Doubles
    y: Doubles
    whole: bool
    is_band: bool = False


@dataclass(frozen=True)
class DrawnRibbon:
    """A ribbon in pixels: its lower edge from left to right and its upper one back."""

    ribbon: Ribbon
    x: Doubles
    y: Doubles


@dataclass(frozen=True)
class DrawnPoints:
    """Marks in pixels; `chosen` are their indices."""

    points: Points
    x: Doubles
    y: Doubles
    chosen: tuple[int, ...]


@dataclass(frozen=True)
class DrawnNote:
    """A note in pixels, inside the plot."""

    note: Note
    x: float
    y: float


@dataclass(frozen=True)
class DrawnFlag:
    """A flag in pixels; only where there is room its name is written."""

    flag: Flag
    x: float
    named: bool


@dataclass(frozen=True)
class Frame:
    """One picture of a chart.

    Attributes:
        left: Pixel of the plot's left edge; `right`, `top` and `bottom` alike.
        x: Horizontal axis.
        y: Vertical axis; its `start` is the lower edge.
        outside: Pixel columns whose values leave the picture at the top.
    """

    left: float
    right: float
    top: float
    bottom: float
    x: Scale
    y: Scale
    x_ticks: Ticks
    y_ticks: Ticks
    curves: tuple[DrawnCurve, ...]
    ribbons: tuple[DrawnRibbon, ...]
    points: tuple[DrawnPoints, ...]
    notes: tuple[DrawnNote, ...]
    flags: tuple[DrawnFlag, ...]
    outside: Doubles
    empty: bool

    @property
    def height(self) -> float:
        """Height of the plot in pixels."""
        return self.bottom - self.top

    def holds_x(self, pixel: float) -> bool:
        """Whether a horizontal pixel lies in the plot."""
        return self.left <= pixel <= self.right

    def clamp_y(self, pixel: float) -> float:
        """The nearest vertical pixel in the plot; the lower edge for what has no place."""
        if pixel != pixel:
            return self.bottom
        return min(max(pixel, self.top), self.bottom)


def build_frame(content: Content, axis: Axis, width: float, height: float) -> Frame:
    """Lay out a chart.

    Args:
        content: What it shows.
        axis: Its x axis.
        width: Of the whole chart with its labels, in pixels.
        height: Likewise.
    """
    top, bottom = _vertical_edges(content, height)
    left = float(_LEFT)
    traces: list[_Traced] = []
    y_low, y_high, y_ticks = 0.0, 1.0, Ticks((), ())
    x = axis.scale(left, left + 1)
    for _ in range(2):  # wide labels need a wider margin, which moves everything once
        x = axis.scale(left, max(width - content.right_margin, left + 10))
        traces = [part for curve in content.curves for part in _trace_parts(curve, axis.mode, x)]
        y_low, y_high = _y_range(content, axis, x, [part.trace for part in traces])
        y_ticks = _y_ticks(content, y_low, y_high, bottom - top)
        needed = max((len(label) for label in y_ticks.labels), default=0) * AXIS_CHAR + 16
        if needed <= left:
            break
        left = needed
    y = Scale(y_low, y_high, bottom, top, content.log_y)
    empty = not any(np.isfinite(part.trace.y).any() for part in traces)
    curves = tuple(_drawn(part, y) for part in traces)
    return Frame(
        left=left,
        right=x.stop,
        top=top,
        bottom=bottom,
        x=x,
        y=y,
        x_ticks=Ticks((), ()) if empty else _x_ticks(axis, x),
        y_ticks=Ticks((), ()) if empty else y_ticks,
        curves=curves,
        ribbons=tuple(_outlined(ribbon, axis.mode, x, y) for ribbon in content.ribbons),
        points=tuple(_placed(points, axis.mode, x, y) for points in content.points),
        notes=_noted(content, axis.mode, x, y),
        flags=() if empty else _flagged(content, axis.mode, x),
        outside=_outside(curves, top, x.pixel(axis.first_percent) if not axis.zoomed else left),
        empty=empty,
    )


def _vertical_edges(content: Content, height: float) -> tuple[float, float]:
    top = _TOP if content.strip is None else _STRIP_TOP
    bottom = _BOTTOM if content.x_labels else _STRIP_BOTTOM
    if content.x_title:
        bottom += _TITLE
    return float(top), float(max(height - bottom, top + 10))


def _y_range(content: Content, axis: Axis, x: Scale, traces: list[Trace]) -> tuple[float, float]:
    """The vertical range for what is in view, without the first percent of the run."""
    since = x.pixel(axis.first_percent) if axis.first_percent > 0 else x.start
    parts = [found.y[(found.x >= since) & (found.x <= x.stop)] for found in traces]
    if sum(len(part) for part in parts) < 0.2 * sum(len(found.y) for found in traces):
        parts = [found.y for found in traces]  # zoomed into the beginning
    for points in content.points:
        if points.values:
            place = x.pixels(points.timeline.of_steps(axis.mode, points.steps))
            values = np.asarray(points.values, dtype=np.float64)
            parts.append(values[(place >= since) & (place <= x.stop)])
    include = [limit.value for limit in content.limits]
    low, high = vertical_range(parts, log=content.log_y, include=include)
    low, high = _with_notes(content, axis.mode, x, low, high)
    if content.floor is not None and not content.log_y:
        low = content.floor  # below it nothing has a meaning
        high = max([high, *(value * 1.08 for value in include)])
    return low, max(high, low + 1e-9)


def _with_notes(
    content: Content, mode: XMode, x: Scale, low: float, high: float
) -> tuple[float, float]:
    """A range that also holds what is written into the chart, unless that is absurdly far away."""
    steps = [note.step for note in content.notes]
    places = x.pixels(content.timeline.of_steps(mode, steps))
    for note, place in zip(content.notes, places.tolist(), strict=True):
        if not (x.start <= place <= x.stop and math.isfinite(note.value)):
            continue
        if content.log_y and low / _NOTE_FACTOR <= note.value <= high * _NOTE_FACTOR:
            low, high = min(low, note.value / 1.2), max(high, note.value * 1.2)
        elif not content.log_y:
            span = high - low
            if low - _NOTE_SPANS * span <= note.value <= high + _NOTE_SPANS * span:
                low = min(low, note.value - 0.05 * span)
                high = max(high, note.value + 0.05 * span)
    return low, high


def _y_ticks(content: Content, low: float, high: float, height: float) -> Ticks:
    if content.y_ticks:
        labels = tuple(short_number(value) for value in content.y_ticks)
        return Ticks(content.y_ticks, labels)
    most = max(2, int(height / (_STRIP_TICK if content.strip else _TICK)))
    if content.log_y:
        return log_ticks(low, high, most)
    return linear_ticks(low, high, most, content.y_unit)


def _x_ticks(axis: Axis, x: Scale) -> Ticks:
    """As many ticks as fit: labels keep a gap to each other."""
    width = x.stop - x.start
    low, high = x.low, x.high
    unit = "time" if axis.mode == "time" else "number"
    found = Ticks((), ())
    for most in range(10, 0, -1):
        if axis.log:
            make = time_log_ticks if unit == "time" else log_ticks
            found = make(low, high, most)
        else:
            found = linear_ticks(low, high, most, "time" if unit == "time" else "number")
        if _fits(found, x, width):
            return found
    return found


def _fits(ticks: Ticks, x: Scale, width: float) -> bool:
    if len(ticks.values) < 2:
        return True
    places = x.pixels(ticks.values)
    halves = np.array([len(label) * AXIS_CHAR / 2 for label in ticks.labels])
    room = np.diff(places) - halves[1:] - halves[:-1]
    return bool(room.min() >= min(_TICK_GAP, width / 10))


@dataclass(frozen=True)
class _Traced:
    curve: Curve
    trace: Trace
    is_band: bool = False


def _trace_parts(curve: Curve, mode: XMode, x: Scale) -> list[_Traced]:
    """The line of a curve, before it its extremes where a pixel stands for many values."""
    found = trace(curve.line, mode, x, curve.smooth)
    if found.whole or not curve.band:
        return [_Traced(curve, found)]
    means = trace(curve.line, mode, x, 2)  # of a whole pixel column each
    return [_Traced(curve, found, is_band=True), _Traced(curve, means)]


def _drawn(part: _Traced, y: Scale) -> DrawnCurve:
    heights = _kept_near(y.pixels(part.trace.y), y)
    return DrawnCurve(part.curve, part.trace.x, heights, part.trace.whole, part.is_band)


def _outlined(ribbon: Ribbon, mode: XMode, x: Scale, y: Scale) -> DrawnRibbon:
    low, high = trace(ribbon.low, mode, x), trace(ribbon.high, mode, x)
    places = np.concatenate([low.x, high.x[::-1]])
    heights = _kept_near(y.pixels(np.concatenate([low.y, high.y[::-1]])), y)
    there = np.isfinite(places) & np.isfinite(heights)
    return DrawnRibbon(ribbon, places[there], heights[there])


def _placed(points: Points, mode: XMode, x: Scale, y: Scale) -> DrawnPoints:
    place = x.pixels(points.timeline.of_steps(mode, points.steps))
    if points.values:
        heights = _kept_near(y.pixels(points.values), y)
    else:
        heights = np.full(len(place), y.start - 6.0)
    inside = (place >= x.start - 1) & (place <= x.stop + 1) & ~np.isnan(heights)
    chosen = _thinned(np.flatnonzero(inside), place, points)
    return DrawnPoints(points, place[chosen], heights[chosen], tuple(chosen.tolist()))


def _thinned(chosen: IndexArray, place: Doubles, points: Points) -> IndexArray:
    """Marks that keep a distance where they are crowded: the newest, the best, and others."""
    gap, kept, last = _MARK_GAP[points.shape], [], np.inf
    for index in chosen[::-1].tolist():
        if last - place[index] >= gap or index == points.best:
            kept.append(index)
            last = float(place[index])
    return np.array(kept[::-1], dtype=np.int64)


def _noted(content: Content, mode: XMode, x: Scale, y: Scale) -> tuple[DrawnNote, ...]:
    found = []
    for note in content.notes:
        place = x.pixel(float(content.timeline.of_steps(mode, [note.step])[0]))
        height = y.pixel(note.value)
        if x.start <= place <= x.stop:
            height = y.start if height != height else min(max(height, y.stop), y.start)
            found.append(DrawnNote(note, place, height))
    return tuple(found)


def _flagged(content: Content, mode: XMode, x: Scale) -> tuple[DrawnFlag, ...]:
    """The newest flags keep their names where several stand close together."""
    found: list[DrawnFlag] = []
    steps = [flag.step for flag in content.flags]
    places = x.pixels(content.timeline.of_steps(mode, steps)).tolist()
    free = x.stop
    for flag, place in sorted(zip(content.flags, places, strict=True), key=lambda each: -each[1]):
        if x.start <= place <= x.stop:
            named = place + 4 + len(flag.label) * AXIS_CHAR <= free
            found.append(DrawnFlag(flag, place, named))
            free = place - 4 if named else free
    return tuple(found)


def _kept_near(pixels: Doubles, y: Scale) -> Doubles:
    near: Doubles = np.clip(pixels, y.stop - _FAR, y.start + _FAR)
    return near


def _outside(curves: tuple[DrawnCurve, ...], top: float, since: float) -> Doubles:
    """Where a curve that is not smoothed leaves the picture at the top, in whole pixels."""
    columns = [
        np.floor(drawn.x[(drawn.y < top - 1.0) & (drawn.x > since)])
        for drawn in curves
        if drawn.curve.smooth <= 1
    ]
    return np.unique(np.concatenate(columns)) if columns else np.empty(0)

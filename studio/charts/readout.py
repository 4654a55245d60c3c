"""What the crosshair reads from a chart's lines and marks. Knows nothing of Qt."""

from __future__ import annotations

import bisect
import math

from studio.charts.axis import short_number
from studio.charts.content import Content, Curve, Points
from studio.charts.lines import XMode
from studio.widgets import figures


def position_label(mode: XMode, step: float, position: float) -> str:
    """What the chip on the axis says of a place."""
    if mode == "steps":
        return f"{step:,.0f}"
    if mode == "time":
        return figures.duration(position)
    if mode == "flop":
        return f"{position:.2e}".replace("e+", "e")
    if position < 10_000:
        return f"{position:,.0f}"
    return f"{position / 1e9:.2f}B" if position >= 1e9 else figures.count(position)


def value_text(value: float, digits: int | None) -> str:
    """A value as boxes show it.

    Args:
        value: The value.
        digits: Decimals, fewer for large values from three on; None writes whole numbers.
    """
    if not math.isfinite(value):
        return short_number(value)
    if abs(value) >= 1e7:
        return f"{value:.3g}"
    if digits is None:
        return f"{value:,.0f}"
    if digits and value and abs(value) < 10.0**-digits:
        return f"{value:.2e}"
    if digits >= 3:
        digits -= min(sum(abs(value) >= limit for limit in (10, 100, 1000)), digits)
    return f"{value:.{digits}f}"


def curve_value(curve: Curve, step: float) -> float:
    """What a curve shows at a step."""
    return curve.line.value_at(step, curve.smooth)


def point_value(points: Points, step: float) -> float:
    """Value of the last mark up to a step; NaN before the first."""
    index = bisect.bisect_right(points.steps, step) - 1
    return points.values[index] if 0 <= index < len(points.values) else math.nan


def readings(content: Content, step: float) -> list[tuple[str, str, str]]:
    """Colour, name and value of everything that a chart's box lists at a step."""
    found = [
        (curve.colour, curve.name, value_text(curve_value(curve, step), content.value_digits))
        for curve in content.curves
        if curve.in_box
    ]
    found += [
        (points.colour, points.name, value_text(value, content.value_digits))
        for points in content.points
        if points.name and not math.isnan(value := point_value(points, step))
    ]
    return found

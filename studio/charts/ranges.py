"""Vertical ranges that one wild value cannot ruin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from studio.charts.lines import Doubles

_CORE: Final = (2.0, 98.0)
"""Percentiles of what a pixel column shows that a range always holds."""
_REACH: Final = 6.0
"""Values this many core spans beyond the core are still shown; farther ones leave the picture."""
_MARGIN: Final = 0.06
_DECADES: Final = 6.0
"""A logarithmic range reaches no farther below its top than this."""


def vertical_range(
    values: Sequence[Doubles], *, log: bool = False, include: Sequence[float] = ()
) -> tuple[float, float]:
    """The range of values that a chart shows.

    Args:
        values: What is drawn, arrays of any length; NaN and infinities are ignored.
        log: Whether the axis is logarithmic; values of 0 or less are ignored then.
        include: Values such as limits that are shown if they are not absurdly far away.

    Returns:
        Lower and upper end, both finite, the lower one smaller; above 0 when `log`.
    """
    found = np.concatenate([_usable(part, log) for part in values]) if values else np.empty(0)
    marks = _usable(np.asarray(include, dtype=np.float64), log)
    if not len(found):
        found = marks
    if not len(found):
        return (0.1, 10.0) if log else (0.0, 1.0)
    core_low, core_high = (float(v) for v in np.percentile(found, _CORE))
    span = max(core_high - core_low, _least_span(core_high, log))
    near = np.concatenate([found, marks])
    near = near[(near >= core_low - _REACH * span) & (near <= core_high + _REACH * span)]
    low, high = min(float(near.min()), core_low), max(float(near.max()), core_high)
    if high - low < span:
        middle = (low + high) / 2
        low, high = middle - span / 2, middle + span / 2
    if log:
        low = max(low, high - _DECADES)
    margin = (high - low) * _MARGIN
    low, high = low - margin, high + margin
    if log:
        return 10.0 ** max(low, -300.0), 10.0 ** min(high, 300.0)
    return low, high


def _usable(values: Doubles, log: bool) -> Doubles:
    """Finite values within float32's reach, as powers of ten when `log`."""
    good = values[np.abs(values) < 1e38]
    if log:
        positive: Doubles = np.log10(good[good > 0])
        return positive
    return good


def _least_span(value: float, log: bool) -> float:
    """How much a flat line's axis shows around it."""
    if log:
        return 0.02
    return max(abs(value) * 0.05, math.ulp(abs(value)) * 1e6, 1e-6)

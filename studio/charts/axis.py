"""Axes: where ticks stand, what they say, and how a value maps to a pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from studio.widgets.figures import NARROW

Unit = Literal["number", "time"]
"""What an axis counts: plain numbers, or seconds that are written in h, min and s."""

_UNITS: Final = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
_SUFFIX_FROM: Final = 10_000.0
"""Numbers from here on are written with k, M, B or T on an axis."""
_WHOLE_BELOW: Final = 1e7
"""Where k and M would need two decimals, numbers below this are written out."""
_POWERS_FROM: Final = 1e15
"""An axis that reaches here is written in powers of ten."""
_TIME_STEPS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600)
_TIME_DECADES_S: Final = (
    *(10.0**power for power in range(-6, 2)),
    *(60.0, 600.0, 3600.0, 36_000.0, 360_000.0, 3_600_000.0),
)
_DAY_S: Final = 86_400


@dataclass(frozen=True)
class Scale:
    """A linear or logarithmic map between values and pixels.

    Args:
        low: Value at pixel `start`; above 0 when `log`.
        high: Value at pixel `stop`; above `low`.
        start: Pixel of `low`.
        stop: Pixel of `high`; for a vertical axis it is the smaller one.
        log: Whether equal distances are equal factors.
    """

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def pixels(self, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Pixel of each value; NaN stays NaN, what a log axis cannot show is at -infinity."""
        numbers = np.asarray(values, dtype=np.float64)
        low, high = self.low, self.high
        if self.log:
            with np.errstate(divide="ignore", invalid="ignore"):
                numbers = np.where(numbers > 0, np.log10(numbers), -np.inf + 0 * numbers)
            low, high = math.log10(low), math.log10(high)
        with np.errstate(invalid="ignore", over="ignore"):
            placed: npt.NDArray[np.float64] = self.start + (numbers - low) * (
                (self.stop - self.start) / (high - low)
            )
        return placed

    def pixel(self, value: float) -> float:
        """Pixel of one value."""
        return float(self.pixels([value])[0])

    def value(self, pixel: float) -> float:
        """Value at a pixel."""
        return float(self.values(np.array([pixel]))[0])

    def values(self, pixels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Value at each pixel."""
        part = (pixels - self.start) / (self.stop - self.start)
        if not self.log:
            return self.low + part * (self.high - self.low)
        low, high = math.log10(self.low), math.log10(self.high)
        powers: npt.NDArray[np.float64] = np.power(10.0, low + part * (high - low))
        return powers


@dataclass(frozen=True)
class Ticks:
    """Where an axis has its grid lines, and what stands beside each."""

    values: tuple[float, ...]
    labels: tuple[str, ...]


def linear_ticks(low: float, high: float, most: int, unit: Unit = "number") -> Ticks:
    """Round ticks in a range.

    Args:
        low: Lower end of the range.
        high: Upper end of the range.
        most: How many ticks fit.
        unit: Seconds get steps that people use for time.
    """
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return Ticks((), ())
    step = _step((high - low) / max(most, 1), unit)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    values = tuple(float(k * step) for k in range(first, min(last, first + 200) + 1))
    if unit == "time":
        return Ticks(values, tuple(time_label(value) for value in values))
    return Ticks(values, number_labels(values, step))


def log_ticks(low: float, high: float, most: int) -> Ticks:
    """Ticks of a logarithmic axis: decades, with 3 or 2 and 5 between them where there is room."""
    if not (0 < low < high) or not math.isfinite(high):
        return Ticks((), ())
    decades = math.log10(high / low)
    if decades < 0.5:
        return linear_ticks(low, high, most)
    inner: tuple[float, ...] = (1.0,)
    every = 1
    if decades * 3 <= most:
        inner = (1.0, 2.0, 5.0)
    elif decades * 2 <= most:
        inner = (1.0, 3.0)
    else:
        every = max(1, math.ceil(decades / max(most, 1)))
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    powers = [p for p in range(first, last + 1) if p % every == 0]
    values = tuple(
        float(f"{factor}e{power}")
        for power in powers
        for factor in inner
        if low * (1 - 1e-9) <= factor * 10.0**power <= high * (1 + 1e-9)
    )
    if len(values) < 3 and decades < 1.5:
        return linear_ticks(low, high, most)
    if high >= _POWERS_FROM:
        return Ticks(values, tuple(f"{value:.0e}".replace("e+", "e") for value in values))
    return Ticks(values, tuple(short_number(value) for value in values))


def time_log_ticks(low: float, high: float, most: int) -> Ticks:
    """Ticks of a logarithmic axis in seconds: tens of seconds, minutes, hours and days."""
    if not (0 < low < high) or not math.isfinite(high):
        return Ticks((), ())
    values = tuple(value for value in _TIME_DECADES_S if low <= value <= high)
    if len(values) < 2:
        return linear_ticks(low, high, most, "time")
    every = max(1, math.ceil(len(values) / max(most, 1)))
    return Ticks(values[::every], tuple(time_label(value) for value in values[::every]))


def number_labels(values: tuple[float, ...], step: float) -> tuple[str, ...]:
    """Labels of evenly spaced ticks: one unit and enough digits for all of them."""
    largest = max((abs(value) for value in values), default=0.0)
    if largest >= 1e15 or 0 < largest < 1e-4:
        return tuple("0" if value == 0 else _power_text(value) for value in values)
    if largest < _SUFFIX_FROM:
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        return tuple(f"{value + 0.0:,.{digits}f}" for value in values)
    size, suffix = next((s, name) for s, name in _UNITS if largest >= s)
    digits = max(0, -math.floor(math.log10(step / size) + 1e-9))
    if digits > 1 and largest < _WHOLE_BELOW and step >= 1:
        return tuple(f"{value:,.0f}" for value in values)
    return tuple(
        "0" if value == 0 else _trimmed(f"{value / size:.{digits}f}") + suffix for value in values
    )


def short_number(value: float) -> str:
    """A number in three significant digits at most, such as `50k`, `1.32B`, `0.3`, `1e-05`."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else ("∞" if value > 0 else "-∞")
    size, suffix = next(((s, name) for s, name in _UNITS if abs(value) >= s), (1.0, ""))
    if abs(value) >= 1e15 or (value != 0 and abs(value) < 1e-4):
        return _power_text(value)
    return f"{value / size:.3g}" + suffix


def time_label(seconds: float) -> str:
    """A time on an axis: only the units that are not zero, such as `6 h` or `1 h 30 min`."""
    if not math.isfinite(seconds):
        return "–"
    if 0 < abs(seconds) < 1:
        return f"{seconds * 1000:.3g}{NARROW}ms"
    total = round(seconds)
    hours, rest = divmod(total, 3600)
    minutes, secs = divmod(rest, 60)
    parts = [(hours, "h"), (minutes, "min"), (secs, "s")]
    words = [f"{count:,}{NARROW}{unit}" for count, unit in parts if count]
    return NARROW.join(words) or f"0{NARROW}s"


def _step(rough: float, unit: Unit) -> float:
    """The smallest round step that is not below `rough`."""
    if unit == "time" and rough > 0.5:
        for step in _TIME_STEPS_S:
            if step >= rough:
                return float(step)
        return _DAY_S * _step(rough / _DAY_S, "number") if rough > _DAY_S / 2 else _DAY_S / 2
    power = 10.0 ** math.floor(math.log10(rough))
    for factor in (1.0, 2.0, 5.0, 10.0):
        if factor * power >= rough * (1 - 1e-9):
            # Through text, so that 0.1 * 3 does not become 0.30000000000000004 on the axis.
            return float(f"{factor * power:.6g}")
    return 10.0 * power


def _power_text(value: float) -> str:
    return f"{value:.3g}".replace("e+", "e")


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text

"""The loss curve as a picture (SVG text), drawn from the run's own series."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 760, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 24, 40, 44
_POINTS_MAX = 600
_SMOOTH = 0.03  # share of the run that the smooth line averages over
_INK, _MUTED, _GRID, _RAW, _LINE, _DOT = (
    "#1d2433", "#5b6577", "#e3e7ee", "#c4d3ef", "#2f6fde", "#d9822b",
)  # fmt: skip

Points = Sequence[tuple[float, float]]


def bucket_means(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Means of at most `count` equal stretches, NaN where a stretch has no finite value."""
    edges = np.linspace(0, len(values), min(count, len(values)) + 1).astype(np.int64)
    means = [
        part[np.isfinite(part)].mean() if np.isfinite(part).any() else math.nan
        for part in (values[a:b] for a, b in pairwise(edges.tolist()))
    ]
    return np.array(means)


def smooth(values: NDArray[np.float64], share: float = _SMOOTH) -> NDArray[np.float64]:
    """Centred running mean over a share of the series; the ends average what is there."""
    half = max(1, int(len(values) * share / 2))
    known = np.isfinite(values)
    sums = np.concatenate(([0.0], np.cumsum(np.where(known, values, 0.0))))
    counts = np.concatenate(([0], np.cumsum(known)))
    low = np.maximum(np.arange(len(values)) - half, 0)
    high = np.minimum(np.arange(len(values)) + half + 1, len(values))
    n = counts[high] - counts[low]
    return np.where(n > 0, (sums[high] - sums[low]) / np.maximum(n, 1), math.nan)


def tick_step(span: float, count: int) -> float:
    """The 1, 2 or 5 times a power of ten that cuts the span into about `count` parts."""
    rough = max(span, 1e-9) / count
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)


class _Frame:
    """From steps and nats to pixels."""

    def __init__(self, steps: int, low: float, high: float) -> None:
        pad = 0.05 * max(high - low, 0.1)
        self.steps, self.low, self.high = steps, low - pad, high + pad

    def x(self, step: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * step / self.steps

    def y(self, loss: float) -> float:
        inner = HEIGHT - _TOP - _BOTTOM
        shown = min(max(loss, self.low), self.high)
        return _TOP + inner * (self.high - shown) / (self.high - self.low)

    def path(self, points: Points) -> str:
        return " ".join(f"{self.x(a):.1f},{self.y(b):.1f}" for a, b in points if math.isfinite(b))


def _text(x: float, y: float, text: str, *, anchor: str = "start", fill: str = _MUTED) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}">{escape(text)}</text>'
    )


def _axes(frame: _Frame) -> list[str]:
    parts = []
    step = tick_step(frame.high - frame.low, 5)
    for i in range(math.ceil(frame.low / step), math.floor(frame.high / step) + 1):
        y = frame.y(i * step)
        parts.append(f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_text(_LEFT - 8, y + 4, f"{i * step:.10g}", anchor="end"))
    step = max(1.0, tick_step(frame.steps, 6))
    for i in range(int(frame.steps / step) + 1):
        parts.append(
            _text(frame.x(i * step), HEIGHT - _BOTTOM + 18, f"{i * step:,.0f}", anchor="middle")
        )
    parts.append(_text((WIDTH + _LEFT) / 2, HEIGHT - 8, "step", anchor="middle"))
    return parts


def _legend(has_validation: bool) -> list[str]:
    y = 20
    parts = [
        f'<line x1="{_LEFT}" x2="{_LEFT + 18}" y1="{y - 4}" y2="{y - 4}" stroke="{_LINE}"'
        ' stroke-width="2"/>',
        _text(_LEFT + 24, y, "training, smoothed", fill=_INK),
    ]
    if has_validation:
        parts.append(f'<circle cx="{_LEFT + 190}" cy="{y - 4}" r="4" fill="{_DOT}"/>')
        parts.append(_text(_LEFT + 200, y, "validation", fill=_INK))
    parts.append(_text(WIDTH - _RIGHT, y, "loss, nats per token", anchor="end"))
    return parts


def _range(raw: NDArray[np.float64], validation: Points) -> tuple[float, float]:
    """What the y axis shows: all but the highest 2 % of the raw loss, and every validation."""
    finite = raw[np.isfinite(raw)]
    values = [loss for _, loss in validation if math.isfinite(loss)]
    if len(finite):
        values += [float(finite.min()), float(np.percentile(finite, 98))]
    return (min(values), max(values)) if values else (0.0, 1.0)


def loss_curve(loss: NDArray[np.float32], validation: Points) -> str:
    """Draw the training loss and the validation points.

    Args:
        loss: Mean loss of each step in nats, (steps,); element i is step i + 1.
        validation: (step, loss in nats) of each validation.

    Returns:
        An SVG document.
    """
    values = loss.astype(np.float64)
    last = max([len(values), *(int(step) for step, _ in validation), 1])
    raw = bucket_means(values, _POINTS_MAX) if len(values) else values
    at = (np.arange(len(raw)) + 0.5) * (len(values) / max(len(raw), 1)) + 0.5
    frame = _Frame(last, *_range(raw, validation))
    dots = [
        f'<circle cx="{frame.x(step):.1f}" cy="{frame.y(value):.1f}" r="4" fill="{_DOT}"/>'
        for step, value in validation
        if math.isfinite(value)
    ]
    lines = [
        f'<polyline points="{frame.path(list(zip(at, series, strict=True)))}" fill="none"'
        f' stroke="{colour}" stroke-width="{width}" stroke-linejoin="round"/>'
        for series, colour, width in ((raw, _RAW, 1), (smooth(raw), _LINE, 2))
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
            f' width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="Loss by step"'
            ' font-family="Inter, Segoe UI, Helvetica, Arial, sans-serif" font-size="12">',
            '<rect width="100%" height="100%" fill="#ffffff"/>',
            f'<g stroke="{_GRID}" stroke-width="1">',
            *(part for part in _axes(frame) if part.startswith("<line")),
            "</g>",
            *(part for part in _axes(frame) if part.startswith("<text")),
            *lines,
            *dots,
            *_legend(bool(dots)),
            "</svg>\n",
        ]
    )

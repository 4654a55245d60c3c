"""What the computer does during a run, as three linked strips: never two scales on one chart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from PySide6.QtWidgets import QWidget

from studio.charts.card import ChartCard
from studio.charts.content import Content, Curve, Limit, Strip
from studio.charts.feed import SystemFeed
from studio.charts.link import ChartLink
from studio.charts.plot import PlotCanvas
from studio.charts.redraw import RedrawQueue

GPU_COLUMNS: Final = ("gpu_used_gib", "gpu_temp_c", "gpu_power_w", "gpu_total_gib")
HOST_COLUMNS: Final = ("process_gib", "ram_used_gib", "cpu_pct", "ram_total_gib")


_ABSENT: Final = "Not reported by this computer"
_NONE_YET: Final = "Nothing measured yet"


@dataclass(frozen=True)
class _Kind:
    """One strip: which column it shows, and how."""

    column: str
    name: str
    colour: str
    digits: int
    floor: float | None = None
    total: str = ""
    """Column of the limit; empty for none."""


_GPU: Final = (
    _Kind("gpu_used_gib", "VRAM, GiB", "s5", 1, 0.0, "gpu_total_gib"),
    _Kind("gpu_temp_c", "GPU, °C", "s4", 0),
    _Kind("gpu_power_w", "Power, W", "s3", 0),
)
_HOST: Final = (
    _Kind("process_gib", "Process, GiB", "s5", 2, 0.0),
    _Kind("ram_used_gib", "RAM used, GiB", "s4", 1, 0.0, "ram_total_gib"),
    _Kind("cpu_pct", "CPU, %", "s3", 0, 0.0),
)


class SystemStrips(ChartCard):
    """Memory, temperature and power of the GPU; memory and CPU where there is none.

    Args:
        feed: Figures by second.
        link: The x axis and crosshair.
        queue: Spreads the drawing over time.
    """

    def __init__(
        self,
        feed: SystemFeed,
        link: ChartLink,
        queue: RedrawQueue,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("Memory and processor", parent=parent)
        self._feed = feed
        self._kinds: tuple[_Kind, ...] = ()
        self.charts = [
            PlotCanvas(
                Content(feed.timeline, x_labels=place == 2, boxed=False, strip=Strip("")),
                link,
                queue,
                name="Use of the computer by step",
            )
            for place in range(3)
        ]
        for place, chart in enumerate(self.charts):
            # The lowest strip is higher by its axis, so that the three plots are equal.
            self.add_chart(chart, 100 if place < 2 else 130)
        self._use(_HOST)

    @property
    def on_gpu(self) -> bool:
        """Whether the strips show a GPU."""
        return self._kinds is _GPU

    def sync(self, limits: Mapping[str, tuple[float, str]], *, at_once: bool = False) -> None:
        """Show what the feed has taken in; call it after the feed.

        Args:
            limits: By column, what it should not cross, and the words for it.
            at_once: See `PlotCanvas.refresh`.
        """
        self._use(_GPU if self._feed.has("gpu_used_gib") else _HOST)
        for kind, chart in zip(self._kinds, self.charts, strict=True):
            strip = chart.content.strip
            measured = len(self._feed.timeline) > 0
            chart.content.empty = _ABSENT if measured else _NONE_YET
            if strip is not None and kind.total:
                self._show_total(chart.content, strip, kind)
            elif strip is not None:
                limit = limits.get(kind.column)
                chart.content.limits = [] if limit is None else [Limit(limit[0])]
                strip.remark = "" if limit is None else limit[1]
            chart.refresh(at_once=at_once)

    def _show_total(self, content: Content, strip: Strip, kind: _Kind) -> None:
        """What there is at most, as a limit; near it the axis goes up to there."""
        total = _last(self._feed, kind.total)
        near = _highest(self._feed, kind.column) > 0.5 * total
        content.limits = [Limit(total)] if near else []
        content.y_ticks = (0.0, total / 2, total) if near else ()
        strip.remark = f"limit {total:.1f}" if math.isfinite(total) else ""

    def _use(self, kinds: tuple[_Kind, ...]) -> None:
        if kinds is self._kinds:
            return
        self._kinds = kinds
        self.set_title("Memory, temperature, power" if kinds is _GPU else "Memory and processor")
        for kind, chart in zip(kinds, self.charts, strict=True):
            content = chart.content
            content.curves = [
                Curve(self._feed.lines[kind.column], kind.colour, kind.name, band=True)
            ]
            content.strip = Strip(kind.name, digits=kind.digits)
            content.limits = []
            content.y_ticks = ()
            content.floor = kind.floor
            content.value_digits = kind.digits
            content.empty = _NONE_YET
            chart.setAccessibleName(f"{kind.name} by step")


def _last(feed: SystemFeed, column: str) -> float:
    values = feed.lines[column].pyramid.values
    return float(values[-1]) if len(values) else math.nan


def _highest(feed: SystemFeed, column: str) -> float:
    pyramid = feed.lines[column].pyramid
    _, high = pyramid.extremes([0, len(pyramid)])
    return float(np.nan_to_num(high[0]))

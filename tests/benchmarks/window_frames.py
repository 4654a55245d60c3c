"""How long the window stands still: a clock in its event loop, charts to draw, a hand at them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QEventLoop, QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QGridLayout, QWidget

from studio.charts.content import Content, Curve
from studio.charts.feed import StepFeed
from studio.charts.link import ChartLink
from studio.charts.plot import PlotCanvas
from studio.charts.redraw import RedrawQueue
from studio.runs.series import StepSeries

COUNTED_S = 0.003
"""Shorter ticks drew nothing: they are left out, which makes p99 harder."""
COLUMNS = ("loss", "tokens_per_s", "grad_norm", "hit_rate")
_COLOURS = ("s1", "s2", "s3", "s4")


class FrameMeter:
    """A clock in the event loop that ticks each millisecond: what keeps it late is a frame."""

    def __init__(self) -> None:
        """Tick from now on."""
        self._spans: list[float] = []
        self._last = time.perf_counter()
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._on_tick)
        self._timer.start(1)

    def stop(self) -> list[float]:
        """Seconds from tick to tick, where something was done in between."""
        self._timer.stop()
        return self._spans

    def _on_tick(self) -> None:
        now = time.perf_counter()
        if now - self._last >= COUNTED_S:
            self._spans.append(now - self._last)
        self._last = now


def live(seconds: float) -> None:
    """Let the window live."""
    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()


def live_until(condition: Callable[[], bool], seconds: float) -> float:
    """Let the window live until something holds; returns seconds waited."""
    began = time.perf_counter()
    loop = QEventLoop()
    timer = QTimer()
    timer.timeout.connect(lambda: loop.quit() if condition() else None)
    timer.start(2)
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    if not condition():
        loop.exec()
    if not condition():
        raise TimeoutError("the window did not get there")
    return time.perf_counter() - began


def percentiles_ms(spans: list[float]) -> dict[str, float]:
    """Median, p99 and longest of turns, in milliseconds."""
    values = np.array(spans or [0.0]) * 1000
    return {
        "turns": len(spans),
        "p50": round(float(np.percentile(values, 50)), 2),
        "p99": round(float(np.percentile(values, 99)), 2),
        "max": round(float(values.max()), 2),
    }


class Board(QWidget):
    """Four charts of four series each, as one person might lay them over each other."""

    def __init__(self, table: StepSeries) -> None:
        """Four charts that share one x axis."""
        super().__init__()
        self._table = table
        self.feeds = [StepFeed(COLUMNS) for _ in range(4)]  # sixteen series, nothing shared
        self.link = ChartLink(self.feeds[0].timeline, self)
        self.queue = RedrawQueue(self)
        self.charts: list[PlotCanvas] = []
        grid = QGridLayout(self)
        for place, feed in enumerate(self.feeds):
            curves = [
                Curve(line, colour, name, smooth=200 * (place == 0), band=place == 1)
                for (name, line), colour in zip(feed.lines.items(), _COLOURS, strict=True)
            ]
            content = Content(feed.timeline, curves=curves, log_y=True)
            chart = PlotCanvas(content, self.link, self.queue, name=f"chart {place}")
            grid.addWidget(chart, place // 2, place % 2)
            self.charts.append(chart)

    def sync(self) -> None:
        """Take in what is new."""
        for feed in self.feeds:
            feed.sync(self._table)
        timeline = self.feeds[0].timeline
        for mode in ("steps", "tokens", "time"):
            first, last = timeline.at(mode, [0, len(timeline) - 1])
            self.link.set_extent(mode, float(first), float(last))
        for chart in self.charts:
            chart.refresh()


class Hand:
    """A person at the charts: turns the wheel, drags and points, thirty times a second."""

    def __init__(self, charts: list[PlotCanvas], *, zooms: bool) -> None:
        """Start at once; call `rest` to end."""
        self._charts = charts
        self._zooms = zooms
        self._random = random.Random(7)
        self._turn = 0
        self._timer = QTimer()
        self._timer.timeout.connect(self._act)
        self._timer.start(33)

    def rest(self) -> None:
        """Take the hand away."""
        self._timer.stop()

    def _act(self) -> None:
        self._turn += 1
        chart = self._charts[self._turn // 60 % len(self._charts)]
        frame = chart.frame()
        x = frame.left + (frame.right - frame.left) * self._random.uniform(0.2, 0.9)
        at = QPoint(round(x), round((frame.top + frame.bottom) / 2))
        if self._zooms and self._turn % 3 == 0:
            notches = 1 if self._turn // 90 % 2 == 0 else -1
            _wheel(chart, at, notches)
        elif self._zooms and self._turn % 31 == 0:
            _drag(chart, at, self._random.randint(-80, 80))
        else:
            _move(chart, at, Qt.MouseButton.NoButton)


def _wheel(chart: PlotCanvas, at: QPoint, notches: int) -> None:
    event = QWheelEvent(
        QPointF(at),
        QPointF(chart.mapToGlobal(at)),
        QPoint(),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(chart, event)


def _mouse(kind: QMouseEvent.Type, chart: PlotCanvas, at: QPoint, held: Qt.MouseButton) -> None:
    button = Qt.MouseButton.NoButton if kind == QMouseEvent.Type.MouseMove else held
    after = Qt.MouseButton.NoButton if kind == QMouseEvent.Type.MouseButtonRelease else held
    event = QMouseEvent(
        kind,
        QPointF(at),
        QPointF(chart.mapToGlobal(at)),
        button,
        after,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(chart, event)


def _move(chart: PlotCanvas, at: QPoint, held: Qt.MouseButton) -> None:
    _mouse(QMouseEvent.Type.MouseMove, chart, at, held)


def _drag(chart: PlotCanvas, at: QPoint, by: int) -> None:
    left = Qt.MouseButton.LeftButton
    _mouse(QMouseEvent.Type.MouseButtonPress, chart, at, left)
    _move(chart, at + QPoint(by // 2, 0), left)
    _move(chart, at + QPoint(by, 0), left)
    _mouse(QMouseEvent.Type.MouseButtonRelease, chart, at + QPoint(by, 0), left)

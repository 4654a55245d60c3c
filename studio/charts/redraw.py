"""Spreads the drawing of charts over time, so that the window never stutters."""

from __future__ import annotations

import time
from typing import Final, Protocol

from PySide6.QtCore import QObject, QTimer
from shiboken6 import isValid

_DATA_MS: Final = 33
"""New data: one chart each time, 30 a second over all charts."""
_HAND_MS: Final = 16
"""A chart that a person is moving: at the screen's pace, and more than one while time is left."""
_BUDGET_S: Final = 0.008


class Redrawn(Protocol):
    """A chart, as far as the queue knows it."""

    def redraw(self) -> None:
        """Draw the picture anew."""

    def is_seen(self) -> bool:
        """Whether drawing it has a use."""


class RedrawQueue(QObject):
    """Charts that wait to be drawn. The timer rests while none does."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._waiting: dict[Redrawn, None] = {}
        self._by_hand: dict[Redrawn, None] = {}
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._on_timeout)

    @property
    def idle(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting and not self._by_hand

    def request(self, chart: Redrawn, *, by_hand: bool = False, first: bool = False) -> None:
        """Have a chart drawn soon; asking again while it waits changes nothing.

        Args:
            chart: The chart.
            by_hand: A person is zooming or panning: draw at the screen's pace.
            first: It is the one under the pointer: draw it before the others.
        """
        if by_hand:
            self._waiting.pop(chart, None)
            self._by_hand[chart] = None
            if first:
                rest = [each for each in self._by_hand if each is not chart]
                self._by_hand = dict.fromkeys([chart, *rest])
        elif chart not in self._by_hand:
            self._waiting[chart] = None
        interval = _HAND_MS if self._by_hand else _DATA_MS
        if not self._timer.isActive() or interval < self._timer.interval():
            self._timer.start(interval)

    def _on_timeout(self) -> None:
        until = time.perf_counter() + _BUDGET_S
        while self._by_hand:
            self._draw(self._by_hand)
            if time.perf_counter() >= until:
                return
        if self._waiting:
            self._draw(self._waiting)
        if not self._waiting:
            self._timer.stop()
        elif self._timer.interval() != _DATA_MS:
            self._timer.start(_DATA_MS)

    def _draw(self, charts: dict[Redrawn, None]) -> None:
        chart = next(iter(charts))
        del charts[chart]
        if isinstance(chart, QObject) and not isValid(chart):
            return
        if chart.is_seen():
            chart.redraw()

"""What charts share: the x axis, the part of it in view, and the crosshair."""

from __future__ import annotations

import math
from typing import Final

from PySide6.QtCore import QObject, Signal

from studio.charts.axis import Scale
from studio.charts.lines import Timeline, XMode

_MARGIN: Final = 1.035
"""A full view ends a little behind the newest value."""
_LEAST_SPAN: Final[dict[XMode, float]] = {"steps": 4.0, "tokens": 4.0, "time": 0.01, "flop": 4.0}


class ChartLink(QObject):
    """The x axis of charts that move together, and the step they point at.

    Args:
        timeline: Makes the crosshair jump from step to step; None lets it stand anywhere.

    Signals:
        view_changed: Another part of the axis is in view, or it counts something else.
        crosshair_changed: The crosshair moved, appeared or went away.
    """

    view_changed = Signal()
    crosshair_changed = Signal()

    def __init__(self, timeline: Timeline | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.timeline = timeline
        self._mode: XMode = "steps"
        self._log = False
        self._first: dict[XMode, float] = dict.fromkeys(_LEAST_SPAN, 1.0)
        self._last: dict[XMode, float] = dict.fromkeys(_LEAST_SPAN, 1.0)
        self._window: tuple[float, float] | None = None
        self._hovered: float | None = None
        self._pinned: float | None = None

    # --- the axis ------------------------------------------------------------------------------

    @property
    def mode(self) -> XMode:
        """What the axis counts."""
        return self._mode

    @property
    def log(self) -> bool:
        """Whether the axis is logarithmic."""
        return self._log

    @property
    def zoomed(self) -> bool:
        """Whether only a part of the axis is in view; otherwise the view follows the data."""
        return self._window is not None

    @property
    def first_percent(self) -> float:
        """Up to here vertical ranges do not look: the first 1 % of what there is.

        A logarithmic axis is there to show the beginning: it leaves nothing out.
        """
        return 0.0 if self._log else self._last[self._mode] * 0.01

    def set_extent(self, mode: XMode, first: float, last: float) -> None:
        """Say how far the data reaches; `first` is the lowest position above 0."""
        self._first[mode] = first if math.isfinite(first) and first > 0 else 1.0
        self._last[mode] = max(last if math.isfinite(last) else 0.0, self._first[mode])

    def set_mode(self, mode: XMode) -> None:
        """Count steps, tokens or time; the part in view and the crosshair stay where they are."""
        if mode == self._mode:
            return
        old, self._mode = self._mode, mode
        if self.timeline is None:
            self._window = self._hovered = self._pinned = None
        elif self._window is not None:
            low, high = (self.timeline.step_at(old, end) for end in self._window)
            positions = self.timeline.of_steps(mode, [low or 0, high or 0])
            self._window = (float(positions[0]), float(positions[1]))
            if not self._window[0] < self._window[1]:
                self._window = None
        self.view_changed.emit()

    def set_log(self, log: bool) -> None:
        """Make the axis logarithmic or linear."""
        if log != self._log:
            self._log = log
            if log and self._window is not None:
                self.show_range(*self._window)
            self.view_changed.emit()

    def visible(self) -> tuple[float, float]:
        """The part of the axis in view; its lower end is above 0 when the axis is logarithmic."""
        if self._window is not None:
            return self._window
        return self._full()

    def scale(self, start: float, stop: float) -> Scale:
        """The axis between two pixels."""
        return Scale(*self.visible(), start, stop, self._log)

    def show_range(self, low: float, high: float) -> None:
        """Bring a part of the axis into view; a part that holds everything follows the data."""
        full_low, full_high = self._full()
        if not (math.isfinite(low) and math.isfinite(high)):
            return
        least = _LEAST_SPAN[self._mode]
        span = high - low
        if span < least:
            middle = (low + high) / 2
            low, high, span = middle - least / 2, middle + least / 2, least
        if low <= full_low and high >= full_high:
            self.reset()
            return
        # A part as wide as the old one, moved back inside.
        if low < full_low:
            low, high = full_low, max(high if self._log else full_low + span, full_low + least)
        if high > full_high:
            low, high = min(low if self._log else full_high - span, full_high - least), full_high
        window = (max(low, full_low), min(high, full_high))
        if window != self._window and window[0] < window[1]:
            self._window = window
            self.view_changed.emit()

    def reset(self) -> None:
        """Show everything, and follow the data from now on."""
        if self._window is not None:
            self._window = None
            self.view_changed.emit()

    def _full(self) -> tuple[float, float]:
        first, last = self._first[self._mode], self._last[self._mode]
        if self._log:
            return first, max(last, first * 1.1) * _MARGIN
        return 0.0, last * _MARGIN

    # --- the crosshair -------------------------------------------------------------------------

    @property
    def crosshair(self) -> float | None:
        """The step that is pointed at; a position where there is no timeline; None for none."""
        return self._pinned if self._hovered is None else self._hovered

    @property
    def pinned(self) -> bool:
        """Whether the crosshair stays when the pointer leaves."""
        return self._pinned is not None

    def crosshair_position(self) -> float | None:
        """Where the crosshair stands on the axis."""
        at = self.crosshair
        if at is None or self.timeline is None:
            return at
        return float(self.timeline.of_steps(self._mode, [at])[0])

    def hover(self, position: float | None) -> None:
        """Point at a position on the axis; None leaves, back to what is pinned."""
        self._set_crosshair(self._snapped(position), self._pinned)

    def pin(self, step: float | None) -> None:
        """Keep pointing at a step (a position where there is no timeline); None lets go."""
        self._set_crosshair(None, step)

    def pin_at(self, position: float) -> None:
        """Keep pointing at a position on the axis."""
        self._set_crosshair(None, self._snapped(position))

    def pin_hovered(self) -> None:
        """Keep pointing where the crosshair is now."""
        if self._hovered is not None:
            self._set_crosshair(self._hovered, self._hovered)

    def point_at(self, step: float) -> None:
        """Pin a step and bring it into view if it is not."""
        self.pin(step)
        position = self.crosshair_position()
        low, high = self.visible()
        if position is not None and self._window and not low <= position <= high:
            span = high - low
            self.show_range(position - span / 2, position + span / 2)

    def _snapped(self, position: float | None) -> float | None:
        if position is None or self.timeline is None:
            return position
        return self.timeline.step_at(self._mode, position)

    def _set_crosshair(self, hovered: float | None, pinned: float | None) -> None:
        if (hovered, pinned) != (self._hovered, self._pinned):
            self._hovered, self._pinned = hovered, pinned
            self.crosshair_changed.emit()

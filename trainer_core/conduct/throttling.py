"""Notices that the GPU, or the processor, runs slower because it is too hot."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import psutil

from trainer_core.conduct.gpu import Gpu
from trainer_core.records import Level

Note = Callable[[Level, str, str], None]
"""Takes a level, a title and a text."""

HOT_LOOKS = 3
"""So many looks in a row must find it hot before it is told: clocks dip all the time."""
COOL_S = 60.0
"""How long it must have been well before that is told."""
NEAR_CRITICAL_C = 2.0


class Heat(Protocol):
    """Something that slows down when it is hot."""

    name: str

    def is_throttled(self) -> bool | None:
        """Whether it does so now; None: nobody can tell."""

    def figures(self) -> str:
        """How hot and how fast it is, in words."""


class GpuHeat:
    """Of a GPU."""

    name = "GPU"

    def __init__(self, gpu: Gpu) -> None:
        self._gpu = gpu

    def is_throttled(self) -> bool | None:
        """See `Heat`."""
        return self._gpu.is_throttled()

    def figures(self) -> str:
        """See `Heat`."""
        at_c, clocks = self._gpu.temperature_c(), self._gpu.clocks_mhz()
        parts = [] if at_c is None else [f"is at {at_c:.0f} °C"]
        if clocks is not None:
            parts.append(f"runs at {clocks[0]:,} of {clocks[1]:,} MHz")
        return " and ".join(parts)


class ProcessorHeat:
    """Of the processor, where the system knows the temperature that is too hot for it."""

    name = "processor"

    def is_throttled(self) -> bool | None:
        """See `Heat`."""
        entries = [e for e in _processor_sensors() if e.critical and e.critical > 0]
        if not entries:
            return None
        return any(entry.current >= entry.critical - NEAR_CRITICAL_C for entry in entries)

    def figures(self) -> str:
        """See `Heat`."""
        hottest = max((entry.current for entry in _processor_sensors()), default=None)
        return "" if hottest is None else f"is at {hottest:.0f} °C"


def _processor_sensors() -> list[Any]:
    if not hasattr(psutil, "sensors_temperatures"):
        return []
    try:
        sensors = psutil.sensors_temperatures()
    except OSError:
        return []
    return [
        entry for name in ("coretemp", "k10temp", "zenpower") for entry in sensors.get(name, ())
    ]


class ThrottleWatch:
    """Tells once when it begins and once when it is over.

    Args:
        heat: What to look at.
        note: Where to tell.
        clock: Seconds that only grow.
    """

    def __init__(self, heat: Heat, note: Note, clock: Callable[[], float] = time.monotonic) -> None:
        self._heat, self._note, self._clock = heat, note, clock
        self._looks = 0
        self._told_s: float | None = None
        self._hot_s = 0.0

    def look(self) -> None:
        """Look once; called every few seconds while the job works."""
        now = self._clock()
        if self._heat.is_throttled():
            self._looks, self._hot_s = self._looks + 1, now
            if self._looks >= HOT_LOOKS and self._told_s is None:
                self._told_s = now
                self._tell_hot()
            return
        self._looks = 0
        if self._told_s is not None and now - self._hot_s >= COOL_S:
            minutes, self._told_s = (self._hot_s - self._told_s) / 60, None
            name = self._heat.name
            self._note(
                "info",
                f"The {name} has its speed back",
                f"It was too hot for about {max(1, round(minutes))} min.",
            )

    def _tell_hot(self) -> None:
        name, figures = self._heat.name, self._heat.figures()
        self._note(
            "warning",
            f"The {name} slows down to cool off",
            (f"It {figures}. " if figures else "")
            + "The training goes on, and computes the same, but slower. Look at the fans and the"
            " dust, lower the power limit, or have the run hold above a temperature.",
        )

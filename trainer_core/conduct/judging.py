"""Whether a job should hold by its conditions, and why: steady in what flickers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, NamedTuple

from trainer_core.conduct.sensors import Senses
from trainer_core.manners import Conditions

Kind = Literal["hours", "battery", "heat", "program", "gpu"]

CALM_S = 30.0
"""A condition must have been over for so long before a job goes on."""
COOLER_C = 10.0
"""So much below its limit a temperature must be."""
_DAY_MINUTES = 24 * 60


class Reason(NamedTuple):
    """Why a job holds.

    Attributes:
        kind: What it is about.
        text: In words, such as `the computer runs on its battery`.
    """

    kind: Kind
    text: str


class Judge:
    """Judges conditions again and again.

    Args:
        senses: What it judges by.
        clock: Seconds that only grow.
    """

    def __init__(self, senses: Senses, clock: Callable[[], float] = time.monotonic) -> None:
        self.senses, self._clock = senses, clock
        self._met: dict[Kind, tuple[Reason, float]] = {}  # with the last time that each was so

    def reason(self, conditions: Conditions) -> Reason | None:
        """Why a job with these conditions should hold now, or None.

        A condition that is not asked for any more is over at once.
        """
        now = self._clock()
        asked: list[tuple[bool, Kind, Callable[[Conditions], str | None]]] = [
            (conditions.hours is not None, "hours", self._hours),
            (conditions.on_battery, "battery", self._battery),
            (bool(conditions.max_temperature_c), "heat", self._heat),
            (bool(conditions.programs), "program", self._program),
            (conditions.gpu_wanted, "gpu", self._gpu),
        ]
        for wanted, kind, look in asked:
            text = look(conditions) if wanted else None
            if text is not None:
                self._met[kind] = Reason(kind, text), now
            elif not wanted or kind == "hours":
                self._met.pop(kind, None)
            elif kind in self._met and now - self._met[kind][1] >= CALM_S:
                del self._met[kind]
        return next((reason for reason, _ in self._met.values()), None)

    def _hours(self, conditions: Conditions) -> str | None:
        if conditions.hours is None:
            return None
        start, end = (minutes_of(text) for text in conditions.hours)
        if start is None or end is None or is_between(self.senses.minute_of_day(), start, end):
            return None
        return f"it works only between {clock_text(start)} and {clock_text(end)}"

    def _battery(self, _conditions: Conditions) -> str | None:
        return "the computer runs on its battery" if self.senses.on_battery() else None

    def _heat(self, conditions: Conditions) -> str | None:
        found = self.senses.heat()
        if found is None:
            return None
        what, at_c = found
        limit_c = conditions.max_temperature_c - (COOLER_C if "heat" in self._met else 0.0)
        if at_c <= limit_c:
            return None
        return f"the {what} is hotter than {conditions.max_temperature_c} °C"

    def _program(self, conditions: Conditions) -> str | None:
        name = self.senses.running(conditions.programs)
        return None if name is None else f"{name} runs"

    def _gpu(self, _conditions: Conditions) -> str | None:
        name = self.senses.gpu_rival()
        return None if name is None else f"{name} works the GPU"


def minutes_of(text: str) -> int | None:
    """Minutes since midnight of a time such as `22:30`; None where it is none."""
    hours, _, minutes = text.strip().partition(":")
    if not (hours.isascii() and hours.isdigit() and minutes.isascii() and minutes.isdigit()):
        return None
    found = 60 * int(hours) + int(minutes)
    return found % _DAY_MINUTES if int(minutes) < 60 and found <= _DAY_MINUTES else None


def is_between(minute: int, start: int, end: int) -> bool:
    """Whether a minute of the day lies in a span that may go over midnight; equal ends: always."""
    if start == end:
        return True
    return start <= minute < end if start < end else minute >= start or minute < end


def clock_text(minute: int) -> str:
    """Such as `22:30`."""
    return f"{minute // 60:02}:{minute % 60:02}"

"""The conditions that a training holds by, as people write and read them. Free of Qt."""

from __future__ import annotations

import re
from collections.abc import Sequence

from trainer_core.manners import Conditions

TONIGHT = ("22:00", "07:00")
"""Hours that are offered first."""
HOT_C = 85
"""Temperature that is offered first, in °C."""
LOWEST_C, HIGHEST_C = 40, 120
MOST_PROGRAMS = 20
MOST_LETTERS = 60
"""Of a program's name."""

_TIME = re.compile(r"([0-9]{1,2})(?:[:.h]?([0-9]{2}))?")


class UnreadableError(ValueError):
    """A field cannot be read; the text says why, for beside the field."""


def read_time(text: str) -> str:
    """A time of day such as `7`, `7:30` or `0730` as `07:30`.

    Raises:
        UnreadableError: It is none.
    """
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise UnreadableError("Times are written like 22:00.")
    hour, minute = int(found[1]), int(found[2] or 0)
    if hour > 23 or minute > 59:
        raise UnreadableError("A day goes from 00:00 to 23:59.")
    return f"{hour:02}:{minute:02}"


def read_hours(first: str, last: str) -> tuple[str, str]:
    """Two times of day that differ.

    Raises:
        UnreadableError: One of them is none, or nothing lies between them.
    """
    hours = read_time(first), read_time(last)
    if hours[0] == hours[1]:
        raise UnreadableError("Both are the same time: the training would never work.")
    return hours


def read_temperature(text: str) -> int:
    """A temperature in °C, such as `85` or `85 °C`.

    Raises:
        UnreadableError: It is none, or one that would hold a training for good or never.
    """
    digits = text.strip().removesuffix("C").removesuffix("c").removesuffix("°").strip()
    if not re.fullmatch(r"[0-9]{1,4}", digits):
        raise UnreadableError("A whole number of °C, such as 85.")
    if not LOWEST_C <= int(digits) <= HIGHEST_C:
        raise UnreadableError(f"From {LOWEST_C} to {HIGHEST_C} °C.")
    return int(digits)


def read_programs(text: str) -> tuple[str, ...]:
    """Names of programs between commas, each once.

    Raises:
        UnreadableError: There is none, too many, or one is no name.
    """
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise UnreadableError("Name a program, such as steam.")
    if len(names) > MOST_PROGRAMS:
        raise UnreadableError(f"At most {MOST_PROGRAMS} programs.")
    for name in names:
        if len(name) > MOST_LETTERS or "/" in name or "\\" in name or not name.isprintable():
            raise UnreadableError("Only its name, such as steam, without a folder.")
    return tuple(names)


def condition_words(conditions: Conditions) -> list[str]:
    """Each condition in a few words, such as "from 22:00 to 07:00"; none where there is none."""
    words: list[str] = []
    if conditions.hours is not None:
        words.append(f"only from {conditions.hours[0]} to {conditions.hours[1]}")
    if conditions.programs:
        words.append(f"not while {_listed(conditions.programs)} runs")
    if conditions.gpu_wanted:
        words.append("not while another program works the GPU")
    if conditions.on_battery:
        words.append("not on battery")
    if conditions.max_temperature_c:
        words.append(f"below {conditions.max_temperature_c} °C")
    return words


def _listed(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    if len(names) == 2:
        return f"{names[0]} or {names[1]}"
    return f"{names[0]}, {names[1]} or {len(names) - 2} more"

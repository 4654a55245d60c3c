"""What is wrong with a setting, in as few words as stand beside its field. Free of Qt."""

from __future__ import annotations

import re

from studio.pages.wizard.names import NAMES
from studio.widgets.figures import size
from trainer_core.errors import SpecError
from trainer_core.spec import INDEX_MEMORY_MIN

MIXING = "data.mixing"
"""Where the paths of weights begin."""


def field_message(error: SpecError) -> str:
    """The error in as few words as stand beside a field."""
    text = error.what
    found = re.search(r"cannot be used: (?P<why>.*)\.$", text)
    if found is None:
        return text.rstrip(".")
    why = found["why"]
    low = re.search(r"Expected `\w+` >= (?P<low>\S+)", why)
    if low:
        return f"at least {float(low['low']):,.10g}"
    high = re.search(r"Expected `\w+` <= (?P<high>\S+)", why)
    if high:
        return f"at most {float(high['high']):,.10g}"
    if re.search(r"Expected `\w+` > 0", why):
        return "must be more than 0"
    below = re.search(r"Expected `\w+` < (?P<limit>\S+)", why)
    if below:
        return f"below {float(below['limit']):,.10g}"
    if error.field == "memory_limit_bytes" and "is below" in why:
        return f"at least {size(INDEX_MEMORY_MIN)}"
    if "Expected `int`, got `float`" in why:
        return "a whole number"
    if "Expected `int`" in why or "Expected `float`" in why:
        return "a number"
    if "Integer value out of range" in why:
        return "too large a number"
    return re.sub(r"\b[a-z]+\.[a-z0-9_]+\b|\b[a-z0-9]+(?:_[a-z0-9]+)+\b", _named, why)


def _named(found: re.Match[str]) -> str:
    return NAMES.get(found[0]) or NAMES.get(found[0].rpartition(".")[2]) or found[0]


def setting_name(path: str) -> str:
    """What people call the setting at a path, or an empty string."""
    if path.startswith(MIXING):
        return "Mixing"
    name = NAMES.get(path, "") or NAMES.get(path.rpartition(".")[2], "")
    return name[:1].upper() + name[1:]

"""What people type into fields: numbers, counts and sizes. Free of Qt."""

from __future__ import annotations

import math
import re

Typed = int | float | str
"""A setting as it was typed: text that is no number stays text, and the spec's check names it."""

_UNITS = {"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "b": 1.0}


def parse(text: str) -> Typed:
    """A typed setting as a number; digits may be grouped by commas, spaces or underscores.

    >>> parse("1,024"), parse("4e-3"), parse("many")
    (1024, 0.004, 'many')
    """
    plain = re.sub(r"(?<=\d)[,_\s\u202f\u00a0](?=\d{3}(\D|$))", "", text.strip())
    try:
        return int(plain)
    except ValueError:
        pass
    try:
        value = float(plain)
    except ValueError:
        return text.strip()
    return value if math.isfinite(value) else text.strip()


def parse_count(text: str) -> float | None:
    """A count with an optional letter, such as `3.28B`, `10M` or `1,024`; None for nonsense."""
    found = re.fullmatch(r"([0-9.,_\s\u202f]+)\s*([kKmMbBgGtT]?)", text.strip())
    if found is None:
        return None
    try:
        value = float(re.sub(r"[,_\s\u202f]", "", found[1]))
    except ValueError:
        return None
    factor = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12}[found[2].lower()]
    return value * factor if value > 0 else None


def parse_size(text: str) -> float | str:
    """Bytes of a size such as `24 MB`; a text that is none stays a text."""
    plain = text.strip().lower()
    if not plain:
        return 0
    for unit, factor in _UNITS.items():
        if plain.endswith(unit):
            value = parse_count(plain[: -len(unit)])
            return text if value is None else int(value * factor)
    value = parse_count(plain)
    return text if value is None else int(value)

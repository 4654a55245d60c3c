"""What people type into fields: numbers, counts and sizes. Free of Qt."""

from __future__ import annotations

import math
import re

Typed = int | float | str
"""A setting as it was typed: text that is no number stays text, and the spec's check names it."""

_LARGEST = 10**24
"""Nothing that is typed counts that many; what is larger stays text."""
_UNITS = {"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "b": 1.0}


def parse(text: str) -> Typed:
    """A typed setting as a number; digits may be grouped by commas, spaces or underscores.

    >>> parse("1,024"), parse("4e-3"), parse("many")
    (1024, 0.004, 'many')
    """
    plain = re.sub(r"(?<=\d)[,_\s\u202f\u00a0](?=\d{3}(\D|$))", "", text.strip())
    try:
        number = int(plain)
    except ValueError:
        pass
    else:
        return number if abs(number) < _LARGEST else text.strip()
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
    return value * factor if 0 < value * factor < _LARGEST else None


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


def size_text(n_bytes: int) -> str:
    """Bytes as one would type them, exactly; nothing for 0.

    >>> size_text(24_000_000), size_text(1_500_000_000), size_text(1025), size_text(0)
    ('24 MB', '1.5 GB', '1,025 B', '')
    """
    if not n_bytes:
        return ""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        text = f"{n_bytes / factor:,.12g} {unit}"
        if n_bytes >= factor and len(text) <= 8 and parse_size(text) == n_bytes:
            return text
    return f"{n_bytes:,} B"


def parse_percent(text: str) -> Typed:
    """A share typed in percent, as a number from 0 to 1; a text that is none stays a text."""
    value = parse(text.strip().rstrip("%"))
    return value if isinstance(value, str) else value / 100


def percent_text(share: float) -> str:
    """A share as one would type it in percent.

    >>> percent_text(0.05), percent_text(0.125)
    ('5', '12.5')
    """
    return f"{share * 100:.12g}"

"""How figures are written in the sentences of events."""

from __future__ import annotations

_BYTE_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def size_text(size_bytes: float) -> str:
    """A size in decimal units, such as `1.96 GB`."""
    if size_bytes < 1000:
        return f"{size_bytes:.0f} bytes"
    unit = 0
    while size_bytes >= 999.5 and unit < len(_BYTE_UNITS) - 1:
        size_bytes /= 1000
        unit += 1
    digits = 2 if size_bytes < 10 else 1 if size_bytes < 100 else 0
    return f"{size_bytes:.{digits}f} {_BYTE_UNITS[unit]}"


def count_text(count: int, one: str, many: str) -> str:
    """A count with its word, such as `1 validation` or `22 validations`."""
    return f"{count:,} {one if count == 1 else many}"


def duration_text(seconds: float) -> str:
    """A duration, such as `45 h 46 min`, `7 min` or `12 s`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"

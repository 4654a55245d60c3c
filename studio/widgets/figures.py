"""How numbers are written: counts, shares, times and sizes. Knows nothing of Qt.

A figure and its unit are joined by a quarter-em space, which comes from Inter in mono text too.
"""

from __future__ import annotations

import math
import time

from studio.language import tr, tr_plural

NARROW = "\u2005"
MISSING = "–"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


_LAST_S = 2.5e11
"""The end of the year 9999, about: no calendar goes further."""


def is_missing(value: float | None) -> bool:
    """Whether there is no figure to show."""
    return value is None or not math.isfinite(value)


def _is_no_time(time_s: float | None) -> bool:
    return time_s is None or is_missing(time_s) or abs(time_s) > _LAST_S


def count(value: float | None) -> str:
    """Three significant digits and a letter: 7.9M, 3.28B, 19.9k, 852M."""
    if value is None or is_missing(value):
        return MISSING
    for limit, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        # 999,950 would read "1000k": it belongs to the next letter already.
        if abs(value) >= limit * 0.9995:
            scaled = value / limit
            digits = 2 if abs(scaled) < 9.995 else 1 if abs(scaled) < 99.95 else 0
            text = f"{scaled:.{digits}f}"
            return (text.rstrip("0").rstrip(".") if "." in text else text) + letter
    return f"{value:,.0f}"


def whole(value: float | None) -> str:
    """All digits, grouped by commas: 214,300."""
    return MISSING if value is None or is_missing(value) else f"{value:,.0f}"


def loss(value: float | None) -> str:
    """Three decimals, as losses and bits per byte are written."""
    return MISSING if value is None or is_missing(value) else f"{value:.3f}"


def percent(share: float | None, digits: int = 1) -> str:
    """A share of 0 to 1 in percent; exactly 100 has no decimals."""
    if share is None or is_missing(share):
        return MISSING
    if share >= 1.0:
        digits = 0
    # 99.96 % must not read as if it were finished.
    limit = 100 - 10**-digits if share < 1.0 else 100.0
    return f"{min(share * 100, limit):.{digits}f}{NARROW}%"


def duration(seconds: float | None) -> str:
    """45 h 46 min; 7 min; 12 s; the largest two units that say something."""
    if seconds is None or is_missing(seconds):
        return MISSING
    total = max(round(seconds), 0)
    if total < 60:
        return f"{total}{NARROW}s"
    if total < 3600:
        minutes, rest = divmod(total, 60)
        tail = f"{NARROW}{rest:02d}{NARROW}s" if minutes < 10 and rest else ""
        return f"{minutes}{NARROW}min{tail}"
    hours, rest = divmod(total, 3600)
    return f"{hours:,}{NARROW}h{NARROW}{rest // 60:02d}{NARROW}min"


def rough_duration(seconds: float | None) -> str:
    """An estimate, no finer than one can know it: 2 s, 45 s, 4 min, 1 h 25 min."""
    if seconds is None or is_missing(seconds):
        return MISSING
    if seconds < 9.5:
        return duration(max(round(seconds), 1))
    if seconds < 57.5:
        return duration(round(seconds / 5) * 5)
    if seconds < 3570:
        return duration(round(seconds / 60) * 60)
    return duration(round(seconds / 300) * 300)


def weekday_clock(time_s: float | None) -> str:
    """Local weekday and clock, such as Sun 21:40."""
    if time_s is None or _is_no_time(time_s):
        return MISSING
    local = time.localtime(time_s)
    return f"{tr(_DAYS[local.tm_wday])} {local.tm_hour:02d}:{local.tm_min:02d}"


def clock(time_s: float | None) -> str:
    """Local clock, such as 18:09."""
    if time_s is None or _is_no_time(time_s):
        return MISSING
    local = time.localtime(time_s)
    return f"{local.tm_hour:02d}:{local.tm_min:02d}"


def day(time_s: float | None) -> str:
    """Local day and month, such as 1 Nov; with the year when it is another one."""
    if time_s is None or _is_no_time(time_s):
        return MISSING
    local = time.localtime(time_s)
    year = "" if local.tm_year == time.localtime().tm_year else f" {local.tm_year}"
    return f"{local.tm_mday} {tr(_MONTHS[local.tm_mon - 1])}{year}"


def started(time_s: float | None) -> str:
    """Local weekday, day, month and clock, such as Fri 14 Nov 23:54; or with the year."""
    if time_s is None or _is_no_time(time_s):
        return MISSING
    local = time.localtime(time_s)
    if local.tm_year != time.localtime().tm_year:
        return f"{day(time_s)} {clock(time_s)}"
    return f"{tr(_DAYS[local.tm_wday])} {day(time_s)} {clock(time_s)}"


def size(n_bytes: float | None) -> str:
    """Bytes in decimal units, as files and disks are counted: 24.1 MB, 15.7 GB."""
    if n_bytes is None or is_missing(n_bytes):
        return MISSING
    for limit, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if abs(n_bytes) >= limit * 0.9995:
            scaled = n_bytes / limit
            return f"{scaled:.{1 if scaled < 99.95 else 0}f}{NARROW}{unit}"
    return f"{n_bytes:,.0f}{NARROW}B"


def gib(value: float | None, digits: int = 1) -> str:
    """Memory in GiB without its unit: 21.3."""
    return MISSING if value is None or is_missing(value) else f"{value:.{digits}f}"


def plural(n: int, one: str, many: str = "") -> str:
    """1 run, 4 runs."""
    return f"{n:,} {tr_plural(one, many or one + 's', n)}"


def short_lr(value: float) -> str:
    """A learning rate in two digits, such as `4.0e-4`."""
    digits, _, power = f"{value:.1e}".partition("e")
    return f"{digits}e{int(power)}"

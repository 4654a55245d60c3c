"""The figures of the index benchmark: what each is, what it should be, and the printed table."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Cores = Literal["one", "all"]


@dataclass(frozen=True)
class Figure:
    """One row of the table.

    Attributes:
        key: Its name in results.
        label: Its name for people.
        unit: Of its values.
        reach: Most that it may be; None where nothing is set.
        aim: What it should be.
        on_top: What the reach is greater by, whatever the number of tokens, times that number.
    """

    key: str
    label: str
    unit: str
    reach: float | None = None
    aim: float | None = None
    on_top: float = 0.0

    def verdict(self, value: float, n_tokens: int) -> str:
        """Where a value stands between aim and reach."""
        if self.reach is None or self.aim is None:
            return ""
        if value <= self.aim:
            return "aim met"
        return "in reach" if value <= self.reach + self.on_top / n_tokens else "MISSED"


FIGURES = (
    Figure("sort", "numpy.sort of as many 32-bit keys (yardstick)", "ns/key"),
    Figure("build", "build in memory, all features", "ns/token", 180, 110),
    Figure("features", "length and next, as arrays (match_features)", "ns/token", 150, 100),
    Figure("build_disk", "build to disk, hashed and synced", "ns/token"),
    Figure("build_chunks", "build to disk, memory limit 8 bytes/token", "ns/token"),
    Figure("merge", "merge of two chunks", "ns/entry", 35, 20),
    Figure("shared", "LCPs of sorted positions", "ns/entry"),
    Figure("tables", "tables for lookups", "ns/entry"),
    Figure("append", "append 10 % of documents", "ns/new token"),
    Figure("single", "lookup, one by one", "µs", 1.3, 0.8),
    Figure("batch", "lookup, batch", "µs", 0.45, 0.25),
    Figure("stream", "lookup, stream", "µs", 0.5, 0.3),
    Figure("stream_own", "lookup, stream with its own context", "µs"),
    Figure("python", "lookup called from Python", "µs", 2.5, 1.5),
    Figure("python_batch", "lookup_batch of 4,096 called from Python", "µs"),
    Figure("python_stream", "MatchStream.advance called from Python", "µs"),
    Figure("held_out", "features of held-out text", "ns/token"),
    Figure("cold_reads", "lookup from cold disk, batch: pages read", "pages", 5, 3),
    Figure("cold", "lookup from cold disk, batch", "µs", 70, 70),
    Figure("cold_single", "lookup from cold disk, one by one", "µs"),
    Figure("cold_single_reads", "lookup from cold disk, one by one: pages read", "pages"),
    Figure("index_bytes", "index on disk", "bytes/token", 7.2, 6.1),
    Figure("feature_bytes", "features on disk, beside it", "bytes/token"),
    Figure("peak", "peak memory of a build, less an idle process", "bytes/token", 13, 9, 1e9),
    Figure("peak_anonymous", "of that, not backed by files", "bytes/token"),
)


class Results:
    """Values of figures, one for each time that they were measured.

    Args:
        n_tokens: Training tokens.
    """

    def __init__(self, n_tokens: int) -> None:
        self.n_tokens = n_tokens
        self._values: defaultdict[tuple[str, Cores], list[float]] = defaultdict(list)

    def add(self, values: Mapping[str, float], cores: Cores = "one") -> None:
        """Take in a value for each of some figures."""
        for key, value in values.items():
            self._values[key, cores].append(value)

    def median(self, key: str, cores: Cores = "one") -> float | None:
        """The median of a figure; None where it was not measured."""
        values = self._values.get((key, cores))
        return statistics.median(values) if values else None

    def spread(self, key: str, cores: Cores = "one") -> tuple[float, float]:
        """The least and the greatest value of a figure that was measured."""
        values = self._values[key, cores]
        return min(values), max(values)


def as_json(results: Results) -> dict[str, Any]:
    """All that was measured, by figure."""
    found = {}
    for figure in FIGURES:
        value = results.median(figure.key)
        if value is None:
            continue
        low, high = results.spread(figure.key)
        found[figure.key] = {
            **asdict(figure),
            "median": value,
            "least": low,
            "greatest": high,
            "all_cores": results.median(figure.key, "all"),
            "verdict": figure.verdict(value, results.n_tokens),
        }
    return found


def print_table(results: Results) -> None:
    """Medians of one core and of all, the spread of one core, and how they stand."""
    print(
        f"{'figure':50} {'unit':13} {'one core':>9} {'spread':>17} {'all cores':>9}"
        f" {'reach':>6} {'aim':>6}  verdict"
    )
    for figure in FIGURES:
        value = results.median(figure.key)
        if value is None:
            continue
        low, high = results.spread(figure.key)
        every = results.median(figure.key, "all")
        verdict = figure.verdict(value, results.n_tokens)
        print(
            f"{figure.label:50} {figure.unit:13} {_short(value):>9}"
            f" {f'{_short(low)} to {_short(high)}':>17} {_short(every):>9}"
            f" {_short(figure.reach):>6} {_short(figure.aim):>6}  {verdict}"
        )


def _short(value: float | None) -> str:
    """Three digits that count."""
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"

"""Reads tables of figures: which column is what, with what delimiter and in what units."""

from __future__ import annotations

import csv
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

from studio.runs.importing.curves import Collector, Curves, check_steps
from studio.runs.importing.lines import SERIES_NAMES
from studio.runs.importing.text import LINE_CHARS_MAX, TextLines
from trainer_core.errors import DataError

Role = Literal[
    "step", "tokens_seen", "elapsed_s", "loss", "val_loss", "val_bits", "lr", "grad_norm"
]
"""What a column is. A table without steps is counted by tokens or by rows."""
ROLES: Final[tuple[Role, ...]] = (
    "step",
    "loss",
    "val_loss",
    "val_bits",
    "tokens_seen",
    "elapsed_s",
    "lr",
    "grad_norm",
)
TimeUnit = Literal["s", "ms", "min", "h", "clock"]
"""`clock`: seconds since the epoch; the first row is 0 then."""
TIME_S: Final[dict[str, float]] = {"s": 1.0, "ms": 1e-3, "min": 60.0, "h": 3600.0, "clock": 1.0}
DELIMITERS: Final = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
_HEAD_ROWS: Final = 200
COLUMNS_MAX: Final = 2_000


@dataclass(frozen=True)
class TableLayout:
    """How a table is read.

    Attributes:
        delimiter: One character.
        names: Headings; `column 1` and so on where it has none.
        has_names: Whether its first row is headings.
        columns: Column of each role.
        time_unit: What the time counts.
        decimal_comma: Whether numbers are written as `3,14`.
    """

    delimiter: str
    names: tuple[str, ...]
    has_names: bool
    columns: dict[Role, int] = field(default_factory=dict)
    time_unit: TimeUnit = "s"
    decimal_comma: bool = False

    def with_column(self, role: Role, column: int | None) -> TableLayout:
        """The same, with another column for a role; None for none."""
        columns = {name: each for name, each in self.columns.items() if name != role}
        if column is not None:
            columns[role] = column
        return replace(self, columns=columns)


def guess_layout(path: Path, delimiter: str | None = None) -> TableLayout:
    """Look at the first rows of a table.

    Args:
        path: The file.
        delimiter: What tells columns apart; None finds it out.

    Raises:
        DataError: It is no table.
        KnownError: It cannot be read.
    """
    with TextLines(path) as text:
        head = [line for line in itertools.islice(text, _HEAD_ROWS) if _says_something(line)]
    if not head:
        raise DataError(
            f"{path.name} is empty.", safe="Nothing was kept of it.", do="Choose another file."
        )
    delimiter = delimiter or max(DELIMITERS.values(), key=lambda each: _evenness(head, each))
    rows = list(csv.reader(head, delimiter=delimiter))
    width = max(len(row) for row in rows)
    if width > COLUMNS_MAX:
        raise DataError(
            f"{path.name} has {width:,} columns.",
            safe="Nothing was kept of it.",
            do="Leave in only the columns with steps and losses.",
        )
    comma = delimiter != "," and _has_decimal_commas(rows)
    has_names = not any(math.isfinite(cell_number(cell, comma)) for cell in rows[0])
    given = [name.strip() for name in rows[0]] if has_names else []
    names = tuple(
        given[at] if at < len(given) and given[at] else f"column {at + 1}" for at in range(width)
    )
    layout = TableLayout(delimiter, names, has_names, decimal_comma=comma)
    guessed = _guess_columns(names) if has_names else _guess_unnamed(width)
    unit: TimeUnit = "s"
    if "elapsed_s" in guessed:
        unit = _guess_unit(names[guessed["elapsed_s"]], rows[-1], guessed["elapsed_s"], comma)
    return replace(layout, columns=guessed, time_unit=unit)


def first_rows(path: Path, layout: TableLayout, count: int) -> list[list[str]]:
    """The first rows below the headings, for people to look at.

    Raises:
        KnownError: It cannot be read.
    """
    with TextLines(path) as text:
        rows = _rows(text, layout)
        return [row[:COLUMNS_MAX] for row in itertools.islice(rows, count)]


def read_table(path: Path, layout: TableLayout, tokens_per_step: int | None = None) -> Curves:
    """Read a table.

    Args:
        path: The file.
        layout: How.
        tokens_per_step: Turns tokens into steps where it has no column of steps.

    Raises:
        DataError: There is no loss in it.
        KnownError: It cannot be read.
    """
    into = Collector()
    into.tokens_per_step = tokens_per_step
    count = skipped = 0
    started = math.nan
    with TextLines(path) as text:
        for number, row in enumerate(_rows(text, layout), 1):
            count += 1
            step = _step_of(row, number, layout, tokens_per_step)
            if step is None:
                skipped += 1
                continue
            for role, column in layout.columns.items():
                value = _cell(row, column, layout)
                if role == "step" or value is None:
                    continue
                if role == "elapsed_s":
                    value *= TIME_S[layout.time_unit]
                    if layout.time_unit == "clock":
                        started = value if math.isnan(started) else started
                        value -= started
                into.add(role, step, value)
        if text.damaged:
            into.notes.append(text.damaged)
    by_step = "step" in layout.columns or "tokens_seen" in layout.columns
    if not by_step:
        into.notes.append("It has no column of steps: each row counts as one.")
    curves = into.curves("Table", in_order=False, lines=count, skipped=skipped, one_based=False)
    check_steps(curves)
    return curves


def cell_number(text: str, decimal_comma: bool) -> float:
    """The number in a cell; NaN where it is none."""
    text = text.strip().strip("\"'")
    if decimal_comma:
        text = text.replace(".", "").replace(",", ".")
    try:
        return float(text.replace(",", "") if "," in text else text)
    except ValueError:
        return math.nan


# --- reading -------------------------------------------------------------------------------------


def _rows(text: TextLines, layout: TableLayout) -> Iterator[list[str]]:
    lines = (line for line in text if _says_something(line))
    if layout.has_names:
        next(lines, None)
    reader = csv.reader(lines, delimiter=layout.delimiter)
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error:
            continue  # a quotation mark that never ends: the next line stands for itself again


def _says_something(line: str) -> bool:
    bare = line.strip()
    return bool(bare) and not bare.startswith("#") and len(line) < LINE_CHARS_MAX


def _cell(row: list[str], column: int, layout: TableLayout) -> float | None:
    if column >= len(row) or not row[column].strip():
        return None
    value = cell_number(row[column], layout.decimal_comma)
    return None if math.isnan(value) else value


def _step_of(
    row: list[str], number: int, layout: TableLayout, tokens_per_step: int | None
) -> int | None:
    if "step" in layout.columns:
        value = _cell(row, layout.columns["step"], layout)
        return None if value is None or not 0 <= value < 2**62 else round(value)
    if "tokens_seen" in layout.columns and tokens_per_step:
        value = _cell(row, layout.columns["tokens_seen"], layout)
        return None if value is None or not 0 <= value < 2**62 else round(value / tokens_per_step)
    return number


# --- guessing ------------------------------------------------------------------------------------


def _evenness(lines: list[str], delimiter: str) -> float:
    """How much a delimiter looks like one: as often in every row, and often."""
    counts = [len(row) - 1 for row in csv.reader(lines[:50], delimiter=delimiter)]
    if not counts or not max(counts):
        return 0.0
    usual = max(set(counts), key=counts.count)
    return counts.count(usual) / len(counts) * (1 + min(usual, 50) / 1000) if usual else 0.0


def _has_decimal_commas(rows: list[list[str]]) -> bool:
    cells = [cell.strip() for row in rows[1:20] for cell in row]
    return any(cell.count(",") == 1 and "." not in cell and cell[-1:] != "," for cell in cells)


_STEP_WORDS: Final = ("step", "global_step", "iteration", "iter", "_step", "steps", "train/step")
_TIME_WORDS: Final = (
    "elapsed_s",
    "time",
    "elapsed",
    "seconds",
    "wall time",
    "wall_time",
    "relative time (process)",
    "_runtime",
    "train_time",
)


def _guess_columns(names: tuple[str, ...]) -> dict[Role, int]:
    """Columns by what their headings say; copies such as `__MIN` are left alone."""
    found: dict[Role, int] = {}
    bare = [name.lower().rpartition(" - ")[2].strip() for name in names]
    for at, name in enumerate(bare):
        if name.endswith(("__min", "__max")):
            continue
        role = _role_of(name)
        if role is not None:
            found.setdefault(role, at)
    if "loss" not in found and "val_loss" not in found and "value" in bare:
        found["loss"] = bare.index("value")  # what TensorBoard writes
    if "loss" not in found and "val_loss" not in found:
        for at, name in enumerate(bare):
            if "loss" in name and not name.endswith(("__min", "__max")):
                found["val_loss" if "val" in name or "test" in name else "loss"] = at
                break
    return found


def _role_of(name: str) -> Role | None:
    known = SERIES_NAMES.get(name.replace(" ", "_").replace("-", "_"))
    if name in _STEP_WORDS:
        return "step"
    if name.startswith(_TIME_WORDS):
        return "elapsed_s"
    return next((role for role in ROLES if role == known), None)


def _guess_unnamed(width: int) -> dict[Role, int]:
    return {"step": 0, "loss": 1} if width > 1 else {"loss": 0}


def _guess_unit(name: str, row: list[str], column: int, comma: bool) -> TimeUnit:
    low = name.lower()
    if "ms" in low.replace("_", " ").split() or "(ms)" in low:
        return "ms"
    if low.endswith(("(h)", "hours", "_h")):
        return "h"
    if low.endswith(("(min)", "minutes", "_min")):
        return "min"
    value = cell_number(row[column], comma) if column < len(row) else math.nan
    return "clock" if value > 1e9 else "s"

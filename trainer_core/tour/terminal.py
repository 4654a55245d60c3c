"""The tour in the terminal: bars while it runs, then the table, the sample and the places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from trainer_core.errors import ExitCode
from trainer_core.spec import TourSpec
from trainer_core.terminal import run_with_bars

HEAT = ((32, "black on dark_orange"), (16, "white on #8a4715"), (8, "white on #543218"))
"""The studio's heat colours for match lengths of this many tokens and more."""


def take_tour(folder: Path, spec: TourSpec) -> ExitCode:
    """Run the tour, or go on with it, and print what it found.

    Raises:
        KnownError: The tour could not start, or one of its jobs failed.
    """
    console = Console()
    console.print(
        "Hearth reads this computer's Python library, builds an index over it, and trains two small"
        " models: one plain, one that may look things up in the index."
    )
    code, status = run_with_bars(folder, spec, console)
    if status.state != "finished":
        console.print(f"The tour is {status.state}; the same command goes on with it.")
        return code
    _print_result(console, status.result)
    return code


def _print_result(console: Console, found: dict[str, Any]) -> None:
    plain, other = found["plain"], found["with_index"]
    table = Table(title=f"After {found['steps']:,} steps each", title_justify="left")
    for name in ("", "plain", "with index", "change"):
        table.add_column(name, justify="left" if not name else "right")
    for label, key, digits in (
        ("Validation loss", "loss", ".3f"),
        ("Bits per byte", "bits_per_byte", ".3f"),
        ("Parameters", "parameters", ",d"),
        ("Training, seconds", "train_s", ".1f"),
    ):
        a, b = plain[key], other[key]
        table.add_row(label, format(a, digits), format(b, digits), format(b - a, "+" + digits))
    console.print()
    console.print(table)
    console.print(_bucket_table(found["buckets"]))
    console.print(found["verdict"])
    console.print()
    console.print("What the index-backed model writes; coloured words stand in these files:")
    _print_sample(console, found["sample"])
    console.print()
    for name, path in found["places"].items():
        console.print(f"{name}: {path}", highlight=False, soft_wrap=True)
    console.print(f"The tour took {found['seconds']:.0f} s.")


def _bucket_table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="By the length of the longest match", title_justify="left")
    for name in ("match", "of tokens", "match alone right", "plain", "with index", "change"):
        table.add_column(name, justify="left" if name == "match" else "right")
    for row in rows:
        table.add_row(
            row["label"],
            f"{row['share']:.1%}",
            f"{row['hit_rate']:.1%}",
            f"{row['plain']:.3f}",
            f"{row['with_index']:.3f}",
            f"{row['with_index'] - row['plain']:+.3f}",
        )
    return table


def _print_sample(console: Console, pieces: list[dict[str, Any]]) -> None:
    text = Text()
    files: dict[str, int] = {}
    for piece in pieces:
        style = next((s for least, s in HEAT if piece["match_length"] >= least), "")
        text.append(piece["text"], style=style if piece["document"] else "")
        if piece["document"]:
            number = files.setdefault(piece["document"], len(files) + 1)
            text.append(f"[{number}]", style="dim")
    console.print(text)
    for name, number in files.items():
        console.print(f"  [{number}] {name}", style="dim", highlight=False, markup=False)

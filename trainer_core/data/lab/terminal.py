"""Tokenizers compared in the terminal: bars while it runs, then tables and a text in colours."""

from __future__ import annotations

import codecs
import sys
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from trainer_core.data.lab.report import REPORT_NAME, Candidate, Comparison, Sample
from trainer_core.errors import ExitCode
from trainer_core.spec import TokenizersSpec
from trainer_core.terminal import run_with_bars

SCRIPTS_SHOWN = 8
CHARACTERS_SHOWN = 280
NAME_CHARACTERS = 16
_PLAIN: dict[str, Any] = {"title_justify": "left", "box": None, "padding": (0, 2, 0, 0)}
_COLOURS = ("on grey23", "on dark_blue", "on dark_green", "on purple4", "on dark_goldenrod")


def compare(folder: Path, spec: TokenizersSpec, *, as_json: bool = False) -> ExitCode:
    """Compare tokenizers and print how they do.

    Raises:
        KnownError: The job could not start, or failed.
    """
    console = Console(stderr=as_json)
    code, status = run_with_bars(folder, spec, console)
    if status.state != "finished":
        console.print(f"The comparison is {status.state}; the same command begins again.")
        return code
    data = (folder / REPORT_NAME).read_bytes()
    if as_json:
        sys.stdout.write(data.decode() + "\n")
    else:
        _show(console, folder, msgspec.json.decode(data, type=Comparison))
    return code


def _show(console: Console, folder: Path, found: Comparison) -> None:
    console.print()
    console.print(_figures(found))
    console.print(
        f"Measured on {found.bytes / 1e6:,.1f} MB of {found.documents:,} documents; own ones"
        f" learned from {found.learn_bytes / 1e6:,.1f} MB of other text.",
        highlight=False,
    )
    tried = [one for one in found.candidates if not one.error]
    names = [script.name for script in tried[0].scripts[:SCRIPTS_SHOWN]]
    if len(names) > 2:
        console.print()
        console.print(_scripts(found, names))
    for number, one in enumerate(found.candidates, 1):
        if one.samples:
            console.print()
            console.print(f"{number} {one.name}", style="bold", highlight=False)
            console.print(coloured(one.samples[0]))
    console.print(f"\nThe tokenizers are in {folder.resolve()}", highlight=False, soft_wrap=True)


def _figures(found: Comparison) -> Table:
    table = Table(title="Tokenizers", **_PLAIN)
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("", min_width=NAME_CHARACTERS)
    names = ("tokens", "bytes/\ntoken", "tokens/\nword", "unused", "learned", "MB/s", "lost")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for number, one in enumerate(found.candidates, 1):
        cells = ["-"] * len(names) if one.error else _row(one, found.bytes)
        table.add_row(str(number), one.name, *cells)
    return table


def _row(one: Candidate, n_bytes: int) -> list[str]:
    return [
        f"{one.vocab_size:,}",
        f"{one.bytes_per_token:.2f}",
        f"{one.tokens_per_word:.2f}",
        f"{one.unused:,}",
        "" if one.learn_s is None else f"{one.learn_s:.1f} s",
        f"{n_bytes / 1e6 / max(one.encode_s, 1e-6):,.0f}",
        f"{one.lossy_share:.1%}" if one.lossy_share else "",
    ]


def _scripts(found: Comparison, names: list[str]) -> Table:
    """Bytes per token of some scripts."""
    table = Table(title="Bytes per token, by script", **_PLAIN)
    table.add_column("", no_wrap=True)
    for number in range(1, len(found.candidates) + 1):
        table.add_column(str(number), justify="right")
    ratios = [
        {script.name: script.bytes / script.tokens for script in one.scripts}
        for one in found.candidates
    ]
    for name in names:
        table.add_row(name, *(f"{one[name]:.2f}" if name in one else "" for one in ratios))
    return table


def coloured(sample: Sample) -> Text:
    """The beginning of a text, each token in another colour than the one before."""
    text = Text()
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for number, piece in enumerate(sample.pieces):
        shown = decoder.decode(piece.data).replace("\n", "↵\n").replace("\t", "→")
        text.append(shown, style=_COLOURS[number % len(_COLOURS)])
        if len(text) >= CHARACTERS_SHOWN:
            return text.append(" …")
    return text

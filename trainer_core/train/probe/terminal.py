"""A probe in the terminal: how far it is, then its table."""

from __future__ import annotations

from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from trainer_core.errors import ExitCode
from trainer_core.probe_table import ProbeRow, ProbeTable, read_table
from trainer_core.spec import ProbeSpec
from trainer_core.terminal import run_with_bars


def tell(folder: Path, spec: ProbeSpec, *, as_json: bool) -> ExitCode:
    """Probe, and print what was measured; a probe that is stopped prints what it has.

    Raises:
        KnownError: The settings cannot work, or nothing fits this computer.
    """
    code, _ = run_with_bars(folder, spec, Console(stderr=True))
    table = read_table(folder)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(table), indent=1).decode())
    else:
        show(Console(highlight=False), table)
    return code


def show(console: Console, table: ProbeTable) -> None:
    """Print a table for people."""
    console.print(f"{table.device}; {table.parameters:,} parameters")
    shown = Table("", "at once", "how", "tokens/s", "ms a step", "memory", box=None)
    for number, row in enumerate(table.rows):
        chosen = "→" if number == table.recommended else ""
        shown.add_row(chosen, f"{row.batch_size:,}", str(row.variant), *_figures(row))
    console.print(shown)
    if table.checkpoint is not None:
        kept = table.checkpoint
        console.print(
            f"Validation: {table.validation_tokens_per_s:,.0f} tokens/s. A checkpoint:"
            f" {kept.size_bytes / 1e6:,.1f} MB in {kept.seconds:.2f} s, of which the training"
            f" waits {kept.blocked_s:.2f} s."
        )
    if table.reason:
        console.print(f"Best: {table.reason}")


def _figures(row: ProbeRow) -> tuple[str, str, str]:
    if not row.ok:
        return "", row.why, ""
    compiled = f", after {row.compile_s:,.0f} s" if row.compile_s else ""
    step = f"{row.step_ms:,.1f} ({row.step_ms_low:,.1f} to {row.step_ms_high:,.1f}){compiled}"
    return f"{row.tokens_per_s:,.0f}", step, f"{row.peak_memory_bytes / 1e6:,.0f} MB"

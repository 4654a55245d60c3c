"""A preview in the terminal: what was found, what is left out, and the first documents."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import msgspec
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from trainer_core.data.manifest import NearReport, SkippedGroup, StepReport
from trainer_core.data.preview.report import REPORT_NAME, Preview, ShownDocument, SourcePreview
from trainer_core.errors import ExitCode, KnownError
from trainer_core.spec import PreviewSpec
from trainer_core.terminal import run_with_bars

LINES_SHOWN = 6
CHARACTERS_SHOWN = 480
PATHS_SHOWN = 3
_STEPS = {
    "repair_unicode": "Unicode repaired",
    "normalise": "brought into a Unicode form",
    "whitespace": "white space tidied",
    "length": "too short or too long",
    "hook": "your own step",
    "exclude": "left out by hand",
}


def look(spec: PreviewSpec, *, as_json: bool = False) -> ExitCode:
    """Read the beginning of some texts and print what is there; nothing is kept.

    Raises:
        KnownError: A source cannot be read; what the others hold is printed before.
    """
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="hearth-preview-") as folder:
        job = Path(folder) / "job"
        try:
            code, _ = run_with_bars(job, spec, Console(stderr=True))
        except KnownError:
            _print(console, job / REPORT_NAME, as_json=as_json)
            raise
        _print(console, job / REPORT_NAME, as_json=as_json)
    return code


def _print(console: Console, path: Path, *, as_json: bool) -> None:
    if not path.exists():  # it was stopped, or failed before anything was read
        return
    data = path.read_bytes()
    if as_json:
        sys.stdout.write(data.decode() + "\n")
        return
    found = msgspec.json.decode(data, type=Preview)
    for source in found.sources:
        if source.failed is None:
            _print_source(console, source)
    if found.near_duplicates is not None:
        _print_near(console, found.near_duplicates)


def _print_source(console: Console, source: SourcePreview) -> None:
    console.print(Text(f"{source.name}: {source.description}", "bold"), soft_wrap=True)
    for document in source.documents:
        _print_document(console, document)
    console.print(_amount(source))
    if source.field:
        others = ", ".join(name for name in source.fields if name != source.field)
        more = f" (others: {others})" if others else ""
        console.print(Text(f"The text is in the field {source.field}{more}."))
    for group in source.skipped:
        _print_skipped(console, group)
    for step in source.steps:
        _print_step(console, step)
    console.print()


def _print_document(console: Console, document: ShownDocument) -> None:
    console.print(Text(f"\n  {document.title}, {document.bytes:,} bytes", "cyan"), soft_wrap=True)
    lines = document.text[:CHARACTERS_SHOWN].splitlines()[:LINES_SHOWN]
    shown = "\n".join(lines) + (" …" if len(document.text) > len("\n".join(lines)) + 1 else "")
    console.print(Padding(Text(shown, "dim"), (0, 4)))


def _amount(source: SourcePreview) -> Text:
    words = f"\n{source.documents_read:,} documents, {source.bytes_read / 1e6:,.1f} MB of text read"
    if source.bytes_total is not None and source.bytes_total > source.bytes_read:
        words += f", of about {source.documents_total:,} and {source.bytes_total / 1e6:,.1f} MB"
    return Text(f"{words}.")


def _print_skipped(console: Console, group: SkippedGroup) -> None:
    console.print(Text(f"Left out {group.count:,}: {group.meaning}"))
    for path in group.examples[:PATHS_SHOWN]:
        console.print(Text(f"    {path}", "dim"), soft_wrap=True)


def _print_step(console: Console, step: StepReport) -> None:
    words = f"{_STEPS.get(step.step, step.step)}: {step.changed:,} changed"
    if step.left_out:
        words += f", {step.left_out:,} left out"
    if less := step.bytes_before - step.bytes_after:
        words += f", {abs(less):,} bytes {'fewer' if less > 0 else 'more'}"
    console.print(Text(words[:1].upper() + words[1:]))
    for example in step.examples[:1]:
        if example.after:
            console.print(Text(f"    before {example.before!r}", "dim"), soft_wrap=True)
            console.print(Text(f"    after  {example.after!r}", "dim"), soft_wrap=True)


def _print_near(console: Console, near: NearReport) -> None:
    console.print(
        Text(
            f"{near.documents:,} documents are nearly equal to one of {near.kinds:,} earlier ones."
        )
    )
    for pair in near.pairs[:PATHS_SHOWN]:
        console.print(Text(f"    {pair.similarity:.0%}  {pair.later}", "dim"), soft_wrap=True)
        console.print(Text(f"    like {pair.first}", "dim"), soft_wrap=True)

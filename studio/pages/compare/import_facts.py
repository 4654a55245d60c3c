"""What a person says of a log that is to be imported, and what is wrong with it. Free of Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from studio.charts.lines import Doubles, Line, Timeline
from studio.pages.compare.loading import corpus_mark
from studio.pages.typed import parse, parse_count
from studio.runs.facts import facts_of
from studio.runs.importing.curves import Curves, Series
from studio.runs.importing.keep import write_reference
from studio.runs.importing.reference import Reference
from studio.runs.importing.sources import Source
from studio.runs.importing.table import ROLES, Role
from studio.runs.whole import read_whole
from studio.storage.library import Library
from studio.storage.rows import RunFacts, RunRow
from studio.storage.slugs import make_folder
from studio.widgets import figures

ROLE_WORDS: Final[dict[str, str]] = {
    "step": "Step",
    "loss": "Training loss",
    "val_loss": "Validation loss",
    "val_bits": "Bits per byte",
    "tokens_seen": "Tokens so far",
    "elapsed_s": "Time",
    "lr": "Learning rate",
    "grad_norm": "Gradient norm",
}
SERIES: Final[tuple[Series, ...]] = ("loss", "val_loss", "val_bits", "lr", "grad_norm")
UNKNOWN: Final = "unknown"
NAMED: Final = "named"


@dataclass(frozen=True)
class KnownTokenizer:
    """A tokenizer of one's own datasets."""

    fingerprint: str
    label: str


@dataclass(frozen=True)
class Answers:
    """What stands in the form; texts as they were typed.

    Attributes:
        tokenizer: `unknown`, `named`, or the fingerprint of a known one.
    """

    name: str = ""
    tokens_per_step: str = ""
    parameters: str = ""
    tokenizer: str = UNKNOWN
    tokenizer_name: str = ""
    bytes_per_token: str = ""
    losses: Literal["nats", "bits"] = "nats"


@dataclass(frozen=True)
class Checked:
    """The answers as values, or what is wrong with each, by its name."""

    tokens_per_step: int | None = None
    parameters: int | None = None
    bytes_per_token: float | None = None
    errors: dict[str, str] = field(default_factory=dict)


def first_answers(source: Source) -> Answers:
    """What the form says at first."""
    curves = source.curves
    name = source.path.name
    for ending in (".gz", ".log", ".txt", ".csv", ".tsv", ".out", ".jsonl"):
        name = name.removesuffix(ending)
    if source.kind == "events":
        name = source.path.parent.name if source.path.is_file() else source.path.name
    answers = Answers(name=name[:80] or "Imported")
    if curves is None:
        return answers
    per_step, size = curves.tokens_per_step, curves.parameters
    return replace(
        answers,
        tokens_per_step=f"{per_step:,}" if per_step else "",
        parameters=f"{size:,}" if size else "",
    )


def check(answers: Answers) -> Checked:
    """The answers as values."""
    errors: dict[str, str] = {}

    def count(name: str, text: str, most: float) -> int | None:
        if not text.strip():
            return None
        value = parse_count(text)
        if value is None or not 1 <= value <= most:
            errors[name] = f"A whole number from 1 to {figures.count(most)}, such as 98,304 or 124M"
            return None
        return round(value)

    if not answers.name.strip():
        errors["name"] = "Give it a name"
    tokens = count("tokens_per_step", answers.tokens_per_step, 1e10)
    parameters = count("parameters", answers.parameters, 1e14)
    bytes_per_token: float | None = None
    if answers.bytes_per_token.strip():
        typed = parse(answers.bytes_per_token)
        if isinstance(typed, str) or not 0.1 <= typed <= 100:
            errors["bytes_per_token"] = "A number from 0.1 to 100, such as 4.4"
        else:
            bytes_per_token = float(typed)
    if answers.tokenizer == NAMED and not answers.tokenizer_name.strip():
        errors["tokenizer_name"] = "Say which, such as GPT-2"
    return Checked(tokens, parameters, bytes_per_token, errors)


def with_answers(reference: Reference, answers: Answers, checked: Checked) -> Reference:
    """A reference with what a person said."""
    changes: dict[str, Any] = {
        "tokens_per_step": checked.tokens_per_step,
        "parameters": checked.parameters,
        "bytes_per_token": checked.bytes_per_token,
        "losses": answers.losses,
    }
    if answers.tokenizer == NAMED:
        changes["tokenizer_name"] = answers.tokenizer_name.strip()
    elif answers.tokenizer != UNKNOWN:
        changes["tokenizer"] = answers.tokenizer
    return msgspec.structs.replace(reference, **changes)


def summary(curves: Curves) -> list[str]:
    """What was found, in sentences."""
    losses, held_out = curves.points("loss"), curves.points("val_loss")
    if not len(held_out):
        held_out = curves.points("val_bits")
    parts = []
    if len(losses):
        first, last = losses.values[0], losses.values[-1]
        words = figures.plural(len(losses), "training loss", "training losses")
        parts.append(f"{words}, {figures.loss(first)} to {figures.loss(last)}")
    if len(held_out):
        words = figures.plural(len(held_out), "validation")
        parts.append(f"{words}, the last {figures.loss(held_out.values[-1])}")
    parts.append(f"up to step {curves.last_step:,}")
    if len(curves.points("elapsed_s")):
        parts.append(figures.duration(curves.points("elapsed_s").values[-1]))
    sentences = [", ".join(parts) + "."]
    if curves.skipped:
        sentences.append(
            f"{curves.skipped:,} of {curves.lines:,} lines told nothing that Hearth shows."
        )
    return [*sentences, *curves.notes]


def preview_lines(curves: Curves) -> list[tuple[Line, str, str, int]]:
    """Lines for the preview: each with its palette colour, name and smoothing."""
    made = []
    wanted: tuple[tuple[Series, str, str], ...] = (
        ("loss", "s1", "training"),
        ("val_loss", "s2", "validation"),
    )
    for name, colour, word in wanted:
        points = curves.points(name)
        if not len(points):
            continue
        timeline = Timeline()
        steps: Doubles = points.steps.astype("float64")
        timeline.update(steps, steps, steps)
        line = Line(timeline)
        line.append(points.values)
        smooth = max(1, len(points) // 200) if name == "loss" else 0
        made.append((line, colour, word, smooth))
    return made


def roles_of(source: Source) -> tuple[str, ...]:
    """What can be chosen for a table or event files."""
    return tuple(ROLES) if source.kind == "table" else SERIES


def is_role(name: str) -> Role | None:
    """The name as a role of a table."""
    return next((role for role in ROLES if role == name), None)


def known_tokenizers(library: Library) -> list[KnownTokenizer]:
    """The tokenizers of one's own data, each once."""
    found: dict[str, KnownTokenizer] = {}
    for row in library.datasets():
        folder = row.corpus_folder
        mark = corpus_mark(folder).tokenizer_fingerprint
        if mark != str(folder):
            found.setdefault(mark, KnownTokenizer(mark, f"That of {row.name}: {row.tokenizer}"))
    return list(found.values())


def keep_reference(
    library: Library, project_id: int, name: str, curves: Curves, reference: Reference
) -> RunRow:
    """Write the folder, then tell the library of it.

    Raises:
        KnownError: There is no room, or the library cannot be written.
    """
    project = library.project(project_id)
    folder = make_folder(library.home / "runs", name, "reference")
    write_reference(folder, curves, reference)
    row = library.add_run(project.id, name, folder=folder, kind="reference")
    library.remember_run(row.id, facts_of_folder(folder))
    return row


def facts_of_folder(folder: Path) -> RunFacts:
    """What the lists show of a reference."""
    return facts_of(read_whole(folder))


def first_project(rows: Sequence[tuple[int, str]], wanted: int | None) -> int:
    """Which entry of a list of projects is chosen at first."""
    return next((at for at, (row_id, _) in enumerate(rows) if row_id == wanted), 0)

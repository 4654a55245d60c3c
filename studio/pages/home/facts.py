"""What Home shows, worked out from rows and live jobs. Knows nothing of Qt."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from studio.palette import RoleName
from studio.runs.facts import facts_of
from studio.runs.model import JobModel
from studio.storage.rows import DatasetRow, ProjectRow, RunFacts, RunRow
from studio.widgets import figures
from studio.widgets.cells import Cell, Row
from studio.widgets.pill import PillLook, look_for

Sorting = Literal["used", "name", "loss"]
Models = Callable[[RunRow], JobModel | None]

BUSY = frozenset({"starting", "running", "compiling", "validating", "saving", "waiting"})
RESUMABLE = frozenset({"paused", "stopped", "failed", "killed", "unborn"})
_BAR_ROLES: dict[str, RoleName] = {
    "finished": "ok",
    "paused": "warn",
    "failed": "danger",
    "killed": "danger",
    "stopped": "neutral",
}


@dataclass(frozen=True)
class Shelf:
    """What the library holds, read in one go on the database thread."""

    projects: tuple[ProjectRow, ...]
    runs: tuple[RunRow, ...]
    """All of them, archived ones too, newest first."""
    datasets: tuple[DatasetRow, ...]
    trashed: int = 0
    """How many things lie in the trash."""


@dataclass(frozen=True)
class ProjectSummary:
    """A project as its card shows it."""

    project: ProjectRow
    runs: tuple[RunRow, ...]
    """Those that are not archived, newest first."""
    subtitle: str
    shown: RunRow | None
    """The run that speaks for the project: one at work, else the newest that has begun."""
    best_loss: float | None
    bits_per_byte: float | None
    finish_s: float | None
    """When the run at work will be done, seconds since the epoch."""
    archived: bool


def with_live_facts(run: RunRow, model: JobModel | None) -> RunRow:
    """The run with what its job says now, where it is followed; `unborn` before its first start."""
    if model is None or not model.caught_up or model.state == "unborn":
        never_began = run.facts.state == "starting" and run.facts.started_s is None
        return replace(run, facts=replace(run.facts, state="unborn")) if never_began else run
    return replace(run, facts=facts_of(model))


def state_look(facts: RunFacts) -> PillLook:
    """The pill of a run; a full disk is told from other failures, since it is easily mended."""
    if facts.state == "failed" and facts.problem.startswith("The disk is full"):
        return look_for("disk_full")
    return look_for(facts.state)


def bar_role(state: str) -> RoleName:
    """The colour of a run's progress."""
    return _BAR_ROLES.get(state, "accent")


# --- projects ------------------------------------------------------------------------------------


def summarise(shelf: Shelf, models: Models, sorting: Sorting) -> list[ProjectSummary]:
    """A card for each project, in the order asked for."""
    datasets = {row.id: row for row in shelf.datasets}
    runs: dict[int, list[RunRow]] = {}
    for run in shelf.runs:
        runs.setdefault(run.project_id, []).append(run)
    made = [
        _summary(project, runs.get(project.id, ()), datasets, models) for project in shelf.projects
    ]
    if sorting == "name":
        made.sort(key=lambda each: each.project.name.casefold())
    elif sorting == "loss":
        made.sort(key=lambda each: math.inf if each.best_loss is None else each.best_loss)
    return made


def _summary(
    project: ProjectRow,
    own: Sequence[RunRow],
    datasets: dict[int, DatasetRow],
    models: Models,
) -> ProjectSummary:
    visible = tuple(run for run in own if not run.archived)
    trained = [run for run in visible if run.kind == "train"]
    # Those that only wait for their turn are newer than the one that trains, and tell nothing yet.
    begun = [run for run in trained if run.facts.started_s is not None]
    busy = [run for run in begun if run.facts.state in BUSY]
    shown = next(iter(busy or begun or trained or visible), None)
    measured = [run for run in trained or visible if run.facts.best_loss is not None]
    best = min(measured, key=lambda run: run.facts.best_loss or math.inf, default=None)
    model = models(shown) if shown is not None else None
    pace = model.pace if model is not None and model.alive else None
    dataset = datasets.get(shown.dataset_id) if shown and shown.dataset_id is not None else None
    return ProjectSummary(
        project=project,
        runs=visible,
        subtitle=_subtitle(visible, dataset),
        shown=shown,
        best_loss=best.facts.best_loss if best else None,
        bits_per_byte=best.facts.bits_per_byte if best else None,
        finish_s=pace.finish_s(time.time()) if pace is not None else None,
        archived=bool(own) and not visible,
    )


def _subtitle(runs: Sequence[RunRow], dataset: DatasetRow | None) -> str:
    if not runs:
        return "no runs yet"
    parts = [figures.plural(len(runs), "run")]
    if dataset is not None:
        parts += [dataset.name, tokenizer_words(dataset.tokenizer)]
        parts += ["private"] if dataset.private else []
    return ", ".join(part for part in parts if part)


def tokenizer_words(label: str) -> str:
    """A tokenizer in words: `own, 32,768` is an own 32k tokenizer."""
    kind, _, size = label.partition(",")
    digits = size.replace(",", "").strip()
    if kind == "own" and digits.isdigit():
        n = int(digits)
        return f"own {round(n / 1024) if n >= 1024 else n}{'k' if n >= 1024 else ''} tokenizer"
    return {"GPT-2": "GPT-2 tokens", "bytes": "bytes"}.get(kind, label)


# --- recent runs ---------------------------------------------------------------------------------


def run_row(run: RunRow, project: str) -> Row:
    """A run as a row of the table."""
    facts = run.facts
    share = facts.share_done
    look = look_for("reference") if run.kind == "reference" else state_look(facts)
    return Row(
        run.id,
        {
            "run": run.name,
            "project": project,
            "state": Cell(pill=look, tooltip=facts.problem),
            "progress": Cell(
                figures.percent(share) if facts.total_steps else figures.MISSING,
                sort=share,
                share=share,
                bar_role=bar_role(facts.state),
                tooltip=f"step {facts.step:,} of {facts.total_steps:,}",
            ),
            "val_loss": figure(figures.loss(facts.val_loss), facts.val_loss, 6),
            "bits": figure(figures.loss(facts.bits_per_byte), facts.bits_per_byte, 6),
            "tokens": figure(figures.count(facts.tokens_seen), facts.tokens_seen, 0),
            "speed": figure(figures.count(facts.tokens_per_s), facts.tokens_per_s, 0),
            "time": figure(figures.duration(facts.elapsed_s), facts.elapsed_s or None, 1),
            "started": Cell(
                figures.started(facts.started_s or run.created_s),
                sort=facts.started_s or run.created_s,
            ),
        },
    )


def figure(text: str, value: float | None, digits: int) -> Cell:
    """A figure with its exact number as tooltip."""
    if value is None or not math.isfinite(value):
        return Cell(figures.MISSING, sort=math.nan, tooltip="not measured yet")
    return Cell(text, sort=value, tooltip=f"{value:,.{digits}f}")

"""Finds the jobs that lie under the home, so that a lost database can be made anew."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.storage.rows import RunKind
from studio.storage.tokenizer_labels import tokenizer_label
from trainer_core import spec
from trainer_core.errors import KnownError, from_os_error
from trainer_core.status import CHECKPOINTS_FOLDER


@dataclass(frozen=True)
class RebuildReport:
    """How many rows were registered anew."""

    datasets: int
    runs: int


@dataclass(frozen=True)
class FoundDataset:
    """A prepare job, and the index job over its corpus where there is one."""

    name: str
    tokenizer: str
    folder: Path
    index_folder: Path | None


@dataclass(frozen=True)
class FoundRun:
    """A train job, or curves of another program."""

    name: str
    folder: Path
    corpus: Path
    kind: RunKind = "train"
    parent: Path | None = None
    """Job folder of the run whose weights it began with."""


@dataclass(frozen=True)
class SalvagedRun:
    """What a damaged database still told of a run."""

    name: str
    project: str
    archived: bool = False
    starred: bool = False
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Salvaged:
    """What a damaged database still told, by folder as it was stored."""

    runs: dict[str, SalvagedRun] = field(default_factory=dict)
    datasets: dict[str, str] = field(default_factory=dict)


def _jobs(parent: Path) -> Iterator[tuple[Path, spec.Section]]:
    """Job folders one or two levels under a folder, with their specs; broken ones are left out."""
    for path in sorted([*parent.glob("*/spec.toml"), *parent.glob("*/*/spec.toml")]):
        try:
            yield path.parent, spec.load(path)
        except KnownError:
            continue  # a spec that cannot be read cannot be registered; the folder stays as it is


def find_datasets(home: Path) -> list[FoundDataset]:
    """Prepare jobs under `data/`, `tour/` and `rules/`, oldest name first."""
    indexes: dict[Path, Path] = {}
    for parent in ("indexes", "tour"):
        for folder, found in _jobs(home / parent):
            if isinstance(found, spec.IndexSpec):
                indexes.setdefault(Path(found.corpus), folder)
    datasets = []
    for parent in ("data", "tour", "rules"):
        for folder, found in _jobs(home / parent):
            if isinstance(found, spec.PrepareSpec):
                datasets.append(
                    FoundDataset(
                        name=found.name if found.name != "corpus" else folder.name,
                        tokenizer=tokenizer_label(found.tokenizer),
                        folder=folder,
                        index_folder=indexes.pop(folder / "corpus", None),
                    )
                )
    return datasets


def find_runs(home: Path) -> list[FoundRun]:
    """Train jobs under `runs/`, `tour/` and `rules/`, and imported curves under `runs/`."""
    trained = [
        FoundRun(
            name=folder.name,
            folder=folder,
            corpus=Path(found.corpus),
            parent=run_of_checkpoint(found.continue_from),
        )
        for parent in ("runs", "tour", "rules")
        for folder, found in _jobs(home / parent)
        if isinstance(found, spec.TrainSpec)
    ]
    imported = [
        FoundRun(path.parent.name, path.parent, Path(), "reference")
        for path in sorted((home / "runs").glob("*/reference.json"))
    ]
    return trained + imported


def run_of_checkpoint(continue_from: str) -> Path | None:
    """The job folder that `TrainSpec.continue_from` names, itself or by one of its checkpoints."""
    if not continue_from:
        return None
    path = Path(continue_from)
    return path.parent.parent if path.parent.name == CHECKPOINTS_FOLDER else path


def salvage(damaged: Path) -> Salvaged:
    """Read what can still be read of a damaged database; never raises."""
    runs: dict[str, SalvagedRun] = {}
    query = (
        "SELECT run.folder, run.name, project.name, run.archived, run.starred, run.tags"
        " FROM run JOIN project ON project.id = run.project_id ORDER BY run.id"
    )
    for folder, name, project, archived, starred, tags in _rows(damaged, query):
        if not (isinstance(folder, str) and _is_name(name) and _is_name(project)):
            continue
        runs[folder] = SalvagedRun(name, project, bool(archived), bool(starred), _tags(tags))
    found = _rows(damaged, "SELECT folder, name FROM dataset ORDER BY id")
    return Salvaged(runs, {str(folder): name for folder, name in found if _is_name(name)})


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()


def _tags(stored: object) -> tuple[str, ...]:
    with contextlib.suppress(ValueError, TypeError):
        listed = json.loads(str(stored))
        return tuple(tag for tag in listed if isinstance(tag, str) and _is_name(tag))
    return ()


def _rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    """Rows from the front until the damage, and from the back until it."""
    rows: list[tuple[Any, ...]] = []
    for order in ("", " DESC"):
        try:
            uri = f"{path.as_uri()}?mode=ro&immutable=1"
            with contextlib.closing(sqlite3.connect(uri, uri=True)) as opened:
                for row in opened.execute(query + order):
                    rows.append(row)
        except sqlite3.Error:
            continue
    return rows


def set_aside(path: Path) -> Path | None:
    """Rename a database that cannot be used, with its rollback journal.

    Returns:
        The new name, or None when there was no database.

    Raises:
        KnownError: It cannot be renamed.
    """
    if not path.exists():
        return None
    kept = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
    try:
        path.replace(kept)
        journal = path.with_name(path.name + "-journal")
        if journal.exists():
            journal.replace(kept.with_name(kept.name + "-journal"))
    except OSError as error:
        raise from_os_error(error, f"setting {path.name} aside") from error
    return kept

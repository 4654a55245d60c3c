"""Finds the jobs that lie under the home, so that a lost database can be made anew."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from studio.storage.tokenizer_labels import tokenizer_label
from trainer_core import spec
from trainer_core.errors import KnownError, from_os_error


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
    """A train job."""

    name: str
    folder: Path
    corpus: Path


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
    """Train jobs under `runs/`, `tour/` and `rules/`."""
    return [
        FoundRun(name=folder.name, folder=folder, corpus=Path(found.corpus))
        for parent in ("runs", "tour", "rules")
        for folder, found in _jobs(home / parent)
        if isinstance(found, spec.TrainSpec)
    ]


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

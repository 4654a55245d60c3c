"""What the details of a run show besides the list: origin, checkpoints, other settings. Qt-free."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.pages.compare.settings import flat_settings
from studio.pages.runs.entries import Entry
from studio.runs.checkpoint_files import CheckpointFile, checkpoint_files
from studio.runs.lineage import origin_of
from studio.runs.parts import spec_in
from studio.storage.rows import NoteRow
from trainer_core.errors import KnownError
from trainer_core.spec import TrainSpec


@dataclass(frozen=True)
class Relative:
    """A run in the tree of those that went on from one another."""

    run_id: int
    name: str
    depth: int
    """0 for the first ancestor."""
    step: int | None
    """Step of the run above that it began with."""
    is_here: bool
    """Whether it is the run that the details are of."""


@dataclass(frozen=True)
class RunFiles:
    """What the disk and the library say of a run."""

    notes: tuple[NoteRow, ...] = ()
    checkpoints: tuple[CheckpointFile, ...] = ()
    steps: dict[int, int | None] | None = None
    """Step of its parent that each run of the tree began with, by the run's id."""
    problem: str = ""
    """Why the checkpoints cannot be told."""


def relatives(entry: Entry, entries: Iterable[Entry]) -> list[Relative]:
    """The run, those that it comes from, and all that come from these, as an indented tree."""
    runs = {each.run.id: each.run for each in entries}
    top = entry.run.id
    seen = {top}
    while (above := runs[top].parent_id) in runs and above not in seen and above is not None:
        top = above
        seen.add(top)
    children: dict[int, list[int]] = {}
    for run in sorted(runs.values(), key=lambda each: each.created_s):
        if run.parent_id is not None:
            children.setdefault(run.parent_id, []).append(run.id)
    found: list[Relative] = []

    def walk(run_id: int, depth: int) -> None:
        run = runs[run_id]
        found.append(Relative(run_id, run.name, depth, None, run_id == entry.run.id))
        for child in children.get(run_id, ()):
            walk(child, depth + 1)

    walk(top, 0)
    return found if len(found) > 1 else []


def read_files(
    folder: Path, tree: Sequence[tuple[int, Path]], notes: Sequence[NoteRow]
) -> RunFiles:
    """Look at a run's folder; slow where there are many checkpoints.

    Args:
        folder: Of the run.
        tree: Ids and folders of the runs in its tree.
        notes: Its notes.
    """
    steps: dict[int, int | None] = {}
    for run_id, each in tree:
        origin = origin_of(each)
        steps[run_id] = None if origin is None else origin.step
    try:
        found, problem = tuple(checkpoint_files(folder)), ""
    except KnownError as error:
        found, problem = (), error.what
    return RunFiles(tuple(notes), found, steps, problem)


def differing_settings(folder: Path, other: Path) -> list[tuple[str, str, str]] | None:
    """Every setting that two runs do not share: its path, here, and there.

    None where one of them has no settings that can be read, as imported curves have none.
    """
    here, there = spec_in(folder), spec_in(other)
    if not isinstance(here, TrainSpec) or not isinstance(there, TrainSpec):
        return None
    mine, theirs = flat_settings(here), flat_settings(there)
    return [
        (path, mine.get(path, "–") or "–", theirs.get(path, "–") or "–")
        for path in sorted(mine.keys() | theirs.keys())
        if mine.get(path, "") != theirs.get(path, "")
    ]

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
from trainer_core.spec import CheckpointConfig, TrainSpec
from trainer_core.status import JobStatus, read_status


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
    rule: str = ""
    """Which checkpoints stay, in a sentence."""
    past: str = ""
    """Its sessions and ways back, in a sentence; empty for a run without interruption."""


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
    spec = spec_in(folder)
    rule = rule_words(spec.checkpoint) if isinstance(spec, TrainSpec) else ""
    try:
        found, problem = tuple(checkpoint_files(folder)), ""
        past = past_words(read_status(folder))
    except KnownError as error:
        found, problem, past = (), error.what, ""
    return RunFiles(tuple(notes), found, steps, problem, rule, past)


def rule_words(config: CheckpointConfig) -> str:
    """Which checkpoints a training keeps.

    >>> rule_words(CheckpointConfig(every_steps=100, keep=2, keep_best=3, keep_every=1000))
    'One every 100 steps. The newest 2 stay, the best 3, and one every 1,000 steps.'
    """
    kept = [f"the newest {config.keep:,} stay" if config.keep > 1 else "the newest stays"]
    if config.keep_best:
        kept.append(f"the best {config.keep_best:,}" if config.keep_best > 1 else "the best one")
    if config.keep_every:
        kept.append(f"one every {config.keep_every:,} steps")
    words = kept[0] if len(kept) == 1 else f"{', '.join(kept[:-1])}, and {kept[-1]}"
    words = words[:1].upper() + words[1:]
    weights = ""
    if config.resumable:
        weights = f" All but the newest {config.resumable:,} keep their weights alone."
    return f"One every {config.every_steps:,} steps. {words}.{weights}"


def past_words(status: JobStatus) -> str:
    """How a run was interrupted and went on; empty for one without interruption."""
    parts = []
    if status.sessions > 1:
        parts.append(f"{status.sessions:,} sessions, the last from step {status.resumed_step:,}")
    if status.rewound:
        times = len(status.rewound)
        often = "Went back" if times == 1 else f"Went back {times} times, last"
        parts.append(f"{often} to step {status.rewound[-1].step:,}")
    return ". ".join(parts) + ("." if parts else "")


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

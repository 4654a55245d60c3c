"""Rule tasks as the studio sees them: their folders, and their parts in the library. Qt-free."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from studio.runs.parts import (
    first_of,
    project_named,
    register_dataset,
    register_run,
    spec_in,
)
from studio.storage.library import DatasetRow, Library, RunRow
from studio.storage.slugs import make_folder
from trainer_core import spec as specs
from trainer_core.errors import KnownError
from trainer_core.records import ChildStarted
from trainer_core.rule_language import RuleError
from trainer_core.rule_tasks import Ruled, own_task, ruled
from trainer_core.spec import PrepareSpec, RulesSpec, TaskName, TrainSpec
from trainer_core.status import SPEC_FILE, read_status

PROJECT = "Rule tasks"
FOLDER = "rules"
"""Within the home."""


@dataclass(frozen=True)
class RuleRows:
    """What of a rule task is in the library; a part that has not begun is None."""

    dataset: DatasetRow | None
    run: RunRow | None


def own_rules(prepare_folder: Path) -> Ruled | None:
    """The rules of one's own that made a dataset's text; None for other text.

    Blocks on the disk, and works the rules' losses out.
    """
    try:
        spec = specs.load(prepare_folder / SPEC_FILE)
        if not isinstance(spec, PrepareSpec) or not spec.own_rules:
            return None
        found = own_task(spec.own_rules)
        found.plateaus()  # kept, so that no chart waits for them
    except (KnownError, RuleError):
        return None
    return found


def new_rules(home: Path, task: TaskName) -> Path:
    """A new, empty folder for a rule task.

    Raises:
        KnownError: It cannot be created.
    """
    return make_folder(home / FOLDER, f"{task.replace('_', '-')}-{time.strftime('%Y-%m-%d')}")


def find_rules_at_work(home: Path) -> list[Path]:
    """Folders of rule tasks that an earlier studio started and that are at work still."""
    folders = [f for f in (home / FOLDER).glob("*/") if isinstance(spec_in(f), RulesSpec)]
    return [folder for folder in folders if read_status(folder).alive]


def register_rules(library: Library, folder: Path, children: Iterable[ChildStarted]) -> RuleRows:
    """Put the parts of a rule task that have begun into the library; those that are there stay.

    Args:
        library: Must be open for writing, unless everything is registered already.
        folder: The task's job folder.
        children: What it has begun so far.

    Raises:
        KnownError: The library cannot be written.
    """
    begun = [folder / child.folder for child in children]
    spec = spec_in(folder)
    prepare, train = first_of(begun, PrepareSpec), first_of(begun, TrainSpec)
    if prepare is None or not isinstance(spec, RulesSpec):
        return RuleRows(None, None)
    task = ruled(spec)
    dataset = register_dataset(library, prepare, None, task.title, f"Rule task, {spec.task}")
    if train is None:
        return RuleRows(dataset, None)
    project = project_named(library, PROJECT, [train])
    taken = [run.name for run in library.runs(archived=True) if run.folder != train.absolute()]
    name = task.title.lower().replace(" ", "-")
    numbered = (f"{name}-{number}" for number in range(2, len(taken) + 3))
    free = next(each for each in (name, *numbered) if each not in taken)
    return RuleRows(dataset, register_run(library, project, dataset, train, free))

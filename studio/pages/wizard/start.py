"""From a finished plan to a run: rows, spec, job; the index first where it is missing.

Functions here touch the library and the disk: call them in a thread.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from studio.pages.data.build_form import BuildForm
from studio.pages.data.index_state import read_outdated
from studio.pages.data.jobs import build_index
from studio.pages.wizard.continuing import Continued
from studio.pages.wizard.draft import DataChoice, Draft, build_spec
from studio.pages.wizard.opening import data_of_spec, draft_of_spec
from studio.pages.wizard.shelf import Shelf, read_shelf
from studio.queue import put_into_queue
from studio.runs.manners import fit_run
from studio.runs.supervisor import Supervisor, freeze_spec
from studio.storage.library import DatasetRow, Library, RunRow
from trainer_core import spec as specs
from trainer_core.errors import KnownError, from_os_error
from trainer_core.spec import TrainSpec
from trainer_core.status import SPEC_FILE, read_status

__all__ = [
    "WAITING",
    "Shelf",
    "Started",
    "Waiting",
    "draft_from_run",
    "launch_waiting",
    "read_shelf",
    "read_waiting",
    "start_run",
]

WAITING = "runs/waiting"
"""Setting with the ids of runs that start when their index is ready."""


@dataclass(frozen=True)
class Started:
    """Runs that were started, or wait.

    Attributes:
        runs: All of them; several where they differ by their seed.
        waits: The first one waits for its index.
        queued: Some wait in the queue.
    """

    runs: tuple[RunRow, ...]
    waits: bool
    queued: bool = False

    @property
    def run(self) -> RunRow:
        """The first one."""
        return self.runs[0]


def draft_from_run(
    library: Library, run_id: int, choices: tuple[DataChoice, ...], *, continues: bool = False
) -> Draft:
    """A draft that repeats a run, to be changed.

    Args:
        library: Knows the run.
        run_id: Which run.
        choices: Datasets to find its own among.
        continues: Begin with the run's weights, and with the text that it has not seen.

    Raises:
        KnownError: There is no such run, or its settings cannot be read.
    """
    run = library.run(run_id)
    spec = specs.load(run.folder / SPEC_FILE)
    if not isinstance(spec, TrainSpec):
        raise KnownError(f"{run.name} is no training.", do="Choose a training run.")
    data = data_of_spec(spec, choices)
    data = data or next((c for c in choices if c.id == run.dataset_id), None)
    draft = replace(draft_of_spec(spec, data), name=f"{run.name}-2", project_id=run.project_id)
    return _continued(draft, run) if continues else draft


def _continued(draft: Draft, run: RunRow) -> Draft:
    """The draft with a run's weights, and as many steps as read what it has not seen.

    Raises:
        KnownError: The run has no checkpoint.
    """
    status = read_status(run.folder)
    if not status.checkpoints:
        raise KnownError(
            f"{run.name} has no checkpoint to continue from.",
            safe="Nothing was changed.",
            do="Save a checkpoint first, or repeat the run.",
        )
    draft = replace(draft, name=f"{run.name}-on", continues=Continued(run.name, run.folder))
    if status.seen is None:
        return draft
    tokens = sum(source.tokens for source in status.seen.sources)
    left = tokens - sum(source.seen for source in status.seen.sources)
    seen = 1.0 - left / tokens if tokens else 0.0
    draft = replace(draft, continues=Continued(run.name, run.folder, seen))
    readable = draft.sequences.packing != "documents"  # else what is cropped stays unread
    return draft.with_tokens(left) if left and readable else draft


def start_run(
    library: Library, supervisor: Supervisor, draft: Draft, draft_id: int | None = None
) -> Started:
    """Make the project and the run, and start the training or, before it, the index.

    Several seeds become a group: the first run starts, the others wait in the queue. A draft that
    this came from is removed once everything is on its way.

    Raises:
        SpecError: A setting is wrong.
        KnownError: A name is empty or taken, the disk refuses, or the job cannot be started.
    """
    build_spec(draft)  # refuses before anything is made
    if (data := draft.data) is None:
        raise KnownError("No data is chosen.", do="Choose a dataset.")
    row = library.dataset(data.id)
    waits = draft.use_index and data.index_state != "ready"
    if waits:
        row = library.add_index_folder(data.id)
        draft = replace(draft, data=replace(data, index=row.index_path))
    spec = build_spec(draft)
    project_id = draft.project_id
    if project_id is None:
        project_id = library.add_project(draft.project_name or data.name).id
    runs = _add_runs(library, draft, spec, project_id)
    queued = [run for run, _ in (runs if draft.queued and not waits else runs[1:])]
    with _archived_on_failure(library, [run for run, _ in runs]):
        for run, each in runs:
            _freeze(library, run, each, draft)
        if waits:
            _let_wait(library, supervisor, runs[0][0], row, draft.build)
        elif not draft.queued:
            supervisor.start(runs[0][1], runs[0][0].folder)
    if queued:
        with _archived_on_failure(library, queued):
            put_into_queue(library, [run.folder for run in queued])
    if draft_id is not None:
        library.remove_draft(draft_id)
    return Started(tuple(run for run, _ in runs), waits, bool(queued))


@contextlib.contextmanager
def _archived_on_failure(library: Library, runs: Sequence[RunRow]) -> Iterator[None]:
    """Put runs away that could not be started after all."""
    try:
        yield
    except BaseException:
        for run in runs:
            library.change_run(run.id, archived=True)
        raise


def _add_runs(
    library: Library, draft: Draft, spec: TrainSpec, project_id: int
) -> list[tuple[RunRow, TrainSpec]]:
    """A row for each seed, with its settings; a group where there are several."""
    name = draft.name.strip() or draft.suggested_name()
    count = draft.seeds if isinstance(draft.seeds, int) else 1
    seeds = [spec.seed + number for number in range(max(count, 1))]
    parent = _parent_of(library, draft)
    dataset_id = draft.data.id if draft.data else None
    group_id = None
    if len(seeds) > 1:
        group_id = library.add_group(project_id, name, "seeds", {"seed": seeds}).id
    runs: list[tuple[RunRow, TrainSpec]] = []
    for seed in seeds:
        own = name if len(seeds) == 1 else f"{name}-seed-{seed}"
        run = library.add_run(
            project_id, own, dataset_id=dataset_id, group_id=group_id, parent_id=parent
        )
        runs.append((run, msgspec.structs.replace(spec, seed=seed)))
    return runs


def _parent_of(library: Library, draft: Draft) -> int | None:
    """The run whose weights a draft begins with, where the library knows it."""
    if draft.continues is None:
        return None
    folder = draft.continues.folder
    known = {run.folder: run.id for run in library.runs(archived=True)}
    return known.get(folder) or known.get(folder.parent.parent)


def _freeze(library: Library, run: RunRow, spec: TrainSpec, draft: Draft) -> None:
    """Freeze a run's settings, and write down what it minds.

    Raises:
        KnownError: The disk refuses.
    """
    try:
        freeze_spec(run.folder, spec)
        fit_run(library, run, draft.conditions)
    except OSError as error:
        raise from_os_error(error, "writing the run's settings") from error


def _let_wait(
    library: Library,
    supervisor: Supervisor,
    run: RunRow,
    dataset: DatasetRow,
    build: BuildForm,
) -> None:
    """Note that a run waits, and see to it that its index is built."""
    waiting = library.setting(WAITING, list[int]())
    library.set_setting(WAITING, [*waiting, run.id])
    if dataset.index_folder is None or not read_status(dataset.index_folder).alive:
        form = None if build.is_untouched else build
        build_index(library, supervisor, dataset.id, form)


@dataclass(frozen=True)
class Waiting:
    """A run that starts when its index is ready."""

    run: RunRow
    index_folder: Path


def read_waiting(library: Library) -> list[Waiting]:
    """Runs that wait for their index; those that cannot start any more are forgotten."""
    known = {run.id: run for run in library.runs(archived=False)}
    found: list[Waiting] = []
    for run_id in library.setting(WAITING, list[int]()):
        run = known.get(run_id)
        if run is None or run.dataset_id is None:
            continue
        folder = library.dataset(run.dataset_id).index_folder
        if folder is not None and read_status(run.folder).state == "unborn":
            found.append(Waiting(run, folder))
    return found


def launch_waiting(library: Library, supervisor: Supervisor, waiting: Waiting) -> RunRow | None:
    """Start a run whose index is ready; it waits no more, whether that works or not.

    Returns:
        The run; None where the index is still to be brought up to date, so that it waits on.

    Raises:
        KnownError: It cannot be started.
    """
    dataset_id = waiting.run.dataset_id
    if dataset_id is not None and read_outdated(library.dataset(dataset_id)) is not None:
        return None
    left = [i for i in library.setting(WAITING, list[int]()) if i != waiting.run.id]
    library.set_setting(WAITING, left)
    supervisor.resume(waiting.run.folder)
    return waiting.run

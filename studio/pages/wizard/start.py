"""From a finished plan to a run: rows, spec, job; the index first where it is missing. Free of Qt.

Functions here touch the library and the disk: call them in a thread.
"""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from studio.pages.data.build_form import BuildForm
from studio.pages.data.corpus import (
    STATISTICS_FILE,
    ManifestFacts,
    StatisticsFacts,
    load_json,
    read_manifest,
)
from studio.pages.data.index_state import read_outdated
from studio.pages.data.jobs import build_index
from studio.pages.wizard.continuing import Continued
from studio.pages.wizard.draft import DataChoice, Draft, build_spec
from studio.pages.wizard.opening import data_of_spec, draft_of_spec
from studio.pages.wizard.plan import MeasuredRate, Surroundings
from studio.pages.wizard.sequences import SourceChoice
from studio.runs.supervisor import Supervisor, freeze_spec
from studio.storage.library import DatasetRow, Library, ProjectRow, RunRow
from studio.storage.slugs import slug
from trainer_core import spec as specs
from trainer_core.errors import KnownError, from_os_error
from trainer_core.spec import IndexSpec, TrainSpec
from trainer_core.status import SPEC_FILE, JobStatus, read_status

WAITING = "runs/waiting"
"""Setting with the ids of runs that start when their index is ready."""
_RATES_MAX = 60
_MEASURED_S_MIN = 20.0


@dataclass(frozen=True)
class Shelf:
    """What the wizard chooses from."""

    choices: tuple[DataChoice, ...] = ()
    unready: tuple[str, ...] = ()
    """Names of datasets whose text is not there yet."""
    projects: tuple[ProjectRow, ...] = ()
    around: Surroundings = field(default_factory=Surroundings)
    read_only: str = ""
    """Why nothing can be started, or an empty string."""


@dataclass(frozen=True)
class Started:
    """A run that was started, or waits for its index."""

    run: RunRow
    waits: bool


def read_shelf(library: Library) -> Shelf:
    """Ask the library and the folders for everything that the wizard needs."""
    choices: list[DataChoice] = []
    unready: list[str] = []
    builds: list[dict[str, Any]] = []
    for row in library.datasets():
        manifest = read_manifest(row)
        if manifest is None:
            unready.append(row.name)
        else:
            status = _index_status(row)
            builds.append(status.result)
            choices.append(_choice(library, row, manifest, status))
    free: int | None = None
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(library.home).free
    around = Surroundings(
        rates=tuple(_rates(library)),
        free_bytes=free,
        builds=tuple(builds),
    )
    return Shelf(
        tuple(choices),
        tuple(unready),
        tuple(library.projects()),
        around,
        library.read_only_reason if library.read_only else "",
    )


def _index_status(row: DatasetRow) -> JobStatus:
    if row.index_folder is not None:
        with contextlib.suppress(KnownError):
            return read_status(row.index_folder)
    return JobStatus()


def _choice(
    library: Library, row: DatasetRow, manifest: ManifestFacts, status: JobStatus
) -> DataChoice:
    stored = status.result.get("size_bytes")
    state = _index_state(status, row)
    hits = status.result.get("hit_rate")
    return DataChoice(
        id=row.id,
        name=row.name,
        what=row.what,
        tokenizer=row.tokenizer,
        corpus=row.corpus_folder,
        # Made when the run is started; until then the likely name stands in the preview.
        index=row.index_path or library.home / "indexes" / slug(row.name, "index") / "index",
        vocab_size=manifest.vocab_size,
        train_tokens=manifest.train.tokens,
        validation_tokens=manifest.validation.tokens,
        documents=manifest.documents,
        train_documents=manifest.train.documents,
        text_bytes=manifest.bytes,
        index_state=state,
        index_bytes=int(stored) if state == "ready" and isinstance(stored, int) else None,
        index_hit_rate=hits if state == "ready" and isinstance(hits, float) else None,
        index_max_length=_max_length(row),
        sources=tuple(
            SourceChoice(source.name, source.train.tokens, source.validation.tokens)
            for source in manifest.sources
        ),
        statistics=load_json(row.corpus_folder / STATISTICS_FILE, StatisticsFacts),
    )


def _index_state(status: JobStatus, row: DatasetRow) -> str:
    if status.alive:
        return "building"
    if status.state == "finished":
        outdated = read_outdated(row)
        if outdated is None:
            return "ready"
        return "absent" if outdated.reason == "missing" else "outdated"
    if status.state == "unborn":
        return "absent"
    return "failed" if status.state == "failed" else "stopped"


def _max_length(row: DatasetRow) -> int:
    spec = IndexSpec(corpus="-")
    if row.index_folder is not None:
        with contextlib.suppress(KnownError):
            found = specs.load(row.index_folder / SPEC_FILE)
            spec = found if isinstance(found, IndexSpec) else spec
    return spec.max_length


def _rates(library: Library) -> list[MeasuredRate]:
    """Speeds of the newest runs on this computer, validation and checkpoints included."""
    rates: list[MeasuredRate] = []
    for run in library.runs(archived=True):
        facts = run.facts
        if facts.elapsed_s < _MEASURED_S_MIN or not facts.tokens_seen:
            continue
        try:
            spec = specs.load(run.folder / SPEC_FILE)
        except KnownError:
            continue
        if isinstance(spec, TrainSpec):
            speed = facts.tokens_seen / facts.elapsed_s
            rates.append(MeasuredRate(run.name, spec.model, spec.budget.batch_size, speed))
        if len(rates) == _RATES_MAX:
            break
    return rates


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


def start_run(library: Library, supervisor: Supervisor, draft: Draft) -> Started:
    """Make the project and the run, and start the training or, before it, the index.

    Raises:
        SpecError: A setting is wrong.
        KnownError: A name is empty or taken, the disk refuses, or the job cannot be started.
    """
    data = draft.data
    build_spec(draft)  # refuses before anything is made
    if data is None:
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
    name = draft.name.strip() or draft.suggested_name()
    run = library.add_run(project_id, name, dataset_id=data.id)
    try:
        if waits:
            form = None if draft.build.is_untouched else draft.build
            _let_wait(library, supervisor, run, spec, row, form)
        else:
            supervisor.start(spec, run.folder)
    except BaseException:
        library.change_run(run.id, archived=True)
        raise
    return Started(run, waits)


def _let_wait(
    library: Library,
    supervisor: Supervisor,
    run: RunRow,
    spec: TrainSpec,
    dataset: DatasetRow,
    form: BuildForm | None,
) -> None:
    """Freeze the run's settings, note that it waits, and see to it that its index is built."""
    try:
        freeze_spec(run.folder, spec)
    except OSError as error:
        raise from_os_error(error, "writing the run's settings") from error
    waiting = library.setting(WAITING, list[int]())
    library.set_setting(WAITING, [*waiting, run.id])
    if dataset.index_folder is None or not read_status(dataset.index_folder).alive:
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

"""What the wizard chooses from: datasets, projects, drafts, and what this computer knows.

`read_shelf` touches the library and the disk: call it in a thread.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from studio import planner
from studio.pages.data.corpus import (
    STATISTICS_FILE,
    ManifestFacts,
    StatisticsFacts,
    load_json,
    read_manifest,
    reads_code,
)
from studio.pages.data.index_state import read_outdated
from studio.pages.wizard.draft import DataChoice, Draft
from studio.pages.wizard.past import past_runs, read_machine
from studio.pages.wizard.plan import Surroundings
from studio.pages.wizard.sequences import SourceChoice
from studio.storage.library import DatasetRow, DraftRow, Library, ProjectRow
from studio.storage.slugs import slug
from trainer_core import spec as specs
from trainer_core.errors import KnownError
from trainer_core.spec import IndexSpec
from trainer_core.status import SPEC_FILE, JobStatus, read_status

PRICE_SETTING, CURRENCY_SETTING = "electricity/per_kwh", "electricity/currency"
WATTS_SETTING = "electricity/watts"
SEEDS_MAX = 20


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
    drafts: tuple[DraftRow, ...] = ()
    """Plans that were kept, the last changed first."""
    names: Mapping[int, frozenset[str]] = field(default_factory=dict)
    """Names of the runs that there are, by project."""
    has_queue: bool = False
    """Whether runs can wait for each other."""


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
    by_corpus = {str(choice.corpus): choice for choice in choices}
    computer = planner.Surroundings(
        runs=tuple(past_runs(library, by_corpus)),
        machine=read_machine(library.setting(WATTS_SETTING, 0.0)),
        prices=read_prices(library),
        free_bytes=free,
    )
    return Shelf(
        tuple(choices),
        tuple(unready),
        tuple(library.projects()),
        Surroundings(computer, tuple(builds)),
        library.read_only_reason if library.read_only else "",
        tuple(library.drafts()),
        names_of_runs(library),
    )


def names_of_runs(library: Library) -> dict[int, frozenset[str]]:
    """Names of all runs, by project."""
    found: dict[int, set[str]] = {}
    for run in library.runs(archived=True):
        found.setdefault(run.project_id, set()).add(run.name)
    return {project: frozenset(names) for project, names in found.items()}


def is_taken(draft: Draft, shelf: Shelf) -> bool:
    """Whether another run of the project has the draft's name."""
    return draft.name.strip() in shelf.names.get(draft.project_id or -1, frozenset())


def renamed(draft: Draft, before: Draft, shelf: Shelf) -> Draft:
    """A changed draft with a name that follows from it and is free, unless a name was typed."""
    if replace(draft, name=before.name) == before:
        return draft
    follows = before.has_suggested_name and draft.name == before.name
    if follows and not draft.has_suggested_name:
        draft = replace(draft, name=draft.suggested_name())
    return with_free_name(draft, shelf)


def with_free_name(draft: Draft, shelf: Shelf) -> Draft:
    """The draft with a number behind a suggested name that is taken."""
    if not draft.has_suggested_name or not is_taken(draft, shelf):
        return draft
    taken = shelf.names.get(draft.project_id or -1, frozenset())
    base, number = draft.suggested_name(), 2
    while f"{base}-{number}" in taken:
        number += 1
    return replace(draft, name=f"{base}-{number}")


def read_prices(library: Library) -> planner.Prices:
    """What electricity costs, as the settings say."""
    price = library.setting(PRICE_SETTING, 0.0)
    return planner.Prices(price or None, library.setting(CURRENCY_SETTING, "€"))


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
        is_code=reads_code(row.folder),
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


def seeds_problem(draft: Draft, shelf: Shelf) -> str:
    """Why so many seeds cannot be run, or an empty string."""
    seeds = draft.seeds
    if not isinstance(seeds, int):
        return "a whole number"
    if not 1 <= seeds <= SEEDS_MAX:
        return f"1 to {SEEDS_MAX}"
    if isinstance(draft.seed, int) and draft.seed + seeds > 2**63:
        return "the seed is too large for so many"
    if seeds > 1 and not shelf.has_queue:
        return "several runs need the queue, which is not there"
    first = draft.use_index and draft.data is not None and draft.data.index_state != "ready"
    if seeds > 1 and first:
        return "build the index first; it serves all of them"
    return ""

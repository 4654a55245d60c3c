"""What files and folders that are dropped on the window stand for, and which page takes them.

Free of Qt. Functions here look into the files: call them in a thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from studio.pages.compare.target import ImportLog
from studio.pages.data.request import AddPaths
from studio.pages.wizard.target import WizardTarget
from studio.runs.importing.sources import is_log
from studio.storage.library import Library
from trainer_core import spec as specs
from trainer_core.errors import DataError, KnownError, SpecError
from trainer_core.spec import ExportSpec, PrepareSpec, TrainSpec
from trainer_core.status import SPEC_FILE

_EXPORTS: Final = "exports"
_UPWARDS: Final = 4
"""A checkpoint lies below its run: so many folders up are looked at."""


@dataclass(frozen=True)
class Landing:
    """Where dropped things go: a page and its target."""

    page: str
    target: object


def land(paths: Sequence[Path], library: Library) -> Landing:
    """Tell what was dropped.

    Raises:
        KnownError: It is nothing that any page can take; the message says what can be dropped.
    """
    for path in paths:
        if not path.exists():
            raise DataError(
                f"{path.name} cannot be found.", safe="Nothing was changed.", do="Drop it again."
            )
    if len(paths) == 1:
        return _land_one(paths[0], library)
    if any(is_log(path) for path in paths):
        raise DataError(
            "Logs are imported one by one.",
            safe="Nothing was changed.",
            do="Drop one file, or one folder of event files.",
        )
    return Landing("data", AddPaths(tuple(str(path) for path in paths)))


def _land_one(path: Path, library: Library) -> Landing:
    run = _run_around(path, library) or _exported_from(path, library)
    if run is not None:
        return run
    if path.suffix.lower() == ".toml":
        return _of_settings(path)
    if is_log(path):
        return Landing("compare", ImportLog(path))
    return Landing("data", AddPaths((str(path),)))


def _run_around(path: Path, library: Library) -> Landing | None:
    """The run that a checkpoint, or any file of a run's folder, belongs to.

    A training that the library does not know is taken up.
    """
    for folder in [path, *path.parents][: _UPWARDS + 1]:
        known = library.run_of_folder(str(folder.absolute()))
        if known is not None:
            return Landing("run", known.id)
        if folder == path.parent and path.suffix.lower() == ".toml":
            return None  # a spec in a folder that nobody knows is read as settings
        spec = _spec_of(folder)
        if isinstance(spec, TrainSpec):
            return _taken_up(folder.absolute(), spec, library)
    return None


def _taken_up(folder: Path, spec: TrainSpec, library: Library) -> Landing:
    by_corpus = {row.corpus_folder: row.id for row in library.datasets()}
    name = "Found runs"
    known = {project.name: project.id for project in library.projects()}
    project = known.get(name) or library.add_project(name).id
    row = library.add_run(
        project, folder.name, dataset_id=by_corpus.get(Path(spec.corpus)), folder=folder
    )
    return Landing("run", row.id)


def _exported_from(path: Path, library: Library) -> Landing | None:
    """The run that a folder, or a file in it, was exported from."""
    folders = {str(each.absolute()) for each in (path, path.parent)}
    for found in sorted((library.home / _EXPORTS / "jobs").glob(f"*/{SPEC_FILE}")):
        spec = _spec_of(found.parent)
        if isinstance(spec, ExportSpec) and spec.destination in folders:
            known = library.run_of_folder(spec.run)
            if known is not None:
                return Landing("run", known.id)
    return None


def _of_settings(path: Path) -> Landing:
    """The page for a settings file, by its verb."""
    try:
        spec = specs.load(path)
    except KnownError:
        # The wizard names the line and the field at fault.
        return Landing("wizard", WizardTarget(toml=path))
    if isinstance(spec, TrainSpec):
        return Landing("wizard", WizardTarget(toml=path))
    if isinstance(spec, PrepareSpec):
        return Landing("data", AddPaths((str(path),)))
    raise SpecError(
        f"{path.name} holds the settings of “{specs.verb_of(spec)}”.",
        safe="Nothing was changed.",
        do="Drop the settings of a training or of a dataset.",
    )


def _spec_of(folder: Path) -> specs.JobSpec | specs.Section | None:
    path = folder / SPEC_FILE
    if not path.is_file():
        return None
    try:
        return specs.load(path)
    except KnownError:
        return None

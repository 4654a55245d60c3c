"""What the data page does to datasets: read, build, stop, begin again. Free of Qt.

Functions here touch the library and the disk: call them in a thread.
"""

from __future__ import annotations

import contextlib
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from studio.pages.data.build_form import BuildForm, make_index_spec
from studio.pages.data.index_state import Outdated, read_outdated
from studio.pages.data.request import AddRequest
from studio.runs.launch import LAUNCH_FILE
from studio.runs.supervisor import Supervisor
from studio.storage.library import DatasetRow, Library
from studio.storage.tokenizer_labels import tokenizer_label, with_vocab_size
from trainer_core import spec as specs
from trainer_core.errors import KnownError, LockedError, from_os_error
from trainer_core.presets import PRESETS
from trainer_core.spec import TrainSpec
from trainer_core.status import JOURNAL_FILE, LOG_FILE, SPEC_FILE, JobStatus, read_status


@dataclass(frozen=True)
class Shelf:
    """Every dataset, and what the runs say of them.

    Attributes:
        used_by: Number of runs by dataset.
        contexts: Context length of the newest run by dataset.
        free_bytes: Room on the disk of the home.
        outdated: Indexes that do not fit their text any more, by dataset.
        gone: Datasets whose folder was taken away by hand.
    """

    datasets: tuple[DatasetRow, ...] = ()
    used_by: dict[int, int] | None = None
    contexts: dict[int, int] | None = None
    free_bytes: int | None = None
    outdated: dict[int, Outdated] | None = None
    gone: frozenset[int] = frozenset()

    def context_for(self, dataset_id: int) -> int:
        """The context length to compare documents with."""
        default = PRESETS["tour"].config.context_length
        return (self.contexts or {}).get(dataset_id, default)


def read_shelf(library: Library) -> Shelf:
    """Ask the library for everything that the page shows."""
    runs = library.runs(archived=True)
    used = Counter(run.dataset_id for run in runs if run.dataset_id is not None)
    contexts: dict[int, int] = {}
    for run in runs:  # the newest first
        if run.dataset_id is not None and run.dataset_id not in contexts:
            context = _context_of(run.folder)
            if context:
                contexts[run.dataset_id] = context
    free: int | None = None
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(library.home).free
    datasets = tuple(library.datasets())
    outdated = {row.id: found for row in datasets if (found := read_outdated(row)) is not None}
    gone = frozenset(row.id for row in datasets if not row.folder.is_dir())
    return Shelf(datasets, dict(used), contexts, free, outdated, gone)


def _context_of(run_folder: Path) -> int:
    try:
        spec = specs.load(run_folder / SPEC_FILE)
    except KnownError:
        return 0
    return spec.model.context_length if isinstance(spec, TrainSpec) else 0


def start_reading(library: Library, supervisor: Supervisor, request: AddRequest) -> DatasetRow:
    """Register a dataset, or take the one that the request corrects, and begin to read its text.

    Raises:
        KnownError: The name is empty, the folder cannot be written, or it cannot be started.
    """
    label = tokenizer_label(request.spec.tokenizer)
    if request.replaces is None:
        row = library.add_dataset(
            request.name, what=request.what, tokenizer=label, private=request.private
        )
    else:
        row = library.change_dataset(
            request.replaces,
            name=request.name,
            what=request.what,
            tokenizer=label,
            private=request.private,
        )
        forget_failed_job(row.folder)
    supervisor.start(request.spec, row.folder)
    return row


def build_index(
    library: Library, supervisor: Supervisor, dataset_id: int, form: BuildForm | None = None
) -> DatasetRow:
    """Build a dataset's index, go on with an earlier attempt, or add the documents that are new.

    Args:
        library: Knows the dataset.
        supervisor: Starts the job.
        dataset_id: Which dataset.
        form: Settings; None takes those of the attempt before.

    Raises:
        SpecError: A setting is wrong.
        KnownError: There is no such dataset, or the job cannot be started.
    """
    corpus = library.dataset(dataset_id).corpus_folder
    wanted = make_index_spec(corpus, form or BuildForm())
    row = library.add_index_folder(dataset_id)
    if row.index_folder is None:
        raise KnownError("The index has no folder.", do="Try again.")
    before = row.index_folder / SPEC_FILE
    if before.exists() and form is None:
        supervisor.resume(row.index_folder)
        return row
    if before.exists() and specs.load(before) != wanted:
        _forget_job(row.index_folder)
    supervisor.start(wanted, row.index_folder)
    return row


def build_anew(
    library: Library, supervisor: Supervisor, dataset_id: int, form: BuildForm | None = None
) -> DatasetRow:
    """Remove a dataset's index and build it from the beginning; see `build_index`.

    Raises:
        LockedError: It is being built.
        KnownError: It cannot be removed, or the job cannot be started.
    """
    row = library.dataset(dataset_id)
    if row.index_folder is not None and row.index_path is not None:
        if read_status(row.index_folder).alive:
            raise LockedError("The index is being built.", do="Stop it first.")
        try:
            shutil.rmtree(row.index_path)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise from_os_error(error, "removing the old index") from error
    return build_index(library, supervisor, dataset_id, form)


def forget_failed_job(folder: Path) -> None:
    """Remove the record of a prepare job that left no corpus, so that another can take its place.

    Raises:
        LockedError: A process works in the folder.
        KnownError: There is a corpus, or the files cannot be removed.
    """
    if read_status(folder).alive:
        raise LockedError("The text is still being read.", do="Stop it first.")
    if (folder / "corpus").exists():
        raise KnownError(
            "This dataset has been read already.",
            safe="Nothing was changed.",
            do="Add it as a new dataset.",
        )
    _forget_job(folder)


def _forget_job(folder: Path) -> None:
    """Remove what tells of a job, so that another can take its place; its work stays."""
    if read_status(folder).alive:
        raise LockedError("A process still works here.", do="Stop it first.")
    try:
        for name in (JOURNAL_FILE, SPEC_FILE, LAUNCH_FILE, LOG_FILE):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise from_os_error(error, "clearing the folder of the earlier attempt") from error


def remember_result(
    library: Library, row: DatasetRow, prepare: JobStatus, index: JobStatus
) -> bool:
    """Copy what the jobs found out into the library; False when it knew all of it.

    Raises:
        KnownError: The library cannot be written.
    """
    wanted: dict[str, int] = {}
    if prepare.state == "finished":
        for column, key in (
            ("documents", "documents"),
            ("tokens", "tokens"),
            ("size_bytes", "bytes"),
        ):
            value = prepare.result.get(key)
            if isinstance(value, int) and value != getattr(row, column):
                wanted[column] = value
    stored = index.result.get("size_bytes") if index.state == "finished" else None
    if isinstance(stored, int) and stored != row.index_bytes:
        wanted["index_bytes"] = stored
    vocab_size = prepare.result.get("vocab_size") if prepare.state == "finished" else None
    label = row.tokenizer
    if isinstance(vocab_size, int):
        label = with_vocab_size(row.tokenizer, vocab_size)
    if (not wanted and label == row.tokenizer) or library.read_only:
        return False
    library.change_dataset(
        row.id,
        tokenizer=label,
        documents=wanted.get("documents"),
        tokens=wanted.get("tokens"),
        size_bytes=wanted.get("size_bytes"),
        index_bytes=wanted.get("index_bytes"),
    )
    return True

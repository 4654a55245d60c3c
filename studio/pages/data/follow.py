"""The jobs of the datasets as the watcher sees them: states, times left, problems."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from studio.pages.data.build_plan import BuildPlan, TextSize, plan_build
from studio.pages.data.clock import TimeLeft
from studio.pages.data.index_state import IndexNow, index_now
from studio.pages.data.jobs import Shelf
from studio.pages.data.rows import IDLE, RowFacts
from studio.runs.model import JobModel
from studio.storage.rows import DatasetRow
from studio.tasks import JobWatcher
from trainer_core.errors import KnownError
from trainer_core.status import JobStatus

NO_DATASET = -1


class DatasetJobs:
    """Answers for the folders of datasets.

    Args:
        watcher: Follows the folders.
        holder: In whose name they are followed.
    """

    def __init__(self, watcher: JobWatcher, holder: object) -> None:
        self._watcher = watcher
        self._holder = holder
        self._clocks: dict[str, TimeLeft] = {}
        self._by_folder: dict[str, int] = {}

    def follow(self, datasets: Iterable[DatasetRow]) -> None:
        """Follow both folders of each dataset from now on."""
        for row in datasets:
            for folder in (row.folder, row.index_folder):
                if folder is not None:
                    self._by_folder[str(folder)] = row.id
                    self._watcher.watch(folder, self._holder)

    def dataset_of(self, folder: str) -> int:
        """Id of the dataset that a folder belongs to, or `NO_DATASET`."""
        return self._by_folder.get(folder, NO_DATASET)

    def any_alive(self) -> bool:
        """Whether any of the jobs is at work."""
        return any(self.status(Path(folder)).alive for folder in self._by_folder)

    def model(self, folder: Path | None) -> JobModel | None:
        """The model of a folder."""
        return None if folder is None else self._watcher.model(folder)

    def status(self, folder: Path | None) -> JobStatus:
        """The state of a folder's job; that of a job never begun where there is none."""
        model = self.model(folder)
        return IDLE if model is None else model.status

    def seconds_left(self, folder: Path) -> float | None:
        """How long a job will still take; None while that cannot be told."""
        clock = self._clocks.setdefault(str(folder), TimeLeft())
        status = self.status(folder)
        return clock.seconds_left(status) if status.alive else None

    def row_facts(self, row: DatasetRow, shelf: Shelf) -> RowFacts:
        """What the table says of a dataset."""
        return RowFacts(
            row,
            self.status(row.folder),
            self.index_now(row, shelf),
            used_by=(shelf.used_by or {}).get(row.id, 0),
            seconds_left=self.seconds_left(row.folder),
            known=self._is_known(row.folder) and self._is_known(row.index_folder),
            gone=row.id in shelf.gone,
        )

    def index_now(self, row: DatasetRow, shelf: Shelf, threads: int = 0) -> IndexNow:
        """Where a dataset's index stands; a build would have so many threads, 0 for all cores."""
        folder = row.index_folder
        model = self.model(folder)
        left = None if folder is None else self.seconds_left(folder)
        return index_now(
            self.status(folder),
            plan=self.build_plan(row, shelf, threads),
            seconds_left=left,
            problem=model.error if model is not None else None,
            outdated=(shelf.outdated or {}).get(row.id),
        )

    def build_plan(self, row: DatasetRow, shelf: Shelf, threads: int = 0) -> BuildPlan | None:
        """What building a dataset's index would take; None before its text was read."""
        text = TextSize.of_result(self.status(row.folder).result)
        if text is None:
            return None
        results = [self.status(other.index_folder).result for other in shelf.datasets]
        return plan_build(text, results, shelf.free_bytes, threads)

    def _is_known(self, folder: Path | None) -> bool:
        """Whether a folder has been read once, where there is one."""
        model = self.model(folder)
        return folder is None or (model is not None and model.caught_up)

    def problem(self, row: DatasetRow, shelf: Shelf) -> KnownError | None:
        """Why a dataset's folder cannot be read, unless its job says so itself."""
        if row.id in shelf.gone:
            return KnownError(
                f"The folder of {row.name} is gone: {row.folder}.",
                safe="Runs that were trained on it keep their models and their curves.",
                do="Put the folder back where it was, or add its text once more.",
            )
        model = self.model(row.folder)
        if model is None or model.error is None or model.status.ended is not None:
            return None
        if model.state == "killed":
            return None
        return KnownError(model.error.what, safe=model.error.safe, do=model.error.do)

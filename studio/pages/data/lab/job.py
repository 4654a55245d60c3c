"""Comparisons of tokenizers as jobs: each keeps its folder, so that its tokenizers can be used."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from studio.context import Context
from studio.pages.data.clock import TimeLeft
from studio.pages.data.lab.report import REPORT_FILE, LabReport, read_report
from studio.pages.data.passing_job import why_it_ended
from studio.storage.slugs import make_folder
from trainer_core import spec as specs
from trainer_core.errors import KnownError
from trainer_core.records import END_STATES, Progress
from trainer_core.spec import TokenizersSpec
from trainer_core.status import SPEC_FILE, read_status

FOLDER = "lab"
"""Within the home."""


@dataclass(frozen=True)
class Comparison:
    """A comparison that is over.

    Attributes:
        folder: Its job folder.
        spec: What was compared.
        report: What was found.
    """

    folder: Path
    spec: TokenizersSpec
    report: LabReport


@dataclass(frozen=True)
class Begun:
    """A comparison that was found at work."""

    folder: Path
    spec: TokenizersSpec


class LabJob(QObject):
    """Runs one comparison at a time, and finds the newest one again.

    Args:
        context: The studio.
        owner: The page; nothing is told after it is gone.

    Signals:
        progressed (object, object): Carries a `Progress` or None, and the seconds left or None.
        finished (object): Carries a `Comparison`.
        failed (object): Carries a `KnownError`, or a bug.
    """

    progressed = Signal(object, object)
    finished = Signal(object)
    failed = Signal(object)

    def __init__(self, context: Context, owner: QObject) -> None:
        super().__init__(owner)
        self._context = context
        self._folder: Path | None = None
        self._clock = TimeLeft()
        self.working = False
        context.watcher.job_updated.connect(self._on_job_updated)

    def find_newest(self, success: Callable[[Comparison | Begun | None], object]) -> None:
        """Look for the newest comparison of this home."""
        home = self._context.home
        self._context.tasks.run_op(lambda: newest(home / FOLDER), success, owner=self, lane="work")

    def follow(self, folder: Path) -> None:
        """Follow a comparison that is at work."""
        self._folder, self._clock, self.working = folder, TimeLeft(), True
        self._context.watcher.watch(folder, self)
        self._context.watcher.look_now(folder)

    def start(self, spec: TokenizersSpec) -> None:
        """Begin a comparison in a folder of its own."""
        self.working = True
        home, supervisor = self._context.home, self._context.supervisor

        def begin() -> Path:
            name = time.strftime("%Y-%m-%d")
            folder = make_folder(home / FOLDER, f"tokenizers-{name}")
            supervisor.start(spec, folder)
            return folder

        self._context.tasks.run_op(begin, self.follow, self._give_up, owner=self, lane="work")

    def stop(self) -> None:
        """End the comparison that is at work."""
        if self._folder is not None:
            future = self._context.supervisor.stop(self._folder)
            self._context.tasks.follow(future, failure=self._context.toast, owner=self)

    def _on_job_updated(self, key: str) -> None:
        folder = self._folder
        if folder is None or str(folder) != key:
            return
        model = self._context.watcher.model(folder)
        if model is None or not model.caught_up:
            return
        if model.alive:
            progress: Progress | None = model.status.progress
            self.progressed.emit(progress, self._clock.seconds_left(model.status))
            return
        if model.state not in END_STATES and model.state != "killed":
            return
        self._folder = None
        error = why_it_ended(model) if model.state != "finished" else None
        self._context.watcher.unwatch(folder, self)
        if error is not None:
            self._give_up(error)
            return
        self._context.tasks.run_op(
            lambda: read_comparison(folder), self._take, self._give_up, owner=self, lane="work"
        )

    def _take(self, comparison: Comparison) -> None:
        self.working = False
        self.finished.emit(comparison)

    def _give_up(self, error: Exception) -> None:
        self.working = False
        self.failed.emit(error)


def read_comparison(folder: Path) -> Comparison:
    """A comparison that is over; blocks on the disk.

    Raises:
        KnownError: It cannot be read.
    """
    spec = specs.load(folder / SPEC_FILE)
    if not isinstance(spec, TokenizersSpec):
        raise KnownError(f"{folder} holds no comparison.", do="Compare again.")
    return Comparison(folder, spec, read_report(folder))


def newest(place: Path) -> Comparison | Begun | None:
    """The newest comparison in a folder, at work or over; None where there is none."""
    folders: list[tuple[float, Path]] = []
    with contextlib.suppress(OSError):
        folders = [(each.stat().st_mtime, each) for each in place.iterdir()]
    for _, folder in sorted(folders, reverse=True):
        with contextlib.suppress(KnownError):
            if read_status(folder).alive:
                spec = specs.load(folder / SPEC_FILE)
                if isinstance(spec, TokenizersSpec):
                    return Begun(folder, spec)
            elif (folder / REPORT_FILE).exists():
                return read_comparison(folder)
    return None

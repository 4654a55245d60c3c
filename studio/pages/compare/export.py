"""The comparison as files: a picture, a drawing, a table of all curves, event files."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, QPoint
from PySide6.QtWidgets import QWidget

from studio.charts import export as chart_files
from studio.context import Context
from studio.pages.compare.facts import Compared, Metric
from studio.pages.run.export import ask_folder, ask_where
from studio.runs.tensorboard import write_events
from studio.runs.whole import read_whole
from studio.widgets.menu import Menu
from trainer_core.errors import from_os_error

_CHOICES: Final = (
    ("png", "Page as picture (PNG)"),
    ("svg", "Page as drawing (SVG)"),
    ("csv", "Curves as table (CSV)"),
    ("events", "Runs as TensorBoard event files"),
)
_COLUMNS: Final = ("run", "curve", "step", "tokens", "seconds", "flop", "loss", "bits_per_byte")


class CompareExport(QObject):
    """Asks where to, and writes in the background.

    Args:
        context: The studio.
        page: The page; dialogs and menus belong to it.
        content: What a picture shows.
        runs: Gives the runs that are shown.
    """

    def __init__(
        self,
        context: Context,
        page: QWidget,
        content: Callable[[], QWidget],
        runs: Callable[[], Sequence[Compared]],
    ) -> None:
        super().__init__(page)
        self._context = context
        self._page = page
        self._content = content
        self._runs = runs

    def open_menu(self, at: QPoint) -> None:
        """Offer the kinds of files at a global point."""
        menu = Menu(self._page)
        for kind, words in _CHOICES:
            menu.add(words, partial(self._ask, kind), "upload")
        menu.open_at(at)

    def write(self, kind: str, path: Path) -> None:
        """Write what is shown; errors come as a toast.

        Args:
            kind: `png`, `svg`, `csv` or `events`.
            path: The file; for `events` the folder, which gets one folder for each run.
        """
        runs = list(self._runs())
        work: Callable[[], object]
        if kind == "csv":
            work = partial(write_curves, path, runs)
        elif kind == "events":
            work = partial(write_event_folders, path, runs)
        elif kind == "svg":
            data = chart_files.svg_bytes(self._content(), path.stem)
            work = partial(chart_files.write_file, path, data)
        else:
            work = partial(chart_files.write_file, path, chart_files.png_bytes(self._content()))

        def written(_nothing: object) -> None:
            self._context.say(f"Written to {path}.")

        self._context.tasks.run_op(work, written, self._context.toast, owner=self, lane="work")

    def _ask(self, kind: str) -> None:
        if kind != "events":
            dialog = ask_where(self._page, kind, "comparison")
            dialog.fileSelected.connect(lambda path: self.write(kind, Path(path)))
            return
        dialog = ask_folder(self._page, "Folder for the event files")
        dialog.fileSelected.connect(lambda path: self.write(kind, Path(path)))


def write_curves(path: Path, runs: Sequence[Compared]) -> None:
    """Write every point of every curve as a row.

    Raises:
        KnownError: The file cannot be written; what was there before is as it was.
    """
    draft = path.with_name(f".{path.name}.part")
    try:
        with draft.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(_COLUMNS)
            for run in runs:
                _write_run(writer.writerow, run, "validation")
                _write_run(writer.writerow, run, "training")
        draft.replace(path)
    except OSError as error:
        raise from_os_error(error, f"writing {path.name}") from error


def write_event_folders(folder: Path, runs: Sequence[Compared]) -> None:
    """Write each run into a folder of its own, as TensorBoard wants them.

    Raises:
        KnownError: They cannot be written.
    """
    for run in runs:
        for member in run.members or (run,):
            model = read_whole(member.row.folder)
            write_events(folder / member.row.folder.name, model)


def _write_run(write: Callable[[Sequence[object]], object], run: Compared, metric: Metric) -> None:
    losses, bits = run.values(False, metric), run.values(True, metric)
    positions = [
        run.positions(mode, metric) if run.has(mode) else None
        for mode in ("steps", "tokens", "time", "flop")
    ]
    for row in range(len(losses)):
        places = [None if each is None else float(each[row]) for each in positions]
        figures = (*places, float(losses[row]), float(bits[row]))
        write([run.row.name, metric, *(_cell(value) for value in figures)])


def _cell(value: float | None) -> str:
    if value is None or math.isnan(value):
        return ""
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else f"{value:.7g}"

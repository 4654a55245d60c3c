"""Export from the run page: charts as files, and the model's export job with its progress."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from PySide6.QtCore import QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QWidget

from studio.charts import export as chart_files
from studio.charts.dashboard import Dashboard
from studio.context import Context
from studio.runs.model import JobModel
from studio.runs.tensorboard import write_events
from studio.runs.whole import read_whole
from studio.widgets import figures
from studio.widgets.card import Card
from studio.widgets.controls import IconButton, SecondaryButton
from studio.widgets.empty import ErrorCard
from studio.widgets.icon import IconLabel
from studio.widgets.label import Label, Part
from studio.widgets.progress import ProgressLine
from trainer_core.errors import KnownError
from trainer_core.metrics import STEP_DTYPE

_FILTERS: Final = {
    "png": "Picture (*.png)",
    "svg": "Drawing (*.svg)",
    "csv": "Table (*.csv)",
}


def ask_where(parent: QWidget, kind: str, name: str) -> QFileDialog:
    """Open a dialog for the file's place; it does not block. Connect its `fileSelected`.

    Args:
        parent: The page.
        kind: `png`, `svg` or `csv`.
        name: Suggested file name without its ending.
    """
    dialog = QFileDialog(parent, "Export", f"{name}.{kind}", _FILTERS[kind])
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setDefaultSuffix(kind)
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()
    return dialog


def ask_folder(parent: QWidget, title: str) -> QFileDialog:
    """Open a dialog for a folder; it does not block. Connect its `fileSelected`."""
    dialog = QFileDialog(parent, title)
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.setOption(QFileDialog.Option.ShowDirsOnly)
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()
    return dialog


def export_events(context: Context, owner: QWidget, run: Path, folder: Path) -> None:
    """Write a run for TensorBoard, into a folder of its own; errors come as a toast.

    Args:
        context: The studio.
        owner: The page.
        run: Job folder of the run.
        folder: Where the run's folder is made.
    """

    def write() -> Path:
        return write_events(folder / run.name, read_whole(run))

    def written(made: Path) -> None:
        context.say(f"Written to {made}.")

    context.tasks.run_op(write, written, context.toast, owner=owner, lane="work")


def export_charts(context: Context, dashboard: Dashboard, kind: str, path: Path) -> None:
    """Write the charts, or the figures in view, to a file; errors come as a toast.

    Args:
        context: The studio.
        dashboard: The charts.
        kind: `png`, `svg` or `csv`.
        path: The file.
    """
    if kind == "csv":
        table = dashboard.model.steps
        first, last = dashboard.steps_in_view()
        names = STEP_DTYPE.names or ()
        work = partial(chart_files.write_csv, path, table, names, first, last)
    elif kind == "svg":
        work = partial(chart_files.write_file, path, chart_files.svg_bytes(dashboard, path.stem))
    else:
        work = partial(chart_files.write_file, path, chart_files.png_bytes(dashboard))

    def written(_nothing: object) -> None:
        context.say(f"Written to {path}.")

    context.tasks.run_op(work, written, context.toast, owner=dashboard, lane="work")


class ExportStrip(Card):
    """How far the export of the model is, and where it went.

    Args:
        context: The studio.
        folder: Job folder of the export.

    Signals:
        dismissed: The user has seen it.
    """

    dismissed = Signal()

    def __init__(self, context: Context, folder: Path, parent: QWidget | None = None) -> None:
        super().__init__(padding=10, spacing=6, parent=parent)
        self._context = context
        self._folder = folder
        self._model = context.watcher.watch(folder, self)
        row = QHBoxLayout()
        row.setSpacing(10)
        self._icon = IconLabel("upload", "muted", 16)
        self.words = Label("", "secondary")
        self._show = SecondaryButton("Open folder", "folder-open", size="small")
        self._show.clicked.connect(self._on_show)
        self._close = IconButton("x", "Dismiss", edge=24)
        self._close.clicked.connect(self.dismissed)
        for widget in (self._icon, self.words):
            row.addWidget(widget)
        row.setStretch(1, 1)
        row.addWidget(self._show)
        row.addWidget(self._close)
        self.body.addLayout(row)
        self._line = ProgressLine()
        self.body.addWidget(self._line)
        self._error: ErrorCard | None = None
        self._unsubscribe = self._model.subscribe(self._refresh)
        self._refresh()

    @property
    def model(self) -> JobModel:
        """The export job."""
        return self._model

    def let_go(self) -> None:
        """Watch the job no longer."""
        self._unsubscribe()
        self._context.watcher.unwatch(self._folder, self)

    def destination(self) -> Path | None:
        """The finished export."""
        where = self._model.status.result.get("destination")
        return Path(str(where)) if where and self._model.state == "finished" else None

    def _refresh(self) -> None:
        where = self.destination()
        self._show.setVisible(where is not None)
        self._line.setVisible(where is None and self._model.error is None)
        self._line.set_share(self._model.share_done)
        if where is not None:
            size = figures.size(float(self._model.status.result.get("size_bytes", 0)))
            self._icon.set_icon("check", "ok")
            self.words.set_parts(
                "Hugging Face model written to ", Part(str(where), "mono_small"), f", {size}"
            )
        elif self._model.error is not None:
            self._icon.set_icon("triangle-alert", "danger")
            error = self._model.error
            self.words.set_text(
                " ".join(part for part in (error.what, error.safe, error.do) if part)
            )
        else:
            phase = self._model.progress.phase if self._model.progress else "starting"
            self.words.set_text(f"Exporting the model: {phase}")

    def _on_show(self) -> None:
        where = self.destination()
        if where is not None and not QDesktopServices.openUrl(QUrl.fromLocalFile(str(where))):
            self._context.toast(
                KnownError(
                    "This computer has no program to show folders.",
                    safe="The export is whole.",
                    do=f"Open {where} yourself.",
                )
            )

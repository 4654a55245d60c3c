"""The panel that writes a dataset's documents out for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.context import Context
from studio.pages.data.adding.path_edit import PathEdit
from studio.pages.data.facts import DatasetFacts
from studio.pages.data.passing_job import PassingJob
from studio.pages.wizard.draft import field_message
from studio.widgets.controls import PrimaryButton, SecondaryButton, Segmented
from studio.widgets.empty import ErrorCard
from studio.widgets.field import Field
from studio.widgets.figures import percent, plural, size
from studio.widgets.label import Label
from studio.widgets.progress import ProgressLine
from trainer_core import spec as specs
from trainer_core.errors import KnownError, SpecError
from trainer_core.spec import DumpSpec
from trainer_core.status import JobStatus

FOLDER = "exports"
_FORMATS: dict[str, tuple[str, str]] = {
    "jsonl": (
        "JSON lines",
        "One document a line, with its title and path: what most programs read. Training and"
        " validation text lie in files of their own.",
    ),
    "parquet": (
        "Parquet",
        "One document a row, compressed: for the library datasets, pandas and databases.",
    ),
    "bin": (
        "Token ids",
        "train.bin and val.bin as nanoGPT reads them, and what the ids mean.",
    ),
}


class Export(QObject):
    """Writes one dataset at a time; goes on while the panel is closed.

    Args:
        context: The studio.
    """

    def __init__(self, context: Context, parent: QObject) -> None:
        super().__init__(parent)
        self.panel = ExportPanel()
        self._job = PassingJob(context, FOLDER, lambda _folder, result: result, self)
        self._job.progressed.connect(self.panel.show_status)
        self._job.finished.connect(self.panel.show_result)
        self._job.failed.connect(self.panel.show_error)
        self._corpus = ""
        self.panel.asked.connect(self._on_asked)
        self.panel.stop_requested.connect(self._on_stop_requested)

    def turn_to(self, facts: DatasetFacts) -> None:
        """Export this dataset next; one that is being written is written to its end first."""
        if not self._job.is_open and str(facts.dataset.corpus_folder) != self._corpus:
            self._corpus = str(facts.dataset.corpus_folder)
            name = facts.dataset.folder.name
            self.panel.begin(str(Path.home() / f"{name}-export"))

    def _on_asked(self, output: str, kind: str) -> None:
        data = {"verb": "dump", "corpus": self._corpus, "output": output, "format": kind}
        try:
            spec = specs.convert(data, DumpSpec)
        except SpecError as error:
            self.panel.show_error(error)
            return
        self.panel.show_status(JobStatus())
        self._job.start(spec)

    def _on_stop_requested(self) -> None:
        self._job.drop()
        self.panel.show_stopped()


class ExportPanel(QWidget):
    """What to write and where, how far it is, what was written.

    Signals:
        asked (str, str): Write into this folder, in this format.
        stop_requested: Writing is to end.
    """

    asked = Signal(str, str)
    stop_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._format = Segmented(
            [(key, word) for key, (word, _) in _FORMATS.items()], size="normal", name="Format"
        )
        self._format.chosen.connect(self._on_format_chosen)
        self._folder = PathEdit("Folder to write into", folder=True)
        self.folder = Field("Folder", self._folder, hint="A new one, or an empty one")
        self.start = PrimaryButton("Export", "upload")
        self.start.clicked.connect(
            lambda: self.asked.emit(self._folder.edit.text().strip(), self._format.current)
        )
        self._stop = SecondaryButton("Stop", "square", size="small")
        self._stop.clicked.connect(self.stop_requested)
        self._line = ProgressLine(colour="info")
        self._said = Label("", "body", wrap=True)
        self._open = SecondaryButton("Open folder", "folder-open", size="small")
        self._open.clicked.connect(self._on_open_clicked)
        self._output = ""
        self._error_place = QVBoxLayout()
        self._error: ErrorCard | None = None
        self._what = Label("", "secondary", "muted", wrap=True)
        row = QHBoxLayout()
        row.addWidget(self.start)
        row.addWidget(self._stop)
        row.addWidget(self._open)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addWidget(self._format)
        column.addWidget(self._what)
        column.addWidget(self.folder)
        column.addLayout(row)
        column.addWidget(self._line)
        column.addWidget(self._said)
        column.addLayout(self._error_place)
        column.addStretch(1)
        self._on_format_chosen("jsonl")
        self._show_idle("")

    @property
    def said(self) -> str:
        """What is said of the export."""
        return self._said.text()

    def begin(self, output: str) -> None:
        """Propose a folder; nothing was written yet."""
        self._folder.edit.setText(output)
        self._show_idle("")

    def show_status(self, status: JobStatus) -> None:
        """Show how far it is."""
        self._show_idle("")
        self.start.setEnabled(False)
        self._stop.show()
        self._line.show()
        progress = status.progress
        share = progress.done / progress.total if progress is not None and progress.total else 0.0
        self._line.set_share(share)
        self._said.set_text(f"Writing documents, {percent(share, 0)}" if share else "Starting")

    def show_result(self, result: dict[str, Any]) -> None:
        """Show what was written."""
        documents, size_bytes = result.get("documents"), result.get("size_bytes")
        words = "Written."
        if isinstance(documents, int) and isinstance(size_bytes, int):
            words = f"Written: {plural(documents, 'document')} in {size(size_bytes)}."
        self._show_idle(words)
        self._output = str(result.get("output", ""))
        self._open.setVisible(bool(self._output))

    def show_stopped(self) -> None:
        """It was ended by the user."""
        self._show_idle("Stopped. Nothing is left in the folder.")

    def show_error(self, error: Exception) -> None:
        """Nothing was written."""
        self._show_idle("")
        if isinstance(error, KnownError) and error.field == "output":
            message = field_message(error) if isinstance(error, SpecError) else error.what
            self.folder.set_error(" ".join(part for part in (message, error.do) if part))
            return
        self._error = ErrorCard(error)
        self._error_place.addWidget(self._error)

    def _show_idle(self, said: str) -> None:
        self.start.setEnabled(True)
        for widget in (self._stop, self._line, self._open):
            widget.hide()
        self._said.set_text(said)
        self.folder.set_error("")
        if self._error is not None:
            self._error.hide()
            self._error.deleteLater()
            self._error = None

    def _on_format_chosen(self, key: str) -> None:
        self._what.set_text(_FORMATS[key][1])

    def _on_open_clicked(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(self._output))

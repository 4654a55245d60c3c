"""The record of a run: what it was started with, on what, with what, and what was changed since."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from studio.charts.marks import change_word
from studio.runs.model import JobModel
from studio.widgets import figures
from studio.widgets.controls import SecondaryButton, TextEdit
from studio.widgets.headings import card_title
from studio.widgets.label import Label
from studio.widgets.scroll import ClearScroll
from trainer_core.records import Provenance
from trainer_core.spec import to_toml

_NAMES = {
    "cpu": "Processor",
    "cores": "Cores",
    "ram": "Memory",
    "gpu": "GPU",
    "python": "Python",
    "cuda": "CUDA",
    "driver": "Driver",
    "system": "System",
    "corpus": "Text",
    "index": "Index",
    "tokenizer": "Tokenizer",
    "commit": "Commit",
    "changed": "Changed since",
}
_TOML_PX = 240


@dataclass(frozen=True)
class Section:
    """A part of the record: its heading, and names with what belongs to each."""

    title: str
    rows: tuple[tuple[str, str], ...]


def sections(model: JobModel) -> list[Section]:
    """The record of a run, but for its settings; parts of which nothing is known are left out."""
    found = []
    changes = tuple(
        (f"after step {each.step:,}", ", ".join(filter(None, (change_word(each), each.why))))
        for each in model.status.changes
    )
    changes += tuple(
        (f"at step {each.from_step:,}", f"taken back to step {each.step:,}")
        for each in model.status.rewound
    )
    if changes:
        found.append(Section("Changed since the start", changes))
    known = model.status.provenance
    parts: list[tuple[str, dict[str, str]]] = []
    if known is not None:
        parts = [
            ("Data, by hash", known.data),
            ("Computer", known.hardware),
            ("Versions", known.versions),
            ("Source of the program", known.source),
        ]
    for title, values in parts:
        rows = tuple((_NAMES.get(name, name), value) for name, value in values.items() if value)
        if rows:
            found.append(Section(title, rows))
    sessions = [("Sessions", f"{model.status.sessions:,}")]
    if model.status.started_s:
        sessions.append(("Newest began", figures.started(model.status.started_s)))
    found.append(Section("Work", tuple(sessions)))
    return found


def record_text(model: JobModel) -> str:
    """The whole record as TOML with the rest as comments, to keep or to send."""
    lines = [to_toml(model.spec).rstrip()] if model.spec is not None else []
    for section in sections(model):
        lines += ["", f"# {section.title}"]
        lines += [f"#   {name}: {value}" for name, value in section.rows]
    return "\n".join(lines).lstrip() + "\n"


class RecordView(QWidget):
    """The record, to read and to copy.

    Signals:
        folder_wanted: Show the run's folder.
    """

    folder_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model: JobModel | None = None
        self._shown: tuple[object, ...] = ()
        self.settings = TextEdit("", name="Settings as they were started", role="mono_small")
        self.settings.setReadOnly(True)
        self.settings.setLineWrapMode(TextEdit.LineWrapMode.NoWrap)
        self.settings.setMinimumHeight(_TOML_PX)
        self.copy = SecondaryButton("Copy", "copy", size="small")
        self.copy.setToolTip("The settings as TOML, with the rest of the record as comments")
        self.copy.clicked.connect(self._on_copy)
        self.folder = SecondaryButton("Open folder", "folder-open", size="small")
        self.folder.clicked.connect(self.folder_wanted)
        self._inside = QWidget()
        self._parts = QVBoxLayout()
        self._parts.setSpacing(14)
        column = QVBoxLayout(self._inside)
        column.setContentsMargins(16, 14, 16, 16)
        column.setSpacing(14)
        head = QHBoxLayout()
        head.addWidget(card_title("Settings at the start"), 1)
        head.addWidget(self.copy)
        head.addWidget(self.folder)
        column.addLayout(head)
        column.addWidget(self.settings)
        column.addLayout(self._parts)
        column.addStretch(1)
        around = QVBoxLayout(self)
        around.setContentsMargins(0, 0, 0, 0)
        around.addWidget(ClearScroll(self._inside))

    def show_model(self, model: JobModel) -> None:
        """Show a run's record."""
        self._model = model
        found = sections(model)
        known: Provenance | None = model.status.provenance
        key = (model.spec, tuple(found), known)
        if key == self._shown:
            return
        self._shown = key
        text = to_toml(model.spec) if model.spec is not None else ""
        self.settings.setPlainText(text)
        while (item := self._parts.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for section in found:
            self._parts.addWidget(_part(section))
        if known is None:
            words = (
                "This run was written by an older version, which kept no record of the computer."
            )
            self._parts.addWidget(Label(words, "secondary", "muted", wrap=True))

    def _on_copy(self) -> None:
        if self._model is not None:
            QGuiApplication.clipboard().setText(record_text(self._model))


def _part(section: Section) -> QWidget:
    holder = QWidget()
    grid = QGridLayout(holder)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(16)
    grid.setVerticalSpacing(3)
    grid.setColumnStretch(1, 1)
    grid.addWidget(card_title(section.title), 0, 0, 1, 2)
    for number, (name, value) in enumerate(section.rows, 1):
        label = Label(name, "secondary", "muted", elide=False)
        grid.addWidget(label, number, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(Label(value, "mono_small", wrap=True), number, 1)
    return holder

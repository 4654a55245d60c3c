"""The settings of one source: a field for each that its kind has, the rare ones folded away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.pages.data.adding.field_grid import FieldGrid, line_of
from studio.pages.data.adding.path_edit import PathEdit
from studio.pages.data.adding.rules_editor import RulesEditor
from studio.pages.data.adding.source_form import (
    FIELDS,
    SourceForm,
    SourceKind,
    known_dataset,
    source_form,
)
from studio.pages.data.paths import PathList
from studio.tasks import Tasks
from studio.widgets.controls import Button, CheckBox, ComboBox, LineEdit
from studio.widgets.field import Field
from studio.widgets.figures import count
from studio.widgets.label import Label
from trainer_core.rule_tasks import RULE_TASKS

_ALL = "all of it"
_FOUND = "found by itself"

_LABELS: dict[str, tuple[str, str, str]] = {
    # Name in the spec: what people call it, what stands in the empty field, a hint.
    "name": ("Called", "", "What reports call this source"),
    "suffixes": ("Only files ending in", "any file with text", "Such as .txt .md"),
    "encoding": ("Encoding", "UTF-8", "Such as cp1252; auto finds it file by file"),
    "field": ("Field or column with the text", _FOUND, "Of records and tables"),
    "max_bytes": ("Read at most", _ALL, "Such as 24 MB"),
    "repo": ("Dataset", "owner/name", "As its page on huggingface.co is called, or a folder"),
    "subset": ("Subset", "the usual one", "Such as sample-10BT"),
    "split": ("Its split", "train", "Hearth holds out validation text itself"),
    "revision": ("Revision", "the newest", "Branch, tag or commit"),
    "lines": ("Lines", "as many as it has", ""),
}
_RARE: dict[SourceKind, tuple[str, ...]] = {
    "python_library": ("name",),
    "text_files": ("encoding", "field", "name"),
    "hub_dataset": ("split", "field", "revision", "streaming", "name"),
    "saved_dataset": ("split", "field", "name"),
    "token_files": ("name",),
    "rule_task": ("name",),
    "own_rules": ("name",),
}
_WIDE = ("paths", "path", "streaming", "vocabulary_folder")
_STREAM = "Read over the network as far as needed; off downloads all of it and keeps it"


class SourceFields(QWidget):
    """Fields of one source.

    Args:
        tasks: Rules are tried in a thread.

    Signals:
        edited: Something was typed or chosen.
    """

    edited = Signal()

    def __init__(self, tasks: Tasks, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rules = RulesEditor(tasks)
        self.rules.edited.connect(self.edited)
        self._rules_error = Label("", "secondary", "danger", wrap=True)
        self._rules_error.hide()
        self._form = SourceForm()
        self._unfolded = False
        self.paths = PathList()
        self.paths.changed.connect(self.edited)
        self._path = PathEdit("Folder of the dataset", folder=True)
        self._vocabulary = PathEdit("Folder with vocab.bpe and encoder.json", folder=True)
        self._vocabulary.edit.setPlaceholderText("found or fetched by itself")
        self._task = ComboBox("Rule task")
        for name, task in RULE_TASKS.items():
            self._task.addItem(task.title, name)
        self._streaming = CheckBox(_STREAM)
        self.by_name: dict[str, Field] = {
            name: Field(label, LineEdit(placeholder=empty, mono=name == "max_bytes"), hint=hint)
            for name, (label, empty, hint) in _LABELS.items()
        }
        self.by_name |= {
            "paths": Field("Files and folders", self.paths),
            "path": Field("Folder", self._path),
            "vocabulary_folder": Field("GPT-2's vocabulary", self._vocabulary),
            "task": Field("Task", self._task),
            "streaming": Field("Network", self._streaming),
        }
        for field in self.by_name.values():
            if isinstance(field.control, LineEdit):
                field.control.textEdited.connect(self.edited)
        self._path.edit.textChanged.connect(self.edited)
        self._vocabulary.edit.textChanged.connect(self.edited)
        self._streaming.toggled.connect(self.edited)
        self._task.activated.connect(self._on_task_chosen)
        self._fold = Button(
            "More settings", kind="quiet", size="small", trailing_icon="chevron-down"
        )
        self._fold.clicked.connect(lambda: self._unfold(not self._unfolded))
        self._grid = FieldGrid(self.by_name, 3, dict.fromkeys(_WIDE, 3))
        column_layout = QVBoxLayout(self)
        column_layout.setContentsMargins(0, 0, 0, 0)
        column_layout.setSpacing(8)
        column_layout.addWidget(self.rules)
        column_layout.addWidget(self._rules_error)
        column_layout.addWidget(self._grid)
        column_layout.addWidget(self._fold, 0, Qt.AlignmentFlag.AlignLeft)
        self.show_form(self._form)

    # --- content -----------------------------------------------------------------------------

    def show_form(self, form: SourceForm) -> None:
        """Show a source."""
        other_kind = form.kind != self._form.kind
        self._form = form
        for name in _LABELS:
            line_of(self.by_name[name]).setText(getattr(form, name))
        self.paths.set_paths(form.paths)
        self.rules.set_rules(form.rules)
        self._path.edit.setText(form.path)
        self._vocabulary.edit.setText(form.vocabulary_folder)
        self._streaming.setChecked(form.streaming)
        self._task.setCurrentIndex(max(self._task.findData(form.task), 0))
        self._say_task()
        usual = known.source if (known := known_dataset(form)) else None
        expected = source_form(usual) if usual is not None else SourceForm(kind=form.kind)
        filled = any(getattr(form, n) != getattr(expected, n) for n in self._rare())
        if other_kind or filled:
            self._unfolded = filled
        if known is not None:
            facts = f"{count(known.tokens)} tokens in all, licence {known.licence}"
            self.by_name["max_bytes"].set_hint(facts)
        else:
            self.by_name["max_bytes"].set_hint(_LABELS["max_bytes"][2])
        self._lay_out()

    def form(self) -> SourceForm:
        """The source as it stands."""
        typed: dict[str, Any] = {name: line_of(self.by_name[name]).text() for name in _LABELS}
        typed["paths"] = self.paths.paths
        typed["rules"] = self.rules.rules
        typed["path"] = self._path.edit.text()
        typed["vocabulary_folder"] = self._vocabulary.edit.text()
        typed["streaming"] = self._streaming.isChecked()
        typed["task"] = self._task.currentData()
        kept = {name: typed[name] for name in FIELDS[self._form.kind]}
        return replace(SourceForm(kind=self._form.kind), **kept)

    def show_error(self, name: str, message: str) -> bool:
        """Show an error beside a field; False where this source has no such field."""
        if name not in FIELDS[self._form.kind]:
            return False
        if name == "rules":
            self._rules_error.set_text(message)
            self._rules_error.show()
            self.rules.text.setFocus(Qt.FocusReason.OtherFocusReason)
            return True
        if name in self._rare():
            self._unfold()
        self.by_name[name].set_error(message)
        self.by_name[name].control.setFocus(Qt.FocusReason.OtherFocusReason)
        return True

    def clear_errors(self) -> None:
        """Take every error away."""
        self._rules_error.hide()
        for field in self.by_name.values():
            field.set_error("")

    # --- reactions ---------------------------------------------------------------------------

    def _unfold(self, shown: bool = True) -> None:
        self._unfolded = shown
        self._lay_out()

    def _on_task_chosen(self) -> None:
        self._say_task()
        self.edited.emit()

    def _say_task(self) -> None:
        task = RULE_TASKS[self._task.currentData()]
        self.by_name["task"].set_hint(task.sentence)
        usual = 20_000 if self._form.kind == "own_rules" else task.lines
        line_of(self.by_name["lines"]).setPlaceholderText(f"{usual:,}")

    def _lay_out(self) -> None:
        """Show the fields of the kind."""
        rare = self._rare()
        wanted = [name for name in FIELDS[self._form.kind] if name not in (*rare, "rules")]
        self._grid.show_names([*wanted, *(rare if self._unfolded else ())])
        self.rules.setVisible(self._form.kind == "own_rules")
        self._fold.set_text("Fewer settings" if self._unfolded else "More settings")

    def _rare(self) -> tuple[str, ...]:
        """The settings that few people need; of a well-known dataset that is which one it is."""
        rare = _RARE[self._form.kind]
        return ("repo", "subset", *rare) if known_dataset(self._form) else rare

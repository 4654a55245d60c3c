"""The form for a log that is imported: what was found, which column is what, what else is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from studio.charts.content import Content, Curve
from studio.charts.lines import Timeline
from studio.charts.link import ChartLink
from studio.charts.plot import PlotCanvas
from studio.charts.redraw import RedrawQueue
from studio.pages.compare.import_facts import (
    NAMED,
    ROLE_WORDS,
    UNKNOWN,
    Answers,
    KnownTokenizer,
    preview_lines,
    roles_of,
    summary,
)
from studio.runs.importing.sources import Source
from studio.runs.importing.table import DELIMITERS, TimeUnit
from studio.widgets.controls import ComboBox, LineEdit, PrimaryButton, SecondaryButton, Segmented
from studio.widgets.field import Field
from studio.widgets.label import Label
from studio.widgets.scroll import ClearScroll

_NONE: Final = "none"
_NEW_PROJECT: Final = "New project: References"
_UNITS: Final[tuple[tuple[TimeUnit, str], ...]] = (
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("min", "minutes"),
    ("h", "hours"),
    ("clock", "seconds of the clock"),
)


class ImportForm(QWidget):
    """Everything about one log.

    Signals:
        changed: Something was typed or chosen.
        columns_changed: The log has to be read again: its columns or tags are others.
        submitted: Import it.
        cancelled: Do not.
    """

    changed = Signal()
    columns_changed = Signal()
    submitted = Signal()
    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._filling = False
        self._roles: dict[str, ComboBox] = {}
        self._columns_of: tuple[str, ...] = ()
        self._projects: list[int | None] = [None]
        self._tokenizers: list[str] = [UNKNOWN, NAMED]
        self._make_controls()
        self._make_preview()
        self._lay_out()

    # --- what it holds -------------------------------------------------------------------------

    def answers(self) -> Answers:
        """What stands in the form."""
        return Answers(
            name=self.name.text(),
            tokens_per_step=self._tokens.text(),
            parameters=self._parameters.text(),
            tokenizer=self._tokenizers[max(self._tokenizer.currentIndex(), 0)],
            tokenizer_name=self._tokenizer_name.text(),
            bytes_per_token=self._bytes.text(),
            losses="bits" if self._losses.current == "bits" else "nats",
        )

    def project_id(self) -> int | None:
        """Where it goes; None for a new project."""
        return self._projects[max(self._project.currentIndex(), 0)]

    def chosen(self) -> dict[str, str | None]:
        """The column or tag of each series; None for none."""
        return {
            role: box.currentText() if box.currentIndex() > 0 else None
            for role, box in self._roles.items()
        }

    def delimiter(self) -> str:
        """What tells the columns of a table apart."""
        return list(DELIMITERS.values())[max(self._delimiter.currentIndex(), 0)]

    def time_unit(self) -> TimeUnit:
        """What the time of a table counts."""
        return _UNITS[max(self._unit.currentIndex(), 0)][0]

    # --- showing -------------------------------------------------------------------------------

    def set_choices(
        self, projects: Sequence[tuple[int, str]], tokenizers: Sequence[KnownTokenizer]
    ) -> None:
        """Offer these projects, by id and name, and tokenizers."""
        self._projects = [*(row_id for row_id, _ in projects), None]
        _fill(self._project, [*(name for _, name in projects), _NEW_PROJECT])
        self._tokenizers = [UNKNOWN, NAMED, *(each.fingerprint for each in tokenizers)]
        labels = ["Not known", "Another one", *(each.label for each in tokenizers)]
        _fill(self._tokenizer, labels)

    def show_source(self, source: Source, answers: Answers | None = None) -> None:
        """Show what was found; with answers the fields are filled anew."""
        self._filling = True
        if answers is not None:
            self.name.setText(answers.name)
            self._tokens.setText(answers.tokens_per_step)
            self._parameters.setText(answers.parameters)
            self._bytes.setText("")
            self._tokenizer_name.setText("")
            self._tokenizer.setCurrentIndex(0)
        self._show_columns(source)
        curves = source.curves
        program = curves.program if curves is not None else "Table"
        found = summary(curves) if curves is not None else [source.problem]
        self._program.set_text({"log": f"Log of {program}"}.get(source.kind, program))
        if program == "Names and numbers":
            self._program.set_text("Log of names and numbers")
        self._found.set_text("\n".join(found))
        self._found.set_tone("muted" if curves is not None else "danger")
        self._show_preview(source)
        self._filling = False

    def show_errors(self, errors: dict[str, str]) -> None:
        """Show what is wrong beside each field."""
        named = self._tokenizers[max(self._tokenizer.currentIndex(), 0)] == NAMED
        self._fields["tokenizer_name"].setVisible(named)
        for name, field in self._fields.items():
            field.set_error(errors.get(name, ""))

    def set_ready(self, ready: bool) -> None:
        """Whether it can be imported now."""
        self.submit.setEnabled(ready)

    # --- making it -----------------------------------------------------------------------------

    def _make_controls(self) -> None:
        self._program = Label("", "strong")
        self._found = Label("", "secondary", "muted", wrap=True)
        self.name = LineEdit(name="Name")
        self._project = ComboBox("Project")
        self._tokens = LineEdit(placeholder="98,304", name="Tokens per step", mono=True)
        self._parameters = LineEdit(placeholder="124M", name="Parameters", mono=True)
        self._tokenizer = ComboBox("Tokenizer")
        self._tokenizer_name = LineEdit(placeholder="GPT-2", name="Name of the tokenizer")
        self._bytes = LineEdit(placeholder="4.4", name="Bytes per token", mono=True)
        self._losses = Segmented([("nats", "Nats"), ("bits", "Bits")], name="Unit of the losses")
        self._delimiter = ComboBox("Columns apart by")
        _fill(self._delimiter, [word.capitalize() for word in DELIMITERS])
        self._unit = ComboBox("Unit of the time")
        _fill(self._unit, [word.capitalize() for _, word in _UNITS])
        self._fields = {
            "name": Field("Name", self.name),
            "tokens_per_step": Field(
                "Tokens per step",
                self._tokens,
                hint="Sequences in a batch × their length. Without it there is no axis of tokens.",
            ),
            "parameters": Field(
                "Parameters", self._parameters, hint="Without it there is no axis of arithmetic."
            ),
            "tokenizer": Field(
                "Tokenizer",
                self._tokenizer,
                hint="Losses per token compare only where the tokenizers are the same.",
            ),
            "tokenizer_name": Field("Name of the tokenizer", self._tokenizer_name),
            "bytes_per_token": Field(
                "Bytes per token",
                self._bytes,
                hint="Of its held-out text; turns losses into bits per byte.",
            ),
        }
        for field in (self.name, self._tokens, self._parameters, self._bytes, self._tokenizer_name):
            field.textChanged.connect(self._on_changed)
        self._tokenizer.currentIndexChanged.connect(self._on_changed)
        self._losses.chosen.connect(self._on_changed)
        self._tokens.editingFinished.connect(self._on_tokens_typed)
        for box in (self._delimiter, self._unit):
            box.currentIndexChanged.connect(self._on_columns)
        self.submit = PrimaryButton("Import", "plus")
        self.submit.clicked.connect(self.submitted)
        self._cancel = SecondaryButton("Cancel")
        self._cancel.clicked.connect(self.cancelled)

    def _make_preview(self) -> None:
        self._content = Content(Timeline(), empty="No losses yet", x_title="training steps")
        self._link = ChartLink(None, self)
        self._canvas = PlotCanvas(
            self._content, self._link, RedrawQueue(self), name="Losses of the log"
        )
        self._canvas.setFixedHeight(190)

    def _lay_out(self) -> None:
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(16, 14, 16, 14)
        column.setSpacing(12)
        column.addWidget(self._program)
        column.addWidget(self._found)
        column.addWidget(self._canvas)
        self._columns = QWidget()
        self._grid = QGridLayout(self._columns)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(10)
        column.addWidget(self._columns)
        self._table_row = QWidget()
        about = QHBoxLayout(self._table_row)
        about.setContentsMargins(0, 0, 0, 0)
        about.setSpacing(12)
        about.addWidget(Field("Columns apart by", self._delimiter), 1)
        about.addWidget(Field("Unit of the time", self._unit), 1)
        column.addWidget(self._table_row)
        for name in ("name",):
            column.addWidget(self._fields[name])
        column.addWidget(Field("Project", self._project))
        pair = QHBoxLayout()
        pair.setSpacing(12)
        pair.addWidget(self._fields["tokens_per_step"], 1)
        pair.addWidget(self._fields["parameters"], 1)
        column.addLayout(pair)
        column.addWidget(self._fields["tokenizer"])
        column.addWidget(self._fields["tokenizer_name"])
        column.addWidget(self._fields["bytes_per_token"])
        column.addWidget(Field("Losses are in", self._losses, beside=True))
        column.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(ClearScroll(inner), 1)
        row = QHBoxLayout()
        row.setContentsMargins(16, 10, 16, 14)
        row.setSpacing(12)
        row.addStretch(1)
        row.addWidget(self._cancel)
        row.addWidget(self.submit)
        outer.addLayout(row)

    # --- columns and tags ----------------------------------------------------------------------

    def _show_columns(self, source: Source) -> None:
        self._columns.setVisible(source.kind != "log")
        self._table_row.setVisible(source.layout is not None)
        names = self._names(source)
        if self._columns_of != (source.kind, *names):
            self._columns_of = (source.kind, *names)
            self._make_columns(source, names)
        for role, box in self._roles.items():
            chosen = self._chosen_of(source, role)
            box.setCurrentIndex(names.index(chosen) + 1 if chosen in names else 0)
        if source.layout is not None:
            delimiters = list(DELIMITERS.values())
            self._delimiter.setCurrentIndex(delimiters.index(source.layout.delimiter))
            units = [unit for unit, _ in _UNITS]
            self._unit.setCurrentIndex(units.index(source.layout.time_unit))

    def _make_columns(self, source: Source, names: Sequence[str]) -> None:
        while (item := self._grid.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self._roles = {}
        for place, role in enumerate(() if source.kind == "log" else roles_of(source)):
            box = ComboBox(ROLE_WORDS[role])
            _fill(box, [_NONE, *names])
            box.currentIndexChanged.connect(self._on_columns)
            self._roles[role] = box
            self._grid.addWidget(Field(ROLE_WORDS[role], box), place // 2, place % 2)

    @staticmethod
    def _names(source: Source) -> list[str]:
        if source.layout is not None:
            return list(source.layout.names)
        return sorted(source.log.tags) if source.log is not None else []

    @staticmethod
    def _chosen_of(source: Source, role: str) -> str:
        if source.layout is not None:
            columns: dict[str, int] = {name: at for name, at in source.layout.columns.items()}
            return source.layout.names[columns[role]] if role in columns else ""
        tags: dict[str, str] = {name: tag for name, tag in source.tags.items()}
        return tags.get(role, "")

    def _show_preview(self, source: Source) -> None:
        self._content.curves = []
        if source.curves is not None:
            self._link.set_extent("steps", 1.0, float(source.curves.last_step))
            for line, colour, name, smooth in preview_lines(source.curves):
                self._content.curves.append(
                    Curve(line, colour, name, smooth=smooth, strong=colour == "s2")
                )
        self._canvas.refresh()

    # --- reactions -----------------------------------------------------------------------------

    def _on_changed(self, _value: object = None) -> None:
        if not self._filling:
            self.changed.emit()

    def _on_columns(self, _index: int) -> None:
        if not self._filling:
            self.columns_changed.emit()

    def _on_tokens_typed(self) -> None:
        """Tokens per step turn a column of tokens into steps."""
        by_tokens = self._roles.get("tokens_seen")
        has_steps = "step" in self._roles and self._roles["step"].currentIndex() > 0
        if by_tokens is not None and by_tokens.currentIndex() > 0 and not has_steps:
            self._on_columns(0)


def _fill(box: QComboBox, words: Sequence[str]) -> None:
    box.blockSignals(True)
    box.clear()
    box.addItems(list(words))
    box.setCurrentIndex(0)
    box.blockSignals(False)

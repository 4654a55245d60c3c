"""The cleaning steps: each with its switch, and what it did to the documents of the preview."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.pages.data.adding.cleaning_form import CleaningForm, NearDuplicates, NormalForm
from studio.pages.data.adding.path_edit import PathEdit
from studio.pages.data.adding.step_row import StepRow
from studio.pages.data.cleaning_facts import (
    NearReport,
    StepReport,
    added_up,
    near_lines,
    near_words,
)
from studio.widgets.card import Card
from studio.widgets.controls import (
    LineEdit,
    LinkButton,
    Segmented,
    Toggle,
)
from studio.widgets.field import Field
from studio.widgets.figures import plural
from studio.widgets.headings import card_title
from studio.widgets.label import Label

_TYPED_MS = 700
"""Typing may pause so long before the preview is made again."""


class CleaningCard(Card):
    """Every step with its switch.

    Signals:
        edited: A step is set otherwise than before.
    """

    edited = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(spacing=0, parent=parent)
        self._exclude: tuple[str, ...] = ()
        self._typed = QTimer(self, interval=_TYPED_MS, singleShot=True)
        self._typed.timeout.connect(self.edited)
        self.body.addWidget(card_title("Cleaning"))
        words = "Switch a step on to see here what it would do, before it is kept."
        self.body.addWidget(Label(words, "secondary", "muted", wrap=True))
        self._toggles = {
            "repair_unicode": Toggle("Repair Unicode"),
            "whitespace": Toggle("Tidy white space"),
        }
        self._normalise = Segmented(
            [("", "As it is"), ("NFC", "NFC"), ("NFKC", "NFKC")], name="Unicode form"
        )
        self._near = Segmented(
            [("off", "Keep"), ("report", "Count"), ("remove", "Remove")], name="Near duplicates"
        )
        self._similarity = LineEdit(mono=True, name="Alike from, percent")
        self._lengths = {
            "min_characters": LineEdit(placeholder="any", mono=True, name="Shortest"),
            "max_characters": LineEdit(placeholder="any", mono=True, name="Longest"),
        }
        self._hook = PathEdit("A Python file with a function `clean`", files="Python files (*.py)")
        self._hook.edit.setPlaceholderText("none")
        self.rows: dict[str, StepRow] = {}
        self._add_rows()
        self._connect()

    def _add_rows(self) -> None:
        """In the order in which the steps are taken."""
        self._add(
            "repair_unicode",
            "Repair Unicode",
            "Text that was decoded wrongly, such as â€œ for a quotation mark.",
            self._toggles["repair_unicode"],
        )
        self._add(
            "normalise",
            "Unicode form",
            "One way to write é. NFKC also makes ﬁ two letters and ² a 2.",
            self._normalise,
        )
        self._add(
            "whitespace",
            "Tidy white space",
            "Line ends alike, no spaces before them, at most two empty lines.",
            self._toggles["whitespace"],
        )
        self._lengths_field = Field("Shortest, characters", self._lengths["min_characters"])
        self._longest_field = Field("Longest, characters", self._lengths["max_characters"])
        lengths = _side_by_side(self._lengths_field, self._longest_field)
        self._add("length", "Length", "Other documents are left out.", below=lengths)
        self._hook_field = Field("File", self._hook, hint="It is run: take one that you trust.")
        self._add(
            "hook",
            "A step of your own",
            "A Python file with a function clean(text, title, path): for language, for quality.",
            below=self._hook_field,
        )
        self._excluded = ExcludedList()
        self._excluded.changed.connect(self._on_excluded_changed)
        self._add("exclude", "Left out by hand", "", below=self._excluded)
        self._similarity_field = Field(
            "Alike from, percent", self._similarity, hint="Of their runs of five words"
        )
        self._add(
            "near_duplicates",
            "Near duplicates",
            "Documents nearly equal to an earlier one. Exact copies are always left out.",
            self._near,
            below=self._similarity_field,
        )

    def _add(
        self,
        step: str,
        name: str,
        what: str,
        control: QWidget | None = None,
        below: QWidget | None = None,
    ) -> None:
        row = self.rows[step] = StepRow(name, what, control, below)
        self.body.addSpacing(12)
        self.body.addWidget(row)

    def _connect(self) -> None:
        for toggle in self._toggles.values():
            toggle.toggled.connect(self.edited)
        for choice in (self._normalise, self._near):
            choice.chosen.connect(self._on_chosen)
        for edit in (*self._lengths.values(), self._similarity, self._hook.edit):
            edit.textChanged.connect(self._typed.start)

    # --- content -----------------------------------------------------------------------------

    def show_form(self, form: CleaningForm) -> None:
        """Show these settings."""
        for step, toggle in self._toggles.items():
            toggle.blockSignals(True)
            toggle.setChecked(bool(getattr(form, step)))
            toggle.blockSignals(False)
        self._normalise.set_current(form.normalise)
        self._near.set_current(form.near_duplicates)
        for step, edit in self._lengths.items():
            edit.setText(getattr(form, step))
        self._similarity.setText(form.similarity)
        self._hook.edit.setText(form.hook)
        self._exclude = form.exclude
        self._excluded.show_names(form.exclude)
        self._show_parts()
        self._typed.stop()

    def form(self) -> CleaningForm:
        """The settings as they stand."""
        normal: dict[str, NormalForm] = {"": "", "NFC": "NFC", "NFKC": "NFKC"}
        near: dict[str, NearDuplicates] = {"off": "off", "report": "report", "remove": "remove"}
        return CleaningForm(
            repair_unicode=self._toggles["repair_unicode"].isChecked(),
            normalise=normal[self._normalise.current],
            whitespace=self._toggles["whitespace"].isChecked(),
            min_characters=self._lengths["min_characters"].text(),
            max_characters=self._lengths["max_characters"].text(),
            hook=self._hook.edit.text(),
            exclude=self._exclude,
            near_duplicates=near[self._near.current],
            similarity=self._similarity.text(),
        )

    def show_reports(
        self, reports: Sequence[StepReport], documents: int, near: NearReport | None = None
    ) -> None:
        """Show what each step did.

        Args:
            reports: One for each step and source.
            documents: How many documents were read.
            near: What is nearly equal, where that was looked for.
        """
        form = self.form()
        for step, row in self.rows.items():
            mine = [report for report in reports if report.step == step]
            row.show_report(added_up(mine) if _is_on(form, step) else None, documents)
        if near is not None and _is_on(form, "near_duplicates"):
            self.rows["near_duplicates"].show_words(near_words(near), near_lines(near))

    def show_waiting(self) -> None:
        """The figures are about to be others."""
        for row in self.rows.values():
            row.set_stale()

    def show_error(self, field: str, message: str) -> bool:
        """Show an error beside its field; False when it is of no field here."""
        fields = {
            "min_characters": self._lengths_field,
            "max_characters": self._longest_field,
            "hook": self._hook_field,
            "similarity": self._similarity_field,
        }
        found = fields.get(field.removeprefix("cleaning."))
        if found is not None:
            found.set_error(message)
        return found is not None

    def clear_errors(self) -> None:
        """Take every error away."""
        for field in (
            self._lengths_field,
            self._longest_field,
            self._hook_field,
            self._similarity_field,
        ):
            field.set_error("")

    # --- reactions ---------------------------------------------------------------------------

    def _show_parts(self) -> None:
        self._similarity_field.setVisible(self._near.current != "off")
        self.rows["exclude"].setVisible(bool(self._exclude))

    def _on_chosen(self) -> None:
        self._show_parts()
        self.edited.emit()

    def _on_excluded_changed(self, names: tuple[str, ...]) -> None:
        self._exclude = names
        self._show_parts()
        self.edited.emit()


def _is_on(form: CleaningForm, step: str) -> bool:
    if step == "length":
        return bool(form.min_characters.strip() or form.max_characters.strip())
    if step == "near_duplicates":
        return form.near_duplicates != "off"
    return bool(getattr(form, step))


class ExcludedList(QWidget):
    """Documents that were excluded by name or by text.

    Signals:
        changed (tuple): The names that are left.
    """

    changed = Signal(tuple)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._count = Label("", "secondary", "muted", wrap=True)
        clear = LinkButton("Take all of them in again")
        clear.clicked.connect(lambda: self.changed.emit(()))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self._count)
        column.addWidget(clear)

    def show_names(self, names: tuple[str, ...]) -> None:
        """Show which documents are left out."""
        self._count.set_text(f"{plural(len(names), 'document')}, from the reports of the index.")
        self._count.set_tooltip("\n".join(names[:20]))


def _side_by_side(*fields: Field) -> QWidget:
    holder = QWidget()
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(12)
    for field in fields:
        row.addWidget(field, 1)
    return holder

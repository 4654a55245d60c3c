"""Adding data, in three steps: where from, what it looks like, how it becomes tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from studio.context import Context
from studio.pages.data.adding.preview_step import PreviewStep
from studio.pages.data.adding.source_form import SourceForm
from studio.pages.data.adding.source_step import SourceStep
from studio.pages.data.adding.tokenizer_form import TokenizerForm
from studio.pages.data.adding.tokens_step import TokensStep
from studio.pages.data.request import (
    AddForm,
    default_name,
    default_what,
    make_preview,
    make_request,
)
from studio.pages.wizard.draft import field_message
from studio.pages.wizard.footer import Footer
from studio.pages.wizard.rail import StepRail
from studio.storage.tokenizer_labels import tokenizer_label
from studio.widgets.empty import ErrorCard
from studio.widgets.scroll import ClearScroll
from studio.widgets.step_keys import claims_back, step_move
from trainer_core.errors import KnownError, SpecError

SOURCE, PREVIEW, TOKENS = range(3)


class AddFlow(QWidget):
    """Everything that a new dataset needs.

    Args:
        context: The studio.

    Signals:
        submitted (object): An `AddRequest` that is valid by itself.
        cancelled: The user does not want to add anything.
        moved (int): Another step is shown; counted from 0.
    """

    submitted = Signal(object)
    cancelled = Signal()
    moved = Signal(int)

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._replaces: int | None = None
        self._form = AddForm()
        self._busy = False
        self._current = self._reached = SOURCE
        self.source = SourceStep(context.tasks)
        self.preview = PreviewStep(context)
        self.tokens = TokensStep()
        self.source.edited.connect(self._on_edited)
        self.preview.edited.connect(self._on_edited)
        self.preview.looked.connect(self._show)
        self.preview.correction_requested.connect(self.show_error)
        self.preview.field_chosen.connect(self._on_field_chosen)
        self.tokens.edited.connect(self._on_edited)
        self._steps = (self.source, self.preview, self.tokens)
        self._lay_out()
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._leave_drops_to_the_page()
        self.show_form(AddForm(), filled=False)

    def _leave_drops_to_the_page(self) -> None:
        """A file that is dropped on a field is data to add, no text to insert."""
        for line in self.findChildren(QLineEdit):
            line.setAcceptDrops(False)
        for text in self.findChildren(QPlainTextEdit):
            text.setAcceptDrops(False)
            text.viewport().setAcceptDrops(False)

    def _lay_out(self) -> None:
        self.rail = StepRail([step.name for step in self._steps])
        self.rail.chosen.connect(self.go_to)
        self.stack = QStackedWidget()
        for step in self._steps:
            self.stack.addWidget(ClearScroll(step))
        self._error_place = QVBoxLayout()
        self._error_place.setContentsMargins(24, 16, 24, 0)
        self._error: ErrorCard | None = None
        self.footer = Footer()
        self.footer.cancel.clicked.connect(self.cancelled)
        self.footer.back.clicked.connect(self.go_back)
        self.footer.next.clicked.connect(self.go_on)
        middle = QVBoxLayout()
        middle.setSpacing(0)
        middle.addLayout(self._error_place)
        middle.addWidget(self.stack, 1)
        row = QHBoxLayout()
        row.setSpacing(0)
        row.addWidget(self.rail)
        row.addLayout(middle, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(row, 1)
        column.addWidget(self.footer)

    # --- content -----------------------------------------------------------------------------

    def show_form(self, form: AddForm, replaces: int | None = None, *, filled: bool = True) -> None:
        """Begin with these settings, at the first step.

        Args:
            form: What the fields say.
            replaces: The dataset whose failed attempt is corrected, if any.
            filled: They are those of a dataset, so that every step can be gone to at once.
        """
        self._replaces = replaces
        self._form = form
        self._busy = False
        self._took_bytes = False
        self.tokens.show_form(form)
        self._first_tokenizer = self.tokens.tokenizer()
        self.source.show_sources(form.sources)
        self.preview.show_cleaning(form.cleaning)
        self._reached = TOKENS if filled else SOURCE
        self._current = SOURCE
        self.clear_errors()
        self._show()

    def form(self) -> AddForm:
        """The settings as they stand."""
        form = replace(self._form, sources=self.source.forms, cleaning=self.preview.cleaning())
        return self.tokens.form(form)

    def set_datasets(self, datasets: Sequence[tuple[str, Path]]) -> None:
        """Offer the tokenizers of these datasets: name and corpus folder of each."""
        self.tokens.set_datasets(datasets)

    @property
    def current(self) -> int:
        """The step that is shown."""
        return self._current

    @property
    def replaces(self) -> int | None:
        """The dataset whose failed attempt is corrected, if any."""
        return self._replaces

    def add_source(self, form: SourceForm) -> None:
        """Take a source that was dropped, and show it."""
        self.source.add_source(form)
        self.go_to(SOURCE)

    def take_tokenizer(self, tokenizer: TokenizerForm) -> None:
        """Take a tokenizer that was dropped, and show it."""
        self.tokens.show_form(replace(self.form(), tokenizer=tokenizer))
        self._turn_to(TOKENS)

    def show_error(self, error: KnownError) -> None:
        """Show an error beside its field, or above the steps when it has none here."""
        self.clear_errors()
        path = error.field.removeprefix("prepare.").removeprefix("preview.")
        message = field_message(error) if isinstance(error, SpecError) else error.what
        words = " ".join(part for part in (message, error.do) if part)
        words = message if words == error.what else words
        field = self.tokens.by_path.get(path.split("[")[0])
        if field is not None:
            field.set_error(words)
            self._turn_to(TOKENS)
            field.control.setFocus(Qt.FocusReason.OtherFocusReason)
        elif self.source.show_error(path, words):
            self._turn_to(SOURCE)
        elif path.startswith("cleaning") and self.preview.show_error(path, words):
            self._turn_to(PREVIEW)
        else:
            self._error = ErrorCard(error, closable=True)
            self._error.dismissed.connect(self.clear_errors)
            self._error_place.addWidget(self._error)

    def clear_errors(self) -> None:
        """Take every error away."""
        self.source.clear_errors()
        self.preview.clear_errors()
        for field in self.tokens.by_path.values():
            field.set_error("")
        if self._error is not None:
            self._error.hide()
            self._error.deleteLater()
            self._error = None

    def set_busy(self, busy: bool) -> None:
        """Whether the request is being carried out."""
        self._busy = busy
        self._show()

    def leave(self) -> None:
        """The flow is left: what only served it ends."""
        self.preview.leave()

    # --- moving ------------------------------------------------------------------------------

    def go_to(self, step: int) -> None:
        """Open a step that was reached before."""
        if SOURCE <= step <= self._reached and step != self._current:
            self._turn_to(step)

    def go_back(self) -> None:
        """Open the step before."""
        self.go_to(self._current - 1)

    def go_on(self) -> None:
        """Open the next step, or send the settings off from the last one."""
        if self._busy:
            return
        self.clear_errors()
        try:
            if self._current == TOKENS:
                self.submitted.emit(make_request(self.form(), self._replaces))
                return
            make_preview(self.form())
        except SpecError as error:
            self.show_error(error)
            return
        self._reached = max(self._reached, self._current + 1)
        self._turn_to(self._current + 1)

    def _turn_to(self, step: int) -> None:
        self._current = step
        self._reached = max(self._reached, step)
        if step == TOKENS:
            self._suggest()
        self._show()
        if step == PREVIEW:
            self._look()
        self.moved.emit(step)

    def _look(self) -> None:
        """Let the preview show the sources as they are now."""
        try:
            spec = make_preview(self.form())
        except SpecError as error:
            self.show_error(error)
        else:
            self.preview.look(spec)

    def _suggest(self) -> None:
        """Name the dataset, and take bytes for rules, whose answers are about letters."""
        form = self.form()
        is_rules = all(source.kind in ("rule_task", "own_rules") for source in form.sources)
        if is_rules and form.tokenizer == self._first_tokenizer:
            self.tokens.choose("bytes")
        elif not is_rules and self._took_bytes and form.tokenizer.kind == "bytes":
            self.tokens.choose(self._first_tokenizer.kind)
        self._took_bytes = is_rules
        self.tokens.suggest(default_name(form), default_what(form))

    def _show(self) -> None:
        form = self.form()
        self.stack.setCurrentIndex(self._current)
        summaries = (self.source.summary(), self.preview.summary(), _tokens_summary(form))
        self.rail.show_state(self._current, self._reached, summaries)
        word = "Read the text"
        if self._current < TOKENS:
            word = f"Next: {self._steps[self._current + 1].name}"
        self.footer.show_state(word, "", first=self._current == SOURCE, busy=self._busy)

    # --- reactions ---------------------------------------------------------------------------

    def _on_edited(self) -> None:
        if self._error is not None:
            self.clear_errors()
        self._show()
        if self._current == PREVIEW:
            self._look()

    def _on_field_chosen(self, position: int, name: str) -> None:
        """Another field of a source holds the text."""
        forms = list(self.source.forms)
        forms[position] = replace(forms[position], field=name)
        self.source.show_sources(tuple(forms))
        self._on_edited()

    def event(self, event: QEvent) -> bool:
        """Take Alt+Left for the step before, while there is one."""
        if self._current > SOURCE and claims_back(event):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Alt+Left and Ctrl+Enter move, Esc closes."""
        match step_move(event):
            case "back":
                self.go_back()
            case "on":
                self.go_on()
            case "close":
                self.cancelled.emit()
            case None:
                super().keyPressEvent(event)


def _tokens_summary(form: AddForm) -> str:
    """Tokenizer and split in few words."""
    try:
        label = tokenizer_label(make_request(form).spec.tokenizer)
    except SpecError:
        return ""
    return f"{label}; {form.validation.strip().rstrip('%')} % held out"

"""The inspector: the first real batches of a training, token by token."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from studio.context import Context
from studio.pages.data.batches.facts import NOTHING, Batches, BatchRow, read_batches
from studio.pages.data.batches.strips import RowStrips, row_words
from studio.pages.data.batches.target import BatchesTarget, fitting
from studio.pages.data.batches.token_panel import TokenPanel
from studio.pages.data.passing_job import PassingJob
from studio.pages.page import Page, PageHeader
from studio.pages.playground.output import HeatLegend
from studio.pages.typed import parse
from studio.widgets.card import Card
from studio.widgets.controls import IconButton, LineEdit, Segmented
from studio.widgets.empty import EmptyState, ErrorCard, LoadingBlocks
from studio.widgets.figures import plural, whole
from studio.widgets.headings import card_title
from studio.widgets.label import Label, Part
from studio.widgets.token_run import Colouring, TextToken
from studio.widgets.token_text import TokenText

_PLACE = "inspected"
_PACKINGS = {
    "stream": "one stream",
    "best_fit": "whole documents, packed",
    "documents": "one document a row",
}
_BACK = {"wizard": "New run", "data": "Data"}
_COLOURS = (("documents", "Documents"), ("matches", "Matches"), ("targets", "Targets"))
_KEYS = {
    "documents": "Neighbouring documents differ in colour; ¶ opens each",
    "targets": "Nothing is learned where there is colour: what follows is ignored",
}
_IGNORED_GROUP = 4


@dataclass(frozen=True)
class _Shown:
    """Which batch and which sequence of it."""

    batch: int = 0
    row: int = 0


class BatchesPage(Page):
    """Batches above, one of their sequences as text below, the token pointed at to the right."""

    nav_key = "data"

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._target: BatchesTarget | None = None
        self._batches = Batches()
        self._at = _Shown()
        self._job = PassingJob(context, _PLACE, read_batches, self)
        self._job.finished.connect(self._on_finished)
        self._job.failed.connect(self._on_failed)
        self._lay_out()

    # --- page --------------------------------------------------------------------------------

    def open(self, target: object | None) -> None:
        """Show the batches of a `BatchesTarget`."""
        if not isinstance(target, BatchesTarget):
            self._stack.setCurrentWidget(self._nothing)
            return
        if target != self._target:
            self._target = target
            self._ask()

    def target(self) -> object | None:
        """The training whose batches are shown."""
        return self._target

    def _ask(self) -> None:
        if self._target is None:
            return
        spec = self._target.spec
        self._crumb.set_parts(
            Part(f"{_BACK.get(self._target.back, 'Back')} "),
            Part(" /  ", tone="muted"),
            Part("Batches", tone="text"),
        )
        self._subject.set_text(self._target.name)
        if parse(self._step.text()) != spec.first_step:
            self._step.setText(f"{spec.first_step:,}")
        self._stack.setCurrentWidget(self._waiting)
        self._job.start(fitting(spec))

    # --- parts -------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        back = IconButton("arrow-left", "Back (Esc)", edge=28)
        back.clicked.connect(self._go_back)
        self._crumb = Label("", "title", "muted")
        self._subject = Label("", "secondary", "muted")
        header = PageHeader()
        header.add_left(back)
        header.add_left(self._crumb)
        header.add_left(self._subject)
        self._step = LineEdit(mono=True, name="First step")
        self._step.setFixedWidth(88)
        self._step.editingFinished.connect(self._on_step_edited)
        header.add_right(Label("from step", "secondary", "muted", elide=False))
        header.add_right(self._step)
        self._waiting = _padded(LoadingBlocks(rows=8))
        self._nothing = EmptyState("Open it from a dataset or from the wizard's first step.")
        self._failed = QWidget()
        self._error_column = QVBoxLayout(self._failed)
        self._error_column.setContentsMargins(24, 20, 24, 20)
        self._error: ErrorCard | None = None
        self._error_column.addStretch(1)
        self._stack = QStackedWidget()
        self._view = self._make_view()
        for view in (self._waiting, self._nothing, self._failed, self._view):
            self._stack.addWidget(view)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(header)
        column.addWidget(self._stack, 1)

    def _make_view(self) -> QWidget:
        self.panel = TokenPanel()
        left = QVBoxLayout()
        left.setContentsMargins(24, 16, 16, 16)
        left.setSpacing(12)
        left.addWidget(self._batch_card())
        left.addWidget(self._row_card(), 1)
        view = QWidget()
        row = QHBoxLayout(view)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addLayout(left, 1)
        row.addWidget(self.panel)
        return view

    def _batch_card(self) -> QWidget:
        self.before = IconButton("chevron-left", "Batch before", edge=22)
        self.before.clicked.connect(lambda: self._show_batch(self._at.batch - 1))
        self.after = IconButton("chevron-right", "Next batch", edge=22)
        self.after.clicked.connect(lambda: self._show_batch(self._at.batch + 1))
        self._which = card_title("")
        self._what = Label("", "secondary", "muted")
        self.strips = RowStrips()
        self.strips.row_chosen.connect(self._show_row)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self._which)
        head.addWidget(self._what, 1)
        head.addWidget(self.before)
        head.addWidget(self.after)
        card = Card(padding=14, spacing=8)
        card.body.addLayout(head)
        card.body.addWidget(self.strips)
        return card

    def _row_card(self) -> QWidget:
        self._row_title = card_title("")
        self._row_words = Label("", "secondary", "muted")
        self.colours = Segmented([*_COLOURS], name="Coloured by")
        self.colours.chosen.connect(self._on_colour_chosen)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self._row_title)
        head.addWidget(self._row_words, 1)
        head.addWidget(self.colours)
        self.text = TokenText(colouring=Colouring.GROUPS, role="body", line_height=24, margin=0)
        self.text.setAccessibleName("Tokens of the sequence")
        self.text.token_hovered.connect(lambda _token: self._show_token())
        self.text.token_pinned.connect(lambda _token: self._show_token())
        self._legend = HeatLegend()
        self._key = Label("", "label", "muted")
        card = Card(padding=14, spacing=10)
        card.body.addLayout(head)
        card.body.addWidget(self._legend)
        card.body.addWidget(self._key)
        card.body.addWidget(self.text, 1)
        return card

    # --- what is shown -----------------------------------------------------------------------

    def _on_finished(self, batches: object) -> None:
        if not isinstance(batches, Batches):
            return
        self._batches = batches
        has_matches = any(row.matches for batch in batches.batches for row in batch.rows)
        choices = [choice for choice in _COLOURS if choice[0] != "matches" or has_matches]
        self.colours.set_choices(choices)
        self._stack.setCurrentWidget(self._view)
        self._show_batch(0)

    def _on_failed(self, error: object) -> None:
        if not isinstance(error, Exception):
            return
        if self._error is not None:
            self._error.hide()
            self._error.deleteLater()
        self._error = ErrorCard(error, button="Try again")
        self._error.clicked.connect(self._ask)
        self._error_column.insertWidget(0, self._error)
        self._stack.setCurrentWidget(self._failed)

    def _show_batch(self, number: int) -> None:
        if not 0 <= number < len(self._batches.batches):
            return
        self._at = _Shown(number)
        batch, whole_batch = self._batches.batches[number], self._batches.batch_size
        self._which.set_parts(Part(f"Step {whole(batch.step)}", "strong"))
        shown = len(batch.rows)
        of = f"{shown} of {whole(whole_batch)}" if shown < whole_batch else whole(whole_batch)
        packing = _PACKINGS.get(self._batches.packing, self._batches.packing)
        masked = ", documents apart" if self._batches.masked else ""
        self._what.set_text(
            f"{of} sequences of {whole(self._batches.context_length)}, {packing}{masked}"
        )
        self.before.setEnabled(number > 0)
        self.after.setEnabled(number + 1 < len(self._batches.batches))
        self.strips.show_rows(self._batches, batch.rows)
        self._show_row(0)

    def _row(self) -> BatchRow:
        return self._batches.batches[self._at.batch].rows[self._at.row]

    def _show_row(self, number: int) -> None:
        self._at = replace(self._at, row=number)
        row = self._row()
        self._row_title.set_parts(Part(f"Sequence {number + 1}", "strong"))
        ignored = sum(target == NOTHING for target in row.targets)
        words = f", {plural(ignored, 'target')} ignored" if ignored else ""
        self._row_words.set_text(f"{row_words(row)}{words}")
        self.panel.show_row(self._batches, row)
        self._show_text()

    def _show_text(self) -> None:
        key = self.colours.current
        self._legend.setVisible(key == "matches")
        self._key.setVisible(key != "matches")
        self._key.set_text(_KEYS.get(key, ""))
        self.text.clear()  # so that what goes away is not laid out once more
        self.text.set_colouring(Colouring.HEAT if key == "matches" else Colouring.GROUPS)
        self.text.set_tokens(shown_tokens(self._batches, self._row(), key))
        self.text.verticalScrollBar().setValue(0)

    def _show_token(self) -> None:
        self.panel.show_place(self.text.current)

    # --- reactions ---------------------------------------------------------------------------

    def _on_colour_chosen(self, _key: str) -> None:
        self._show_text()

    def _on_step_edited(self) -> None:
        step = parse(self._step.text())
        wrong = self._target is None or not isinstance(step, int) or step < 1
        self._step.set_invalid(wrong)
        if self._target is None or not isinstance(step, int) or wrong:
            return
        if step != self._target.spec.first_step:
            spec = msgspec.structs.replace(self._target.spec, first_step=step)
            self._target = replace(self._target, spec=spec)
            self._ask()

    def _go_back(self) -> None:
        self._context.navigate(self._target.back if self._target is not None else "data", None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc goes back."""
        if event.key() == Qt.Key.Key_Escape:
            self._go_back()
            return
        super().keyPressEvent(event)


def shown_tokens(batches: Batches, row: BatchRow, colours: str) -> list[TextToken]:
    """A sequence as text.

    Args:
        batches: Knows the bytes of tokens.
        row: The sequence.
        colours: `documents`, `matches` or `targets`: what tokens are coloured by.
    """
    groups = [0] * len(row.ids)
    for number, run in enumerate(row.documents, 1):
        groups[run.start : run.stop] = [0 if run.is_padding else number] * (run.stop - run.start)
    if colours == "targets":
        groups = [_IGNORED_GROUP if target == NOTHING else 0 for target in row.targets]
    lengths = row.matches.length if row.matches else groups
    return [
        TextToken(batches.piece(token), length if row.matches else 0, group=group, within=True)
        for token, length, group in zip(row.ids, lengths, groups, strict=True)
    ]


def _padded(widget: QWidget) -> QWidget:
    holder = QWidget()
    column = QVBoxLayout(holder)
    column.setContentsMargins(24, 20, 24, 20)
    column.addWidget(widget)
    column.addStretch(1)
    return holder

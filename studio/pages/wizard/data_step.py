"""The wizard's step on data: which text the model learns from."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from studio.pages.wizard.continuing import Continued, reads_anew
from studio.pages.wizard.draft import DataChoice, Draft
from studio.pages.wizard.mixing_card import MixingCard
from studio.pages.wizard.packing_card import PackingCard
from studio.pages.wizard.plan import Plan
from studio.pages.wizard.sequences import SequenceForm
from studio.pages.wizard.start import Shelf
from studio.pages.wizard.step import StepView
from studio.theme import theme
from studio.widgets.controls import LinkButton, SecondaryButton
from studio.widgets.empty import EmptyState
from studio.widgets.figures import count, percent, plural, size, whole
from studio.widgets.icon import IconLabel
from studio.widgets.label import Label, Part
from studio.widgets.paint import painter_for, repaint_on_theme, rounded_box
from studio.widgets.pill import PILLS
from studio.widgets.table import Cell, Column, DataTable, Row

_COLUMNS = (
    Column("name", "Name", 128, 2, "strong"),
    Column("documents", "Documents", 88, style="mono", right=True),
    Column("tokens", "Train tokens", 92, style="mono", right=True),
    Column("tokenizer", "Tokenizer", 116, 1, "muted"),
    Column("index", "Memory index", 148, 1, "muted", sortable=False),
)
_PILLS = {"absent": "not_built"}
"""Pills of index states that are not named like them."""


class DataStep(StepView):
    """Which dataset to learn from; its tokenizer comes with it.

    Signals:
        add_requested: New data is wanted.
        batches_requested: The first batches are to be shown.
    """

    add_requested = Signal()
    batches_requested = Signal()

    name = "Data"
    explanation = (
        "The text that the model learns from. Its tokenizer and its split were fixed when it was"
        " read."
    )

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._choices: tuple[DataChoice, ...] = ()
        self.table = DataTable(_COLUMNS, fit_rows=True, single_click=False, name="Datasets")
        self.table.row_selected.connect(self._on_row_selected)
        self._unready = Label("", "secondary", "muted", wrap=True)
        add = SecondaryButton("Add data", "plus")
        add.clicked.connect(self.add_requested)
        foot = QHBoxLayout()
        foot.addWidget(self._unready, 1)
        foot.addWidget(add)
        empty = EmptyState(
            "There is no text to learn from yet. Read this computer's Python library, or your own.",
            "Add data",
            "plus",
        )
        empty.clicked.connect(self.add_requested)
        self._stack = QStackedWidget()
        self.continued = ContinuedNotice()
        self.continued.dropped.connect(self._on_continued_dropped)
        holder = QWidget()
        rows = QVBoxLayout(holder)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(12)
        rows.addWidget(self.continued)
        rows.addWidget(self.table)
        rows.addLayout(foot)
        self.packing = PackingCard()
        self.mixing = MixingCard()
        for card in (self.packing, self.mixing):
            card.form_changed.connect(self._on_form_changed)
            rows.addWidget(card)
        self.packing.batches_wanted.connect(self.batches_requested)
        rows.addStretch(1)
        self._stack.addWidget(holder)
        self._stack.addWidget(empty)
        self.column.addWidget(self._stack, 1)

    def show_draft(self, draft: Draft, plan: Plan, shelf: Shelf) -> None:
        """List the datasets, with the chosen one marked."""
        super().show_draft(draft, plan, shelf)
        self._choices = shelf.choices
        self._stack.setCurrentIndex(0 if shelf.choices or shelf.unready else 1)
        self.table.set_rows([_row(choice) for choice in shelf.choices])
        self.table.select(draft.data.id if draft.data else None)
        waiting = ", ".join(shelf.unready)
        self._unready.set_text(f"Not read yet: {waiting}." if waiting else "")
        base = draft.base
        anew = base is not None and plan.spec is not None and reads_anew(base, plan.spec)
        self.continued.show_run(draft.continues, anew=anew)
        self.packing.setVisible(draft.data is not None)
        self.packing.show_draft(draft)
        self.mixing.show_draft(draft, plan)

    def summary(self, draft: Draft, plan: Plan) -> str:
        """Name and tokens."""
        if draft.data is None:
            return ""
        return f"{draft.data.name}, {count(draft.data.train_tokens)}"

    def obstacle(self, draft: Draft, plan: Plan) -> str:
        """A dataset must be chosen, and its mixing must be possible."""
        if draft.data is None:
            return "Choose a dataset"
        fields = ("data.", "model.vocab_size")  # the latter where another run is continued
        wrong = plan.error is not None and plan.error.field.startswith(fields)
        return plan.obstacle if wrong else ""

    def _on_row_selected(self, key: object) -> None:
        chosen = next((c for c in self._choices if c.id == key), None)
        if chosen is not None and (self.draft.data is None or chosen.id != self.draft.data.id):
            # Weights are told by the names of sources: another dataset begins without.
            fresh = replace(self.draft.sequences, mixing="remaining", points=())
            self.draft_changed.emit(replace(self.draft, data=chosen, sequences=fresh))

    def _on_continued_dropped(self) -> None:
        self.draft_changed.emit(replace(self.draft, continues=None))

    def _on_form_changed(self, form: SequenceForm) -> None:
        self.draft_changed.emit(replace(self.draft, sequences=form))


class ContinuedNotice(QWidget):
    """Says which run is gone on from; hidden where none is.

    Signals:
        dropped: The run is to begin with fresh weights after all.
    """

    dropped = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text = Label("", "secondary", wrap=True)
        self.text.set_tone("text")
        anew = LinkButton("Begin anew")
        anew.clicked.connect(self.dropped)
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 9, 12, 9)
        row.setSpacing(10)
        row.addWidget(IconLabel("refresh-cw", "info", 14), 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.text, 1)
        row.addWidget(anew, 0, Qt.AlignmentFlag.AlignTop)
        self.hide()
        repaint_on_theme(self)

    def show_run(self, continued: Continued | None, *, anew: bool = False) -> None:
        """Show the run, or nothing; `anew`: its text is read from the beginning again."""
        self.setVisible(continued is not None)
        if continued is None:
            return
        parts = [
            Part("Continues "),
            Part(continued.name, "strong"),
            Part(". Its weights are the beginning; "),
        ]
        if anew:
            parts.append(Part("the sources are read from their beginnings, by weights."))
        elif continued.seen is None:
            parts.append(Part("text that it has not seen comes first."))
        elif continued.seen >= 1.0:
            parts.append(Part("it has seen all of its text, which is now read again."))
        else:
            seen = Part(percent(continued.seen), "mono", "text")
            parts += [Part("it has seen "), seen, Part(" of its text, and the rest comes first.")]
        self.text.set_parts(*parts)

    def paintEvent(self, event: QPaintEvent) -> None:
        """A soft ground."""
        painter = painter_for(self)
        rounded_box(painter, QRectF(self.rect()), 6, fill=theme().palette.info.soft)
        painter.end()


def pill_of(choice: DataChoice) -> str:
    """The pill of a dataset's index."""
    return _PILLS.get(choice.index_state, choice.index_state)


def _row(choice: DataChoice) -> Row:
    stored = size(choice.index_bytes) if choice.index_bytes else ""
    return Row(
        choice.id,
        {
            "name": Cell(choice.name, tooltip=choice.what),
            "documents": Cell(
                count(choice.documents) if choice.documents >= 10**8 else whole(choice.documents),
                sort=choice.documents,
                tooltip=plural(choice.documents, "document"),
            ),
            "tokens": Cell(
                count(choice.train_tokens),
                sort=choice.train_tokens,
                tooltip=plural(choice.train_tokens, "token"),
            ),
            "tokenizer": Cell(choice.tokenizer),
            "index": Cell(stored, pill=PILLS[pill_of(choice)], style="mono_muted"),
        },
    )

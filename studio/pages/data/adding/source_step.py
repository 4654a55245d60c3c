"""The first step of adding data: where the text is from, one source or several mixed."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Literal

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from studio.pages.data.adding.source_fields import SourceFields
from studio.pages.data.adding.source_form import (
    SourceForm,
    SourceKind,
    known_dataset,
    named_apart,
    of_known,
    title_of,
)
from studio.pages.data.adding.source_list import SourceList
from studio.tasks import Tasks
from studio.widgets.card import Card
from studio.widgets.choice_card import ChoiceCard
from studio.widgets.controls import SecondaryButton
from studio.widgets.headings import card_title
from studio.widgets.label import Label
from trainer_core.known_datasets import KNOWN_DATASETS, KnownDataset

Choice = SourceKind | Literal["known"]

_CHOICES: tuple[tuple[Choice, str, str, str], ...] = (
    (
        *("python_library", "This computer's Python library"),
        *("Program code, nothing to download", "file-text"),
    ),
    ("text_files", "My files and folders", "Text, code, tables, e-books, archives", "folder-open"),
    ("known", "A well-known dataset", "TinyStories, FineWeb-Edu and others", "pin"),
    ("hub_dataset", "Any Hugging Face dataset", "By its name on the Hub", "external-link"),
    ("saved_dataset", "A saved dataset folder", "Written by save_to_disk", "database"),
    ("token_files", "Token files", "As nanoGPT and llm.c write them", "layout-grid"),
    ("rule_task", "A rule task", "Made by rules, so it can be scored", "dices"),
    ("own_rules", "Rules of my own", "Write a few, see their lines at once", "pencil"),
)
_PER_ROW = 3
_KNOWN_PER_ROW = 2


class SourceStep(QWidget):
    """Kinds of sources as cards, and the settings of the one that is chosen.

    Args:
        tasks: Rules are tried in a thread.

    Signals:
        edited: A source is another than before.
    """

    edited = Signal()

    name = "Source"

    def __init__(self, tasks: Tasks, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._forms: list[SourceForm] = [SourceForm()]
        self._current = 0
        self._choice: Choice = "python_library"
        self.fields = SourceFields(tasks)
        self.fields.edited.connect(self._on_fields_edited)
        self._list = SourceList()
        self._list.chosen.connect(self._turn_to)
        self._list.removed.connect(self._on_removed)
        self._known = _KnownCards()
        self._known.chosen.connect(self._on_known_chosen)
        self._more = SecondaryButton("Mix in another source", "plus", size="small")
        self._more.clicked.connect(self._on_more_clicked)
        self._mix_hint = Label("", "secondary", "muted")
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 24)
        column.setSpacing(12)
        column.addWidget(Label("Where is the text?", "heading"))
        column.addWidget(
            Label(
                "One source, or several in one dataset. Files and folders can be dropped here too.",
                "body",
                "muted",
                wrap=True,
            )
        )
        column.addWidget(self._list)
        column.addLayout(self._cards())
        self._card = Card(spacing=12)
        self._heading = card_title("")
        self._card.body.addWidget(self._heading)
        self._card.body.addWidget(self._known)
        self._card.body.addWidget(self.fields)
        column.addWidget(self._card)
        foot = QHBoxLayout()
        foot.setSpacing(12)
        foot.addWidget(self._more)
        foot.addWidget(self._mix_hint, 1)
        column.addLayout(foot)
        column.addStretch(1)
        self._turn_to(0)

    def _cards(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setSpacing(8)
        self.choices: dict[Choice, ChoiceCard] = {}
        for number, (key, name, line, icon) in enumerate(_CHOICES):
            card = ChoiceCard(name, (line, "secondary"), icon=icon)
            card.clicked.connect(partial(self._on_choice_clicked, key))
            grid.addWidget(card, number // _PER_ROW, number % _PER_ROW)
            self.choices[key] = card
        for column in range(_PER_ROW):
            grid.setColumnStretch(column, 1)
        return grid

    # --- content -----------------------------------------------------------------------------

    def show_sources(self, forms: tuple[SourceForm, ...]) -> None:
        """Show these sources."""
        self._forms = list(forms)
        self._turn_to(0)

    @property
    def forms(self) -> tuple[SourceForm, ...]:
        """The sources as they stand, with names that tell several apart."""
        return named_apart(self._forms)

    def summary(self) -> str:
        """What was chosen, in few words."""
        count_ = len(self._forms)
        return title_of(self._forms[0]) if count_ == 1 else f"{count_} sources"

    def show_error(self, field: str, message: str) -> bool:
        """Show an error beside its field; False when it is of no field here.

        Args:
            field: Such as `source.paths` or `sources[1].repo`.
            message: What is wrong.
        """
        head, _, name = field.partition(".")
        number = head.removeprefix("sources[").removesuffix("]")
        if not head.startswith("source"):
            return False
        if number.isdigit() and int(number) < len(self._forms):
            self._turn_to(int(number))
        return self.fields.show_error(name.partition("[")[0], message)

    def clear_errors(self) -> None:
        """Take every error away."""
        self.fields.clear_errors()

    def add_source(self, form: SourceForm) -> None:
        """Take a source that was dropped: beside the others, or in place of an untouched one."""
        untouched = self._forms == [SourceForm()]
        if form.kind in ("text_files", "token_files"):
            for number, known in enumerate(self._forms):
                if known.kind == form.kind:
                    paths = tuple(dict.fromkeys((*known.paths, *form.paths)))
                    self._forms[number] = replace(known, paths=paths)
                    self._finish_adding(number)
                    return
        if untouched:
            self._forms = [form]
        else:
            self._forms.append(form)
        self._finish_adding(len(self._forms) - 1)

    def _finish_adding(self, number: int) -> None:
        self._turn_to(number)
        self.clear_errors()
        self.edited.emit()

    # --- reactions ---------------------------------------------------------------------------

    def _turn_to(self, number: int) -> None:
        """Show the settings of one of the sources."""
        self._current = number
        form = self._forms[number]
        self._show_choice("known" if known_dataset(form) else form.kind)
        self.fields.show_form(form)
        self.fields.clear_errors()
        self._show_list()

    def _show_choice(self, choice: Choice) -> None:
        self._choice = choice
        for key, card in self.choices.items():
            card.setChecked(key == choice)
        self._heading.set_text(next(name for key, name, _, _ in _CHOICES if key == choice))
        self._known.setVisible(choice == "known")
        self._known.show_chosen(known_dataset(self._forms[self._current]))

    def _show_list(self) -> None:
        self._list.show_sources(named_apart(self._forms), self._current)
        several = len(self._forms) > 1
        self._mix_hint.set_text(
            "In what proportion they are trained on is chosen with each run." if several else ""
        )

    def _on_choice_clicked(self, choice: Choice) -> None:
        if choice == self._choice:
            return
        self._forms[self._current] = (
            SourceForm(kind=choice) if choice != "known" else of_known(KNOWN_DATASETS[0].source)
        )
        self._turn_to(self._current)
        self.edited.emit()

    def _on_known_chosen(self, known: KnownDataset) -> None:
        self._forms[self._current] = of_known(known.source)
        self._turn_to(self._current)
        self.edited.emit()

    def _on_fields_edited(self) -> None:
        form = self.fields.form()
        self._forms[self._current] = form
        if self._choice == "known" and known_dataset(form) is None:
            self._show_choice("hub_dataset")
        self._show_list()
        self.edited.emit()

    def _on_more_clicked(self) -> None:
        self._forms.append(SourceForm(kind="text_files"))
        self._finish_adding(len(self._forms) - 1)

    def _on_removed(self, number: int) -> None:
        del self._forms[number]
        self._turn_to(min(self._current, len(self._forms) - 1))
        self.edited.emit()


class _KnownCards(QWidget):
    """The well-known datasets.

    Signals:
        chosen (object): One was taken; carries its `KnownDataset`.
    """

    chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(8)
        self._cards: list[tuple[KnownDataset, ChoiceCard]] = []
        for number, known in enumerate(KNOWN_DATASETS):
            card = ChoiceCard(known.title, (known.summary, "secondary"))
            card.clicked.connect(partial(self.chosen.emit, known))
            grid.addWidget(card, number // _KNOWN_PER_ROW, number % _KNOWN_PER_ROW)
            self._cards.append((known, card))
        for column in range(_KNOWN_PER_ROW):
            grid.setColumnStretch(column, 1)

    def show_chosen(self, chosen: KnownDataset | None) -> None:
        """Light up the one that is in force."""
        for known, card in self._cards:
            card.setChecked(known is chosen)

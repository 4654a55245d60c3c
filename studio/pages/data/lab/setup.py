"""The left column of the tokenizer lab: which text, which tokenizers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from studio.pages.data.lab.candidate_card import CandidateCard
from studio.pages.data.lab.form import CANDIDATES_MAX, LabForm
from studio.pages.wizard.draft import field_message
from studio.widgets.card import Hairline, Panel
from studio.widgets.controls import (
    ComboBox,
    LineEdit,
    PrimaryButton,
    SecondaryButton,
    TextEdit,
)
from studio.widgets.field import Field
from studio.widgets.figures import plural, rough_duration
from studio.widgets.headings import card_title
from studio.widgets.label import Label
from studio.widgets.progress import ProgressLine
from studio.widgets.scroll import ClearScroll
from trainer_core.errors import SpecError
from trainer_core.records import Progress

WIDTH_PX = 320
_FILES = "files"


class LabSetup(Panel):
    """What is compared on what, and the button that begins.

    Signals:
        edited: A setting is another one.
        started: Compare now.
        stopped: End the comparison that is at work.
    """

    edited = Signal()
    started = Signal()
    stopped = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("bg1", right_line=True, parent=parent)
        self.setFixedWidth(WIDTH_PX)
        self._form = LabForm()
        self._datasets: tuple[tuple[str, Path], ...] = ()
        self.cards: list[CandidateCard] = []
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(16, 14, 16, 16)
        column.setSpacing(10)
        column.addWidget(card_title("Text"))
        column.addWidget(self._text_field())
        column.addWidget(self._sample_field())
        column.addWidget(self._own_text_field())
        column.addSpacing(6)
        column.addWidget(card_title("Tokenizers"))
        self._place = QVBoxLayout()
        self._place.setSpacing(8)
        column.addLayout(self._place)
        self.further = SecondaryButton("Add a tokenizer", "plus", size="small")
        self.further.clicked.connect(self._on_further_clicked)
        column.addWidget(self.further, 0, Qt.AlignmentFlag.AlignLeft)
        column.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 1, 0)
        outer.setSpacing(0)
        outer.addWidget(ClearScroll(inner), 1)
        outer.addWidget(Hairline())
        outer.addWidget(self._foot())

    def _text_field(self) -> Field:
        self.text = ComboBox("Text")
        self.text.activated.connect(self._on_text_chosen)
        self._corpus = Field("From", self.text)
        return self._corpus

    def _sample_field(self) -> Field:
        self.sample = LineEdit(mono=True, name="Compared on")
        self.sample.setFixedWidth(110)
        self.sample.textEdited.connect(self._on_sample_edited)
        self._sample = Field(
            "Compared on",
            self.sample,
            beside=True,
            tooltip="Own tokenizers learn from other documents than these.",
        )
        return self._sample

    def _own_text_field(self) -> Field:
        self.own = TextEdit(placeholder="Empty shows the beginning of some documents", name="Text")
        self.own.setFixedHeight(58)
        self.own.textChanged.connect(self._on_own_changed)
        return Field("A text to see in tokens", self.own)

    def _foot(self) -> QWidget:
        self.start = PrimaryButton("Compare", "play")
        self.start.clicked.connect(self.started)
        self.stop = SecondaryButton("Stop", "square")
        self.stop.clicked.connect(self.stopped)
        self._phase = Label("", "secondary", "muted")
        self._line = ProgressLine(colour="info")
        self._obstacle = Label("", "label", "danger", wrap=True)
        row = QHBoxLayout()
        row.addWidget(self._phase, 1)
        row.addWidget(self.stop)
        row.addWidget(self.start)
        foot = QWidget()
        column = QVBoxLayout(foot)
        column.setContentsMargins(16, 10, 16, 12)
        column.setSpacing(8)
        column.addWidget(self._obstacle)
        column.addWidget(self._line)
        column.addLayout(row)
        self.show_progress(None, working=False)
        return foot

    # --- what is shown -----------------------------------------------------------------------

    def form(self) -> LabForm:
        """The settings as they stand."""
        return self._form

    def set_datasets(self, datasets: Sequence[tuple[str, Path]]) -> None:
        """Offer these texts: name and corpus folder of each."""
        self._datasets = tuple(datasets)
        self._offer_texts()
        for card in self.cards:
            card.set_datasets(self._datasets)

    def show_form(self, form: LabForm) -> None:
        """Show these settings."""
        self._form = form
        self._offer_texts()
        if self.sample.text() != form.sample_bytes:
            self.sample.setText(form.sample_bytes)
        if self.own.toPlainText() != form.text:
            self.own.setPlainText(form.text)
        while len(self.cards) > len(form.candidates):
            card = self.cards.pop()
            card.hide()
            card.deleteLater()
        while len(self.cards) < len(form.candidates):
            self._add_card()
        for card, candidate in zip(self.cards, form.candidates, strict=True):
            card.show_form(candidate)
            card.away.setVisible(len(self.cards) > 1)
        self.further.setVisible(len(self.cards) < CANDIDATES_MAX)

    def show_error(self, error: SpecError | None) -> None:
        """Show what is wrong beside its setting, and below."""
        field = error.field if error is not None else ""
        found = re.match(r"candidates\[(\d+)\]\.?(.*)", field)
        wanted, name = (int(found[1]), found[2].split(".")[-1]) if found else (-1, "")
        for number, card in enumerate(self.cards):
            card.show_error(error if number == wanted else None, name)
        message = field_message(error) if error is not None else ""
        self._sample.set_error(message if field == "sample_bytes" else "")
        told = field == "sample_bytes" or (
            0 <= wanted < len(self.cards) and name in self.cards[wanted].fields
        )
        self._obstacle.set_text("" if told else message)
        self._obstacle.setVisible(bool(message) and not told)
        self.start.setEnabled(error is None)

    def show_progress(
        self, progress: Progress | None, *, working: bool, left_s: float | None = None
    ) -> None:
        """Show how far a comparison has come."""
        self.start.setVisible(not working)
        self.stop.setVisible(working)
        self._line.setVisible(working)
        known = progress is not None and progress.total
        self._line.set_share(progress.done / progress.total if progress and known else 0.0)
        words = ""
        if working:
            words = progress.phase.capitalize() if progress and progress.phase else "Starting"
            words += f", {rough_duration(left_s)} left" if left_s is not None else ""
        self._phase.set_text(words)

    def _offer_texts(self) -> None:
        form = self._form
        self.text.clear()
        for name, folder in self._datasets:
            self.text.addItem(name, str(folder))
        files = plural(len(form.paths), "file or folder", "files and folders")
        self.text.addItem(files if form.paths else "Choose files…", _FILES)
        wanted = str(form.corpus) if form.corpus is not None else _FILES
        place = self.text.findData(wanted)
        self.text.setCurrentIndex(place)

    def _add_card(self) -> None:
        number = len(self.cards)
        card = CandidateCard(number)
        card.set_datasets(self._datasets)
        card.edited.connect(partial(self._on_candidate_edited, card))
        card.removed.connect(partial(self._on_candidate_removed, card))
        self._place.addWidget(card)
        self.cards.append(card)

    # --- reactions ---------------------------------------------------------------------------

    def _take(self, form: LabForm) -> None:
        self._form = form
        self.edited.emit()

    def _on_text_chosen(self, index: int) -> None:
        chosen = self.text.itemData(index)
        if chosen != _FILES:
            self._take(replace(self._form, corpus=Path(chosen)))
            return
        dialog = QFileDialog(self, "Text to compare tokenizers on")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.filesSelected.connect(self.take_paths)
        dialog.rejected.connect(self._offer_texts)
        dialog.open()

    def take_paths(self, paths: Sequence[str]) -> None:
        """Compare on these files and folders."""
        self._form = replace(self._form, corpus=None, paths=tuple(paths))
        self._offer_texts()
        self.edited.emit()

    def _on_sample_edited(self, text: str) -> None:
        self._take(replace(self._form, sample_bytes=text))

    def _on_own_changed(self) -> None:
        if self.own.toPlainText() != self._form.text:
            self._take(replace(self._form, text=self.own.toPlainText()))

    def _on_candidate_edited(self, card: CandidateCard) -> None:
        self._take(self._form.with_candidate(self.cards.index(card), card.form()))

    def _on_candidate_removed(self, card: CandidateCard) -> None:
        self.show_form(self._form.without(self.cards.index(card)))
        self.edited.emit()

    def _on_further_clicked(self) -> None:
        self.show_form(self._form.with_further())
        self.edited.emit()

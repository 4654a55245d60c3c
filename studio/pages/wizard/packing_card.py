"""The wizard's card on packing: how documents become sequences, and what each way would lose."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.pages.data.corpus import StatisticsFacts
from studio.pages.wizard.draft import Draft
from studio.widgets.card import Card
from studio.widgets.choice_card import ChoiceCard, Line
from studio.widgets.controls import CheckBox, SecondaryButton
from studio.widgets.figures import percent
from studio.widgets.headings import card_title
from studio.widgets.label import Label, Part
from trainer_core.spec import Packing

_WAYS: Final[dict[Packing, tuple[str, str]]] = {
    "stream": ("One stream", "Joined, then cut anywhere"),
    "best_fit": ("Whole documents", "Packed to fill, told apart"),
    "documents": ("One document a row", "Cropped or filled up"),
}


class PackingCard(Card):
    """Three ways to make sequences of documents, and what belongs to them.

    Signals:
        form_changed (object): Carries the new `SequenceForm`.
        batches_wanted: The first batches are to be shown.
    """

    form_changed = Signal(object)
    batches_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(spacing=10, parent=parent)
        self._draft = Draft()
        self._context = Label("", "secondary", "muted", elide=False)
        head = QHBoxLayout()
        head.addWidget(card_title("Sequences"), 1)
        head.addWidget(self._context)
        self.ways: dict[Packing, ChoiceCard] = {}
        cards = QHBoxLayout()
        cards.setSpacing(8)
        for packing, (name, _) in _WAYS.items():
            card = ChoiceCard(name)
            card.clicked.connect(partial(self._on_way_clicked, packing))
            cards.addWidget(card, 1)
            self.ways[packing] = card
        self.masks = CheckBox("Tokens see their own document alone")
        self.masks.clicked.connect(self._on_masks_clicked)
        self.by_source = CheckBox("Measure each source's held-out text too")
        self.by_source.clicked.connect(self._on_by_source_clicked)
        self.batches = SecondaryButton("Show the first batches", "eye", size="small")
        self.batches.clicked.connect(self.batches_wanted)
        boxes = QVBoxLayout()
        boxes.setSpacing(4)
        boxes.addWidget(self.masks)
        boxes.addWidget(self.by_source)
        foot = QHBoxLayout()
        foot.addLayout(boxes)
        foot.addStretch(1)
        foot.addWidget(self.batches, 0, Qt.AlignmentFlag.AlignBottom)
        self.body.addLayout(head)
        self.body.addLayout(cards)
        self.body.addLayout(foot)

    def show_draft(self, draft: Draft) -> None:
        """Show the ways, with what they mean for the chosen data."""
        self._draft = draft
        form, data = draft.sequences, draft.data
        context = draft.context_length if isinstance(draft.context_length, int) else 0
        self._context.set_parts(Part("context "), Part(f"{context:,}", "mono", "text"))
        self._context.setVisible(context > 0)
        statistics = data.statistics if data is not None else None
        for packing, card in self.ways.items():
            card.setChecked(packing == form.packing)
            lines: list[Line] = [(_WAYS[packing][1], "label")]
            lines += [(words, "mono_small") for words in loss_words(statistics, packing, context)]
            card.set_lines(*lines)
        self.masks.setEnabled(form.packing == "stream")
        self.masks.setChecked(form.masks or form.packing != "stream")
        self.by_source.setVisible(data is not None and len(data.sources) > 1)
        self.by_source.setChecked(form.by_source)
        self.batches.setEnabled(data is not None)

    def _on_way_clicked(self, packing: Packing) -> None:
        if packing != self._draft.sequences.packing:
            self.form_changed.emit(replace(self._draft.sequences, packing=packing))

    def _on_masks_clicked(self) -> None:
        self.form_changed.emit(replace(self._draft.sequences, masks=self.masks.isChecked()))

    def _on_by_source_clicked(self) -> None:
        checked = self.by_source.isChecked()
        self.form_changed.emit(replace(self._draft.sequences, by_source=checked))


def loss_words(
    statistics: StatisticsFacts | None, packing: Packing, context: int
) -> tuple[str, str]:
    """What a way of packing costs at a context length, where the corpus tells: loss, padding."""
    if packing == "stream":
        return "no token lost", "no padding"
    found = statistics.cost(context) if statistics is not None else None
    if found is None:
        return "", ""
    cost = found.documents if packing == "documents" else found.best_fit
    padding = "" if math.isnan(cost.padding) else f"{percent(cost.padding)} padding"
    lost = f"{percent(cost.lost)} of tokens lost" if cost.lost else "no token lost"
    return lost, padding

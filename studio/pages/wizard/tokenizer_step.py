"""The wizard's step on the tokenizer: what the data was read with, and the same text otherwise."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from studio.pages.data.cards import SampleCard
from studio.pages.wizard.data_choice import DataChoice
from studio.pages.wizard.draft import Draft
from studio.pages.wizard.plan import Plan
from studio.pages.wizard.recipes import recipe_of
from studio.pages.wizard.start import Shelf
from studio.pages.wizard.step import StepView
from studio.widgets.card import Card
from studio.widgets.choice_card import ChoiceCard
from studio.widgets.controls import SecondaryButton
from studio.widgets.figures import MISSING, count, percent, whole
from studio.widgets.headings import card_title
from studio.widgets.label import Label
from studio.widgets.tile import Tile

_COLUMNS = 2


class TokenizerStep(StepView):
    """Shows the tokenizer of the data; other ones come with other datasets.

    Signals:
        lab_requested: Tokenizers are to be compared on this text.
    """

    lab_requested = Signal()

    name = "Tokenizer"
    explanation = (
        "How text becomes tokens. It was chosen when the data was read; the same text can be read"
        " again with another one."
    )

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tiles = {
            name: Tile(name, tooltip=tip)
            for name, tip in (
                ("Vocabulary", "Different tokens that there are"),
                ("Bytes per token", "Of this text, on average; more means fewer tokens"),
                ("Unigram entropy", "What a model reaches that knows how often each token occurs"),
                ("Share of the model", "Parameters in the tables of tokens, of all"),
            )
        }
        tiles = QHBoxLayout()
        tiles.setSpacing(8)
        for tile in self._tiles.values():
            tiles.addWidget(tile, 1)
        self._title = card_title("")
        self._words = Label("", "secondary", "muted", wrap=True)
        lab = SecondaryButton("Compare in the lab", "compare")
        lab.clicked.connect(self.lab_requested)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self._title)
        words.addWidget(self._words)
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addLayout(words, 1)
        row.addWidget(lab)
        card = Card(spacing=12)
        card.body.addLayout(row)
        self._others_title = Label("The same text, read otherwise", "title")
        self._others_place = QGridLayout()
        self._others_place.setSpacing(8)
        for column in range(_COLUMNS):
            self._others_place.setColumnStretch(column, 1)
        self.cards: dict[int, ChoiceCard] = {}
        self._shown: tuple[DataChoice, ...] = ()
        self.column.addWidget(card)
        self.column.addLayout(tiles)
        self._sample = SampleCard()
        self._sample.setMinimumHeight(220)
        self.column.addWidget(self._sample, 1)
        self.column.addWidget(self._others_title)
        self.column.addLayout(self._others_place)
        self.column.addStretch(0)

    def show_draft(self, draft: Draft, plan: Plan, shelf: Shelf) -> None:
        """Show figures of the tokenizer, and the datasets of the same text."""
        super().show_draft(draft, plan, shelf)
        data = draft.data
        if data is None:
            return
        self._title.set_text(f"{data.name}: {_title(data.tokenizer)}")
        self._words.set_text(_words(draft, data))
        self._show_tiles(draft, data, plan)
        self._sample.show_samples(data.id, data.statistics, is_code=data.is_code)
        same = tuple(choice for choice in shelf.choices if is_same_text(choice, data))
        self._show_others(same, data)

    def summary(self, draft: Draft, plan: Plan) -> str:
        """Name and vocabulary."""
        data = draft.data
        return f"{_title(data.tokenizer)}, {data.vocab_size:,} tokens" if data else ""

    def _show_tiles(self, draft: Draft, data: DataChoice, plan: Plan) -> None:
        tiles = self._tiles
        tiles["Vocabulary"].set_value(whole(data.vocab_size), "", "tokens")
        tokens = data.train_tokens + data.validation_tokens
        known = bool(data.text_bytes and tokens)
        tiles["Bytes per token"].set_value(
            f"{data.text_bytes / tokens:.2f}" if known else MISSING,
            "",
            f"{count(tokens)} tokens in all",
        )
        entropy = data.statistics.entropy if data.statistics is not None else None
        tiles["Unigram entropy"].set_value(
            f"{entropy.unigram:.2f}" if entropy else MISSING,
            "",
            "nats per token" if entropy else "not counted for this text",
        )
        tables = plan.spec.model if plan.spec is not None else None
        share = table = None
        if tables is not None and plan.parameters:
            times = (1 if tables.tie_embeddings else 2) + tables.match_input
            table = tables.vocab_size * tables.n_embd * times
            share = table / plan.parameters
        tiles["Share of the model"].set_value(
            percent(share, 0), "", f"{count(table)} parameters" if table else "no model yet"
        )

    def _show_others(self, same: tuple[DataChoice, ...], data: DataChoice) -> None:
        several = len(same) > 1
        self._others_title.setVisible(several)
        if same != self._shown:
            self._shown = same
            for card in self.cards.values():
                card.hide()
                card.deleteLater()
            self.cards = {}
            for number, choice in enumerate(same if several else ()):
                card = ChoiceCard(
                    choice.name,
                    (f"{_title(choice.tokenizer)}, {choice.vocab_size:,} tokens", "label"),
                    (f"{count(choice.train_tokens)} training tokens", "mono_small"),
                )
                card.clicked.connect(partial(self._on_card_clicked, choice))
                self._others_place.addWidget(card, number // _COLUMNS, number % _COLUMNS)
                self.cards[choice.id] = card
        for key, card in self.cards.items():
            card.setChecked(key == data.id)

    def _on_card_clicked(self, choice: DataChoice) -> None:
        data = self.draft.data
        if data is not None and choice.id != data.id:
            tokens_of_text = choice.train_tokens / max(data.train_tokens, 1)
            draft = replace(self.draft, data=choice)
            # The same text in other tokens: as much of it is read as before.
            self.draft_changed.emit(draft.with_tokens(draft.training_tokens * tokens_of_text))


def is_same_text(one: DataChoice, other: DataChoice) -> bool:
    """Whether two datasets hold the same documents, as far as their counts tell."""
    if one.id == other.id:
        return True
    return bool(one.text_bytes) and (one.text_bytes, one.documents, one.train_documents) == (
        other.text_bytes,
        other.documents,
        other.train_documents,
    )


def _title(tokenizer: str) -> str:
    """What a tokenizer is called, without its size, such as `GPT-2` or `Own BPE`."""
    name = tokenizer.partition(",")[0].strip()
    known = {"own": "Own BPE", "bytes": "Bytes", "": "Unknown"}
    return known.get(name.lower(), name[:1].upper() + name[1:])


def _words(draft: Draft, data: DataChoice) -> str:
    recipe = recipe_of(draft)
    if recipe is not None and recipe.vocab_size and recipe.vocab_size != data.vocab_size:
        return (
            f"{recipe.title} was done with {recipe.vocab_size:,} tokens, so the size of the model"
            " differs here; compare its losses in bits per byte, not per token."
        )
    return (
        "A larger vocabulary makes fewer tokens of the same text and larger tables; losses of"
        " different tokenizers are compared in bits per byte."
    )

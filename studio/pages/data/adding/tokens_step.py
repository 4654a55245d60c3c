"""The last step of adding data: how text becomes tokens, what is held out, what it is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from studio.pages.data.adding.field_grid import FieldGrid, line_of
from studio.pages.data.adding.folder_choice import FolderChoice
from studio.pages.data.adding.kept_tokenizers import KeptTokenizer
from studio.pages.data.adding.path_edit import PathEdit
from studio.pages.data.adding.tokenizer_form import (
    ENCODINGS,
    FIELDS,
    TokenizerForm,
    TokenizerKind,
)
from studio.pages.data.request import AddForm
from studio.widgets.card import Card
from studio.widgets.choice_card import ChoiceCard
from studio.widgets.controls import CheckBox, ComboBox, LineEdit, LinkButton, TextEdit
from studio.widgets.field import Field
from studio.widgets.headings import card_title
from studio.widgets.label import Label

_KINDS: tuple[tuple[TokenizerKind, str, str, str], ...] = (
    ("bpe", "Own", "Learned from this text", "Fits this text best: the fewest tokens for it."),
    (
        *("gpt2", "GPT-2", "50,257 tokens, known everywhere"),
        "For models that others can load, and for comparing with published figures.",
    ),
    ("bytes", "Bytes", "257 tokens, nothing to learn", "For very little text and for rule tasks."),
    ("tiktoken", "tiktoken", "GPT-4's and others", "Large vocabularies: they suit large models."),
    (
        *("tokenizer_json", "A tokenizer.json", "Of any Hugging Face model"),
        "The file, or the model's folder. Special words in the text stay plain text.",
    ),
    (
        *("corpus", "Of another dataset", "The same tokens in both"),
        "So that one model can be trained on both datasets.",
    ),
    (
        *("saved", "From the lab", "Kept by the tokenizer lab"),
        "One that a comparison in the lab has learned or tried.",
    ),
)
_PER_ROW = 4
_WIDE = ("vocabulary_folder", "ranks_file", "path", "folder", "corpus", "encoding")
_PRETOKENIZERS = (
    ("gpt2", "As GPT-2"),
    ("gpt4", "As GPT-4"),
    ("digits", "Each digit alone"),
)


class TokensStep(QWidget):
    """Tokenizer, split and name.

    Signals:
        edited: A setting is another than before.
        lab_requested: Tokenizers are to be compared first.
    """

    edited = Signal()
    lab_requested = Signal()

    name = "Tokens and split"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._kind: TokenizerKind = "bpe"
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 24)
        column.setSpacing(12)
        column.addWidget(Label("How does it become tokens?", "heading"))
        words = (
            "A model reads and writes tokens: pieces of words. Tokenizer and split are fixed with"
            " the dataset; another choice later makes another dataset."
        )
        column.addWidget(Label(words, "body", "muted", wrap=True))
        column.addLayout(self._cards())
        column.addWidget(self._settings())
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addWidget(self._split_card(), 1)
        row.addWidget(self._name_card(), 1)
        column.addLayout(row)
        column.addStretch(1)
        self.by_path: dict[str, Field] = {
            **{f"tokenizer.{name}": field for name, field in self._fields.items()},
            "validation_fraction": self.validation,
            "seed": self.seed,
            "name": self.dataset_name,
        }
        self._show_kind("bpe")

    def _cards(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setSpacing(8)
        self.choices: dict[TokenizerKind, ChoiceCard] = {}
        for number, (kind, name, line, _) in enumerate(_KINDS):
            card = ChoiceCard(name, (line, "secondary"))
            card.clicked.connect(partial(self._on_kind_clicked, kind))
            grid.addWidget(card, number // _PER_ROW, number % _PER_ROW)
            self.choices[kind] = card
        for column in range(_PER_ROW):
            grid.setColumnStretch(column, 1)
        return grid

    def _settings(self) -> Card:
        self._why = Label("", "secondary", "muted", wrap=True)
        self._vocabulary = PathEdit("Folder with vocab.bpe and encoder.json", folder=True)
        self._ranks = PathEdit("The encoding's file", files="tiktoken files (*.tiktoken)")
        for fetched in (self._vocabulary, self._ranks):
            fetched.edit.setPlaceholderText("found, or fetched once")
        self._file = PathEdit("A tokenizer.json", files="Tokenizers (*.json)")
        self._folder = FolderChoice("Tokenizer", "A folder that the tokenizer lab left")
        self._encoding = _combo("Encoding", [(e, f"{e}, {ENCODINGS[e]}") for e in ENCODINGS])
        self._pretokenizer = _combo("Cut before learning", list(_PRETOKENIZERS))
        self._corpus = FolderChoice("Dataset")
        self._special = TextEdit(placeholder="none", role="mono")
        self._special.setFixedHeight(54)
        self._fields: dict[str, Field] = {
            "vocab_size": Field("Tokens in all", LineEdit(mono=True), hint="258 to 200,000"),
            "sample_bytes": Field(
                "Learned from", LineEdit(mono=True), hint="An even sample of the training part"
            ),
            "pretokenizer": Field(
                "Text is cut", self._pretokenizer, hint="No token crosses such a cut"
            ),
            "special_tokens": Field(
                "Special tokens", self._special, hint="One a line, such as <|user|>; for later use"
            ),
            "vocabulary_folder": Field("Vocabulary folder", self._vocabulary),
            "encoding": Field("Encoding", self._encoding),
            "ranks_file": Field("Its file", self._ranks),
            "path": Field("File or folder", self._file),
            "separator": Field(
                "Separator", LineEdit(placeholder="found by itself"), hint="Opens each document"
            ),
            "corpus": Field("Dataset", self._corpus),
            "folder": Field("Tokenizer", self._folder),
        }
        self._grid = FieldGrid(self._fields, 4, dict.fromkeys(_WIDE, 2))
        for edit in (self._vocabulary, self._ranks, self._file):
            edit.edit.textChanged.connect(self.edited)
        for name in ("vocab_size", "sample_bytes", "separator"):
            line_of(self._fields[name]).textEdited.connect(self.edited)
        self._special.textChanged.connect(self.edited)
        for combo in (self._encoding, self._pretokenizer):
            combo.activated.connect(self.edited)
        for choice in (self._corpus, self._folder):
            choice.chosen.connect(self.edited)
        card = Card(spacing=12)
        lab = LinkButton("Compare tokenizers in the lab")
        lab.clicked.connect(self.lab_requested)
        head = QHBoxLayout()
        head.addWidget(self._why, 1)
        head.addWidget(lab)
        card.body.addLayout(head)
        card.body.addWidget(self._grid)
        return card

    def _split_card(self) -> Card:
        self.validation = Field(
            "Held out, percent", LineEdit(mono=True), hint="To measure on; never trained on"
        )
        self.seed = Field("Seed", LineEdit(mono=True), hint="The same seed, the same split")
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addWidget(self.validation, 1)
        row.addWidget(self.seed, 1)
        card = Card(spacing=10)
        card.body.addWidget(card_title("Split"))
        card.body.addLayout(row)
        words = "Whole documents of every source, drawn by chance before anything is tokenised."
        card.body.addWidget(Label(words, "secondary", "muted", wrap=True))
        card.body.addStretch(1)
        return card

    def _name_card(self) -> Card:
        self.dataset_name = Field("Name", LineEdit())
        self.what = Field("What it is", LineEdit(placeholder="in a few words"))
        self.private = CheckBox("Private: mark it as never to leave this computer")
        self.private.toggled.connect(self.edited)
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addWidget(self.dataset_name, 1)
        row.addWidget(self.what, 1)
        card = Card(spacing=10)
        card.body.addWidget(card_title("Name"))
        card.body.addLayout(row)
        card.body.addWidget(self.private)
        card.body.addStretch(1)
        for field in (self.dataset_name, self.what, self.validation, self.seed):
            line_of(field).textEdited.connect(self.edited)
        return card

    # --- content -----------------------------------------------------------------------------

    def set_datasets(self, datasets: Sequence[tuple[str, Path]]) -> None:
        """Offer the tokenizers of these datasets: name and corpus folder of each."""
        self._corpus.set_known(datasets)

    def set_kept(self, kept: Sequence[KeptTokenizer]) -> None:
        """Offer these tokenizers of the lab."""
        self._folder.set_known([(each.title, each.folder) for each in kept])

    def show_form(self, form: AddForm) -> None:
        """Show these settings."""
        tokenizer = form.tokenizer
        for name in ("vocab_size", "sample_bytes", "separator"):
            line_of(self._fields[name]).setText(getattr(tokenizer, name))
        self._special.setPlainText("\n".join(tokenizer.special_tokens))
        self._vocabulary.edit.setText(tokenizer.vocabulary_folder)
        self._ranks.edit.setText(tokenizer.ranks_file)
        self._file.edit.setText(tokenizer.path)
        self._folder.choose(tokenizer.folder)
        self._encoding.setCurrentIndex(self._encoding.findData(tokenizer.encoding))
        self._pretokenizer.setCurrentIndex(self._pretokenizer.findData(tokenizer.pretokenizer))
        self._corpus.choose(tokenizer.corpus)
        line_of(self.validation).setText(form.validation)
        line_of(self.seed).setText(form.seed)
        line_of(self.dataset_name).setText(form.name)
        line_of(self.what).setText(form.what)
        self.private.setChecked(form.private)
        self._show_kind(tokenizer.kind)

    def form(self, rest: AddForm) -> AddForm:
        """The settings as they stand, with the rest of the form."""
        return replace(
            rest,
            tokenizer=self.tokenizer(),
            name=line_of(self.dataset_name).text(),
            what=line_of(self.what).text(),
            private=self.private.isChecked(),
            validation=line_of(self.validation).text(),
            seed=line_of(self.seed).text(),
        )

    def tokenizer(self) -> TokenizerForm:
        """The tokenizer as it stands."""
        special = tuple(line for line in self._special.toPlainText().split("\n") if line.strip())
        typed: dict[str, Any] = {
            **{n: line_of(self._fields[n]).text() for n in ("vocab_size", "sample_bytes")},
            "separator": line_of(self._fields["separator"]).text(),
            "special_tokens": special,
            "pretokenizer": self._pretokenizer.currentData(),
            "vocabulary_folder": self._vocabulary.edit.text(),
            "encoding": self._encoding.currentData(),
            "ranks_file": self._ranks.edit.text(),
            "path": self._file.edit.text(),
            "corpus": self._corpus.folder,
            "folder": self._folder.folder,
        }
        kept = {name: typed[name] for name in FIELDS[self._kind]}
        return replace(TokenizerForm(kind=self._kind), **kept)

    def suggest(self, name: str, what: str) -> None:
        """Say what the dataset will be called where nothing is typed."""
        line_of(self.dataset_name).setPlaceholderText(name)
        line_of(self.what).setPlaceholderText(what)

    def choose(self, kind: TokenizerKind) -> None:
        """Take another kind of tokenizer."""
        self._show_kind(kind)

    # --- reactions ---------------------------------------------------------------------------

    def _on_kind_clicked(self, kind: TokenizerKind) -> None:
        if kind != self._kind:
            self._show_kind(kind)
            self.edited.emit()

    def _show_kind(self, kind: TokenizerKind) -> None:
        self._kind = kind
        for key, card in self.choices.items():
            card.setChecked(key == kind)
        self._why.set_text(next(why for key, _, _, why in _KINDS if key == kind))
        self._grid.show_names(FIELDS[kind])


def _combo(name: str, items: Sequence[tuple[str, str]]) -> ComboBox:
    combo = ComboBox(name)
    for key, word in items:
        combo.addItem(word, key)
    return combo

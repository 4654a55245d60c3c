"""One tokenizer of a comparison, as a small card of settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from studio.pages.data.adding.path_edit import PathEdit
from studio.pages.data.adding.tokenizer_form import (
    ENCODINGS,
    FIELDS,
    TokenizerForm,
    TokenizerKind,
)
from studio.pages.wizard.draft import field_message
from studio.widgets.card import Card, Dot
from studio.widgets.controls import ComboBox, IconButton, LineEdit
from studio.widgets.field import Field
from trainer_core.errors import SpecError

SERIES: Final = ("s1", "s2", "s3", "s5", "s4", "s6", "muted", "accent")
"""Colour of each candidate, here and in what was found."""
_KINDS: Final[tuple[tuple[TokenizerKind, str], ...]] = (
    ("bpe", "Own, learned here"),
    ("gpt2", "GPT-2"),
    ("tiktoken", "tiktoken"),
    ("tokenizer_json", "A tokenizer.json"),
    ("bytes", "Bytes"),
    ("corpus", "Of a dataset"),
    ("saved", "From the lab"),
)
_PRETOKENIZERS: Final = (
    ("gpt2", "Cut as GPT-2"),
    ("gpt4", "Cut as GPT-4"),
    ("digits", "Each digit alone"),
)


class CandidateCard(Card):
    """Kind and settings of one tokenizer.

    Signals:
        edited: A setting is another one.
        removed: It shall not take part.
    """

    edited = Signal()
    removed = Signal()

    def __init__(self, number: int, parent: QWidget | None = None) -> None:
        super().__init__(padding=12, spacing=8, ground="bg0", parent=parent)
        self.kind = _combo(_KINDS, f"Tokenizer {number + 1}")
        self.kind.activated.connect(self._on_kind_chosen)
        self.away = IconButton("x", "Leave this tokenizer out", edge=22)
        self.away.clicked.connect(self.removed)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(Dot(SERIES[number % len(SERIES)]))
        head.addWidget(self.kind, 1)
        head.addWidget(self.away)
        self.body.addLayout(head)
        self._pretokenizer = _combo(_PRETOKENIZERS, "Pre-tokenizer")
        self._encoding = _combo(tuple((e, e) for e in ENCODINGS), "Encoding")
        self._corpus = ComboBox("Dataset")
        paths = {
            "vocabulary_folder": PathEdit("Folder with vocab.bpe and encoder.json", folder=True),
            "ranks_file": PathEdit("The encoding's file", files="tiktoken files (*.tiktoken)"),
            "path": PathEdit("A tokenizer.json", files="Tokenizers (*.json)"),
            "folder": PathEdit("A folder that the tokenizer lab left", folder=True),
        }
        for name in ("vocabulary_folder", "ranks_file"):
            paths[name].edit.setPlaceholderText("found, or fetched once")
        self._lines: dict[str, LineEdit] = {
            "vocab_size": LineEdit(mono=True, name="Tokens in all"),
            "sample_bytes": LineEdit(mono=True, name="Learned from"),
            "special_tokens": LineEdit(
                mono=True, placeholder="none", name="Special tokens, apart by spaces"
            ),
            "separator": LineEdit(placeholder="found by itself", name="Separator"),
        } | {name: edit.edit for name, edit in paths.items()}
        self.fields: dict[str, Field] = {
            "vocab_size": Field("Tokens", self._lines["vocab_size"], beside=True),
            "pretokenizer": Field("Text is", self._pretokenizer, beside=True),
            "sample_bytes": Field("Learned from", self._lines["sample_bytes"], beside=True),
            "special_tokens": Field("Special tokens", self._lines["special_tokens"], beside=True),
            "encoding": Field("Encoding", self._encoding, beside=True),
            "vocabulary_folder": Field("Vocabulary folder", paths["vocabulary_folder"]),
            "ranks_file": Field("Its file", paths["ranks_file"]),
            "path": Field("File or folder", paths["path"]),
            "separator": Field("Separator", self._lines["separator"], beside=True),
            "corpus": Field("Dataset", self._corpus),
            "folder": Field("Folder", paths["folder"]),
        }
        for name in ("vocab_size", "sample_bytes", "special_tokens", "separator"):
            self._lines[name].setFixedWidth(150)
        for field in self.fields.values():
            self.body.addWidget(field)
        for line in self._lines.values():
            line.textChanged.connect(lambda _text: self.edited.emit())
        for combo in (self._pretokenizer, self._encoding, self._corpus):
            combo.activated.connect(lambda _index: self.edited.emit())

    def set_datasets(self, datasets: Sequence[tuple[str, Path]]) -> None:
        """Offer the tokenizers of these datasets."""
        chosen = self._corpus.currentData()
        self._corpus.clear()
        for name, folder in datasets:
            self._corpus.addItem(name, str(folder))
        self._corpus.setCurrentIndex(max(self._corpus.findData(chosen), 0))

    def show_form(self, form: TokenizerForm) -> None:
        """Show these settings, without a signal."""
        self.blockSignals(True)
        _choose(self.kind, form.kind)
        _choose(self._pretokenizer, form.pretokenizer)
        _choose(self._encoding, form.encoding)
        if form.corpus:
            _choose(self._corpus, form.corpus)
        for name, line in self._lines.items():
            value = getattr(form, name)
            text = value if isinstance(value, str) else " ".join(value)
            if line.text().strip() != text.strip():
                line.setText(text)
        self._show_kind(form.kind)
        self.blockSignals(False)

    def form(self) -> TokenizerForm:
        """The settings as they stand."""
        kind: TokenizerKind = self.kind.currentData()
        typed: dict[str, Any] = {name: line.text() for name, line in self._lines.items()}
        typed["special_tokens"] = tuple(self._lines["special_tokens"].text().split())
        typed["pretokenizer"] = self._pretokenizer.currentData()
        typed["encoding"] = self._encoding.currentData()
        typed["corpus"] = self._corpus.currentData() or ""
        kept = {name: typed[name] for name in FIELDS[kind]}
        return replace(TokenizerForm(kind=kind), **kept)

    def show_error(self, error: SpecError | None, name: str) -> None:
        """Show an error beside the setting of this name, or take all away."""
        for key, field in self.fields.items():
            mine = error is not None and key == name
            field.set_error(field_message(error) if mine and error is not None else "")

    def _on_kind_chosen(self, _index: int) -> None:
        self._show_kind(self.kind.currentData())
        self.edited.emit()

    def _show_kind(self, kind: TokenizerKind) -> None:
        for name, field in self.fields.items():
            field.setVisible(name in FIELDS[kind])


def _combo(items: Sequence[tuple[str, str]], name: str) -> ComboBox:
    combo = ComboBox(name)
    for key, word in items:
        combo.addItem(word, key)
    return combo


def _choose(combo: ComboBox, key: str) -> None:
    combo.setCurrentIndex(max(combo.findData(key), 0))

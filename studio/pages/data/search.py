"""The panel that finds a phrase in the training text: how often, what followed, where."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from studio.pages.data.answer_view import AnswerView, question_above
from studio.pages.data.answers import LookupAnswer
from studio.pages.data.continuations import ContinuationBars
from studio.widgets.controls import PrimaryButton, TextEdit
from studio.widgets.figures import plural, whole
from studio.widgets.headings import card_title
from studio.widgets.label import Label, Part
from studio.widgets.source_card import Excerpt, SourceCard
from trainer_core.protocol import SourcePlace

_SHORT_MATCH = 4
"""A match of fewer tokens says next to nothing about where a text is from."""


class SearchPanel(QWidget):
    """A field for a phrase, and what the index knows of it.

    Signals:
        asked (str): Look for this text.
        document_wanted (object): Open the document of this `SourcePlace`.
    """

    asked = Signal(str)
    document_wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._is_code = False
        self.field = TextEdit(
            placeholder="A phrase as it may stand in the training text", name="Phrase"
        )
        self.field.setFixedHeight(76)
        self.field.installEventFilter(self)
        self.field.textChanged.connect(self._on_text_changed)
        self._button = PrimaryButton("Search", "search", size="small")
        self._button.clicked.connect(self._on_asked)
        self._button.setEnabled(False)
        row = QHBoxLayout()
        row.addWidget(Label("Enter searches, Shift+Enter begins a line", "label", "muted"), 1)
        row.addWidget(self._button)
        self.answer = AnswerView()
        question_above(self, self.field, row, self.answer)
        self.show_nothing()

    # --- what is shown -----------------------------------------------------------------------

    def set_code(self, is_code: bool) -> None:
        """Whether the text is program code, which keeps its lines."""
        self._is_code = is_code

    def show_nothing(self) -> None:
        """Nothing was asked yet."""
        self.answer.clear()
        hint = (
            "The index finds the longest end of your phrase that stands in the training text, what"
            " followed it there, and the documents."
        )
        self.answer.add(Label(hint, "body", "muted", wrap=True), top=16)

    def show_answer(self, answer: LookupAnswer) -> None:
        """Show what was found."""
        view = self.answer
        view.clear()
        sentence = Label("", "body", "muted", wrap=True)
        sentence.set_parts(*phrase_words(answer))
        view.add(sentence, top=14)
        match = answer.match
        if match.tokens:
            view.add(Excerpt(asked_place(answer), match.tokens, code=self._is_code), top=10)
            words = Label("", "secondary", "muted", wrap=True)
            words.set_parts(*match_words(answer))
            view.add(words, top=8)
        if answer.note:
            view.add(Label(answer.note, "secondary", "muted", wrap=True), top=8)
        if answer.continuations:
            view.add_title("What followed")
            bars = ContinuationBars()
            bars.show_rows(answer.continuations)
            view.add(bars, top=6)
        if answer.sources:
            view.add(self._sources_title(answer), top=18)
            for place in answer.sources:
                card = SourceCard(place, match.tokens, code=self._is_code)
                card.open_requested.connect(self.document_wanted)
                view.add_wide(card)

    def _sources_title(self, answer: LookupAnswer) -> Label:
        title = card_title("Where")
        shown, count = len(answer.sources), answer.match.count
        if count > shown:
            title.set_parts(
                Part("Where", "strong"),
                Part(f"   the {shown} most recent of {count:,} places", "secondary", "muted"),
            )
        return title

    # --- reactions ---------------------------------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Enter in the field searches."""
        if (
            watched is self.field
            and event.type() == QEvent.Type.KeyPress
            and isinstance(event, QKeyEvent)
            and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
            and not event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        ):
            self._on_asked()
            return True
        return super().eventFilter(watched, event)

    def _on_text_changed(self) -> None:
        self._button.setEnabled(bool(self.field.toPlainText()))

    def _on_asked(self) -> None:
        if text := self.field.toPlainText():
            self.asked.emit(text)


def phrase_words(answer: LookupAnswer) -> list[Part]:
    """Whether the whole text stands in the training text, and how often."""
    phrase = answer.phrase
    if not phrase.count:
        if not answer.match.tokens:
            return [Part("Nothing", "strong", "text"), Part(" of it stands in the training text.")]
        whole_phrase = Part("The whole phrase", "strong", "text")
        return [whole_phrase, Part(" is not in the training text.")]
    return [
        Part("The whole phrase stands "),
        Part(plural(phrase.count, "time"), "strong", "text"),
        Part(" in "),
        Part(plural(phrase.documents, "document"), "strong", "text"),
        Part(" of the training text."),
    ]


def match_words(answer: LookupAnswer) -> list[Part]:
    """How long the longest match is, and how often it occurs."""
    match = answer.match
    weak = " Short matches are found by chance." if match.tokens < _SHORT_MATCH else ""
    return [
        Part("Longest match: "),
        Part(plural(match.tokens, "token"), "mono", "text"),
        Part(f" of {whole(answer.tokens)}, "),
        Part(plural(match.count, "time"), "mono", "text"),
        Part(f" in {plural(match.documents, 'document')}.{weak}"),
    ]


def asked_place(answer: LookupAnswer) -> SourcePlace:
    """The asked text as an excerpt: what was found in it, and what is likeliest to follow."""
    found = answer.match.text
    before = answer.text[: -len(found)] if found and answer.text.endswith(found) else ""
    following = answer.continuations[0].text if answer.continuations else ""
    return SourcePlace(
        document=0,
        title="",
        path="",
        position=0,
        document_tokens=0,
        before=before,
        matched=found,
        following=following,
        after="",
    )

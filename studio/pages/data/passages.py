"""The panel of what stands in the training text more than once: passages and equal documents."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.pages.data.answer_view import AnswerView
from studio.pages.data.answers import DuplicatesAnswer, EqualDocuments, Passage, Place
from studio.pages.data.exclude import ExcludeLink, beyond_first, copies_beyond_first
from studio.pages.data.place_line import PlaceLine
from studio.pages.data.quote import Quote, clipped
from studio.widgets.card import Hairline
from studio.widgets.figures import percent, plural, whole
from studio.widgets.label import Label, Part

_CHARACTERS_MAX = 360
_LINES_MAX = 7
_PLACES_SHOWN = 3


class PassagesPanel(AnswerView):
    """Repeated passages, the ones that take most of the text first.

    Signals:
        document_wanted (object): Open the document of this `Place`.
        exclude_wanted (tuple): A copy without the documents of these names is wanted.
    """

    document_wanted = Signal(object)
    exclude_wanted = Signal(tuple)

    def show_answer(self, answer: DuplicatesAnswer) -> None:
        """Show what was found."""
        self.clear()
        summary = Label("", "body", "muted", wrap=True)
        summary.set_parts(*repeat_words(answer))
        self.add(summary, top=14)
        if answer.groups:
            self.add_title("Equal documents")
            for group in answer.groups:
                self.add(_GroupRow(group, self.exclude_wanted.emit))
        if answer.passages:
            self.add_title("Most repeated passages")
            for passage in answer.passages:
                row = PassageRow(passage)
                row.document_wanted.connect(self.document_wanted)
                row.exclude_wanted.connect(self.exclude_wanted)
                self.add(row)


def repeat_words(answer: DuplicatesAnswer) -> list[Part]:
    """How much of the text is repeated, in a sentence."""
    share = answer.repeated_share
    if share is None:
        return [
            Part(
                f"This index tells matches of {answer.least_tokens} tokens or more not apart; build"
                " it with a longer longest match to find repeated passages."
            )
        ]
    if not share:
        return [Part(f"Nothing of {answer.least_tokens} tokens or more stands there twice.")]
    words = [
        Part(percent(share), "mono", "text"),
        Part(
            f" of the training tokens stand in repeats of {answer.least_tokens} tokens or more of"
            " what came before them"
        ),
    ]
    same, other = answer.repeated_same_document_share, answer.repeated_other_document_share
    if same is None or other is None:
        return [*words, Part(".")]
    return [
        *words,
        Part(": "),
        Part(percent(same), "mono", "text"),
        Part(" in the same document, "),
        Part(percent(other), "mono", "text"),
        Part(" in another one."),
    ]


class PassageRow(QWidget):
    """One passage: how often it occurs, its text, where it stands.

    Signals:
        document_wanted (object): Open the document of this `Place`.
        exclude_wanted (tuple): A copy without the documents of these names is wanted.
    """

    document_wanted = Signal(object)
    exclude_wanted = Signal(tuple)

    def __init__(self, passage: Passage, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        head = Label("", "secondary", "muted")
        documents = plural(passage.documents, "document")
        head.set_parts(
            Part(plural(passage.count, "time"), "strong", "text"),
            Part(f" in {documents}, {plural(passage.tokens, 'token')} long, "),
            Part(percent(passage.share, 2), "mono_small"),
            Part(" of the text"),
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 12, 0, 0)
        column.setSpacing(8)
        column.addWidget(head)
        column.addWidget(
            Quote(clipped(passage.text, _CHARACTERS_MAX, _LINES_MAX, cut=passage.clipped))
        )
        shown = _one_of_each_document(passage.places)[:_PLACES_SHOWN]
        for place in shown:
            column.addWidget(PlaceLine(place, self.document_wanted.emit))
        others = beyond_first(shown)
        if others:
            column.addWidget(ExcludeLink(others, _others(others), self.exclude_wanted.emit))
        column.addSpacing(4)
        column.addWidget(Hairline())


def _others(names: tuple[str, ...]) -> str:
    """What to call the documents below the first."""
    return "the other one" if len(names) == 1 else f"the other {len(names)}"


def _one_of_each_document(places: tuple[Place, ...]) -> list[Place]:
    return list({place.document: place for place in reversed(places)}.values())[::-1]


class _GroupRow(QWidget):
    """Documents that are equal token by token."""

    def __init__(self, group: EqualDocuments, exclude: Callable[[tuple[str, ...]], object]) -> None:
        super().__init__()
        head = Label("", "secondary", "muted")
        head.set_parts(
            Part(plural(group.copies, "copy", "copies"), "strong", "text"),
            Part(f" of {whole(group.tokens)} tokens"),
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 10, 0, 0)
        column.setSpacing(2)
        column.addWidget(head)
        for document in group.documents:
            name = Label(document.title, "secondary")
            name.set_tooltip(document.path)
            column.addWidget(name)
        others = copies_beyond_first(group.documents)
        if others:
            column.addWidget(ExcludeLink(others, _others(others), exclude))

"""The panel that tells which held-out or benchmark texts stand in the training text."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.pages.data.answer_view import AnswerView, question_above
from studio.pages.data.answers import CheckedText, ContaminationAnswer, Place
from studio.pages.data.exclude import ExcludeLink, names_of
from studio.pages.data.paths import PathList
from studio.pages.data.place_line import PlaceLine, ending
from studio.pages.data.quote import Quote, clipped
from studio.widgets.card import Hairline
from studio.widgets.controls import PrimaryButton
from studio.widgets.figures import count, percent, plural, whole
from studio.widgets.label import Label, Part
from studio.widgets.pill import Pill, PillLook

_PILLS = {
    "contained": PillLook("Contained", "x", "danger"),
    "overlapping": PillLook("Overlaps", "triangle-alert", "warn"),
    "clean": PillLook("Clean", "check", "ok"),
    "short": PillLook("Too short", "", "neutral"),
}
_LEFT_OUT = ("contained", "overlapping")
_QUOTED_CHARACTERS = 240
_NAME_CHARACTERS = 42


class ContaminationPanel(QWidget):
    """Files to check, and what of them the training text holds.

    Signals:
        asked (tuple): Check these files; an empty tuple means the held-out documents.
        document_wanted (object): Open the document of this `Place`.
        exclude_wanted (tuple): A copy without the documents of these names is wanted.
    """

    asked = Signal(tuple)
    document_wanted = Signal(object)
    exclude_wanted = Signal(tuple)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.paths = PathList()
        check = PrimaryButton("Check", "search", size="small")
        check.clicked.connect(lambda: self.asked.emit(self.paths.paths))
        hint = "Text files, one text each, or .jsonl with one text a line."
        row = QHBoxLayout()
        row.addWidget(
            Label("Without files, the held-out documents are checked.", "label", "muted"), 1
        )
        row.addWidget(check)
        question = QWidget()
        asked = QVBoxLayout(question)
        asked.setContentsMargins(0, 0, 0, 0)
        asked.setSpacing(8)
        asked.addWidget(Label(hint, "secondary", "muted", wrap=True))
        asked.addWidget(self.paths)
        self.answer = AnswerView()
        question_above(self, question, row, self.answer)

    def show_nothing(self) -> None:
        """Nothing was asked yet."""
        self.answer.clear()
        words = (
            "A model that has seen its test in training looks better than it is. The index finds"
            " every stretch of these texts that the training text holds."
        )
        self.answer.add(Label(words, "body", "muted", wrap=True), top=16)

    def show_answer(self, answer: ContaminationAnswer) -> None:
        """Show what was found."""
        view = self.answer
        view.clear()
        summary = Label("", "body", "muted", wrap=True)
        summary.set_parts(*summary_words(answer))
        view.add(summary, top=14)
        how = (
            f"Overlaps of {plural(answer.least_tokens, 'token')} or more count; a text is contained"
            " where they cover most of it."
        )
        view.add(Label(how, "secondary", "muted", wrap=True), top=6)
        sources = [text.source for text in answer.found if text.verdict in _LEFT_OUT]
        names = names_of([source for source in sources if source is not None])
        if names:
            which = f"the {plural(len(names), 'training document')} below"
            view.add(ExcludeLink(names, which, self.exclude_wanted.emit), top=10)
        for text in answer.found:
            view.add(_TextRow(text, self.document_wanted.emit))
        listed = len(answer.found)
        if answer.texts > listed:
            rest = f"The {whole(answer.texts - listed)} texts with least in common are not listed."
            view.add(Label(rest, "secondary", "muted", wrap=True), top=12)
        if answer.skipped:
            view.add_title("Left out")
            for each in answer.skipped:
                words = f"{each.name}: {each.reason}"
                view.add(Label(words, "secondary", "warn", wrap=True), top=4)


def summary_words(answer: ContaminationAnswer) -> list[Part]:
    """How many of the texts stand in the training text, in a sentence."""
    if not answer.texts:
        return [Part("No text was found in these files.")]
    words = [
        Part(f"Of {plural(answer.texts, 'text')} with {count(answer.tokens)} tokens, "),
        Part(whole(answer.contained), "strong", "danger" if answer.contained else "text"),
        Part(" are contained, " if answer.contained != 1 else " is contained, "),
        Part(whole(answer.overlapping), "strong", "warn" if answer.overlapping else "text"),
        Part(" overlap, " if answer.overlapping != 1 else " overlaps, "),
        Part(whole(answer.clean), "strong", "ok" if answer.clean else "text"),
        Part(" are clean" if answer.clean != 1 else " is clean"),
    ]
    if answer.short:
        words.append(Part(f", {whole(answer.short)} too short to say"))
    share = Part(percent(answer.overlap_share), "mono", "text")
    return [*words, Part(". "), share, Part(" of their tokens stand in the training text.")]


class _TextRow(QWidget):
    """One text that was checked."""

    def __init__(self, text: CheckedText, opened: Callable[[Place], object]) -> None:
        super().__init__()
        name = Label(ending(text.name, _NAME_CHARACTERS), "strong")
        name.set_tooltip(text.name)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(name, 1)
        head.addWidget(Pill(_PILLS.get(text.verdict, PillLook(text.verdict, "", "neutral"))))
        figures = Label("", "secondary", "muted")
        figures.set_parts(
            Part(percent(text.share), "mono_small", "text"),
            Part(" of "),
            Part(whole(text.tokens), "mono_small", "text"),
            Part(" tokens, longest overlap "),
            Part(whole(text.longest_tokens), "mono_small", "text"),
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 14, 0, 0)
        column.setSpacing(6)
        column.addLayout(head)
        column.addWidget(figures)
        if text.verdict in ("contained", "overlapping") and text.longest_text:
            column.addWidget(Quote(clipped(text.longest_text, _QUOTED_CHARACTERS, 4)))
            if text.source is not None:
                column.addWidget(PlaceLine(text.source, opened))
        column.addSpacing(6)
        column.addWidget(Hairline())

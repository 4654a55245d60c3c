"""One cleaning step: what it does, its switch, what it did, and examples of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.pages.data.cleaning_facts import Example, StepReport, report_words
from studio.pages.data.quote import Quote, clipped
from studio.widgets.card import Hairline
from studio.widgets.controls import LinkButton
from studio.widgets.label import Label, Part

_EXAMPLE_CHARACTERS = 300
_EXAMPLE_LINES = 7


class StepRow(QWidget):
    """One step: what it does, its switch, what it did, and examples of it.

    Args:
        name: As people call it.
        what: What it does, one line.
        control: Its switch, at the right.
        below: Further settings.
    """

    def __init__(
        self,
        name: str,
        what: str,
        control: QWidget | None = None,
        below: QWidget | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._report: StepReport | None = None
        self._lines: tuple[str, ...] = ()
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(Label(name, "strong"), 1)
        if control is not None:
            head.addWidget(control)
        self._found = Label("", "secondary", "info", wrap=True)
        self._more = LinkButton("Show examples")
        self._more.clicked.connect(self._on_more_clicked)
        self._examples = QVBoxLayout()
        self._examples.setSpacing(6)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(Hairline())
        column.addSpacing(4)
        column.addLayout(head)
        if what:
            column.addWidget(Label(what, "label", "muted", wrap=True))
        if below is not None:
            column.addWidget(below)
        column.addWidget(self._found)
        column.addWidget(self._more)
        column.addLayout(self._examples)
        self._show()

    @property
    def found(self) -> str:
        """What is said of the step's work."""
        return self._found.text()

    def show_report(self, report: StepReport | None, documents: int) -> None:
        """Show what the step did; None while it is off."""
        self._report = report
        self._lines = ()
        self._say(report_words(report, documents) if report is not None else "")

    def show_words(self, words: str, examples: Sequence[str]) -> None:
        """Show what the step did where that is no report of a step.

        Args:
            words: What it did.
            examples: One line each.
        """
        self._report = None
        self._lines = tuple(examples)
        self._say(words)

    def _say(self, words: str) -> None:
        self._found.set_text(words)
        self._found.set_tone("info")
        self._clear_examples()
        self._show()

    def set_stale(self) -> None:
        """What is shown is about to be measured again."""
        self._found.set_tone("muted")

    def _show(self) -> None:
        self._found.setVisible(bool(self._found.text()))
        has = bool(self._lines or (self._report is not None and self._report.examples))
        self._more.setVisible(has)
        self._more.set_text("Hide examples" if self._examples.count() else "Show examples")

    def _clear_examples(self) -> None:
        while (item := self._examples.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()

    def _on_more_clicked(self) -> None:
        shown = bool(self._examples.count())
        self._clear_examples()
        if not shown:
            for line in self._lines:
                self._examples.addWidget(Label(line, "label", "muted", wrap=True))
            for example in self._report.examples if self._report is not None else ():
                self._examples.addWidget(ExampleView(example))
        self._show()


class ExampleView(QWidget):
    """A document before and after a step."""

    def __init__(self, example: Example, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 2, 0, 4)
        column.setSpacing(4)
        name = Label("", "label", "muted")
        name.set_parts(Part(example.title))
        column.addWidget(name)
        column.addWidget(_quoted(example.before))
        if example.after:
            column.addWidget(Label("becomes", "label", "muted"))
            column.addWidget(_quoted(example.after))
        else:
            column.addWidget(Label("is left out", "label", "warn"))


def _quoted(text: str) -> Quote:
    """A part of a document in which white space that a step may take away can be seen."""
    ends = re.sub(r"[ \t\r]+(?=\n)", lambda found: found[0].translate(_MARKS), text)
    return Quote(clipped(ends, _EXAMPLE_CHARACTERS, _EXAMPLE_LINES))


_MARKS = {ord(" "): "·", ord("\t"): "→", ord("\r"): "␍"}

"""The same text in the tokens of several tokenizers, side by side."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.pages.data.lab.candidate_card import SERIES
from studio.pages.data.lab.report import LabReport
from studio.widgets.card import Card, Dot
from studio.widgets.controls import IconButton
from studio.widgets.figures import plural
from studio.widgets.headings import card_title
from studio.widgets.label import Label, Part
from studio.widgets.token_run import Colouring, TextToken, token_label
from studio.widgets.token_text import TokenText

SIDE_BY_SIDE = 3
"""Texts that fit beside each other; others are reached with the arrows."""


class TokenColumn(Card):
    """A text in the tokens of one tokenizer; the one pointed at is named below."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(padding=12, parent=parent)
        self._ids: tuple[int, ...] = ()
        self._pieces: tuple[bytes, ...] = ()
        self.dot = Dot(SERIES[0])
        self.name = card_title("")
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self.dot)
        head.addWidget(self.name, 1)
        self.text = TokenText(
            colouring=Colouring.BOUNDARIES, role="secondary", line_height=22, margin=0
        )
        self.text.token_hovered.connect(lambda _token: self._show_foot())
        self.text.token_pinned.connect(lambda _token: self._show_foot())
        self.foot = Label("", "secondary", "muted")
        self.body.addLayout(head)
        self.body.addWidget(self.text, 1)
        self.body.addWidget(self.foot)

    def show_pieces(
        self, number: int, name: str, ids: tuple[int, ...], pieces: tuple[bytes, ...]
    ) -> None:
        """Show a text.

        Args:
            number: Of the tokenizer.
            name: Of the tokenizer.
            ids: Of the text's tokens.
            pieces: Their bytes.
        """
        self._ids, self._pieces = ids, pieces
        self.dot.set_colour(SERIES[number % len(SERIES)])
        self.name.set_parts(Part(name, "strong"))
        self.text.setAccessibleName(f"Text in the tokens of {name}")
        self.text.set_tokens(TextToken(piece) for piece in pieces)
        self.text.verticalScrollBar().setValue(0)
        self._show_foot()

    def _show_foot(self) -> None:
        token = self.text.current
        if 0 <= token < len(self._ids):
            label = token_label(self._pieces[token])
            self.foot.set_parts(Part(label, "mono", "text"), Part(f"  id {self._ids[token]:,}"))
            return
        size = sum(len(piece) for piece in self._pieces)
        share = f", {size / len(self._ids):.2f} bytes each" if self._ids else ""
        self.foot.set_text(f"{plural(len(self._ids), 'token')}{share}")


class TextsView(QWidget):
    """Columns of one sample at a time, and arrows to the next one."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._report = LabReport()
        self._sample = 0
        self._first = 0
        self._which = Label("", "secondary", "muted")
        back = IconButton("chevron-left", "Text before", edge=22)
        back.clicked.connect(lambda: self._turn(-1))
        forth = IconButton("chevron-right", "Next text", edge=22)
        forth.clicked.connect(lambda: self._turn(1))
        self._more = IconButton("refresh-cw", "Other tokenizers", edge=22)
        self._more.clicked.connect(self._on_more_clicked)
        head = QHBoxLayout()
        head.setSpacing(4)
        head.addWidget(self._which, 1)
        for button in (self._more, back, forth):
            head.addWidget(button)
        self._turners = (back, forth)
        self.columns = [TokenColumn() for _ in range(SIDE_BY_SIDE)]
        row = QHBoxLayout()
        row.setSpacing(8)
        for each in self.columns:
            row.addWidget(each, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(head)
        column.addLayout(row, 1)

    def show_report(self, report: LabReport) -> None:
        """Show the first sample of these tokenizers."""
        self._report, self._sample, self._first = report, 0, 0
        self._show()

    def _show(self) -> None:
        tried = [
            (number, each) for number, each in enumerate(self._report.candidates) if each.samples
        ]
        many = max((len(each.samples) for _, each in tried), default=0)
        for button in self._turners:
            button.setVisible(many > 1)
        self._more.setVisible(len(tried) > SIDE_BY_SIDE)
        shown = [tried[(self._first + place) % len(tried)] for place in range(len(tried))]
        title = ""
        for place, column in enumerate(self.columns):
            column.setVisible(place < len(shown))
            if place >= len(shown):
                continue
            number, candidate = shown[place]
            sample = candidate.samples[self._sample % len(candidate.samples)]
            title = sample.title
            ids = tuple(piece.id for piece in sample.pieces)
            column.show_pieces(number, candidate.name, ids, sample.bytes_of_pieces())
        self._which.set_text(title)

    def _turn(self, by: int) -> None:
        self._sample += by
        self._show()

    def _on_more_clicked(self) -> None:
        self._first += SIDE_BY_SIDE
        self._show()

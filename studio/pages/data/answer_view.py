"""A scrolling column for an answer of the index: waiting, failed, or the answer itself."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QLayout, QVBoxLayout, QWidget

from studio.widgets.card import Hairline
from studio.widgets.empty import ErrorCard, LoadingBlocks
from studio.widgets.headings import card_title
from studio.widgets.scroll import ClearScroll

PADDING_PX = 16


class AnswerView(QWidget):
    """What is shown stands below what stood before; `clear` begins again."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._inner = QWidget()
        self._rows = QVBoxLayout(self._inner)
        self._rows.setContentsMargins(0, 0, 0, PADDING_PX)
        self._rows.setSpacing(0)
        self._rows.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(ClearScroll(self._inner))

    def clear(self) -> None:
        """Take everything away."""
        _clear(self._rows)
        self._rows.addStretch(1)

    def show_waiting(self) -> None:
        """The answer is on its way."""
        self.clear()
        self.add(LoadingBlocks(rows=6), top=PADDING_PX)

    def show_error(self, error: BaseException) -> None:
        """There is no answer."""
        self.clear()
        self.add(ErrorCard(error), top=PADDING_PX)

    def add(self, widget: QWidget, top: int = 0) -> None:
        """Put something below, this many pixels down, with the margins of text."""
        row = QHBoxLayout()
        row.setContentsMargins(PADDING_PX, top, PADDING_PX, 0)
        row.addWidget(widget)
        self._rows.insertLayout(self._rows.count() - 1, row)

    def add_wide(self, widget: QWidget) -> None:
        """Put something below that has margins of its own."""
        self._rows.insertWidget(self._rows.count() - 1, widget)

    def add_title(self, text: str) -> None:
        """Put a heading below."""
        self.add(card_title(text), top=20)


def question_above(panel: QWidget, question: QWidget, row: QLayout, answer: AnswerView) -> None:
    """Lay a panel out: what asks, a row below it, a line, and the answer in the room left."""
    top = QVBoxLayout()
    top.setContentsMargins(PADDING_PX, 12, PADDING_PX, 12)
    top.setSpacing(8)
    top.addWidget(question)
    top.addLayout(row)
    column = QVBoxLayout(panel)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    column.addLayout(top)
    column.addWidget(Hairline())
    column.addWidget(answer, 1)


def _clear(layout: QLayout) -> None:
    while (item := layout.takeAt(0)) is not None:
        if (widget := item.widget()) is not None:
            widget.hide()
            widget.deleteLater()
        elif (inner := item.layout()) is not None:
            _clear(inner)

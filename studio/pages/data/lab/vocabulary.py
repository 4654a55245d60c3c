"""Search in the vocabulary of one tokenizer."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.pages.data.lab.report import FOUND_MOST, LabReport, TokenFacts
from studio.widgets.controls import ComboBox, SearchBox
from studio.widgets.figures import plural, whole
from studio.widgets.label import Label
from studio.widgets.table import Cell, Column, DataTable, Row

_COLUMNS = (
    Column("id", "Id", 76, style="mono_muted", right=True),
    Column("token", "Token", 220, 3, "mono"),
    Column("bytes", "Bytes", 72, style="mono", right=True),
    Column("hex", "As bytes", 160, 2, "mono_muted", sortable=False),
    Column("count", "In the text", 100, style="mono", right=True),
)
_WAIT_MS = 120


class VocabularyView(QWidget):
    """A search field, the tokenizer that it looks in, and what was found.

    Signals:
        search_wanted (object, str): Look for this text in the vocabulary at this path.
    """

    search_wanted = Signal(object, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._files: dict[int, Path] = {}
        self.search = SearchBox("A token, a part of one, or an id")
        self.search.setFixedWidth(280)
        self._timer = QTimer(self, singleShot=True, interval=_WAIT_MS)
        self._timer.timeout.connect(self._on_timeout)
        self.search.textChanged.connect(lambda _text: self._timer.start())
        self.which = ComboBox("Tokenizer", "in")
        self.which.activated.connect(lambda _index: self._on_timeout())
        self.found = Label("", "secondary", "muted")
        head = QHBoxLayout()
        head.setSpacing(10)
        head.addWidget(self.search)
        head.addWidget(self.which)
        head.addWidget(self.found, 1, Qt.AlignmentFlag.AlignVCenter)
        self.table = DataTable(_COLUMNS, single_click=False, name="Tokens")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(head)
        column.addWidget(self.table, 1)

    def show_report(self, report: LabReport, folder: Path) -> None:
        """Look in the vocabularies of these tokenizers; the first one is open."""
        self._files.clear()
        self.which.clear()
        for number, candidate in enumerate(report.candidates):
            if candidate.vocabulary:
                self._files[number] = folder / candidate.vocabulary
                self.which.addItem(candidate.name, number)
        self.which.setCurrentIndex(0)
        self._on_timeout()

    def show_found(self, found: list[TokenFacts], wanted: str) -> None:
        """Show what a search found; one that is not wanted any more is dropped."""
        if wanted != self.search.text():
            return
        more = f", the first {FOUND_MOST} shown" if len(found) > FOUND_MOST else ""
        self.found.set_text(f"{plural(len(found), 'token')}{more}")
        self.table.set_rows([_row(token) for token in found[:FOUND_MOST]])

    def _on_timeout(self) -> None:
        file = self._files.get(self.which.currentData())
        if file is not None:
            self.search_wanted.emit(file, self.search.text())


def _row(token: TokenFacts) -> Row:
    data = token.bytes
    return Row(
        token.id,
        {
            "id": Cell(f"{token.id:,}", sort=token.id),
            "token": Cell(token.label or "no text", style=None if data else "muted"),
            "bytes": Cell(whole(len(data)), sort=len(data)),
            "hex": Cell(data[:16].hex(" ")),
            "count": Cell(whole(token.count), sort=token.count),
        },
    )

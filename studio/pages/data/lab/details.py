"""What a comparison found besides: scripts, the longest tokens, and those that are never used."""

from __future__ import annotations

from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from studio.pages.data.lab.candidate_card import SERIES
from studio.pages.data.lab.report import CandidateFacts, LabReport, TokenFacts
from studio.widgets.card import Card, Dot
from studio.widgets.figures import MISSING, percent, whole
from studio.widgets.headings import card_title
from studio.widgets.label import Label, Part
from studio.widgets.scroll import ClearScroll
from studio.widgets.table import Cell, Column, DataTable, Row

_LONGEST_SHOWN = 40
_UNUSED_SHOWN = 120


class ScriptsView(QWidget):
    """Bytes per token by script, for each tokenizer; the best of a row stands out."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self.table: DataTable | None = None

    def show_report(self, report: LabReport) -> None:
        """Show these tokenizers."""
        if self.table is not None:
            self.table.hide()
            self.table.deleteLater()
        tried = [each for each in report.candidates if not each.error]
        columns = [
            Column("name", "Script", 140, 1, "strong"),
            Column("share", "Of the text", 92, style="mono_muted", right=True),
            *(
                Column(str(number), each.name, 130, 1, "mono", right=True)
                for number, each in enumerate(tried)
            ),
        ]
        self.table = DataTable(columns, single_click=False, name="Bytes per token by script")
        self.table.set_rows(script_rows(tried))
        self._column.addWidget(self.table, 1)


def script_rows(candidates: list[CandidateFacts]) -> list[Row]:
    """A row for each script, the most frequent first."""
    sizes: dict[str, int] = {}
    for candidate in candidates:
        for script in candidate.scripts:
            sizes[script.name] = max(sizes.get(script.name, 0), script.bytes)
    total = sum(sizes.values()) or 1
    rows = []
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        found = {
            number: script.bytes_per_token
            for number, candidate in enumerate(candidates)
            for script in candidate.scripts
            if script.name == name and script.tokens
        }
        best = max(found.values(), default=0.0)
        cells: dict[str, Cell | str] = {
            "name": name,
            "share": Cell(percent(sizes[name] / total, 2), sort=sizes[name]),
        }
        for number in range(len(candidates)):
            value = found.get(number)
            is_best = value is not None and len(found) > 1 and value >= best
            cells[str(number)] = Cell(
                MISSING if value is None else f"{value:.2f}",
                sort=value if value is not None else float("nan"),
                role="ok" if is_best else None,
            )
        rows.append(Row(name, cells))
    return rows


class ColumnsView(QWidget):
    """A list of tokens for each tokenizer, side by side.

    Args:
        unused: Show tokens that the text never has, not the longest ones.
    """

    def __init__(self, *, unused: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._unused = unused
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(8)

    def show_report(self, report: LabReport) -> None:
        """Show these tokenizers."""
        while (item := self._row.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for number, candidate in enumerate(report.candidates):
            if not candidate.error:
                self._row.addWidget(self._card(number, candidate), 1)

    def _card(self, number: int, candidate: CandidateFacts) -> Card:
        card = Card(padding=12)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(Dot(SERIES[number % len(SERIES)]))
        head.addWidget(card_title(candidate.name), 1)
        card.body.addLayout(head)
        if self._unused:
            share = candidate.unused / max(candidate.vocab_size, 1)
            words = f"{whole(candidate.unused)} never used, {percent(share)} of the vocabulary"
            card.body.addWidget(Label(words, "secondary", "muted"))
            card.body.addWidget(ClearScroll(_examples(candidate.unused_examples)), 1)
        else:
            card.body.addWidget(ClearScroll(_listed(candidate.longest[:_LONGEST_SHOWN])), 1)
        return card


def _listed(tokens: tuple[TokenFacts, ...]) -> QWidget:
    """Tokens with their length in bytes and how often they occur."""
    holder = QWidget()
    grid = QGridLayout(holder)
    grid.setContentsMargins(0, 0, 8, 0)
    grid.setHorizontalSpacing(12)
    grid.setVerticalSpacing(2)
    grid.setColumnStretch(0, 1)
    for column, text in ((1, "bytes"), (2, "times")):
        grid.addWidget(Label(text, "label", "muted", elide=False), 0, column)
    for row, token in enumerate(tokens, 1):
        grid.addWidget(Label(token.label, "mono"), row, 0)
        grid.addWidget(Label(whole(len(token.bytes)), "mono", "muted", elide=False), row, 1)
        grid.addWidget(Label(whole(token.count), "mono", "muted", elide=False), row, 2)
    grid.setRowStretch(len(tokens) + 1, 1)
    return holder


def _examples(tokens: tuple[TokenFacts, ...]) -> QWidget:
    """Tokens in running lines."""
    words = Label("", "mono", wrap=True)
    parts: list[Part] = []
    for token in tokens[:_UNUSED_SHOWN]:
        parts += [Part(token.label), Part("   ", tone="faint")]
    words.set_parts(*(parts or [Part("Every token is used.", "secondary", "muted")]))
    holder = QWidget()
    column = QVBoxLayout(holder)
    column.setContentsMargins(0, 0, 8, 0)
    column.addWidget(words)
    column.addStretch(1)
    return holder

"""The card of document lengths: of all sources or one, and what packing them loses."""

from __future__ import annotations

from functools import partial

from PySide6.QtWidgets import QHBoxLayout, QWidget

from studio.pages.data.charts import LengthChart
from studio.pages.data.corpus import SourceLengths, StatisticsFacts
from studio.pages.data.facts import DatasetFacts
from studio.pages.data.packing_costs import PackingCosts
from studio.widgets.card import Card
from studio.widgets.controls import LinkButton
from studio.widgets.figures import percent
from studio.widgets.headings import card_title
from studio.widgets.label import Label
from studio.widgets.menu import Menu

ALL_SOURCES = "All sources"
_NAME_CHARACTERS = 22


class LengthCard(Card):
    """How long documents are, and what each way of packing them would lose."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(padding=14, parent=parent)
        self._facts: DatasetFacts | None = None
        self._context = 0
        self._source = ""
        self.sources = LinkButton(ALL_SOURCES, trailing_icon="chevron-down")
        self.sources.clicked.connect(self._on_sources_clicked)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(card_title("Document length"))
        head.addStretch(1)
        head.addWidget(self.sources)
        head.addWidget(Label("tokens, log scale", "secondary", "muted"))
        self.chart = LengthChart()
        self._longer = Label("", "secondary", "muted", wrap=True)
        self.costs = PackingCosts()
        self.body.addLayout(head)
        self.body.addWidget(self.chart, 1)
        self.body.addWidget(self._longer)
        self.body.addWidget(self.costs)

    def show_facts(self, facts: DatasetFacts, context: int) -> None:
        """Show a dataset's documents beside a context length, in tokens."""
        if self._facts is None or self._facts.dataset.id != facts.dataset.id:
            self._source = ""
        self._facts, self._context = facts, context
        found = facts.statistics
        if found is None:
            self.sources.hide()
            self.chart.show_lengths((), 0.0, 0)
            self._longer.set_text("This corpus was prepared without statistics. Read it again.")
            self.costs.hide()
            return
        self._show_lengths(found)
        cost = found.cost(context)
        self.costs.setVisible(cost is not None)
        if cost is not None:
            self._longer.set_text(
                f"{percent(cost.longer)} of documents are longer than the context. Tokens lost:"
            )
            self.costs.show_cost(cost)

    def show_source(self, name: str) -> None:
        """Show one source's documents in the chart, or all of them for an empty name."""
        self._source = name
        if self._facts is not None and self._facts.statistics is not None:
            self._show_lengths(self._facts.statistics)

    def _show_lengths(self, found: StatisticsFacts) -> None:
        one = next((source for source in found.sources if source.name == self._source), None)
        shown: StatisticsFacts | SourceLengths = found if one is None else one
        self.sources.setVisible(len(found.sources) > 1)
        self.sources.setText(ALL_SOURCES if one is None else _short(one.name))
        self.chart.show_lengths(shown.lengths, shown.median_tokens, self._context)

    def _on_sources_clicked(self) -> None:
        if self._facts is None or self._facts.statistics is None:
            return
        menu = Menu(self)
        menu.add(ALL_SOURCES, partial(self.show_source, ""))
        for source in self._facts.statistics.sources:
            menu.add(source.name, partial(self.show_source, source.name))
        menu.open_at(self.sources.mapToGlobal(self.sources.rect().bottomLeft()))


def _short(name: str) -> str:
    return name if len(name) <= _NAME_CHARACTERS else f"{name[: _NAME_CHARACTERS - 1]}…"

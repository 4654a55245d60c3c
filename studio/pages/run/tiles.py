"""The six tiles of a run, in one row or two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QWidget

from studio.pages.run.facts import TileFacts
from studio.widgets.label import Part
from studio.widgets.tile import Tile

_ONE_ROW_PX: Final = 840
_LEAST_PX: Final = 440


class RunTiles(QWidget):
    """Shows what `run_facts.tiles` says."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(8)
        self.setMinimumWidth(_LEAST_PX)  # less than six tiles need: then there are two rows
        self._labels: tuple[str, ...] = ()
        self._facts: tuple[TileFacts, ...] = ()
        self._columns = 6
        self.tiles: list[Tile] = []

    def show_facts(self, facts: Sequence[TileFacts]) -> None:
        """Show these figures; the tiles are made anew only when there are other ones."""
        labels = tuple(each.label for each in facts)
        if labels != self._labels:
            self._labels, self._facts = labels, ()
            for tile in self.tiles:
                tile.deleteLater()
            self.tiles = [Tile(each.label, each.colour, each.tooltip) for each in facts]
            self._arrange()
        for tile, fact, old in zip(
            self.tiles, facts, (*self._facts, *([None] * len(facts))), strict=False
        ):
            if fact != old:
                _fill(tile, fact)
        self._facts = tuple(facts)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Six in a row where they fit, else three."""
        super().resizeEvent(event)
        columns = 6 if self.width() >= _ONE_ROW_PX else 3
        if columns != self._columns:
            self._columns = columns
            self._arrange()

    def _arrange(self) -> None:
        for place, tile in enumerate(self.tiles):
            self._grid.removeWidget(tile)
            self._grid.addWidget(tile, place // self._columns, place % self._columns)
        for column in range(6):
            self._grid.setColumnStretch(column, 1 if column < self._columns else 0)


def _fill(tile: Tile, fact: TileFacts) -> None:
    parts = tuple(
        Part(text, "mono_small", "text") if figure else Part(text)
        for text, figure in fact.context
        if text
    )
    tile.set_value(fact.value, fact.unit, parts)
    tile.setToolTip(fact.tooltip)
    if fact.share is not None:
        tile.set_share(fact.share)

"""All groups of runs: seeds and sweeps, how far they are and what their best run reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QTimer
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.context import Context
from studio.pages.home.facts import figure
from studio.pages.page import MARGIN_PX
from studio.runs.variants import swept
from studio.storage.library import GroupRow, Library, RunRow
from studio.widgets import figures
from studio.widgets.cells import Cell
from studio.widgets.empty import EmptyState
from studio.widgets.table import Column, DataTable, Row

_COLUMNS: Final = (
    Column("group", "Group", 170, 3, "strong"),
    Column("project", "Project", 120, 2, "muted"),
    Column("what", "What", 150, 2, "muted"),
    Column("done", "Done", 170, style="mono"),
    Column("best", "Best loss", 92, style="mono", right=True),
    Column("made", "Made", 158, style="mono_muted", right=True),
)
_REFRESH_MS: Final = 500


@dataclass(frozen=True)
class _Entry:
    group: GroupRow
    project: str
    runs: tuple[RunRow, ...]


class GroupsOverview(QWidget):
    """The groups, the newest first; a click opens one.

    Args:
        context: The studio.
    """

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._refresh = QTimer(self)
        self._refresh.setSingleShot(True)
        self._refresh.setInterval(_REFRESH_MS)
        self._refresh.timeout.connect(self._read)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN_PX, 16, MARGIN_PX, MARGIN_PX)
        self.table = DataTable(_COLUMNS, name="Groups of runs")
        self.table.row_activated.connect(lambda key: context.navigate("group", key))
        self._none = EmptyState(
            "No group yet. “Seeds and sweeps…” in the menu of a run trains it with several seeds or"
            " settings, and tells real differences from noise."
        )
        column.addWidget(self.table, 1)
        column.addWidget(self._none, 1)
        self.table.hide()
        self._none.hide()
        context.keeper.run_remembered.connect(self._on_news)

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up."""
        super().showEvent(event)
        self._read()

    def hideEvent(self, event: QHideEvent) -> None:
        """Out of sight nothing is read."""
        super().hideEvent(event)
        self._refresh.stop()

    def _on_news(self, _run_id: int) -> None:
        if self.isVisible() and not self._refresh.isActive():
            self._refresh.start()

    def _read(self) -> None:
        library = self._context.library
        self._context.tasks.run_op(lambda: _entries(library), self._on_read, owner=self)

    def _on_read(self, entries: Sequence[_Entry]) -> None:
        self.table.set_rows([_row(entry) for entry in entries])
        self.table.setVisible(bool(entries))
        self._none.setVisible(not entries)


def _entries(library: Library) -> list[_Entry]:
    """Groups that have a run left; one query for all runs."""
    by_group: dict[int, list[RunRow]] = {}
    for run in library.runs(archived=True):
        if run.group_id is not None:
            by_group.setdefault(run.group_id, []).append(run)
    names = {project.id: project.name for project in library.projects()}
    return [
        _Entry(group, names.get(group.project_id, ""), tuple(by_group[group.id]))
        for group in library.groups()
        if group.id in by_group
    ]


def _row(entry: _Entry) -> Row:
    group = entry.group
    done = sum(run.facts.state == "finished" for run in entry.runs)
    losses = [run.facts.best_loss for run in entry.runs if run.facts.best_loss is not None]
    best = min(losses, default=None)
    paths = [path for path in group.axes if path != "seed"]
    seeds = figures.plural(len(group.axes.get("seed", ())), "seed")
    varied = " and ".join(swept(path).name.lower() for path in paths)
    return Row(
        group.id,
        {
            "group": group.name,
            "project": entry.project,
            "what": f"{varied}, {seeds}" if varied else seeds,
            "done": Cell(
                f"{done} of {len(entry.runs)}",
                sort=done / len(entry.runs),
                share=done / len(entry.runs),
                bar_role="ok" if done == len(entry.runs) else "accent",
            ),
            "best": figure(figures.loss(best), best, 6),
            "made": Cell(figures.started(group.created_s), sort=group.created_s),
        },
    )

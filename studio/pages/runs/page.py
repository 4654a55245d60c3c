"""The list of all runs: filter, open, put away; the one run at work opens by itself."""

from __future__ import annotations

from functools import partial
from typing import Final

from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.context import Context
from studio.pages.home.actions import HomeActions
from studio.pages.home.facts import BUSY, RESUMABLE, run_row, with_live_facts
from studio.pages.page import MARGIN_PX, Page, PageHeader
from studio.pages.queue.section import QueueSection
from studio.storage.rows import ProjectRow, RunRow
from studio.widgets import figures
from studio.widgets.controls import CheckBox, ComboBox, PrimaryButton, SearchBox, Segmented
from studio.widgets.empty import EmptyState, LoadingBlocks
from studio.widgets.label import Label
from studio.widgets.table import Column, DataTable

COLUMNS: Final = (
    Column("run", "Run", 150, 3, "strong"),
    Column("project", "Project", 120, 2, "muted"),
    Column("state", "State", 112),
    Column("progress", "Progress", 158, style="mono"),
    Column("val_loss", "Val loss", 82, style="mono", right=True),
    Column("bits", "Bits/byte", 82, style="mono_muted", right=True),
    Column("tokens", "Tokens", 74, style="mono", right=True),
    Column("speed", "Tokens/s", 78, style="mono", right=True),
    Column("time", "Time", 118, style="mono", right=True),
    Column("started", "Started", 158, style="mono_muted", right=True),
)
_STATES: Final = {
    "work": frozenset(BUSY),
    "rest": frozenset(RESUMABLE),
    "done": frozenset({"finished"}),
}
_REFRESH_MS: Final = 500
_ALL: Final = "All projects"


class RunsPage(Page):
    """All runs. Its target is a project's id, `all`, or None.

    None opens the run at work if there is exactly one; coming from there it shows the list.
    """

    nav_key = "runs"

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._runs: tuple[RunRow, ...] = ()
        self._projects: tuple[ProjectRow, ...] = ()
        self._led_to: int | None = None
        self._target: object | None = None
        self._loaded = False
        self._refresh = QTimer(self)
        self._refresh.setSingleShot(True)
        self._refresh.setInterval(_REFRESH_MS)
        self._refresh.timeout.connect(self._fill)
        self._actions = HomeActions(context, self, self._reload)
        self._lay_out()
        context.watcher.job_updated.connect(self._on_job_updated)
        context.keeper.run_remembered.connect(self._on_run_remembered)

    # --- the page ------------------------------------------------------------------------------

    def open(self, target: object | None) -> None:
        """Show the list, of one project for its id; see the class for None."""
        self._target = target
        self._reload(opened=True)

    def shown(self) -> None:
        """Catch up."""
        if self._loaded:
            self._fill()

    def hidden(self) -> None:
        """Out of sight nothing is refreshed."""
        self._refresh.stop()

    def target(self) -> object | None:
        """What the list was opened with."""
        return self._target

    # --- making it -----------------------------------------------------------------------------

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        header = PageHeader("Runs")
        self.count = Label("", "secondary", "muted", elide=False)
        header.add_left(self.count)
        new = PrimaryButton("New run", "plus")
        new.clicked.connect(partial(self.navigate_requested.emit, "wizard", None))
        header.add_right(new)
        column.addWidget(header)
        inner = QVBoxLayout()
        inner.setContentsMargins(MARGIN_PX, 16, MARGIN_PX, MARGIN_PX)
        inner.setSpacing(12)
        column.addLayout(inner, 1)
        inner.addWidget(QueueSection(self._context))
        inner.addWidget(self._make_filters())
        self.table = DataTable(COLUMNS, name="Runs")
        self.table.row_activated.connect(self._on_opened)
        self.table.menu_requested.connect(self._on_menu)
        inner.addWidget(self.table, 1)
        self._loading = LoadingBlocks(rows=8)
        inner.addWidget(self._loading)
        self._none = EmptyState("Nothing has been trained yet.", "New run", "plus")
        self._none.clicked.connect(partial(self.navigate_requested.emit, "wizard", None))
        inner.addWidget(self._none, 1)
        self._no_match = EmptyState("No run fits this filter.", "Show all runs")
        self._no_match.clicked.connect(self._clear_filters)
        inner.addWidget(self._no_match, 1)
        for widget in (self.table, self._none, self._no_match, self._filters):
            widget.hide()

    def _make_filters(self) -> QWidget:
        self._filters = QWidget()
        row = QHBoxLayout(self._filters)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        self.search = SearchBox("Filter by name")
        self.search.setFixedWidth(220)
        self.search.textChanged.connect(self._fill)
        self.search.left_down.connect(self.table_focus)
        self.project = ComboBox("Project", "Project")
        self.project.currentIndexChanged.connect(self._fill)
        self.state = Segmented(
            [("all", "All"), ("work", "At work"), ("rest", "Interrupted"), ("done", "Finished")],
            name="State",
        )
        self.state.chosen.connect(self._fill)
        self.away = CheckBox("Show runs that were put away")
        self.away.toggled.connect(self._fill)
        for widget in (self.search, self.project, self.state):
            row.addWidget(widget)
        row.addStretch(1)
        row.addWidget(self.away)
        return self._filters

    def table_focus(self) -> None:
        """Go on from the filter to the table."""
        self.table.view.setFocus(Qt.FocusReason.TabFocusReason)

    # --- content -------------------------------------------------------------------------------

    def _reload(self, *, opened: bool = False) -> None:
        library = self._context.library

        def loaded(found: tuple[tuple[RunRow, ...], tuple[ProjectRow, ...]]) -> None:
            self._runs, self._projects = found
            self._loaded = True
            self._loading.hide()
            self._offer_projects(opened)
            if not (opened and self._lead_on()):
                self._fill()

        self._context.tasks.run_op(
            lambda: (tuple(library.runs(archived=True)), tuple(library.projects())),
            loaded,
            owner=self,
        )

    def _offer_projects(self, opened: bool) -> None:
        kept = self.project.currentData()
        self.project.blockSignals(True)
        self.project.clear()
        self.project.addItem(_ALL, None)
        for project in self._projects:
            self.project.addItem(project.name, project.id)
        wanted = self._target if opened and isinstance(self._target, int) else kept
        self.project.setCurrentIndex(max(self.project.findData(wanted), 0))
        self.project.blockSignals(False)

    def _lead_on(self) -> bool:
        """Open the one run at work, unless the user just came from there."""
        working = [run for run in self._live() if run.facts.state in BUSY and not run.archived]
        wanted = self._target is None and len(working) == 1 and self.isVisible()
        if wanted and self._led_to != working[0].id:
            self._led_to = working[0].id
            self.navigate_requested.emit("run", working[0].id)
            return True
        self._led_to = None
        return False

    def _live(self) -> list[RunRow]:
        watcher = self._context.watcher
        return [with_live_facts(run, watcher.model(run.folder)) for run in self._runs]

    def _fill(self, _changed: object = None) -> None:
        names = {project.id: project.name for project in self._projects}
        runs = [run for run in self._live() if self._fits(run)]
        self.table.set_rows([run_row(run, names.get(run.project_id, "")) for run in runs])
        in_all = [run for run in self._runs if self.away.isChecked() or not run.archived]
        shown = f"{len(runs):,} of " if len(runs) != len(in_all) else ""
        self.count.set_text(f"{shown}{figures.plural(len(in_all), 'run')}" if in_all else "")
        self._filters.setVisible(bool(self._runs))
        self.table.setVisible(bool(runs))
        self._none.setVisible(self._loaded and not self._runs)
        self._no_match.setVisible(bool(self._runs) and not runs)

    def _fits(self, run: RunRow) -> bool:
        if run.archived and not self.away.isChecked():
            return False
        project = self.project.currentData()
        if project is not None and run.project_id != project:
            return False
        if self.state.current != "all" and run.facts.state not in _STATES[self.state.current]:
            return False
        words = self.search.text().casefold().split()
        return all(word in run.name.casefold() for word in words)

    def _clear_filters(self) -> None:
        self.search.clear()
        self.project.setCurrentIndex(0)
        self.state.set_current("all")
        self.away.setChecked(any(run.archived for run in self._runs))
        self._fill()

    # --- reactions -----------------------------------------------------------------------------

    def _on_job_updated(self, _folder: str) -> None:
        if self.isVisible() and not self._refresh.isActive():
            self._refresh.start()

    def _on_run_remembered(self, _run_id: int) -> None:
        if self.isVisible() and self._loaded:
            self._reload()

    def _on_opened(self, run_id: object) -> None:
        self.navigate_requested.emit("run", run_id)

    def _on_menu(self, run_id: object, at: QPoint) -> None:
        run = next((each for each in self._runs if each.id == run_id), None)
        if run is None:
            return
        live = self._context.watcher.model(run.folder)
        self._actions.run_menu(with_live_facts(run, live), at)

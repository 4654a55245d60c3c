"""Home: the tour, the projects and the recent runs."""

from __future__ import annotations

import sys
import time
from dataclasses import replace

from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.context import Context
from studio.pages.home.actions import HomeActions
from studio.pages.home.facts import (
    BUSY,
    RESUMABLE,
    ProjectSummary,
    Shelf,
    Sorting,
    run_row,
    summarise,
    with_live_facts,
)
from studio.pages.home.projects import ProjectGrid
from studio.pages.home.tour import TourCard
from studio.pages.home.tour_feed import TourFeed
from studio.pages.page import Page, PageHeader, ScrollBody
from studio.pages.rule_cards import RuleTaskCards, connect_rule_cards
from studio.runs.model import JobModel
from studio.storage.library import Library
from studio.storage.rows import RunRow
from studio.widgets import figures
from studio.widgets.choices import Segmented
from studio.widgets.controls import LinkButton, PrimaryButton, SecondaryButton
from studio.widgets.empty import EmptyState
from studio.widgets.label import Label
from studio.widgets.search_button import SearchButton
from studio.widgets.search_popup import right_edge
from studio.widgets.table import Column, DataTable

RECENT = 8
FIRST_CARDS = 12
"""Projects that are shown at first: three rows; the rest on demand."""
_REFRESH_MS = 1000
_SORTINGS: dict[str, Sorting] = {"used": "used", "name": "name", "loss": "loss"}
_SORT_SETTING = "home/sorting"

COLUMNS = (
    Column("run", "Run", 132, 2, "strong"),
    Column("project", "Project", 112, 3, "muted"),
    Column("state", "State", 113),
    Column("progress", "Progress", 148, 0, "mono"),
    Column("val_loss", "Val loss", 76, 0, "mono", right=True, tooltip="Loss on held-out text"),
    Column(
        "bits",
        "Bits/byte",
        80,
        0,
        "mono_muted",
        right=True,
        tooltip="Held-out loss for each byte of text: comparable between tokenizers",
    ),
    Column("tokens", "Tokens", 70, 0, "mono", right=True, tooltip="Tokens trained on so far"),
    Column("speed", "Tokens/s", 78, 0, "mono", right=True),
    Column("time", "Time", 108, 0, "mono", right=True, tooltip="Time that it was at work"),
    Column("started", "Started", 152, 0, "mono_muted", right=True),
)


def read_shelf(library: Library) -> Shelf:
    """Everything that Home shows, in one go."""
    return Shelf(
        tuple(library.projects()),
        tuple(library.runs(archived=True)),
        tuple(library.datasets()),
        len(library.trash()),
    )


class HomePage(Page):
    """The first page."""

    nav_key = "home"

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._shelf: Shelf | None = None
        self._summaries: dict[int, ProjectSummary] = {}
        self._shows_archived = False
        self._most_cards = FIRST_CARDS
        self._drawn_s = 0.0
        self._actions = HomeActions(context, self)
        self.tour_card = TourCard()
        self.feed = TourFeed(context, self.tour_card, self)
        self.grid = ProjectGrid()
        self.table = DataTable(COLUMNS, fit_rows=True, name="Recent runs")
        kept = str(context.settings.value(_SORT_SETTING, "used"))
        self._sorting: Sorting = _SORTINGS.get(kept, "used")
        self._refresh = QTimer(self)
        self._refresh.setSingleShot(True)
        self._refresh.timeout.connect(self._draw)
        self._lay_out()
        self._connect()

    # --- the page ---

    def shown(self) -> None:
        """Read the library again, and stay up to date."""
        self.feed.set_active(True)
        self.reload()

    def hidden(self) -> None:
        """Stop drawing."""
        self.feed.set_active(False)
        self._refresh.stop()

    def reload(self) -> None:
        """Ask the library what there is."""
        library = self._context.library
        self._context.tasks.run_op(lambda: read_shelf(library), self._on_read, owner=self)

    # --- layout ---

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._header())
        body = ScrollBody()
        body.column.addWidget(self.tour_card)
        body.column.addWidget(self._projects_head())
        body.column.addWidget(self.grid)
        self._more_link = LinkButton("")
        self._more_link.clicked.connect(self._on_more_clicked)
        self._more_link.hide()
        body.column.addWidget(self._more_link, 0, Qt.AlignmentFlag.AlignLeft)
        self._empty = EmptyState(
            "Nothing has been trained here yet. Take the tour, or begin with your own text or a"
            " rule task.",
            "New run",
            "plus",
        )
        self._empty.clicked.connect(lambda: self.navigate_requested.emit("wizard", None))
        body.column.addWidget(self._empty)
        self.rule_tasks = RuleTaskCards()
        connect_rule_cards(self._context, self.rule_tasks)
        body.column.addWidget(self.rule_tasks)
        body.column.addSpacing(8)
        self._runs_head = self._recent_head()
        body.column.addWidget(self._runs_head)
        body.column.addWidget(self.table)
        body.column.addStretch(1)
        column.addWidget(body, 1)
        self.tour_card.hide()
        self._empty.hide()
        self.rule_tasks.hide()
        self._show_runs(False)

    def _header(self) -> PageHeader:
        header = PageHeader("Projects")
        search = SearchButton("Search projects, runs", "Ctrl K")
        search.clicked.connect(lambda: self._context.search(right_edge(search)))
        add = SecondaryButton("Add data", "database")
        add.clicked.connect(lambda: self.navigate_requested.emit("data", "add"))
        new = PrimaryButton("New run", "plus")
        new.clicked.connect(lambda: self.navigate_requested.emit("wizard", None))
        for part in (search, add, new):
            header.add_right(part)
        return header

    def _projects_head(self) -> QWidget:
        head = QWidget()
        row = QHBoxLayout(head)
        row.setContentsMargins(0, 6, 0, 0)
        row.setSpacing(16)
        row.addWidget(Label("Your projects", "title"))
        row.addStretch(1)
        self._archive_link = LinkButton("")
        self._archive_link.clicked.connect(self._on_archive_clicked)
        self._archive_link.hide()
        choices = [("used", "Last used"), ("name", "Name"), ("loss", "Loss")]
        self._sort_choice = Segmented(choices, self._sorting, name="Sort projects by")
        self._sort_choice.chosen.connect(self._on_sorting_chosen)
        self._trash_link = LinkButton("")
        self._trash_link.clicked.connect(lambda: self.navigate_requested.emit("runs", "trash"))
        self._trash_link.hide()
        row.addWidget(self._trash_link)
        row.addWidget(self._archive_link)
        row.addWidget(self._sort_choice)
        self._projects_bar = head
        return head

    def _recent_head(self) -> QWidget:
        head = QWidget()
        row = QHBoxLayout(head)
        row.setContentsMargins(0, 4, 0, 0)
        row.setSpacing(12)
        row.addWidget(Label("Recent runs", "title"))
        self._runs_count = Label("", "secondary", "muted")
        row.addWidget(self._runs_count)
        row.addStretch(1)
        link = LinkButton("Show all runs")
        link.clicked.connect(lambda: self.navigate_requested.emit("runs", "all"))
        row.addWidget(link)
        return head

    def _connect(self) -> None:
        context = self._context
        context.keeper.run_remembered.connect(lambda _run_id: self.reload())
        context.watcher.job_updated.connect(self._on_job_updated)
        context.undo.changed.connect(self.reload)
        if context.tour is not None:
            context.tour.registered.connect(self.reload)
        if context.rules is not None:
            context.rules.registered.connect(self.reload)
        self.grid.opened.connect(lambda key: self.navigate_requested.emit("runs", key))
        self.grid.link_clicked.connect(self._on_link_clicked)
        self.grid.menu_requested.connect(self._on_project_menu)
        self.table.row_activated.connect(lambda key: self.navigate_requested.emit("run", key))
        self.table.menu_requested.connect(self._on_run_menu)

    # --- drawing ---

    def _on_read(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._draw()

    def _on_job_updated(self, _folder: str) -> None:
        # Figures that change four times a second are drawn once a second.
        if self.isVisible() and not self._refresh.isActive() and self._has_busy_runs():
            elapsed_ms = (time.monotonic() - self._drawn_s) * 1000
            self._refresh.start(max(0, int(_REFRESH_MS - elapsed_ms)))

    def _has_busy_runs(self) -> bool:
        return any(
            model.alive or model.state in BUSY
            for run in (self._shelf.runs if self._shelf else ())
            if (model := self._model(run)) is not None
        )

    def _model(self, run: RunRow) -> JobModel | None:
        return self._context.watcher.model(run.folder)

    def _live_shelf(self, shelf: Shelf) -> Shelf:
        runs = tuple(with_live_facts(run, self._model(run)) for run in shelf.runs)
        return replace(shelf, runs=runs)

    def _draw(self) -> None:
        if self._shelf is None:
            return
        self._drawn_s = time.monotonic()
        shelf = self._live_shelf(self._shelf)
        summaries = summarise(shelf, self._model, self._sorting)
        self._summaries = {each.project.id: each for each in summaries}
        self._draw_projects(summaries)
        self._draw_runs(shelf)
        self._trash_link.setVisible(shelf.trashed > 0)
        self._trash_link.set_text(f"Trash ({shelf.trashed:,})")

    def _draw_projects(self, summaries: list[ProjectSummary]) -> None:
        archived = sum(each.archived for each in summaries)
        self._shows_archived = self._shows_archived and archived > 0
        visible = [each for each in summaries if self._shows_archived or not each.archived]
        self._more_link.setVisible(len(visible) > self._most_cards)
        self._more_link.set_text(f"Show all {len(visible):,} projects")
        self.grid.show_summaries(visible[: self._most_cards])
        self.grid.setVisible(bool(visible))
        self._empty.setVisible(not summaries)
        self.rule_tasks.setVisible(not summaries and self._context.rules is not None)
        self._projects_bar.setVisible(bool(summaries or (self._shelf and self._shelf.trashed)))
        self._archive_link.setVisible(archived > 0)
        words = "Hide what was put away" if self._shows_archived else f"Show {archived} put away"
        self._archive_link.set_text(words)

    def _draw_runs(self, shelf: Shelf) -> None:
        names = {project.id: project.name for project in shelf.projects}
        runs = [run for run in shelf.runs if not run.archived]
        self._show_runs(bool(runs))
        self._runs_count.set_text(f"{len(runs):,} in all")
        self.table.set_rows(
            [run_row(run, names.get(run.project_id, figures.MISSING)) for run in runs[:RECENT]]
        )

    def _show_runs(self, shown: bool) -> None:
        self._runs_head.setVisible(shown)
        self.table.setVisible(shown)

    # --- reactions ---

    def _on_sorting_chosen(self, key: str) -> None:
        self._sorting = _SORTINGS.get(key, "used")
        self._context.settings.setValue(_SORT_SETTING, key)
        self._draw()

    def _on_archive_clicked(self) -> None:
        self._shows_archived = not self._shows_archived
        self._draw()

    def _on_more_clicked(self) -> None:
        self._most_cards = sys.maxsize
        self._draw()

    def _on_link_clicked(self, project_id: int) -> None:
        run = self._summaries[project_id].shown
        if run is None:
            self.navigate_requested.emit("wizard", None)
        elif run.facts.state in RESUMABLE:
            self._actions.resume(run)
        else:
            page = "playground" if run.kind == "train" else "compare"
            self.navigate_requested.emit(page, run.id)

    def _on_project_menu(self, project_id: int, at: QPoint) -> None:
        self._actions.project_menu(self._summaries[project_id], at)

    def _on_run_menu(self, run_id: object, at: QPoint) -> None:
        shelf = self._live_shelf(self._shelf) if self._shelf is not None else None
        run = next((row for row in shelf.runs if row.id == run_id), None) if shelf else None
        if run is not None:
            self._actions.run_menu(run, at)

"""The list of runs: the filter, the table, and what is done to the runs that are checked."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from studio.context import Context
from studio.pages.home.facts import BUSY, with_live_facts
from studio.pages.page import MARGIN_PX
from studio.pages.queue.section import QueueSection
from studio.pages.runs.actions import RunListActions
from studio.pages.runs.columns import (
    ColumnsPopover,
    remember_columns,
    remember_sorting,
    remembered_columns,
    remembered_sorting,
)
from studio.pages.runs.entries import Catalogue, Entry, entry_row, fitting, with_run
from studio.pages.runs.filters import FilterBar, SelectionBar
from studio.pages.wizard.drafts_section import DraftsSection
from studio.storage.rows import RunRow
from studio.widgets.empty import EmptyState
from studio.widgets.table import DataTable

_REFRESH_MS: Final = 500
_FRAME_PX: Final = 54
"""Of the table beside its columns: the box of each row, the scroll bar, and the frame."""


class RunList(QWidget):
    """All runs outside the trash.

    Signals:
        opened(int): A run is to be opened.
        details_requested(int): All about a run is wanted beside the list.
        new_requested: The user wants to begin a run.
        counted(int, int): How many runs are shown, of how many.
    """

    opened = Signal(int)
    details_requested = Signal(int)
    new_requested = Signal()
    counted = Signal(int, int)

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._catalogue = Catalogue()
        self._waiting: set[Path] = set()
        self._keys = remembered_columns(context.settings)
        self._fitted: tuple[str, ...] = ()
        self.run_actions = RunListActions(context, self, lambda: self._catalogue.tags)
        self._refresh = QTimer(self)
        self._refresh.setSingleShot(True)
        self._refresh.setInterval(_REFRESH_MS)
        self._refresh.timeout.connect(self.fill)
        self._lay_out()
        self._connect()

    # --- content -------------------------------------------------------------------------------

    def show_catalogue(self, catalogue: Catalogue, project_id: int | None = None) -> None:
        """Show what the library holds now.

        Args:
            catalogue: All runs.
            project_id: Show only this project's; None keeps the filter.
        """
        self._catalogue = catalogue
        self.filters.offer(catalogue, project_id)
        self.fill()

    def live(self, entry: Entry) -> Entry:
        """A run with what its job says now."""
        model = self._context.watcher.model(entry.run.folder)
        queued = entry.run.folder in self._waiting
        return with_run(entry, with_live_facts(entry.run, model), queued=queued)

    def fill(self) -> None:
        """Show the runs that fit the filter, with their figures of now."""
        self._refresh.stop()
        queue = self._context.queue
        self._waiting = {each.folder for each in queue.entries} if queue is not None else set()
        wanted = self.filters.wanted
        live = [self.live(entry) for entry in self._catalogue.entries]
        shown = [entry for entry in live if wanted.fits(entry)]
        self.table.set_rows([entry_row(entry) for entry in shown])
        known = {entry.run.id for entry in self._catalogue.entries}
        self.table.set_checked(key for key in self.table.model.checked if key in known)
        self._show_chosen()
        in_all = sum(
            entry.run.archived == (wanted.state == "away") for entry in self._catalogue.entries
        )
        self.counted.emit(len(shown), in_all)
        empty = not self._catalogue.entries
        self._bar.setVisible(not empty)
        self.table.setVisible(bool(shown))
        self._none.setVisible(empty)
        self._no_match.setVisible(not empty and not shown)

    def refresh_soon(self) -> None:
        """Bring figures up to date, a few times a second at most."""
        if self.isVisible() and not self._refresh.isActive():
            self._refresh.start()

    def rest(self) -> None:
        """Out of sight nothing is refreshed."""
        self._refresh.stop()

    def chosen(self) -> list[RunRow]:
        """The runs that are checked and shown, from the top."""
        keys = self.table.checked()
        rows = {entry.run.id: entry for entry in self._catalogue.entries}
        return [self.live(rows[key]).run for key in keys if isinstance(key, int) and key in rows]

    # --- making it -----------------------------------------------------------------------------

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN_PX, 16, MARGIN_PX, MARGIN_PX)
        column.setSpacing(12)
        self.filters = FilterBar()
        self.selection = SelectionBar()
        self._bar = QStackedWidget()
        self._bar.setFixedHeight(30)
        self._bar.addWidget(self.filters)
        self._bar.addWidget(self.selection)
        self.queue = QueueSection(self._context)
        column.addWidget(self.queue)
        self.drafts = DraftsSection(self._context)
        top = QVBoxLayout()
        top.setSpacing(0)  # without drafts their section takes no room at all
        top.addWidget(self.drafts)
        top.addWidget(self._bar)
        column.addLayout(top)
        shown = fitting(self._keys, 1200)
        self.table = DataTable(shown, checkable=True, movable=True, name="Runs")
        key, largest_first = remembered_sorting(self._context.settings)
        self.table.sort_by(key, descending=largest_first)
        column.addWidget(self.table, 1)
        self._none = EmptyState("Nothing has been trained yet.", "New run", "plus")
        self._none.clicked.connect(self.new_requested)
        column.addWidget(self._none, 1)
        self._no_match = EmptyState("No run fits this filter.", "Show all runs")
        self._no_match.clicked.connect(self._on_show_all)
        column.addWidget(self._no_match, 1)
        for widget in (self.table, self._none, self._no_match, self._bar):
            widget.hide()

    def _connect(self) -> None:
        self.filters.changed.connect(self.fill)
        self.filters.left_down.connect(self._go_to_table)
        self.filters.columns_requested.connect(self._on_columns_requested)
        table = self.table
        table.row_activated.connect(lambda run_id: self.opened.emit(run_id))
        table.menu_requested.connect(self._on_menu)
        table.link_clicked.connect(self._on_link)
        table.checked_changed.connect(self._show_chosen)
        table.columns_moved.connect(self._on_columns_moved)
        table.header_menu_requested.connect(self._open_columns)
        settings = self._context.settings
        table.sorting_changed.connect(
            lambda key, largest_first: remember_sorting(settings, key, largest_first)
        )
        bar, actions = self.selection, self.run_actions
        bar.compare.connect(lambda: actions.compare(self.chosen()))
        bar.star.connect(lambda: self._star(self.chosen()))
        bar.tags.connect(lambda: actions.tag(self.chosen(), _below(bar.tags_button)))
        bar.move_away.connect(lambda: actions.ask_project(self.chosen(), _below(bar.move_button)))
        bar.put_away.connect(self._on_put_away)
        bar.trash.connect(lambda: actions.trash(self.chosen(), _below(bar.trash_button)))
        bar.cleared.connect(lambda: table.set_checked(()))
        if self._context.queue is not None:
            self._context.queue.changed.connect(self.refresh_soon)
        self._add_keys()

    def _add_keys(self) -> None:
        """Keys on the table: Delete for the trash, F2 for another name."""
        for keys, act in (("Delete", self._on_delete_key), ("F2", self._on_rename_key)):
            shortcut = QShortcut(QKeySequence(keys), self.table)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(act)

    def _meant(self) -> list[RunRow]:
        """The runs that are checked, else the one that the keyboard is on."""
        entry = self._entry(self.table.selected_key())
        return self.chosen() or ([self.live(entry).run] if entry is not None else [])

    def _on_delete_key(self) -> None:
        runs = self._meant()
        if runs and not self._context.library.read_only:
            self.run_actions.trash(runs, self._beside_table())

    def _on_rename_key(self) -> None:
        runs = self._meant()
        if len(runs) == 1 and not self._context.library.read_only:
            self.run_actions.rename(runs[0], self._beside_table())

    def _beside_table(self) -> QPoint:
        """A point at the row that the keyboard is on."""
        view = self.table.view
        return view.viewport().mapToGlobal(view.visualRect(view.currentIndex()).bottomLeft())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """A narrow list does without some columns, unless the user chose them."""
        super().resizeEvent(event)
        self._fit_columns()

    # --- reactions -----------------------------------------------------------------------------

    def _fit_columns(self) -> None:
        room = self.width() - 2 * MARGIN_PX - _FRAME_PX
        shown = fitting(self._keys, room)
        keys = tuple(column.key for column in shown)
        if keys != self._fitted:
            self._fitted = keys
            self.table.set_columns(shown)

    def _go_to_table(self) -> None:
        self.table.view.setFocus(Qt.FocusReason.TabFocusReason)
        if self.table.selected_key() is None and self.table.model.rowCount():
            self.table.view.selectRow(0)

    def _on_show_all(self) -> None:
        self.filters.clear()
        if not self.table.model.rowCount():  # every run was put away
            self.filters.state.set_current("away")
            self.fill()

    def _show_chosen(self) -> None:
        chosen = self.chosen()
        self._bar.setCurrentWidget(self.selection if chosen else self.filters)
        if chosen:
            self.selection.show_chosen(
                len(chosen),
                starred=all(run.starred for run in chosen),
                archived=all(run.archived for run in chosen),
                busy=any(run.facts.state in BUSY for run in chosen),
                can_write=not self._context.library.read_only,
            )

    def _star(self, runs: list[RunRow]) -> None:
        self.run_actions.star(runs, starred=not all(run.starred for run in runs))

    def _on_put_away(self) -> None:
        runs = self.chosen()
        self.run_actions.put_away(runs, archived=not all(run.archived for run in runs))

    def _on_menu(self, run_id: object, at: QPoint) -> None:
        chosen = self.chosen()
        if len(chosen) > 1 and run_id in {run.id for run in chosen}:
            self.run_actions.runs_menu(chosen, at)
            return
        entry = self._entry(run_id)
        if entry is not None:
            run = self.live(entry).run
            self.run_actions.run_menu(run, at, lambda: self.details_requested.emit(run.id))

    def _on_link(self, run_id: object, column: str) -> None:
        entry = self._entry(run_id)
        if entry is None:
            return
        if column == "star" and not self._context.library.read_only:
            self._star([entry.run])
        elif column == "parent" and entry.run.parent_id is not None:
            self.opened.emit(entry.run.parent_id)
        elif column == "group" and entry.run.group_id is not None:
            self._context.navigate("group", entry.run.group_id)

    def _entry(self, run_id: object) -> Entry | None:
        return next((each for each in self._catalogue.entries if each.run.id == run_id), None)

    def _on_columns_requested(self) -> None:
        button = self.filters.columns_button
        self._open_columns(button.mapToGlobal(QPoint(button.width(), button.height() + 6)))

    def _open_columns(self, at: QPoint) -> None:
        ColumnsPopover(self.window(), self._keys, self._take_columns).open_at(at)

    def _on_columns_moved(self, keys: list[str]) -> None:
        hidden = [key for key in self._keys if key not in keys]
        self._take_columns((*keys, *hidden))

    def _take_columns(self, keys: tuple[str, ...]) -> None:
        self._keys = keys
        remember_columns(self._context.settings, keys)
        self._fit_columns()


def _below(button: QWidget) -> QPoint:
    return button.mapToGlobal(QPoint(0, button.height() + 6))

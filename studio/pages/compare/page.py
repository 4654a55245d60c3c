"""The compare page: up to six runs over one chart, what the index buys, what differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout

from studio.context import Context
from studio.pages.compare.chart import CompareChart
from studio.pages.compare.chips import RunChips
from studio.pages.compare.export import CompareExport
from studio.pages.compare.facts import (
    RUNS_MAX,
    Compared,
    comparability,
    free_slot,
    gains,
    other_for,
)
from studio.pages.compare.gains import GainsCard
from studio.pages.compare.import_sheet import ImportSheet
from studio.pages.compare.loading import load_run, of_model
from studio.pages.compare.seeds import joined
from studio.pages.compare.settings_section import SettingsSection
from studio.pages.compare.target import ImportLog
from studio.pages.page import HEADER_PX, Page, PageHeader, ScrollBody
from studio.storage.rows import ProjectRow, RunRow
from studio.widgets.controls import SecondaryButton
from studio.widgets.empty import EmptyState
from studio.widgets.icon import IconLabel
from studio.widgets.label import Label
from studio.widgets.menu import Menu

SETTING: Final = "compare"
MEMBERS_MAX: Final = 36
"""Runs in all; those that differ in their seed alone count as one of the six."""
_OFFERED: Final = 30
_REFRESH_MS: Final = 2000


class ComparePage(Page):
    """Runs side by side.

    Its target is a run's id to add, several ids to show, an `ImportLog`, or None.
    """

    nav_key = "compare"

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._ids: list[int] = []
        self._base_id: int | None = None
        self._other_id: int | None = None
        self._rows: dict[int, RunRow] = {}
        self._projects: dict[int, str] = {}
        self._runs: list[Compared] = []
        self._lines: list[Compared] = []
        self._remembered = False
        self._refresh = QTimer(self)
        self._refresh.setInterval(_REFRESH_MS)
        self._refresh.timeout.connect(self._on_refresh)
        self._lay_out()
        self.sheet = ImportSheet(context, self, HEADER_PX)
        self.sheet.kept.connect(self.open)
        self._add_shortcuts()

    # --- the page ------------------------------------------------------------------------------

    def open(self, target: object | None) -> None:
        """Add a run by its id, show the runs of several ids, or import a log."""
        library = self._context.library
        if isinstance(target, ImportLog):
            self.sheet.begin(target.path)
        wanted = self._wanted(target)
        alone = isinstance(target, list | tuple)

        def load() -> tuple[list[RunRow], list[ProjectRow], list[int]]:
            kept = [] if self._remembered else library.setting(SETTING, [0])
            return library.runs(archived=True), library.projects(), kept

        self._context.tasks.run_op(load, partial(self._on_listed, wanted, alone), owner=self)

    def shown(self) -> None:
        """Follow runs that are at work."""
        self._refresh.start()

    def hidden(self) -> None:
        """Follow nothing."""
        self._refresh.stop()

    def target(self) -> object | None:
        """The runs shown."""
        return list(self._ids) or None

    def choose(self, ids: Sequence[int], base: int | None = None) -> None:
        """Show these runs, against this base."""
        self._ids = self._as_many_as_fit(
            [each for each in dict.fromkeys(ids) if each in self._rows]
        )
        self._base_id = base if base in self._ids else self._base_id
        self._keep()
        self._load()

    # --- making it -----------------------------------------------------------------------------

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        header = PageHeader("Compare")
        header.title.setMinimumWidth(header.title.sizeHint().width())  # chips are shortened first
        self.chips = RunChips()
        self.chips.removed.connect(self._on_removed)
        self.chips.base_wanted.connect(self._on_base)
        self.chips.add_wanted.connect(self._on_add)
        header.add_left(self.chips)
        self.export = SecondaryButton("Export", "upload")
        self.export.clicked.connect(self._on_export)
        header.add_right(self.export)
        column.addWidget(header)
        self.body = ScrollBody(spacing=16)
        self.body.column.setContentsMargins(24, 16, 24, 20)
        top = QHBoxLayout()
        top.setSpacing(12)
        self.chart = CompareChart()
        self.chart.setMinimumHeight(440)
        self.chart.seeds.toggled.connect(self._show)
        self.gains = GainsCard()
        top.addWidget(self.chart, 7)
        top.addWidget(self.gains, 5)
        self.body.column.addLayout(top, 1)
        self.settings = SettingsSection()
        self.settings.row_chosen.connect(self._on_row)
        self.settings.menu_requested.connect(self._on_row_menu)
        self.body.column.addWidget(self.settings)
        self.body.column.addLayout(self._make_foot())
        column.addWidget(self.body, 1)
        self.empty = EmptyState(
            "Choose two runs or more to see which is better, and what made the difference."
            " Logs of other programs can be laid over them.",
            "Add run",
            "plus",
        )
        self.empty.clicked.connect(self._on_add_at_middle)
        column.addWidget(self.empty, 1)
        self.body.hide()
        self.export.hide()
        self.files = CompareExport(
            self._context, self, lambda: self.body.widget() or self.body, lambda: self._lines
        )

    def _make_foot(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        self._foot = Label("", "secondary", "muted", wrap=True)
        row.addWidget(IconLabel("info", "muted", 14), 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self._foot, 1)
        return row

    def _add_shortcuts(self) -> None:
        for key, what in (("L", "log"), ("0", "reset"), ("Escape", "let_go")):
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(partial(self._on_key, what))

    # --- loading -------------------------------------------------------------------------------

    def _wanted(self, target: object | None) -> list[int]:
        if isinstance(target, int):
            return [*self._ids, target]
        if isinstance(target, list | tuple):
            return [each for each in target if isinstance(each, int)]
        return list(self._ids)

    def _as_many_as_fit(self, ids: Sequence[int]) -> list[int]:
        """The first runs that make six lines at most; those of a group make one at the least."""
        lines: set[tuple[str, int]] = set()
        kept: list[int] = []
        for run_id in ids[:MEMBERS_MAX]:
            group = self._rows[run_id].group_id
            line = ("run", run_id) if group is None else ("group", group)
            if line in lines or len(lines) < RUNS_MAX:
                lines.add(line)
                kept.append(run_id)
        return kept

    def _on_listed(
        self,
        wanted: list[int],
        alone: bool,
        found: tuple[list[RunRow], list[ProjectRow], list[int]],
    ) -> None:
        rows, projects, kept = found
        self._rows = {row.id: row for row in rows}
        self._projects = {project.id: project.name for project in projects}
        if not self._remembered:
            self._remembered = True
            base, *ids = kept or [0]
            self._base_id = base or None
            wanted = wanted if alone else [*ids, *wanted]
        self.choose(wanted, self._base_id)

    def _keep(self) -> None:
        library = self._context.library
        if not library.read_only:
            kept = [self._base_id or 0, *self._ids]
            self._context.tasks.run_op(lambda: library.set_setting(SETTING, kept), owner=self)

    def _load(self) -> None:
        rows = [self._rows[run_id] for run_id in self._ids]
        known = {run.row.id: run for run in self._runs}

        def load() -> list[Compared]:
            return [
                replace(known[row.id], row=row)
                if row.id in known
                else load_run(row, row.color_slot)
                for row in rows
            ]

        def loaded(found: list[Compared]) -> None:
            if [run.row.id for run in found] == self._ids:
                self._runs = found
                self._show()

        self._context.tasks.run_op(load, loaded, owner=self, lane="work")

    def _on_refresh(self) -> None:
        """Take in what followed runs have learned; no file is read for it."""
        fresh = []
        for run in self._runs:
            model = self._context.watcher.model(run.row.folder)
            if model is not None and model.caught_up and run.spec is not None:
                run = of_model(run.row, run.slot, model, run.corpus)
            fresh.append(run)
        if fresh != self._runs:
            self._runs = fresh
            self._show()

    # --- showing -------------------------------------------------------------------------------

    @property
    def base(self) -> Compared | None:
        """The run that the others are held against: the chosen one, else a plain one."""
        chosen = next((run for run in self._lines if self._base_id in _ids_of(run)), None)
        plain = [run for run in self._lines if run.spec is not None and not run.match_backed]
        return chosen or next(iter(plain or self._lines), None)

    def _show(self, _checked: bool = False) -> None:
        joining = self.chart.seeds.isChecked()
        self._lines = _with_colours(joined(self._runs) if joining else self._runs)
        runs, base = self._lines, self.base
        self.body.setVisible(bool(runs))
        self.empty.setVisible(not runs)
        self.export.setVisible(bool(runs))
        self.chips.show_runs(runs, base)
        self.chart.show_runs(runs, base, self._runs)
        other = other_for(runs, base, self._other_id)
        self.gains.show_runs(base, other, gains(base, other))
        problems = [f"{run.row.name}: {run.problem}" for run in runs if run.problem]
        if any(run.members for run in runs):
            problems.append("Bands reach from the lowest to the highest of the seeds.")
        hidden = len(joined(self._runs) if joining else self._runs) - len(runs)
        if hidden:
            problems.append(f"{hidden} more are not drawn: six lines are the most.")
        self._foot.set_text("  ".join([comparability(runs), *problems]))
        self.settings.set_room(self.body.viewport().width() - 50)
        self.settings.show_runs(runs, base)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """As many settings as there is room for."""
        super().resizeEvent(event)
        self.settings.set_room(self.body.viewport().width() - 50)

    # --- reactions -----------------------------------------------------------------------------

    def _on_key(self, what: str) -> None:
        if what == "let_go" and self.sheet.view is not None:
            self.sheet.close_up()
        elif self.body.isVisible():
            self.chart.key_pressed(what)

    def _on_removed(self, run_id: int) -> None:
        line = next((each for each in self._lines if each.row.id == run_id), None)
        gone = {run_id} if line is None else _ids_of(line)
        self.choose([each for each in self._ids if each not in gone])

    def _on_base(self, run_id: int) -> None:
        self._base_id = run_id
        self._keep()
        self._show()

    def _on_row(self, run_id: int) -> None:
        """Hold this run against the base in the bars."""
        self._other_id = run_id
        self._show()

    def _on_row_menu(self, run_id: int, at: QPoint) -> None:
        menu = Menu(self)
        menu.add("Compare to this run", partial(self._on_base, run_id), "pin")
        menu.add("Open", partial(self.navigate_requested.emit, "run", run_id), "activity")
        menu.add("Leave out", partial(self._on_removed, run_id), "x")
        menu.open_at(at)

    def _on_add_at_middle(self) -> None:
        self._on_add(self.empty.mapToGlobal(self.empty.rect().center()))

    def _on_add(self, at: QPoint) -> None:
        menu = Menu(self)
        offered = [row for row in self._rows.values() if row.id not in self._ids]
        for row in [row for row in offered if not (row.archived or row.trashed_s)][:_OFFERED]:
            words = f"{row.name}   {self._projects.get(row.project_id, '')}"
            menu.add(words, partial(self.choose, [*self._ids, *self._seeds_of(row)]))
        if menu.isEmpty():
            menu.add("There are no other runs", lambda: None, enabled=False)
        else:
            menu.addSeparator()
            runs = partial(self.navigate_requested.emit, "runs", "all")
            menu.add("Others: right-click them in the list of runs", runs)
        menu.addSeparator()
        read_only = self._context.library.read_only
        menu.add("Import a log …", partial(self._import, None), "file-text", enabled=not read_only)
        folder = partial(self.sheet.ask_folder)
        menu.add("Import event files …", folder, "folder-open", enabled=not read_only)
        menu.open_at(at)

    def _seeds_of(self, row: RunRow) -> list[int]:
        """The run, and those that were started with it as one."""
        if row.group_id is None:
            return [row.id]
        return [each.id for each in self._rows.values() if each.group_id == row.group_id]

    def _import(self, path: Path | None) -> None:
        self.sheet.begin(path)

    def _on_export(self) -> None:
        self.files.open_menu(self.export.mapToGlobal(self.export.rect().bottomLeft()))


def _ids_of(run: Compared) -> set[int]:
    return {member.row.id for member in run.members or (run,)}


def _with_colours(runs: Sequence[Compared]) -> list[Compared]:
    """Six lines at most, each in its own colour unless an earlier one has it."""
    slots: list[int] = []
    for run in runs[:RUNS_MAX]:
        slots.append(free_slot(run.row, slots))
    return [replace(run, slot=slot) for run, slot in zip(runs, slots, strict=False)]

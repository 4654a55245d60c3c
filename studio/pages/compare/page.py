"""The compare page: up to six runs over one chart, what the index buys, what differs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from PySide6.QtCore import QPoint, QRectF, Qt, QTimer
from PySide6.QtGui import QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.charts import export as chart_files
from studio.context import Context
from studio.pages.compare.chart import CompareChart
from studio.pages.compare.chips import RunChips
from studio.pages.compare.facts import (
    RUNS_MAX,
    Compared,
    comparability,
    free_slot,
    gains,
    load_run,
    of_model,
    other_for,
    same_tokenizer,
)
from studio.pages.compare.gains import GainsCard
from studio.pages.compare.settings import columns_for, fitting, rows_for, settings, shown_settings
from studio.pages.page import Page, PageHeader, ScrollBody
from studio.pages.run.export import ask_where
from studio.storage.rows import ProjectRow, RunRow
from studio.theme import theme
from studio.widgets.controls import SecondaryButton, Toggle
from studio.widgets.empty import EmptyState
from studio.widgets.icon import IconLabel
from studio.widgets.label import Label, Part
from studio.widgets.menu import Menu
from studio.widgets.paint import painter_for, repaint_on_theme, rounded_box
from studio.widgets.table import DataTable

SETTING: Final = "compare"
_OFFERED: Final = 30
_REFRESH_MS: Final = 2000


class ComparePage(Page):
    """Runs side by side. Its target is a run's id to add, several ids to show, or None."""

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
        self._remembered = False
        self._refresh = QTimer(self)
        self._refresh.setInterval(_REFRESH_MS)
        self._refresh.timeout.connect(self._on_refresh)
        self._lay_out()

    # --- the page ------------------------------------------------------------------------------

    def open(self, target: object | None) -> None:
        """Add a run by its id, or show the runs of several ids."""
        library = self._context.library
        wanted = self._wanted(target)

        def load() -> tuple[list[RunRow], list[ProjectRow], list[int]]:
            kept = [] if self._remembered else library.setting(SETTING, [0])
            return library.runs(archived=True), library.projects(), kept

        self._context.tasks.run_op(load, partial(self._on_listed, wanted), owner=self)

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
        self._ids = [run_id for run_id in dict.fromkeys(ids) if run_id in self._rows][:RUNS_MAX]
        self._base_id = base if base in self._ids else self._base_id
        self._keep()
        self._load()

    # --- making it -----------------------------------------------------------------------------

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        header = PageHeader("Compare")
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
        self.gains = GainsCard()
        top.addWidget(self.chart, 7)
        top.addWidget(self.gains, 5)
        self.body.column.addLayout(top, 1)
        self.body.column.addLayout(self._make_settings_head())
        self._table_place = QVBoxLayout()
        self.body.column.addLayout(self._table_place)
        self.table: DataTable | None = None
        self.body.column.addLayout(self._make_foot())
        column.addWidget(self.body, 1)
        self.empty = EmptyState(
            "Choose two runs or more to see which is better, and what made the difference.",
            "Add run",
            "plus",
        )
        self.empty.clicked.connect(self._on_add_at_middle)
        column.addWidget(self.empty, 1)
        self.body.hide()
        self.export.hide()

    def _make_settings_head(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        self._compared_to = Label("", "secondary", "muted", elide=False)
        self.only = Toggle("Only what differs", True)
        self.only.toggled.connect(self._show_settings)
        self._same = Label("", "secondary", "muted", elide=False)
        row.addWidget(Label("Settings", "title", elide=False))
        row.addSpacing(4)
        row.addWidget(self._compared_to)
        row.addSpacing(4)
        row.addWidget(self.only)
        row.addWidget(Label("Only what differs", "secondary", elide=False))
        row.addWidget(self._same)
        row.addStretch(1)
        row.addWidget(_Swatch())
        row.addWidget(Label("differs", "label", "muted", elide=False))
        return row

    def _make_foot(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        self._foot = Label("", "secondary", "muted", wrap=True)
        row.addWidget(IconLabel("info", "muted", 14), 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self._foot, 1)
        return row

    # --- loading -------------------------------------------------------------------------------

    def _wanted(self, target: object | None) -> list[int]:
        if isinstance(target, int):
            return [*self._ids, target]
        if isinstance(target, list | tuple):
            return [each for each in target if isinstance(each, int)]
        return list(self._ids)

    def _on_listed(
        self, wanted: list[int], found: tuple[list[RunRow], list[ProjectRow], list[int]]
    ) -> None:
        rows, projects, kept = found
        self._rows = {row.id: row for row in rows}
        self._projects = {project.id: project.name for project in projects}
        if not self._remembered:
            self._remembered = True
            base, *ids = kept or [0]
            self._base_id = base or None
            wanted = [*ids, *wanted]
        self.choose(wanted, self._base_id)

    def _keep(self) -> None:
        library = self._context.library
        if not library.read_only:
            kept = [self._base_id or 0, *self._ids]
            self._context.tasks.run_op(lambda: library.set_setting(SETTING, kept), owner=self)

    def _load(self) -> None:
        rows = [self._rows[run_id] for run_id in self._ids]
        known = {run.row.id: run for run in self._runs}
        slots: list[int] = []
        for row in rows:
            slots.append(free_slot(row, slots))

        def load() -> list[Compared]:
            return [
                known[row.id]
                if row.id in known and known[row.id].slot == slot
                else load_run(row, slot)
                for row, slot in zip(rows, slots, strict=True)
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
        chosen = next((run for run in self._runs if run.row.id == self._base_id), None)
        plain = [run for run in self._runs if not run.match_backed]
        return chosen or next(iter(plain or self._runs), None)

    def _show(self) -> None:
        runs, base = self._runs, self.base
        self.body.setVisible(bool(runs))
        self.empty.setVisible(not runs)
        self.export.setVisible(bool(runs))
        self.chips.show_runs(runs, base)
        self.chart.show_runs(runs, base)
        other = other_for(runs, base, self._other_id)
        self.gains.show_runs(base, other, gains(base, other))
        problems = [f"{run.row.name}: {run.problem}" for run in runs if run.problem]
        self._foot.set_text("  ".join([comparability(runs), *problems]))
        self._show_settings()

    def _show_settings(self, _checked: bool = False) -> None:
        found, base = settings(self._runs), self.base
        wanted = shown_settings(found, only_differing=self.only.isChecked())
        shown = fitting(wanted, self.body.viewport().width() - 50)
        columns = columns_for(shown)
        if self.table is None or self.table.model.columns != tuple(columns):
            if self.table is not None:
                self._table_place.removeWidget(self.table)
                self.table.deleteLater()
            self.table = DataTable(columns, fit_rows=True, name="Settings and results")
            self.table.row_activated.connect(self._on_row)
            self.table.menu_requested.connect(self._on_row_menu)
            self._table_place.addWidget(self.table)
        comparable = same_tokenizer(self._runs)
        self.table.set_rows(rows_for(self._runs, shown, base, losses=comparable))
        same = sum(not each.differs for each in found)
        left_out = [each.title for each in wanted if each not in shown]
        differ = sum(each.differs for each in wanted if each not in shown)
        more = f", {differ} more {'differs' if differ == 1 else 'differ'}" if differ else ""
        self._same.set_text(f"({same} settings are the same{more})")
        self._same.set_tooltip(", ".join(left_out))
        name = base.row.name if base is not None else ""
        self._compared_to.set_parts("compared to ", Part(name, tone="text"))
        self._compared_to.setVisible(len(self._runs) > 1)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """As many settings as there is room for."""
        super().resizeEvent(event)
        if self._runs:
            self._show_settings()

    # --- reactions -----------------------------------------------------------------------------

    def _on_removed(self, run_id: int) -> None:
        self.choose([each for each in self._ids if each != run_id])

    def _on_base(self, run_id: int) -> None:
        self._base_id = run_id
        self._keep()
        self._show()

    def _on_row(self, run_id: object) -> None:
        """Hold this run against the base in the bars."""
        if isinstance(run_id, int):
            self._other_id = run_id
            self._show()

    def _on_row_menu(self, run_id: object, at: QPoint) -> None:
        if not isinstance(run_id, int):
            return
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
        for row in [row for row in offered if not row.archived][:_OFFERED]:
            words = f"{row.name}   {self._projects.get(row.project_id, '')}"
            menu.add(words, partial(self.choose, [*self._ids, row.id]))
        if menu.isEmpty():
            menu.add("There are no other runs", lambda: None, enabled=False)
        else:
            menu.addSeparator()
            runs = partial(self.navigate_requested.emit, "runs", "all")
            menu.add("Others: right-click them in the list of runs", runs)
        menu.open_at(at)

    def _on_export(self) -> None:
        menu = Menu(self)
        for kind, words in (("png", "Page as picture (PNG)"), ("svg", "Page as drawing (SVG)")):
            menu.add(words, partial(self._ask_export, kind), "upload")
        menu.open_at(self.export.mapToGlobal(self.export.rect().bottomLeft()))

    def _ask_export(self, kind: str) -> None:
        dialog = ask_where(self, kind, "comparison")
        dialog.fileSelected.connect(lambda path: self._write(kind, Path(path)))

    def _write(self, kind: str, path: Path) -> None:
        """Write the chart, the bars and the table as one picture."""
        content = self.body.widget() or self.body
        if kind == "svg":
            data = chart_files.svg_bytes(content, path.stem)
        else:
            data = chart_files.png_bytes(content)
        work = partial(chart_files.write_file, path, data)
        self._context.tasks.run_op(work, None, self._context.toast, owner=self, lane="work")


class _Swatch(QWidget):
    """The key of an outlined cell."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedSize(16, 12)
        repaint_on_theme(self)

    def paintEvent(self, event: QPaintEvent) -> None:
        """A small box as the table draws it."""
        palette = theme().palette
        painter = painter_for(self)
        box = QRectF(self.rect())
        rounded_box(painter, box, 3, fill=palette.accent_soft, border=palette.accent)
        painter.end()

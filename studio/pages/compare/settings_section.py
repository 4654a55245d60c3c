"""The lower half of the compare page: settings and results as a table, with a line above it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPoint, QRectF, Signal
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.pages.compare.facts import Compared, same_tokenizer
from studio.pages.compare.settings import columns_for, fitting, rows_for, settings, shown_settings
from studio.theme import theme
from studio.widgets.controls import Toggle
from studio.widgets.label import Label, Part
from studio.widgets.paint import painter_for, repaint_on_theme, rounded_box
from studio.widgets.table import DataTable


class SettingsSection(QWidget):
    """Runs as rows; settings, as many as there is room for, and results as columns.

    Signals:
        row_chosen: A run's row was clicked; carries its id.
        menu_requested: A run's row was right-clicked; carries its id and a global point.
    """

    row_chosen = Signal(int)
    menu_requested = Signal(int, QPoint)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runs: tuple[Compared, ...] = ()
        self._base: Compared | None = None
        self._room = 0
        self.table: DataTable | None = None
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(16)
        self._column.addLayout(self._make_head())

    def show_runs(self, runs: Sequence[Compared], base: Compared | None) -> None:
        """Show these runs, differences to the base outlined."""
        self._runs, self._base = tuple(runs), base
        self._fill()

    def set_room(self, pixels: int) -> None:
        """Show as many settings as fit."""
        if pixels != self._room:
            self._room = pixels
            if self._runs:
                self._fill()

    def _make_head(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        self.compared_to = Label("", "secondary", "muted", elide=False)
        self.only = Toggle("Only what differs", True)
        self.only.toggled.connect(lambda _on: self._fill())
        self._same = Label("", "secondary", "muted", elide=False)
        row.addWidget(Label("Settings", "title", elide=False))
        row.addSpacing(4)
        row.addWidget(self.compared_to)
        row.addSpacing(4)
        row.addWidget(self.only)
        row.addWidget(Label("Only what differs", "secondary", elide=False))
        row.addWidget(self._same)
        row.addStretch(1)
        row.addWidget(_Swatch())
        row.addWidget(Label("differs", "label", "muted", elide=False))
        return row

    def _fill(self) -> None:
        found, base = settings(self._runs), self._base
        wanted = shown_settings(found, only_differing=self.only.isChecked())
        seeds = any(run.members for run in self._runs)
        shown = fitting(wanted, self._room, seeds=seeds)
        columns = columns_for(shown, seeds=seeds)
        if self.table is None or self.table.model.columns != tuple(columns):
            if self.table is not None:
                self._column.removeWidget(self.table)
                self.table.deleteLater()
            self.table = DataTable(columns, fit_rows=True, name="Settings and results")
            self.table.row_activated.connect(self._on_row)
            self.table.menu_requested.connect(self._on_menu)
            self._column.addWidget(self.table)
        comparable = same_tokenizer(self._runs)
        self.table.set_rows(rows_for(self._runs, shown, base, losses=comparable))
        own = sum(run.spec is not None for run in self._runs)
        least = own or min(len(self._runs), 2)  # logs of other programs tell few settings
        same = sum(not each.differs and len(each.values) >= least for each in found)
        left_out = [each.title for each in wanted if each not in shown]
        differ = sum(each.differs for each in wanted if each not in shown)
        more = f", {differ} more {'differs' if differ == 1 else 'differ'}" if differ else ""
        settings_are = "setting is" if same == 1 else "settings are"
        self._same.set_text(f"({same} {settings_are} the same{more})")
        self._same.set_tooltip(", ".join(left_out))
        name = base.row.name if base is not None else ""
        self.compared_to.set_parts("compared to ", Part(name, tone="text"))
        self.compared_to.setVisible(len(self._runs) > 1)

    def _on_row(self, key: object) -> None:
        if isinstance(key, int):
            self.row_chosen.emit(key)

    def _on_menu(self, key: object, at: QPoint) -> None:
        if isinstance(key, int):
            self.menu_requested.emit(key, at)


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

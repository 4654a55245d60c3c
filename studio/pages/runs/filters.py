"""The line above the list of runs: what is shown, or what to do with those that are checked."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from studio.pages.runs.entries import Catalogue, RunFilter
from studio.widgets import figures
from studio.widgets.controls import (
    ComboBox,
    IconButton,
    QuietButton,
    SearchBox,
    SecondaryButton,
    Segmented,
)
from studio.widgets.label import Label

_STATES = [
    ("all", "All"),
    ("work", "At work"),
    ("rest", "Interrupted"),
    ("done", "Finished"),
    ("away", "Put away"),
]


class FilterBar(QWidget):
    """Words, project, tag, state and stars.

    Signals:
        changed: Other runs are wanted.
        left_down: The user goes on to the list with the Down key.
        columns_requested: The choice of columns is wanted.
    """

    changed = Signal()
    left_down = Signal()
    columns_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        self.search = SearchBox("Name, tag or note")
        self.search.setMinimumWidth(150)
        self.search.setMaximumWidth(240)
        self.search.textChanged.connect(lambda _text: self.changed.emit())
        self.search.left_down.connect(self.left_down)
        self.project = ComboBox("Project", "Project")
        self.project.setMinimumWidth(168)
        self.project.setMaximumWidth(220)
        self.project.currentIndexChanged.connect(lambda _index: self.changed.emit())
        self.tag = ComboBox("Tag", "Tag")
        self.tag.setMinimumWidth(104)
        self.tag.setMaximumWidth(160)
        self.tag.currentIndexChanged.connect(lambda _index: self.changed.emit())
        self.state = Segmented(_STATES, name="State")
        self.state.chosen.connect(lambda _key: self.changed.emit())
        self.starred = IconButton("star", "Only runs with a star", boxed=True, edge=30)
        self.starred.setCheckable(True)
        self.starred.toggled.connect(self._on_starred)
        columns = IconButton("columns-3", "Columns", boxed=True, edge=30)
        columns.clicked.connect(self.columns_requested)
        self.columns_button = columns
        row.addWidget(self.search, 1)
        row.addWidget(self.project, 1)
        row.addWidget(self.tag, 1)
        row.addWidget(self.state)
        row.addWidget(self.starred)
        row.addStretch(1)
        row.addWidget(columns)

    @property
    def wanted(self) -> RunFilter:
        """What was asked for."""
        project = self.project.currentData()
        return RunFilter(
            words=self.search.text(),
            project_id=project if isinstance(project, int) else None,
            state=self.state.current,
            tag=str(self.tag.currentData() or ""),
            starred=self.starred.isChecked(),
        )

    def offer(self, catalogue: Catalogue, project_id: int | None = None) -> None:
        """Offer the projects and tags that there are, without a signal.

        Args:
            catalogue: What the library holds.
            project_id: The project to choose; None keeps the chosen one.
        """
        projects = [("All projects", None), *((row.name, row.id) for row in catalogue.projects)]
        _refill(self.project, projects, project_id)
        _refill(self.tag, [("Any", None), *((tag, tag) for tag in catalogue.tags)], None)
        self.tag.setVisible(self.tag.count() > 1)

    def clear(self) -> None:
        """Want everything."""
        for box in (self.project, self.tag):
            box.blockSignals(True)
            box.setCurrentIndex(0)
            box.blockSignals(False)
        self.search.blockSignals(True)
        self.search.clear()
        self.search.blockSignals(False)
        self.starred.setChecked(False)
        self.state.set_current("all")
        self.changed.emit()

    def _on_starred(self, on: bool) -> None:
        self.starred.set_icon("star-filled" if on else "star")
        self.changed.emit()


def _refill(box: ComboBox, choices: Sequence[tuple[str, object]], wanted: object | None) -> None:
    kept = box.currentData() if wanted is None else wanted
    box.blockSignals(True)
    box.clear()
    for word, data in choices:
        box.addItem(word, data)
    box.setCurrentIndex(max(box.findData(kept), 0))
    box.blockSignals(False)
    box.updateGeometry()


class SelectionBar(QWidget):
    """What can be done with the runs that are checked.

    Signals:
        compare, star, tags, move_away, put_away, trash, cleared: What was asked for.
    """

    compare = Signal()
    star = Signal()
    tags = Signal()
    move_away = Signal()
    put_away = Signal()
    trash = Signal()
    cleared = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        self.count = Label("", "strong", elide=False)
        row.addWidget(self.count)
        row.addSpacing(8)
        self.compare_button = self._add("Compare", "chart-no-axes-column", self.compare)
        self.compare_button.setAccessibleName("Compare the chosen runs")
        self.star_button = self._add("Star", "star", self.star)
        self.tags_button = self._add("Tags…", "tag", self.tags)
        self.move_button = self._add("Move…", "layout-grid", self.move_away)
        self.away_button = self._add("Put away", "archive", self.put_away)
        self.trash_button = self._add("Move to trash", "trash-2", self.trash)
        row.addStretch(1)
        clear = QuietButton("Clear", "x")
        clear.setToolTip("Esc")
        clear.clicked.connect(self.cleared)
        row.addWidget(clear)

    def show_chosen(
        self, count: int, *, starred: bool, archived: bool, busy: bool, can_write: bool
    ) -> None:
        """Show what is checked.

        Args:
            count: How many runs.
            starred: Whether all of them have a star.
            archived: Whether all of them were put away.
            busy: Whether any is at work.
            can_write: Whether the library can be changed.
        """
        self.count.set_text(f"{figures.plural(count, 'run')} chosen")
        self.compare_button.setEnabled(2 <= count <= 6)
        self.compare_button.setToolTip("" if 2 <= count <= 6 else "Two to six runs can be compared")
        self.star_button.set_text("Take stars off" if starred else "Star")
        self.away_button.set_text("Put back" if archived else "Put away")
        self.away_button.set_icon("archive-restore" if archived else "archive")
        for button in (self.star_button, self.tags_button, self.move_button, self.trash_button):
            button.setEnabled(can_write)
        self.away_button.setEnabled(can_write and not busy)

    def _add(self, word: str, icon: str, asked: object) -> SecondaryButton:
        button = SecondaryButton(word, icon)
        button.clicked.connect(asked)
        layout = self.layout()
        if layout is not None:
            layout.addWidget(button)
            layout.setAlignment(button, Qt.AlignmentFlag.AlignVCenter)
        return button

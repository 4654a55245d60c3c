"""The table of every list: painted cells, sorting, keyboard, hover and a context menu hook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PySide6.QtCore import QModelIndex, QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QAbstractItemView, QTableView, QToolTip, QVBoxLayout, QWidget

from studio.theme import theme
from studio.widgets.cells import CHECK, Cell, Column, Row
from studio.widgets.paint import painter_for, repaint_on_theme, rounded_box
from studio.widgets.table_model import TableModel
from studio.widgets.table_paint import HEADER_PX, ROW_PX, CellDelegate, Header, text_room
from studio.widgets.table_view import TableView

__all__ = ["Cell", "Column", "DataTable", "Row"]


class DataTable(QWidget):
    """Rows of cells in a rounded frame.

    Args:
        columns: From left to right.
        fit_rows: Be as high as the rows need, for a page that scrolls as a whole; otherwise
            the table takes the room it is given and scrolls by itself.
        single_click: Whether one click opens a row; otherwise it selects, and two open.
        checkable: Whether rows have a box in front, for what is done to several at once.
        movable: Whether columns can be dragged to other places.

    Signals:
        row_activated: A row was opened (click or Enter); carries its key.
        row_selected: The selection moved; carries the key, or None.
        menu_requested: Carries the row's key and a global point.
        link_clicked: A cell's link was clicked; carries the row's key and the column's key.
        checked_changed: Other rows are checked.
        columns_moved: The user dragged a column; carries the keys in their new order.
        sorting_changed: The user sorts by another column; carries its key and whether the largest
            come first.
        header_menu_requested: Carries a global point.
    """

    row_activated = Signal(object)
    row_selected = Signal(object)
    menu_requested = Signal(object, QPoint)
    link_clicked = Signal(object, str)
    checked_changed = Signal()
    columns_moved = Signal(list)
    sorting_changed = Signal(str, bool)
    header_menu_requested = Signal(QPoint)

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        fit_rows: bool = False,
        single_click: bool = True,
        checkable: bool = False,
        movable: bool = False,
        name: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._checkable = checkable
        self._checked_last = -1
        self.model = TableModel(self._with_boxes(columns))
        self._fit_rows = fit_rows
        self._single_click = single_click
        self.view = TableView(self)
        self.view.checkable = checkable
        self._delegate = CellDelegate(self.model, self.view.viewport())
        self._header = Header(self.model, self.view)
        self._header.setSectionsMovable(movable)
        self._header.setFirstSectionMovable(not checkable)
        self._set_up_view(name)
        box = QVBoxLayout(self)
        box.setContentsMargins(1, 1, 1, 1)
        box.addWidget(self.view)
        self._connect()
        self._fit_height()
        repaint_on_theme(self)

    # --- rows ---

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show these rows; the selected key stays selected while it is among them."""
        selected = self.selected_key()
        scrolled = self.view.verticalScrollBar().value()
        self.model.set_rows(rows)
        if selected is not None and self.selected_key() != selected:
            self.select(selected)
        self.view.verticalScrollBar().setValue(scrolled)
        self._fit_height()
        self.update()  # the frame ends with the last row

    def update_row(self, row: Row) -> None:
        """Replace the row with the same key."""
        self.model.update_row(row)

    def selected_key(self) -> object | None:
        """The key of the selected row."""
        chosen = self.view.selectionModel().selectedRows()
        return self.model.key_at(chosen[0].row()) if chosen else None

    def select(self, key: object | None) -> None:
        """Select the row with this key, or nothing."""
        row = self.model.row_of(key) if key is not None else -1
        if row < 0:
            self.view.clearSelection()
        else:
            self.view.selectRow(row)

    def sort_by(self, column: str, *, descending: bool = False) -> None:
        """Sort by a column's key; an empty key goes back to the order given."""
        keys = [known.key for known in self.model.columns]
        order = Qt.SortOrder.DescendingOrder if descending else Qt.SortOrder.AscendingOrder
        self.model.sort(keys.index(column) if column in keys else -1, order)
        self._header.update()

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Show other columns, or the same in another order."""
        self._header.sectionMoved.disconnect(self._on_section_moved)
        self.model.set_columns(self._with_boxes(columns))
        for place in range(self._header.count()):  # a reset does not undo what was dragged
            self._header.moveSection(self._header.visualIndex(place), place)
        self._header.sectionMoved.connect(self._on_section_moved)
        self._share_width()

    def checked(self) -> list[object]:
        """Keys of the rows that are checked and shown, from the top."""
        return [row.key for row in self.model.rows if row.key in self.model.checked]

    def set_checked(self, keys: Iterable[object]) -> None:
        """Check exactly these rows."""
        wanted = set(keys)
        if wanted != self.model.checked:
            self.model.set_checked(wanted)
            self._header.viewport().update()
            self.checked_changed.emit()

    def _with_boxes(self, columns: Sequence[Column]) -> list[Column]:
        box = Column(CHECK, "", 38, sortable=False, tooltip="Check all, or none")
        return [box, *columns] if self._checkable else list(columns)

    # --- geometry and painting ---

    def sizeHint(self) -> QSize:
        """The height of all rows, or of six when it scrolls by itself."""
        rows = self.model.rowCount() if self._fit_rows else min(self.model.rowCount(), 6)
        return QSize(640, HEADER_PX + rows * ROW_PX + 2)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The frame, around the rows that there are."""
        p = theme().palette
        painter = painter_for(self)
        frame = QRectF(self.rect())
        frame.setHeight(min(frame.height(), HEADER_PX + self.model.rowCount() * ROW_PX + 2))
        rounded_box(painter, frame, 8, fill=p.bg1, border=p.line)
        painter.end()

    def _share_width(self) -> None:
        columns = self.model.columns
        free = self.view.viewport().width() - sum(column.width for column in columns)
        shares = sum(column.stretch for column in columns)
        for index, column in enumerate(columns):
            extra = free * column.stretch // shares if shares and free > 0 else 0
            self.view.setColumnWidth(index, column.width + extra)

    def _fit_height(self) -> None:
        if self._fit_rows:
            self.setFixedHeight(self.sizeHint().height())

    # --- reactions ---

    def _set_up_view(self, name: str) -> None:
        view = self.view
        view.setModel(self.model)
        view.setItemDelegate(self._delegate)
        view.setHorizontalHeader(self._header)
        self._header.setAccessibleName(f"Columns of {name}" if name else "Columns")
        view.verticalHeader().hide()
        view.verticalHeader().setDefaultSectionSize(ROW_PX)
        view.verticalHeader().setMinimumSectionSize(ROW_PX)
        view.setShowGrid(False)
        view.setFrameShape(QTableView.Shape.NoFrame)
        view.setMouseTracking(True)
        view.setTabKeyNavigation(False)
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        view.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        view.setAccessibleName(name or "Table")
        view.viewport().setAutoFillBackground(False)
        if self._fit_rows:
            view.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def _connect(self) -> None:
        view = self.view
        view.resized.connect(self._share_width)
        view.entered_row.connect(self._on_row_entered)
        view.left.connect(self._on_left)
        view.enter_pressed.connect(self._on_enter_pressed)
        view.menu_pressed.connect(self._on_menu_pressed)
        view.tip_wanted.connect(self._on_tip_wanted)
        view.clicked.connect(self._on_clicked)
        view.doubleClicked.connect(self._on_double_clicked)
        view.selectionModel().selectionChanged.connect(self._on_selection_changed)
        view.check_pressed.connect(self._on_check_pressed)
        view.key_checked.connect(self._on_key_checked)
        self._header.sectionClicked.connect(self._on_section_clicked)
        self._header.sectionMoved.connect(self._on_section_moved)
        self._header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self._header.customContextMenuRequested.connect(
            lambda point: self.header_menu_requested.emit(self._header.mapToGlobal(point))
        )

    def _on_row_entered(self, row: int) -> None:
        if row != self._delegate.hovered_row:
            self._delegate.hovered_row = row
            pointing = row >= 0 and self._single_click
            shape = Qt.CursorShape.PointingHandCursor if pointing else Qt.CursorShape.ArrowCursor
            self.view.viewport().setCursor(shape)
            self.view.viewport().update()

    def _on_left(self) -> None:
        self._delegate.hovered_row = -1
        self.view.viewport().update()

    def _on_clicked(self, index: QModelIndex) -> None:
        key = self.model.key_at(index.row())
        cell = self.model.cell(index)
        if cell.link or cell.button:
            self.link_clicked.emit(key, self.model.columns[index.column()].key)
        elif self._single_click:
            self.row_activated.emit(key)

    def _on_double_clicked(self, index: QModelIndex) -> None:
        if not self._single_click:
            self.row_activated.emit(self.model.key_at(index.row()))

    def _on_enter_pressed(self) -> None:
        key = self.selected_key()
        if key is not None:
            self.row_activated.emit(key)

    def _on_menu_pressed(self, point: QPoint) -> None:
        index = self.view.indexAt(point)
        key = self.model.key_at(index.row()) if index.isValid() else self.selected_key()
        if key is not None:
            self.select(key)
            self.menu_requested.emit(key, self.view.viewport().mapToGlobal(point))

    def _on_tip_wanted(self, index: QModelIndex, at: QPoint) -> None:
        if not index.isValid():
            QToolTip.hideText()
            return
        cell, column = self.model.cell(index), self.model.columns[index.column()]
        needed, room = text_room(cell, column, self.view.columnWidth(index.column()))
        cut = cell.text if needed > room and not cell.button else ""
        cut = cut or ", ".join(cell.chips)
        QToolTip.showText(at, "\n".join(part for part in (cut, cell.tooltip) if part), self.view)

    def _on_selection_changed(self) -> None:
        self.row_selected.emit(self.selected_key())

    def _on_check_pressed(self, row: int, to_here: bool) -> None:
        """Check a row or no longer; with Shift, all from the last one that was."""
        key = self.model.key_at(row)
        checked = set(self.model.checked)
        last = self._checked_last
        if to_here and 0 <= last < self.model.rowCount():
            checked |= {self.model.key_at(i) for i in range(min(last, row), max(last, row) + 1)}
        else:
            checked ^= {key}
        self._checked_last = row
        self.set_checked(checked)

    def _on_key_checked(self, what: str) -> None:
        if what == "one" and self.view.currentIndex().isValid():
            self._on_check_pressed(self.view.currentIndex().row(), False)
        elif what == "all":
            self.set_checked({row.key for row in self.model.rows})
        elif what == "none":
            self.set_checked(())

    def _on_section_moved(self, _section: int, _before: int, _after: int) -> None:
        keys = [
            self.model.columns[self._header.logicalIndex(place)].key
            for place in range(self._header.count())
        ]
        self.columns_moved.emit([key for key in keys if key != CHECK])

    def _on_section_clicked(self, section: int) -> None:
        if self.model.columns[section].key == CHECK:
            shown = {row.key for row in self.model.rows}
            self.set_checked(() if shown <= self.model.checked else shown)
        if not self.model.columns[section].sortable:
            return
        current, descending = self.model.sorting
        right = self.model.columns[section].right
        # First click: names from A, figures from the largest. Third click: as given.
        if current != section:
            self.sort_by(self.model.columns[section].key, descending=right)
        elif descending == right:
            self.sort_by(self.model.columns[section].key, descending=not right)
        else:
            self.sort_by("")
        at, largest_first = self.model.sorting
        self.sorting_changed.emit(self.model.columns[at].key if at >= 0 else "", largest_first)

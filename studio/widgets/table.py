"""The table of every list: painted cells, sorting, keyboard, hover and a context menu hook."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QModelIndex, QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractItemView, QTableView, QToolTip, QVBoxLayout, QWidget

from studio.theme import theme
from studio.widgets.cells import Cell, Column, Row
from studio.widgets.focus import KeyboardFocus
from studio.widgets.paint import painter_for, repaint_on_theme, rounded_box
from studio.widgets.table_model import TableModel
from studio.widgets.table_paint import HEADER_PX, ROW_PX, CellDelegate, Header, text_room

__all__ = ["Cell", "Column", "DataTable", "Row"]


class _View(KeyboardFocus, QTableView):
    """Qt's view, without its looks."""

    focus_radius = 7.0
    entered_row = Signal(int)
    left = Signal()
    enter_pressed = Signal()
    menu_pressed = Signal(QPoint)
    tip_wanted = Signal(QModelIndex, QPoint)
    resized = Signal()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Tell that the columns may share another width."""
        super().resizeEvent(event)
        self.resized.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter opens the row."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.enter_pressed.emit()
            return
        super().keyPressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Tell which row is under the pointer."""
        super().mouseMoveEvent(event)
        self.entered_row.emit(self.indexAt(event.position().toPoint()).row())

    def leaveEvent(self, event: QEvent) -> None:
        """No row is."""
        super().leaveEvent(event)
        self.left.emit()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """By mouse at the pointer, by key at the selected row."""
        point = event.pos()
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            point = self.visualRect(self.currentIndex()).bottomLeft() + QPoint(12, 0)
        self.menu_pressed.emit(point)

    def viewportEvent(self, event: QEvent) -> bool:
        """Tooltips are made only when they are asked for."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            self.tip_wanted.emit(self.indexAt(event.pos()), event.globalPos())
            return True
        return super().viewportEvent(event)


class DataTable(QWidget):
    """Rows of cells in a rounded frame.

    Args:
        columns: From left to right.
        fit_rows: Be as high as the rows need, for a page that scrolls as a whole; otherwise
            the table takes the room it is given and scrolls by itself.
        single_click: Whether one click opens a row; otherwise it selects, and two open.

    Signals:
        row_activated: A row was opened (click or Enter); carries its key.
        row_selected: The selection moved; carries the key, or None.
        menu_requested: Carries the row's key and a global point.
        link_clicked: A cell's link was clicked; carries the row's key and the column's key.
    """

    row_activated = Signal(object)
    row_selected = Signal(object)
    menu_requested = Signal(object, QPoint)
    link_clicked = Signal(object, str)

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        fit_rows: bool = False,
        single_click: bool = True,
        name: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.model = TableModel(columns)
        self._fit_rows = fit_rows
        self._single_click = single_click
        self.view = _View(self)
        self._delegate = CellDelegate(self.model.columns, self.view.viewport())
        self._header = Header(self.model.columns, self.view)
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
        self._header.sectionClicked.connect(self._on_section_clicked)

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
        if self.model.cell(index).link:
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
        cut = cell.text if needed > room else ""
        QToolTip.showText(at, "\n".join(part for part in (cut, cell.tooltip) if part), self.view)

    def _on_selection_changed(self) -> None:
        self.row_selected.emit(self.selected_key())

    def _on_section_clicked(self, section: int) -> None:
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

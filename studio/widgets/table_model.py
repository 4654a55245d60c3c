"""The rows of a table for Qt's view: sorting, and updates that keep the selection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt

from studio.language import tr
from studio.widgets.cells import CHECK, Cell, Column, Row

Index = QModelIndex | QPersistentModelIndex
CELL_ROLE = Qt.ItemDataRole.UserRole + 1


def _translated(columns: Sequence[Column]) -> tuple[Column, ...]:
    return tuple(
        replace(column, title=tr(column.title), tooltip=tr(column.tooltip)) for column in columns
    )


class TableModel(QAbstractTableModel):
    """Rows by key. The order given is kept until a column is chosen for sorting."""

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__()
        self.columns = _translated(columns)
        self.checked: set[object] = set()
        """Keys of the rows that are checked, shown or not."""
        self._rows: list[Row] = []
        self._given: list[object] = []
        self._sort_column = -1
        self._descending = False

    # --- Qt ---

    def rowCount(self, parent: Index | None = None) -> int:
        """Number of rows."""
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index | None = None) -> int:
        """Number of columns."""
        return 0 if parent is not None and parent.isValid() else len(self.columns)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """The cell for the delegate, its text for everyone else."""
        if not index.isValid():
            return None
        if role == CELL_ROLE:
            return self.cell(index)
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            if self.columns[index.column()].key == CHECK:
                return tr("checked") if self.is_checked(index.row()) else tr("not checked")
            return self.cell(index).spoken()
        return None

    def is_checked(self, row: int) -> bool:
        """Whether a shown row is checked."""
        return bool(self.checked) and self._rows[row].key in self.checked

    def set_checked(self, keys: Iterable[object]) -> None:
        """Check exactly these rows."""
        self.checked = set(keys)
        if self._rows:
            last = self.index(len(self._rows) - 1, len(self.columns) - 1)
            self.dataChanged.emit(self.index(0, 0), last)

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Show other columns, sorted by the same one while it is among them."""
        sorted_by = self.columns[self._sort_column].key if self._sort_column >= 0 else ""
        self.beginResetModel()
        self.columns = _translated(columns)
        keys = [column.key for column in self.columns]
        self._sort_column = keys.index(sorted_by) if sorted_by in keys else -1
        self._rows = self._ordered(self._rows)
        self.endResetModel()

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> object:
        """Titles."""
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(self.columns):
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.columns[section].title
        if role == Qt.ItemDataRole.ToolTipRole:
            return self.columns[section].tooltip or None
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Order the rows by a column; -1 goes back to the order given."""
        self._sort_column = column
        self._descending = order == Qt.SortOrder.DescendingOrder
        self.layoutAboutToBeChanged.emit()
        before = [row.key for row in self._rows]
        self._rows = self._ordered(self._rows)
        self._move_persistent(before)
        self.layoutChanged.emit()

    # --- rows ---

    @property
    def rows(self) -> Sequence[Row]:
        """The rows as they are shown."""
        return self._rows

    @property
    def sorting(self) -> tuple[int, bool]:
        """The column sorted by (-1 for none), and whether largest first."""
        return self._sort_column, self._descending

    def cell(self, index: Index) -> Cell:
        """The cell at an index."""
        return self._rows[index.row()].cell(self.columns[index.column()].key)

    def key_at(self, row: int) -> object | None:
        """The key of a shown row."""
        return self._rows[row].key if 0 <= row < len(self._rows) else None

    def row_of(self, key: object) -> int:
        """Where a key is shown, or -1."""
        return next((i for i, row in enumerate(self._rows) if row.key == key), -1)

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show these rows. When only their content changed, selection and position stay."""
        self._given = [row.key for row in rows]
        ordered = self._ordered(rows)
        same = [row.key for row in ordered] == [row.key for row in self._rows]
        if same:
            changed = [i for i, row in enumerate(ordered) if row != self._rows[i]]
            self._rows = ordered
            for i in changed:
                self._row_changed(i)
            return
        self.beginResetModel()
        self._rows = ordered
        self.endResetModel()

    def update_row(self, row: Row) -> None:
        """Replace the row with this key; its place stays until the next sort."""
        at = self.row_of(row.key)
        if at >= 0 and self._rows[at] != row:
            self._rows[at] = row
            self._row_changed(at)

    def _row_changed(self, row: int) -> None:
        self.dataChanged.emit(self.index(row, 0), self.index(row, len(self.columns) - 1))

    def _ordered(self, rows: Sequence[Row]) -> list[Row]:
        if not 0 <= self._sort_column < len(self.columns):
            place = {key: i for i, key in enumerate(self._given)}
            return sorted(rows, key=lambda row: place.get(row.key, len(place)))
        column = self.columns[self._sort_column].key
        keyed = [(row.cell(column).sort_key(), row) for row in rows]
        present = [pair for pair in keyed if pair[0][0] == 0]
        present.sort(key=lambda pair: pair[0], reverse=self._descending)
        return [row for _, row in present] + [row for key, row in keyed if key[0] != 0]

    def _move_persistent(self, before: list[object]) -> None:
        place = {row.key: i for i, row in enumerate(self._rows)}
        for old in self.persistentIndexList():
            new_row = place[before[old.row()]]
            self.changePersistentIndex(old, self.index(new_row, old.column()))

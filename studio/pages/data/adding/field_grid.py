"""Fields side by side, of which only some are wanted at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtWidgets import QGridLayout, QWidget

from studio.widgets.controls import LineEdit
from studio.widgets.field import Field


class FieldGrid(QWidget):
    """Lays the wanted fields out row by row, in their order.

    Args:
        fields: Every field there is, by its name in the spec.
        columns: Of the grid.
        spans: Fields that take more than one column.
    """

    def __init__(
        self,
        fields: Mapping[str, Field],
        columns: int,
        spans: Mapping[str, int],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._fields = dict(fields)
        self._columns = columns
        self._spans = dict(spans)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(16)
        self._grid.setVerticalSpacing(12)
        for column in range(columns):
            self._grid.setColumnStretch(column, 1)
        for field in self._fields.values():
            field.setParent(self)
            field.hide()

    def show_names(self, names: Sequence[str]) -> None:
        """Show these fields and no others."""
        while self._grid.takeAt(0) is not None:
            pass
        row = column = 0
        for name in names:
            span = min(self._spans.get(name, 1), self._columns)
            if column + span > self._columns:
                row, column = row + 1, 0
            self._grid.addWidget(self._fields[name], row, column, 1, span)
            column += span
        for name, field in self._fields.items():
            field.setVisible(name in names)
        self.setVisible(bool(names))


def line_of(field: Field) -> LineEdit:
    """The line of text of a field.

    Raises:
        TypeError: The field is set in another way.
    """
    if not isinstance(field.control, LineEdit):
        raise TypeError("this field has no line of text")
    return field.control

"""Qt's view of a table without its looks: keys, clicks on boxes, hover and tooltips on request."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QModelIndex, QPoint, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QHelpEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QTableView

from studio.widgets.focus import KeyboardFocus


class TableView(KeyboardFocus, QTableView):
    """The view of a `DataTable`, which connects its signals."""

    focus_radius = 7.0
    entered_row = Signal(int)
    left = Signal()
    enter_pressed = Signal()
    menu_pressed = Signal(QPoint)
    tip_wanted = Signal(QModelIndex, QPoint)
    resized = Signal()
    check_pressed = Signal(int, bool)
    key_checked = Signal(str)

    checkable = False

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Tell that the columns may share another width."""
        super().resizeEvent(event)
        self.resized.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter opens the row; Space checks it, Ctrl+A all, Esc none."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.enter_pressed.emit()
            return
        what = self._check_key(event) if self.checkable else ""
        if what:
            self.key_checked.emit(what)
            return
        super().keyPressEvent(event)

    def _check_key(self, event: QKeyEvent) -> str:
        if event.matches(QKeySequence.StandardKey.SelectAll):
            return "all"
        return {Qt.Key.Key_Space: "one", Qt.Key.Key_Escape: "none"}.get(Qt.Key(event.key()), "")

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A click on a box checks its row; so does one with Ctrl or Shift anywhere on it."""
        index = self.indexAt(event.position().toPoint())
        held = event.modifiers()
        ctrl = bool(held & Qt.KeyboardModifier.ControlModifier)
        shift = bool(held & Qt.KeyboardModifier.ShiftModifier)
        if (
            self.checkable
            and index.isValid()
            and event.button() == Qt.MouseButton.LeftButton
            and (index.column() == 0 or ctrl or shift)
        ):
            self.check_pressed.emit(index.row(), shift)
            event.accept()
            return
        super().mousePressEvent(event)

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

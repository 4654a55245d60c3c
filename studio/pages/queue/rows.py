"""The rows of the queue: one for each run that waits, to be dragged or moved by keyboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from PySide6.QtCore import QPoint, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QEnterEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPaintEvent,
)
from PySide6.QtWidgets import QApplication, QHBoxLayout, QVBoxLayout, QWidget

from studio.theme import theme
from studio.widgets.buttons import IconButton
from studio.widgets.focus import KeyboardFocus
from studio.widgets.icon import IconLabel
from studio.widgets.label import Label
from studio.widgets.paint import painter_for, repaint_on_theme, rounded_box

ROW_PX = 36


@dataclass(frozen=True)
class RowLook:
    """What a row shows.

    Args:
        id: Of its entry.
        name: Of the run.
        why: Why it waits.
        when: Its conditions in words; may be empty.
        warns: Whether something is wrong with it.
    """

    id: str
    name: str
    why: str
    when: str = ""
    warns: bool = False


class QueueRow(KeyboardFocus, QWidget):
    """A run that waits.

    Alt with an arrow moves it, Delete takes it out, Enter opens it; the mouse drags it.

    Signals:
        moved(int): One place up (-1) or down (1).
        removed: It is to leave the queue.
        opened: Its run is to be shown.
        conditions_wanted(QPoint): When it may begin is to be changed, near a global point.
        menu_wanted(QPoint): Its menu, at a global point.
        left(int): The keyboard goes on to the row above (-1) or below (1).
        dragged(QPointF): The pointer holds it at a global point.
        dropped: The pointer let it go.
    """

    moved = Signal(int)
    removed = Signal()
    opened = Signal()
    conditions_wanted = Signal(QPoint)
    menu_wanted = Signal(QPoint)
    left = Signal(int)
    dragged = Signal(QPointF)
    dropped = Signal()
    focus_radius = 4.0

    def __init__(self, look: RowLook, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._hovered = False
        self._pressed_at: QPointF | None = None
        self.is_dragged = False
        self.setFixedHeight(ROW_PX)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 0, 8, 0)
        row.setSpacing(10)
        self._grip = IconLabel("grip-vertical", "faint", 14)
        self._grip.setCursor(Qt.CursorShape.OpenHandCursor)
        self._place = Label("", "mono", "muted", elide=False)
        self._place.setFixedWidth(18)
        self._name = Label("", "strong")
        self._why = Label("", "secondary", "muted")
        self._when = Label("", "secondary", "muted", align=Qt.AlignmentFlag.AlignRight)
        self.conditions = IconButton("clock", "When it runs…", edge=26)
        self.conditions.clicked.connect(self._on_conditions)
        self.remove = IconButton("x", "Take out of the queue (Delete)", edge=26)
        self.remove.clicked.connect(self.removed)
        row.addWidget(self._grip)
        row.addWidget(self._place)
        row.addWidget(self._name, 3)
        row.addWidget(self._why, 4)
        row.addWidget(self._when, 4)
        row.addWidget(self.conditions)
        row.addWidget(self.remove)
        self.setToolTip("Drag it, or move it with Alt and the arrow keys")
        repaint_on_theme(self)
        self.show_look(look, 0)

    def show_look(self, look: RowLook, place: int) -> None:
        """Show what it is now; places count from 0."""
        self.look = look
        self._place.set_text(str(place + 1))
        self._name.set_text(look.name)
        self._why.set_text(look.why)
        self._why.set_tone("danger" if look.warns else "muted")
        self._when.set_text(look.when)
        spoken = ", ".join(part for part in (look.name, look.why, look.when) if part)
        self.setAccessibleName(f"{place + 1}: {spoken}")
        self.conditions.setAccessibleName(f"When {look.name} runs")
        self.remove.setAccessibleName(f"Take {look.name} out of the queue")

    # --- Qt ------------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """See the class."""
        key = event.key()
        step = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(key), 0)
        if step and event.modifiers() & Qt.KeyboardModifier.AltModifier:
            self.moved.emit(step)
        elif step:
            self.left.emit(step)
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.removed.emit()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.opened.emit()
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """By mouse at the pointer, by key at the row."""
        by_key = event.reason() == QContextMenuEvent.Reason.Keyboard
        at = self.mapToGlobal(QPoint(24, ROW_PX)) if by_key else event.globalPos()
        self.menu_wanted.emit(at)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """It may become a drag."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed_at = event.globalPosition()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag it."""
        if self._pressed_at is None:
            return
        way = (event.globalPosition() - self._pressed_at).manhattanLength()
        if self.is_dragged or way >= QApplication.startDragDistance():
            self.is_dragged = True
            self.update()
            self.dragged.emit(event.globalPosition())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Drop it, or open it when it was not dragged."""
        was_pressed, self._pressed_at = self._pressed_at is not None, None
        if self.is_dragged:
            self.is_dragged = False
            self.update()
            self.dropped.emit()
        elif was_pressed and self.rect().contains(event.position().toPoint()):
            self.opened.emit()

    def enterEvent(self, event: QEnterEvent) -> None:
        """Light up."""
        super().enterEvent(event)
        self._hovered = True
        self.update()

    def leaveEvent(self, event: object) -> None:
        """No longer."""
        self._hovered = False
        self.update()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show the focus as a ground too."""
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """No longer."""
        super().focusOutEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The ground of a row that is pointed at or held."""
        p = theme().palette
        painter = painter_for(self)
        box = QRectF(self.rect()).adjusted(1, 0, -1, 0)
        if self.is_dragged:
            rounded_box(painter, box, 4, fill=p.accent_soft)
        elif self._hovered:
            painter.fillRect(box, QColor(p.bg2))
        painter.end()

    def _on_conditions(self) -> None:
        at = self.conditions.mapToGlobal(self.conditions.rect().bottomRight())
        self.conditions_wanted.emit(at)


class QueueRows(QWidget):
    """All rows, and the line where a dragged one would go.

    Signals:
        move_wanted(str, int): An entry is to have another place, counted from 0.
        remove_wanted(str): An entry is to leave the queue.
        open_wanted(str): An entry's run is to be shown.
        conditions_wanted(str, QPoint): When an entry may begin is to be changed.
        menu_wanted(str, QPoint): The menu of an entry.
        dragged_to(int): The pointer holds an entry at this height, in pixels.
    """

    move_wanted = Signal(str, int)
    remove_wanted = Signal(str)
    open_wanted = Signal(str)
    conditions_wanted = Signal(str, QPoint)
    menu_wanted = Signal(str, QPoint)
    dragged_to = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: dict[str, QueueRow] = {}
        self._order: list[str] = []
        self._slot: int | None = None
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        repaint_on_theme(self)

    @property
    def rows(self) -> list[QueueRow]:
        """From the next to the last."""
        return [self._rows[key] for key in self._order]

    def set_looks(self, looks: Sequence[RowLook]) -> None:
        """Show these; rows that stay keep the keyboard's focus."""
        wanted = {look.id for look in looks}
        focused = next((at for at, row in enumerate(self.rows) if row.hasFocus()), None)
        for key in [key for key in self._rows if key not in wanted]:
            row = self._rows.pop(key)
            self._column.removeWidget(row)
            row.hide()
            row.deleteLater()
        for place, look in enumerate(looks):
            row = self._rows.get(look.id) or self._make(look)
            row.show_look(look, place)
            if self._column.indexOf(row) != place:
                self._column.removeWidget(row)
                self._column.insertWidget(place, row)
                row.show()
        for before, after in pairwise(looks):
            QWidget.setTabOrder(self._rows[before.id].remove, self._rows[after.id])
        lost = focused is not None and self._order[focused] not in wanted
        self._order = [look.id for look in looks]
        if lost and focused is not None and self._order:
            row = self.rows[min(focused, len(self._order) - 1)]
            row.setFocus(Qt.FocusReason.OtherFocusReason)
        self.setFixedHeight(ROW_PX * len(looks))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Hairlines between rows, and where the dragged one would go."""
        p = theme().palette
        painter = painter_for(self)
        for place in range(1, len(self._order)):
            painter.fillRect(1, place * ROW_PX - 1, self.width() - 2, 1, p.line)
        if self._slot is not None:
            top = min(max(self._slot * ROW_PX - 1, 0), self.height() - 2)
            painter.fillRect(8, top, self.width() - 16, 2, p.accent)
        painter.end()

    # --- parts ---------------------------------------------------------------------------------

    def _make(self, look: RowLook) -> QueueRow:
        row, key = QueueRow(look, self), look.id
        self._rows[key] = row
        row.moved.connect(lambda step: self._on_moved(key, step))
        row.removed.connect(lambda: self.remove_wanted.emit(key))
        row.opened.connect(lambda: self.open_wanted.emit(key))
        row.conditions_wanted.connect(lambda at: self.conditions_wanted.emit(key, at))
        row.menu_wanted.connect(lambda at: self.menu_wanted.emit(key, at))
        row.left.connect(lambda step: self._on_left(key, step))
        row.dragged.connect(self._on_dragged)
        row.dropped.connect(lambda: self._on_dropped(key))
        return row

    def _on_moved(self, key: str, step: int) -> None:
        to = self._order.index(key) + step
        if 0 <= to < len(self._order):
            self.move_wanted.emit(key, to)

    def _on_left(self, key: str, step: int) -> None:
        to = self._order.index(key) + step
        if 0 <= to < len(self._order):
            self.rows[to].setFocus(Qt.FocusReason.TabFocusReason)

    def _on_dragged(self, at: QPointF) -> None:
        y = self.mapFromGlobal(at).y()
        self._slot = min(max(round(y / ROW_PX), 0), len(self._order))
        self.update()
        self.dragged_to.emit(round(y))

    def _on_dropped(self, key: str) -> None:
        slot, self._slot = self._slot, None
        self.update()
        if slot is None or key not in self._order:
            return
        place = self._order.index(key)
        to = slot - 1 if slot > place else slot
        if to != place:
            self.move_wanted.emit(key, to)

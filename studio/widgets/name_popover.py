"""A small popover that asks for a name, in place: Enter keeps it, Escape leaves all as it was."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QPoint, QRectF, Qt
from PySide6.QtGui import QKeyEvent, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.theme import theme
from studio.widgets.buttons import PrimaryButton, QuietButton
from studio.widgets.focus import GivesFocusBack
from studio.widgets.inputs import LineEdit
from studio.widgets.label import Label
from studio.widgets.paint import painter_for, repaint_on_theme, rounded_box

_WIDTH_PX = 320


class NamePopover(GivesFocusBack, QWidget):
    """One question over the window; it removes itself when it is answered or left.

    Args:
        window: What it lies over.
        title: The question.
        name: The name so far.
        accept: Gets the new name; not called when it is empty or unchanged.
        word: Of the button that keeps it.
    """

    def __init__(
        self,
        window: QWidget,
        title: str,
        name: str,
        accept: Callable[[str], object],
        *,
        word: str = "Rename",
    ) -> None:
        super().__init__(window)
        self._before = name
        self._accept = accept
        self.setFixedWidth(_WIDTH_PX)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 10, 12, 12)
        column.setSpacing(8)
        column.addWidget(Label(title, "strong"))
        self.field = LineEdit(name, name=title)
        self.field.installEventFilter(self)
        column.addWidget(self.field)
        row = QHBoxLayout()
        row.addStretch(1)
        cancel = QuietButton("Cancel", size="small")
        cancel.clicked.connect(self.close_up)
        keep = PrimaryButton(word, size="small")
        keep.clicked.connect(self._on_kept)
        row.addWidget(cancel)
        row.addWidget(keep)
        column.addLayout(row)
        repaint_on_theme(self)

    def open_at(self, point: QPoint) -> None:
        """Show it near a global point, inside the window."""
        self.adjustSize()
        window = self.parentWidget()
        if window is None:
            return
        local = window.mapFromGlobal(point)
        left = min(max(local.x(), 8), window.width() - self.width() - 8)
        top = min(max(local.y(), 8), window.height() - self.height() - 8)
        self.move(left, top)
        self.show()
        self.raise_()
        self.field.setFocus(Qt.FocusReason.OtherFocusReason)
        self.field.selectAll()

    def close_up(self) -> None:
        """Leave without a change."""
        self.hide()
        self.deleteLater()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Enter keeps, Escape leaves."""
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            if event.key() == Qt.Key.Key_Escape:
                self.close_up()
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._on_kept()
                return True
        return super().eventFilter(watched, event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """A popover."""
        p = theme().palette
        painter = painter_for(self)
        rounded_box(painter, QRectF(self.rect()), 8, fill=p.bg2, border=p.line2)
        painter.end()

    def _on_kept(self) -> None:
        name = self.field.text().strip()
        self.close_up()
        if name and name != self._before:
            self._accept(name)

"""A small popover that asks before something is done: Enter does it, Escape leaves all be."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, QRectF, Qt
from PySide6.QtGui import QKeyEvent, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.theme import theme
from studio.widgets.buttons import DangerButton, QuietButton
from studio.widgets.focus import GivesFocusBack
from studio.widgets.label import Label
from studio.widgets.paint import painter_for, repaint_on_theme, rounded_box

_WIDTH_PX = 352


class AskPopover(GivesFocusBack, QWidget):
    """A question over the window; it removes itself when it is answered or left.

    Args:
        window: What it lies over.
        title: The question.
        text: What follows from it.
        word: Of the button that does it.
        accept: Does it.
    """

    def __init__(
        self, window: QWidget, title: str, text: str, word: str, accept: Callable[[], object]
    ) -> None:
        super().__init__(window)
        self._accept = accept
        self.setFixedWidth(_WIDTH_PX)
        self.setAccessibleName(f"{title} {text}")
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 14, 12)
        column.setSpacing(6)
        heading = Label("", "strong", wrap=True)
        heading.set_text(title)
        self.text = Label("", "secondary", "muted", wrap=True)
        self.text.set_text(text)
        column.addWidget(heading)
        column.addWidget(self.text)
        column.addSpacing(4)
        row = QHBoxLayout()
        row.addStretch(1)
        cancel = QuietButton("Cancel", size="small")
        cancel.clicked.connect(self.close_up)
        self.button = DangerButton(word, size="small")
        self.button.clicked.connect(self._on_accepted)
        row.addWidget(cancel)
        row.addWidget(self.button)
        column.addLayout(row)
        repaint_on_theme(self)

    def open_at(self, point: QPoint) -> None:
        """Show it near a global point, inside the window."""
        layout = self.layout()
        height = layout.heightForWidth(_WIDTH_PX) if layout is not None else self.height()
        self.resize(_WIDTH_PX, height)
        window = self.parentWidget()
        if window is None:
            return
        local = window.mapFromGlobal(point)
        left = min(max(local.x(), 8), window.width() - self.width() - 8)
        top = min(max(local.y(), 8), window.height() - self.height() - 8)
        self.move(left, top)
        self.show()
        self.raise_()
        self.button.setFocus(Qt.FocusReason.PopupFocusReason)

    def close_up(self) -> None:
        """Leave without doing it."""
        self.hide()
        self.deleteLater()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape leaves."""
        if event.key() == Qt.Key.Key_Escape:
            self.close_up()
            return
        super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """A popover."""
        p = theme().palette
        painter = painter_for(self)
        rounded_box(painter, QRectF(self.rect()), 8, fill=p.bg2, border=p.line2)
        painter.end()

    def _on_accepted(self) -> None:
        self.close_up()
        self._accept()

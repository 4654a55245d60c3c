"""A sheet that slides over the right side of a page: a heading, a way out, one view at a time."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from studio.widgets.buttons import IconButton
from studio.widgets.card import Hairline, Panel
from studio.widgets.focus import GivesFocusBack
from studio.widgets.label import Label, Part

_WIDTH_PX = 460
_FREE_PX = 160
"""What it leaves of the page at the least."""


class Sheet(GivesFocusBack, Panel):
    """Lies over its host from a height down to the bottom; Esc and its button close it.

    Args:
        host: The page.
        top_px: What stays free above it, such as the page's header.

    Signals:
        closed: The user has closed it.
    """

    closed = Signal()

    def __init__(self, host: QWidget, top_px: int = 0) -> None:
        super().__init__("bg1", left_line=True, parent=host)
        self._host = host
        self._top_px = top_px
        self._title = Label("", "title")
        close = IconButton("x", "Close (Esc)", edge=26)
        close.clicked.connect(self.close_up)
        head = QHBoxLayout()
        head.setContentsMargins(16, 12, 10, 10)
        head.addWidget(self._title, 1)
        head.addWidget(close)
        self._views = QStackedWidget()
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(Hairline())
        column.addWidget(self._views, 1)
        host.installEventFilter(self)
        self.hide()

    @property
    def view(self) -> QWidget | None:
        """The view that is shown, or None while the sheet is closed."""
        return None if self.isHidden() else self._views.currentWidget()

    def open_view(self, view: QWidget, title: str, subject: str = "") -> None:
        """Show a view; it stays the sheet's own from then on.

        Args:
            view: What to show.
            title: Its heading.
            subject: What it is about, muted after the heading.
        """
        if self._views.indexOf(view) < 0:
            self._views.addWidget(view)
        self._views.setCurrentWidget(view)
        self._title.set_parts(Part(title), Part(f"  {subject}", "secondary", "muted"))
        self._place()
        self.show()
        self.raise_()

    def close_up(self) -> None:
        """Close it; its views keep what they show."""
        if not self.isHidden():
            self.hide()
            self.closed.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc closes."""
        if event.key() == Qt.Key.Key_Escape:
            self.close_up()
            return
        super().keyPressEvent(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow the page's size."""
        if event.type() == QEvent.Type.Resize:
            self._place()
        return super().eventFilter(watched, event)

    def _place(self) -> None:
        width = min(_WIDTH_PX, max(self._host.width() - _FREE_PX, 0))
        height = max(self._host.height() - self._top_px, 0)
        self.setGeometry(self._host.width() - width, self._top_px, width, height)

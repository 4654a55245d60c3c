"""What a page is: a view that the window shows by key, with a header bar of its own."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from studio.widgets.card import Panel
from studio.widgets.label import Label

HEADER_PX = 56
MARGIN_PX = 24


class Page(QWidget):
    """A page; made once, when it is first opened, with the studio's `Context`.

    Signals:
        navigate_requested: Open another page; carries its key and a target or None.
    """

    navigate_requested = Signal(str, object)

    nav_key: str = ""
    """The entry of the navigation that is lit while the page is shown."""

    def open(self, target: object | None) -> None:
        """Show a thing: called each time the page is navigated to, before `shown`."""

    def shown(self) -> None:
        """The page became visible: subscribe, load."""

    def hidden(self) -> None:
        """The page went out of sight: stop what only serves the eye."""

    def target(self) -> object | None:
        """What the page shows, so that the history can come back to it."""
        return None


class PageHeader(Panel):
    """The bar at the top of a page: title, then what belongs left, then what belongs right.

    Args:
        title: Name of the page; empty for a header that is filled by the page alone.
    """

    def __init__(self, title: str = "", parent: QWidget | None = None) -> None:
        super().__init__("bg0", bottom_line=True, parent=parent)
        self.setFixedHeight(HEADER_PX)
        row = QHBoxLayout(self)
        row.setContentsMargins(MARGIN_PX, 0, MARGIN_PX, 1)
        row.setSpacing(12)
        self.title = Label(title, "title")
        self._left = QHBoxLayout()
        self._left.setSpacing(12)
        self._right = QHBoxLayout()
        self._right.setSpacing(12)
        if title:
            row.addWidget(self.title)
        row.addLayout(self._left)
        row.addStretch(1)
        row.addLayout(self._right)

    def add_left(self, widget: QWidget) -> None:
        """Put a widget after the title."""
        self._left.addWidget(widget, 0, Qt.AlignmentFlag.AlignVCenter)

    def add_right(self, widget: QWidget) -> None:
        """Put a widget at the right end."""
        self._right.addWidget(widget, 0, Qt.AlignmentFlag.AlignVCenter)


class ScrollBody(QScrollArea):
    """The part of a page below its header that scrolls as a whole; fill `column`.

    Args:
        margin: Pixels around the content.
        spacing: Pixels between its parts.
    """

    def __init__(
        self, margin: int = MARGIN_PX, spacing: int = 12, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        inner = QWidget()
        inner.setAutoFillBackground(False)
        self.column = QVBoxLayout(inner)
        self.column.setContentsMargins(margin, margin - 4, margin, margin)
        self.column.setSpacing(spacing)
        self._margin = margin
        self.setWidget(inner)
        self.viewport().setAutoFillBackground(False)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Let the scroll bar lie in the margin, so that it moves nothing when it appears."""
        super().resizeEvent(event)
        self.set_right_margin(self._margin)

    def set_right_margin(self, pixels: int) -> None:
        """Keep the content this far from the right edge, scroll bar included."""
        self._margin = pixels
        margins = self.column.contentsMargins()
        margins.setRight(max(self._margin - (self.width() - self.viewport().width()), 0))
        self.column.setContentsMargins(margins)

"""A right column that becomes a drawer over its page where the window is narrow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

DRAWER_BELOW_PX: Final = 1320


class SideDrawer(QObject):
    """Puts a column at the end of a row, or above the page at its right edge.

    Args:
        host: The page; it calls `fit` when it is resized or shown.
        row: What the column ends where there is room.
        side: The column.
        width_px: Its width.
        margins: What the drawer leaves free above and below, in pixels.

    Signals:
        narrowed(bool): The column became a drawer (True) or a column again (False).
    """

    narrowed = Signal(bool)

    def __init__(
        self,
        host: QWidget,
        row: QHBoxLayout,
        side: QWidget,
        width_px: int,
        margins: Callable[[], tuple[int, int]],
    ) -> None:
        super().__init__(host)
        self._host, self._row, self._side = host, row, side
        self._width_px = width_px
        self._margins = margins
        self.is_drawer = False

    @property
    def is_open(self) -> bool:
        """Whether it lies over the page now."""
        return self.is_drawer and not self._side.isHidden()

    def fit(self) -> None:
        """Take the form that suits the window's width."""
        narrow = self._host.window().width() < DRAWER_BELOW_PX
        if narrow != self.is_drawer:
            self.is_drawer = narrow
            if narrow:
                self._row.removeWidget(self._side)
            else:
                self._row.addWidget(self._side)
            self._side.setVisible(not narrow)
            self.narrowed.emit(narrow)
        self._place()

    def show(self, shown: bool = True) -> None:
        """Open or close the drawer; a column stays."""
        if self.is_drawer:
            self._side.setVisible(shown)
            self._place()

    def toggle(self) -> None:
        """Open the drawer where it is closed, and the other way round."""
        self.show(self._side.isHidden())

    def _place(self) -> None:
        if self.is_drawer:
            above, below = self._margins()
            height = max(self._host.height() - above - below, 0)
            self._side.setGeometry(
                self._host.width() - self._width_px, above, self._width_px, height
            )
            self._side.raise_()

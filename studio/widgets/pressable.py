"""What painted buttons have in common: light under the pointer, the keyboard's ring, Enter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QEnterEvent, QKeyEvent
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from studio.widgets.focus import KeyboardFocus
from studio.widgets.paint import repaint_on_theme

if TYPE_CHECKING:
    _Base = QWidget
else:
    _Base = object


class HoverLight(_Base):
    """Mixed in before a Qt widget class: `_hovered` while the pointer is on it."""

    _hovered = False

    def enterEvent(self, event: QEnterEvent) -> None:
        """Light up."""
        self._hovered = True
        self.update()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """Go dark."""
        self._hovered = False
        self.update()
        super().leaveEvent(event)


class Pressable(HoverLight, KeyboardFocus, QAbstractButton):
    """A button that subclasses paint: a click, Space and `press_keys` press it.

    It is reached with Tab, keeps the size of its hint, and is painted anew with the theme.
    """

    press_keys: tuple[Qt.Key, ...] = (Qt.Key.Key_Return, Qt.Key.Key_Enter)

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setText(text)
        self.setAccessibleName(text)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        repaint_on_theme(self)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter presses too; with Ctrl it belongs to the page, which goes on."""
        with_ctrl = event.modifiers() & Qt.KeyboardModifier.ControlModifier
        if event.key() in self.press_keys and not with_ctrl:
            self.click()
            return
        super().keyPressEvent(event)

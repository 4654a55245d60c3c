"""The ring around what the keyboard has reached: 2 px, info colour, 1 px away, keyboard only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFocusEvent, QHideEvent, QPaintEvent, QPen, QShowEvent
from PySide6.QtWidgets import QWidget
from shiboken6 import isValid

from studio.theme import theme
from studio.widgets.paint import painter_for, repaint_on_theme

_OUTSET = 3  # 1 px of air and 2 px of ring
_KEYBOARD = {
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.ShortcutFocusReason,
}
_MOVES = {
    QEvent.Type.Move,
    QEvent.Type.Resize,
    QEvent.Type.Show,
    QEvent.Type.Hide,
    QEvent.Type.ParentChange,
}

if TYPE_CHECKING:
    _Base = QWidget
else:
    _Base = object


class FocusRing(QWidget):
    """An overlay of the window that follows one widget; there is one in each window."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._watched: list[QObject] = []
        self._target: QWidget | None = None
        self._radius = 6.0
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self.setObjectName("focus_ring")
        self.hide()
        repaint_on_theme(self)

    @property
    def target(self) -> QWidget | None:
        """The widget that the ring is around, if any."""
        return self._target

    @classmethod
    def of(cls, window: QWidget) -> FocusRing:
        """The ring of a window, made when first asked for."""
        found = window.findChild(cls, "focus_ring", Qt.FindChildOption.FindDirectChildrenOnly)
        return found if found is not None else cls(window)

    def follow(self, target: QWidget, radius: float) -> None:
        """Stand around a widget whose corners have this radius, in pixels."""
        self.leave()
        self._target = target
        self._radius = radius
        walk: QWidget | None = target
        while walk is not None and walk is not self.window():
            walk.installEventFilter(self)
            self._watched.append(walk)
            walk = walk.parentWidget()
        self._place()

    def leave(self) -> None:
        """Vanish."""
        for watched in self._watched:
            if isValid(watched):
                watched.removeEventFilter(self)
        self._watched.clear()
        self._target = None
        self.hide()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Move with the target and with everything that it lies in."""
        if event.type() in _MOVES and isValid(self):
            self._place()
        return super().eventFilter(watched, event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the ring."""
        painter = painter_for(self)
        painter.setPen(QPen(QColor(theme().palette.info.fg), 2))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        radius = self._radius + 2
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), radius, radius)
        painter.end()

    def _place(self) -> None:
        target = self._target
        if target is None or not isValid(target) or not target.isVisible():
            self.hide()
            return
        corner = target.mapTo(self.window(), target.rect().topLeft())
        box = QRect(corner, target.size())
        self.setGeometry(box.adjusted(-_OUTSET, -_OUTSET, _OUTSET, _OUTSET))
        # Scrolled half out of sight: the part of the ring outside the viewport is not drawn.
        self.setVisible(not target.visibleRegion().isEmpty())
        self.raise_()


class KeyboardFocus(_Base):
    """Mixed in before a Qt widget class: shows the ring while the keyboard's focus is on it."""

    focus_radius: float = 6.0

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show the ring when the keyboard brought the focus."""
        super().focusInEvent(event)
        ring = FocusRing.of(self.window())
        if event.reason() in _KEYBOARD:
            ring.follow(self, self.focus_radius)
        elif ring.target is not self:
            ring.leave()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Take the ring away, but keep it while a menu is open or another window is active."""
        super().focusOutEvent(event)
        if event.reason() not in (
            Qt.FocusReason.PopupFocusReason,
            Qt.FocusReason.ActiveWindowFocusReason,
        ):
            ring = FocusRing.of(self.window())
            if ring.target is self:
                ring.leave()


class GivesFocusBack(_Base):
    """Mixed in before the class of a popover: what had the keyboard has it again afterwards."""

    _focus_before: QWidget | None = None

    def showEvent(self, event: QShowEvent) -> None:
        """Remember what has the keyboard."""
        super().showEvent(event)
        self._focus_before = self.window().focusWidget()

    def hideEvent(self, event: QHideEvent) -> None:
        """Give it back; left to itself, Qt hands it to the first widget of the window."""
        super().hideEvent(event)
        before, now = self._focus_before, self.window().focusWidget()
        self._focus_before = None
        if before is None or now is None or not isValid(before) or not self.isAncestorOf(now):
            return
        if before.isVisible() and before.isEnabled():
            before.setFocus(Qt.FocusReason.PopupFocusReason)

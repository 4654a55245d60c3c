"""A card that floats over the window: opens at a point, leaves by Escape, removes itself."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, QRectF, Qt
from PySide6.QtGui import QKeyEvent, QPaintEvent
from PySide6.QtWidgets import QWidget

from studio.theme import theme
from studio.widgets.focus import GivesFocusBack
from studio.widgets.paint import painter_for, repaint_on_theme, rounded_box

_EDGE_PX = 8


class FloatingCard(GivesFocusBack, QWidget):
    """The ground of small popovers: what is asked there and done with it is the subclass's.

    Args:
        window: What it lies over.
        width_px: Its width.
        to_the_left: Whether it opens with its right edge at the point.
    """

    def __init__(self, window: QWidget, width_px: int, *, to_the_left: bool = False) -> None:
        super().__init__(window)
        self._to_the_left = to_the_left
        self.setFixedWidth(width_px)
        repaint_on_theme(self)

    # --- for the subclass -----------------------------------------------------------------------

    def first(self) -> QWidget:
        """What has the keyboard when it opens."""
        raise NotImplementedError

    def accept(self) -> None:
        """What Enter does; nothing by itself."""

    def fit(self) -> None:
        """Become as high as the content asks for."""
        layout = self.layout()
        height = layout.heightForWidth(self.width()) if layout is not None else 0
        self.resize(self.width(), max(height, self.sizeHint().height()))

    def takes_keys_of(self, field: QWidget) -> None:
        """Have a field leave Escape and Enter to the card."""
        field.installEventFilter(self)

    # --- opening and leaving --------------------------------------------------------------------

    def open_at(self, point: QPoint) -> None:
        """Show it near a global point, inside the window."""
        self.fit()
        window = self.parentWidget()
        if window is None:
            return
        local = window.mapFromGlobal(point)
        left = local.x() - (self.width() if self._to_the_left else 0)
        left = min(left, window.width() - self.width() - _EDGE_PX)
        top = min(local.y(), window.height() - self.height() - _EDGE_PX)
        self.move(max(left, _EDGE_PX), max(top, _EDGE_PX))
        self.show()
        self.raise_()
        self.first().setFocus(Qt.FocusReason.PopupFocusReason)

    def close_up(self) -> None:
        """Leave without a change."""
        self.hide()
        self.deleteLater()

    # --- Qt -------------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape leaves, Enter accepts."""
        if event.key() == Qt.Key.Key_Escape:
            self.close_up()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.accept()
        else:
            super().keyPressEvent(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """A field leaves these keys to the card."""
        keys = (Qt.Key.Key_Escape, Qt.Key.Key_Return, Qt.Key.Key_Enter)
        pressed = event.type() == QEvent.Type.KeyPress
        if pressed and isinstance(event, QKeyEvent) and event.key() in keys:
            self.keyPressEvent(event)
            return True
        return super().eventFilter(watched, event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """A rounded box with a border."""
        p = theme().palette
        painter = painter_for(self)
        rounded_box(painter, QRectF(self.rect()), 8, fill=p.bg2, border=p.line2)
        painter.end()

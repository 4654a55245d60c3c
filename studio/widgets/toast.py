"""Errors that appear above the page and wait to be read, without stopping anything."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.widgets.empty import ErrorCard, describe

_WIDTH_PX = 440
_MOST = 3
_MARGIN_PX = 16


class Toasts(QWidget):
    """A column of error cards at the lower right of its parent; the newest is at the bottom."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._cards: list[ErrorCard] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(8)
        parent.installEventFilter(self)
        self.hide()

    @property
    def cards(self) -> list[ErrorCard]:
        """What is shown, oldest first."""
        return list(self._cards)

    def add(self, error: BaseException, details: str = "") -> None:
        """Show an error until it is dismissed; the same error is not shown twice."""
        what = describe(error)[0]
        if any(card.what.text() == what for card in self._cards):
            return
        if len(self._cards) == _MOST:
            self._remove(self._cards[0])
        card = ErrorCard(error, details, closable=True)
        card.dismissed.connect(lambda: self._remove(card))
        card.size_changed.connect(self._place)
        self._cards.append(card)
        self._column.addWidget(card)
        # Only what is shown has a height in a layout.
        self.show()
        card.show()
        self._place()
        self.raise_()

    def event(self, event: QEvent) -> bool:
        """Be as high as the cards want to be."""
        if event.type() == QEvent.Type.LayoutRequest:
            self._place()
        return super().event(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Stay in the corner."""
        if event.type() == QEvent.Type.Resize:
            self._place()
        return super().eventFilter(watched, event)

    def _remove(self, card: ErrorCard) -> None:
        if card in self._cards:
            self._cards.remove(card)
            self._column.removeWidget(card)
            card.hide()
            card.deleteLater()
        if self._cards:
            self._place()
        else:
            self.hide()

    def _place(self) -> None:
        area = self.parentWidget()
        if area is None:
            return
        width = min(_WIDTH_PX, area.width() - 2 * _MARGIN_PX)
        height = min(self._column.heightForWidth(width), area.height() - 2 * _MARGIN_PX)
        left = area.width() - width - _MARGIN_PX
        self.setGeometry(left, area.height() - height - _MARGIN_PX, width, height)

"""What appears above the page without stopping anything: errors that wait, notes that pass."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QRectF, QTimer, Signal
from PySide6.QtGui import QEnterEvent, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.theme import theme
from studio.widgets.buttons import IconButton, LinkButton
from studio.widgets.empty import ErrorCard, describe
from studio.widgets.label import Label
from studio.widgets.paint import painter_for, repaint_on_theme, rounded_box

NOTE_MS = 10_000
_WIDTH_PX = 440
_MOST = 3
_MARGIN_PX = 16


class NoteCard(QWidget):
    """One line that says what was done, with a way back; it passes unless the pointer is on it.

    Args:
        text: What was done.
        button: Word of the way back; empty for none.

    Signals:
        clicked: The way back was asked for.
        dismissed: It has passed, or was closed.
    """

    clicked = Signal()
    dismissed = Signal()

    def __init__(self, text: str, button: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 10, 8, 10)
        row.setSpacing(12)
        self.label = Label("", "body", "text", wrap=True)
        self.label.set_text(text)
        row.addWidget(self.label, 1)
        self.button = LinkButton(button or " ", parent=self)
        self.button.clicked.connect(self.clicked)
        self.button.setVisible(bool(button))  # it has a parent: alone it would be a window
        row.addWidget(self.button)
        close = IconButton("x", "Close", edge=22)
        close.clicked.connect(self.dismissed)
        row.addWidget(close)
        self.setAccessibleName(text)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(NOTE_MS)
        self._timer.timeout.connect(self.dismissed)
        self._timer.start()
        repaint_on_theme(self)

    def enterEvent(self, event: QEnterEvent) -> None:
        """It waits while the pointer is on it."""
        super().enterEvent(event)
        self._timer.stop()

    def leaveEvent(self, event: QEvent) -> None:
        """From here its time runs anew."""
        super().leaveEvent(event)
        self._timer.start()

    def paintEvent(self, event: QPaintEvent) -> None:
        """A popover's ground."""
        p = theme().palette
        painter = painter_for(self)
        rounded_box(painter, QRectF(self.rect()), 8, fill=p.bg3, border=p.line2)
        painter.end()


class Toasts(QWidget):
    """A column of cards at the lower right of its parent; the newest is at the bottom."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._cards: list[ErrorCard] = []
        self._note: NoteCard | None = None
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

    @property
    def note(self) -> NoteCard | None:
        """The note that is shown, or None."""
        return self._note

    def say(self, text: str, button: str = "", action: Callable[[], object] | None = None) -> None:
        """Show a note for a while, in place of the one before; an empty text only takes that away.

        Args:
            text: What was done.
            button: Word of a way back; empty for none.
            action: What the button does.
        """
        self._end_note()
        if not text:
            return
        note = self._note = NoteCard(text, button)
        if action is not None:
            note.clicked.connect(action)
        note.clicked.connect(lambda: self._end_note(note))
        note.dismissed.connect(lambda: self._end_note(note))
        self._column.addWidget(note)
        self.show()
        note.show()
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
        self._shrink()

    def _end_note(self, note: NoteCard | None = None) -> None:
        """Take a note away, or whichever is shown; one that was replaced is gone already."""
        ended = self._note
        if ended is None or (note is not None and note is not ended):
            return
        self._note = None
        self._column.removeWidget(ended)
        ended.hide()
        ended.deleteLater()
        self._shrink()

    def _shrink(self) -> None:
        if self._cards or self._note is not None:
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

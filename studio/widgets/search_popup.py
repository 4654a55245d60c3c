"""The search over everything, and for everything that can be done, called up by Ctrl+K."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, QPoint, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from studio.theme import font, theme
from studio.widgets.inputs import SearchBox
from studio.widgets.paint import draw_icon, painter_for, repaint_on_theme, rounded_box

_WIDTH_PX = 520
_ROW_PX = 36
_DELAY_MS = 60


@dataclass(frozen=True)
class Answer:
    """Something that was found.

    Args:
        title: Its name.
        context: Where it belongs.
        icon: What it is.
        page: The page that shows it.
        target: What that page is opened with.
        words: Further words that find it.
        keys: Its shortcut, shown at the right.
        act: What is done in place of opening a page.
    """

    title: str
    context: str
    icon: str
    page: str
    target: object | None
    words: str = ""
    keys: str = ""
    act: Callable[[], object] | None = None


Ask = Callable[[str, Callable[[Sequence[Answer]], None]], None]
"""Finds answers for a text without blocking, and hands them to the function."""


class _Answers(QWidget):
    """The list below the field."""

    opened = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.answers: tuple[Answer, ...] = ()
        self.note = ""
        self.chosen = 0
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        repaint_on_theme(self)

    def show_answers(self, answers: Sequence[Answer], note: str) -> None:
        self.answers = tuple(answers)
        self.note = note
        self.chosen = 0
        self.setFixedHeight(_ROW_PX * max(len(self.answers), 1 if note else 0))
        self._name()
        self.update()

    def spoken(self) -> str:
        """The chosen answer, for those who do not see it."""
        if not self.answers:
            return self.note
        answer = self.answers[self.chosen]
        place = f"{self.chosen + 1} of {len(self.answers)}"
        return ", ".join(
            part for part in (answer.title, answer.context, answer.keys, place) if part
        )

    def _name(self) -> None:
        self.setAccessibleName(self.spoken())

    def choose_next(self, by: int) -> None:
        if self.answers:
            self.chosen = (self.chosen + by) % len(self.answers)
            self._name()
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(_WIDTH_PX, self.height())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        row = int(event.position().y()) // _ROW_PX
        if 0 <= row < len(self.answers) and row != self.chosen:
            self.chosen = row
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        row = int(event.position().y()) // _ROW_PX
        if 0 <= row < len(self.answers):
            self.opened.emit(row)

    def paintEvent(self, event: QPaintEvent) -> None:
        p = theme().palette
        painter = painter_for(self)
        for row, answer in enumerate(self.answers):
            box = QRectF(0, row * _ROW_PX, self.width(), _ROW_PX)
            if row == self.chosen:
                rounded_box(painter, box, 6, fill=p.bg3)
            self._paint_answer(painter, box, answer)
        if not self.answers and self.note:
            painter.setFont(font("secondary"))
            painter.setPen(QColor(p.muted))
            room = QRectF(12, 0, self.width() - 24, _ROW_PX)
            painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, self.note)
        painter.end()

    def _paint_answer(self, painter: QPainter, box: QRectF, answer: Answer) -> None:
        p = theme().palette
        draw_icon(painter, answer.icon, p.muted, box.left() + 12, box.center().y() - 8)
        painter.setFont(font("mono_small" if answer.keys else "secondary"))
        context = painter.fontMetrics().elidedText(
            answer.keys or answer.context, Qt.TextElideMode.ElideRight, int(box.width() * 0.4)
        )
        width = painter.fontMetrics().horizontalAdvance(context)
        painter.setPen(QColor(p.muted))
        right = QRectF(box.right() - 12 - width, box.top(), width + 2, box.height())
        painter.drawText(right, Qt.AlignmentFlag.AlignVCenter, context)
        painter.setFont(font("strong"))
        painter.setPen(QColor(p.text))
        room = QRectF(box.left() + 40, box.top(), right.left() - box.left() - 52, box.height())
        title = painter.fontMetrics().elidedText(
            answer.title, Qt.TextElideMode.ElideRight, int(room.width())
        )
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, title)


class SearchPopup(QWidget):
    """A field and its answers over the window; Enter opens, Escape closes.

    Signals:
        opened(Answer): The user chose an answer.
    """

    opened = Signal(object)

    def __init__(self, window: QWidget, ask: Ask) -> None:
        super().__init__(window)
        self._ask = ask
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_DELAY_MS)
        self._timer.timeout.connect(self._on_timeout)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(6)
        self.field = SearchBox("Search, or say what to do")
        self.field.setAccessibleName("Search projects, runs and data, or what to do")
        self.field.textChanged.connect(lambda _text: self._timer.start())
        self.field.installEventFilter(self)
        self.answers = _Answers()
        self.answers.opened.connect(self._on_opened)
        column.addWidget(self.field)
        column.addWidget(self.answers)
        self.hide()
        repaint_on_theme(self)

    def call_up(self, right: int | None = None) -> None:
        """Open, in the middle or with its right edge at a pixel column of the window."""
        window = self.window()
        width = min(_WIDTH_PX, window.width() - 32)
        left = (window.width() - width) // 2 if right is None else right - width
        self.field.clear()
        self.answers.show_answers((), "Type a name")
        self.setGeometry(left, 5, width, self._height())
        self.show()
        self.raise_()
        self.field.setFocus(Qt.FocusReason.OtherFocusReason)
        self._ask("", lambda answers: self._show("", answers))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keys of the field that belong to the list; a click elsewhere closes."""
        if event.type() == QEvent.Type.FocusOut and self.isVisible():
            # A click on an answer keeps the focus in the field, so this is a click elsewhere.
            self.hide()
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            return self._took_key(event)
        return super().eventFilter(watched, event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """A popover."""
        p = theme().palette
        painter = painter_for(self)
        rounded_box(painter, QRectF(self.rect()), 8, fill=p.bg2, border=p.line2)
        painter.end()

    def _took_key(self, event: QKeyEvent) -> bool:
        key = event.key()
        if key == Qt.Key.Key_Escape:
            self.hide()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._on_opened(self.answers.chosen)
        elif key == Qt.Key.Key_Down:
            self._choose_next(1)
        elif key == Qt.Key.Key_Up:
            self._choose_next(-1)
        else:
            return False
        return True

    def _choose_next(self, by: int) -> None:
        self.answers.choose_next(by)
        self.field.setAccessibleDescription(self.answers.spoken())

    def _height(self) -> int:
        rows = self.answers.height() if self.answers.answers or self.answers.note else 0
        return 16 + 30 + 6 + rows

    def _on_timeout(self) -> None:
        text = self.field.text()
        self._ask(text, lambda answers: self._show(text, answers))

    def _show(self, text: str, answers: Sequence[Answer]) -> None:
        if text != self.field.text() or not self.isVisible():
            return  # the user has typed on; another answer is on its way
        note = f"Nothing is called “{text}”" if text.strip() else "Type a name"
        self.answers.show_answers(answers, note)
        self.field.setAccessibleDescription(self.answers.spoken())
        self.resize(self.width(), self._height())

    def _on_opened(self, row: int) -> None:
        if 0 <= row < len(self.answers.answers):
            answer = self.answers.answers[row]
            self.hide()
            self.opened.emit(answer)


def right_edge(widget: QWidget) -> int:
    """The pixel column of a widget's right edge in its window."""
    return widget.mapTo(widget.window(), QPoint(widget.width(), 0)).x()

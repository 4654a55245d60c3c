"""Text as the tokens it is made of: coloured by match length, pointed at token by token."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QFrame, QWidget

from studio.theme import FontRole, font, theme
from studio.widgets.focus import KeyboardFocus
from studio.widgets.token_lines import LineStyle, TokenLines
from studio.widgets.token_paint import TokenPainter
from studio.widgets.token_run import Colouring, TextToken, TokenRun

_BLANK_HEIGHT = 8.0
_CODE_LINES = 0.84
"""Height of a line of code, to one of prose."""
_APPEND_INTERVAL_MS = 16
_ACCESSIBLE_INTERVAL_MS = 500


class TokenText(KeyboardFocus, QAbstractScrollArea):
    """Shows tokens as running text and says which one is meant.

    The token under the pointer, or under the keyboard's cursor, is the current one until another is
    pinned. The context that its match covers is underlined.

    Signals:
        token_hovered (int): Another token is current, or none (-1).
        token_pinned (int): A token was pinned, or the pin was taken off (-1).
        scrolled (): Every place on screen has moved.
    """

    token_hovered = Signal(int)
    token_pinned = Signal(int)
    scrolled = Signal()

    def __init__(
        self,
        parent: QWidget | None = None,
        *,
        colouring: Colouring = Colouring.HEAT,
        role: FontRole = "generated",
        line_height: float = 29.0,
        margin: int = 20,
    ) -> None:
        super().__init__(parent)
        self._role: FontRole = role
        self._monospace = False
        self._prose_line_height = self._line_height = line_height
        self._margin = margin
        self._hovered = -1
        self._pinned = -1
        self._press: QPoint | None = None
        self._pressed_token = -1
        self._selection: tuple[int, int] | None = None
        self._pending: list[TextToken] = []
        self._run = TokenRun(colouring)
        self._lines = TokenLines(self._run, self._style(), self._text_width())
        self._append_timer = QTimer(self, singleShot=True, interval=_APPEND_INTERVAL_MS)
        self._append_timer.timeout.connect(self.flush)
        self._accessible_timer = QTimer(self, singleShot=True, interval=_ACCESSIBLE_INTERVAL_MS)
        self._accessible_timer.timeout.connect(self._on_accessible_timer_timeout)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Text by tokens")
        self.viewport().setMouseTracking(True)
        self.viewport().setAutoFillBackground(False)
        self.verticalScrollBar().valueChanged.connect(self.scrolled)
        self.verticalScrollBar().setSingleStep(int(line_height))
        theme().changed.connect(self._on_theme_changed)

    # --- content -----------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """Number of tokens, with those that are not painted yet."""
        return len(self._run) + len(self._pending)

    @property
    def current(self) -> int:
        """The token that is meant, or -1."""
        return self._pinned if self._pinned >= 0 else self._hovered

    @property
    def pinned(self) -> int:
        """The pinned token, or -1."""
        return self._pinned

    def append(self, tokens: Iterable[TextToken]) -> None:
        """Add tokens at the end. They are painted together, at most once per frame."""
        self._pending.extend(tokens)
        if not self._append_timer.isActive():
            self._append_timer.start()

    def set_tokens(self, tokens: Iterable[TextToken]) -> None:
        """Show other tokens, complete."""
        self.clear()
        self._pending.extend(tokens)
        self.finish()

    def clear(self) -> None:
        """Show nothing."""
        self._pending.clear()
        self.set_pinned(-1)
        self._set_hovered(-1)
        self._selection = None
        self._run = TokenRun(self._run.colouring, self._run.highlight_from)
        self._lines = TokenLines(self._run, self._style(), self._text_width())
        self._on_lines_changed()

    def flush(self) -> None:
        """Take in what was appended now."""
        if not self._pending:
            return
        bar = self.verticalScrollBar()
        follows = bar.value() == bar.maximum()
        self._lines.append(self._pending)
        self._pending = []
        self._on_lines_changed()
        if follows:
            bar.setValue(bar.maximum())

    def finish(self) -> None:
        """No more tokens come: show the bytes of an unfinished character, too."""
        self.flush()
        self._lines.finish()
        self._on_lines_changed()

    def text(self) -> str:
        """Everything, as plain text."""
        self.flush()
        return self._run.text

    def copy(self) -> None:
        """Put the selected text, or else all of it, on the clipboard."""
        text = self.text()
        if self._selection is not None:
            text = self._run.text_of(min(self._selection), max(self._selection))
        QGuiApplication.clipboard().setText(text)

    # --- looks -------------------------------------------------------------------------------

    def set_highlight(self, on: bool, from_tokens: int) -> None:
        """Colour matches of at least `from_tokens` tokens, or none."""
        self._run.colouring = Colouring.HEAT if on else Colouring.NONE
        self._run.highlight_from = from_tokens
        self._lay_out_again()

    def set_boundaries(self, on: bool) -> None:
        """Mark where tokens begin."""
        self._run.colouring = Colouring.BOUNDARIES if on else Colouring.NONE
        self._lay_out_again()

    def set_colouring(self, colouring: Colouring) -> None:
        """Colour tokens by something else."""
        self._run.colouring = colouring
        self._lay_out_again()

    def set_monospace(self, on: bool) -> None:
        """Use a fixed-width font, as code wants it."""
        self._monospace = on
        self._line_height = (
            round(self._prose_line_height * _CODE_LINES) if on else (self._prose_line_height)
        )
        self.verticalScrollBar().setSingleStep(int(self._line_height))
        self._lay_out_again()

    def _style(self) -> LineStyle:
        marks = self._run.colouring is Colouring.BOUNDARIES
        return LineStyle(
            font=self._font(),
            foregrounds=[QColor(step.text) for step in theme().palette.heat],
            line_height=self._line_height,
            blank_height=self._line_height if marks or self._monospace else _BLANK_HEIGHT,
            mark_blanks=marks,
        )

    def _font(self) -> QFont:
        if not self._monospace:
            return font(self._role)
        code = font("mono", QFont.Weight.Normal)
        code.setPixelSize(max(font(self._role).pixelSize() - 2, 11))
        return code

    def _on_theme_changed(self) -> None:
        self._lay_out_again()

    # --- layout ------------------------------------------------------------------------------

    def token_rect(self, token: int) -> QRect:
        """Where a token stands, in the viewport; where it spans lines, its last part."""
        self.flush()
        if not 0 <= token < len(self._run):
            return QRect()
        rects = self._lines.rects(token)
        if not rects:
            return QRect()
        return rects[-1].translated(self._origin()).toAlignedRect()

    def show_token(self, token: int) -> None:
        """Scroll so that a token can be seen."""
        rect = self.token_rect(token)
        bar = self.verticalScrollBar()
        if rect.top() < 0:
            bar.setValue(bar.value() + rect.top() - self._margin)
        elif rect.bottom() > self.viewport().height():
            bar.setValue(bar.value() + rect.bottom() - self.viewport().height() + self._margin)

    def content_height(self) -> int:
        """The height that shows everything, in pixels."""
        self.flush()
        return int(self._lines.height) + 2 * self._margin

    def sizeHint(self) -> QSize:
        """A comfortable column of text."""
        return QSize(560, 320)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Wrap to the new width."""
        super().resizeEvent(event)
        if self._text_width() != self._lines.width:
            self._lay_out_again()
        else:
            self._on_lines_changed()

    def changeEvent(self, event: QEvent) -> None:
        """Follow a change of screen or font."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.LayoutDirectionChange):
            self._lay_out_again()

    def _text_width(self) -> float:
        # The scroll bar comes and goes within the right margin, so that text never wraps anew.
        bar = self.verticalScrollBar().sizeHint().width()
        return max(float(self.width() - self._margin - max(self._margin, bar + 2)), 40.0)

    def _origin(self) -> QPointF:
        """Where the text's top left corner is, in the viewport."""
        return QPointF(self._margin, self._margin - self.verticalScrollBar().value())

    def _lay_out_again(self) -> None:
        self._lines.lay_out_again(self._style(), self._text_width())
        self._on_lines_changed()

    def _on_lines_changed(self) -> None:
        page = self.viewport().height()
        bar = self.verticalScrollBar()
        bar.setPageStep(page)
        bar.setRange(0, max(0, int(self._lines.height) + 2 * self._margin - page))
        if not self._accessible_timer.isActive():
            self._accessible_timer.start()
        self.viewport().update()

    def _on_accessible_timer_timeout(self) -> None:
        self.setAccessibleDescription(self._run.text)

    # --- painting ----------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the lines that can be seen."""
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        origin = self._origin()
        painter.translate(origin)
        area = event.rect()
        lines = list(
            self._lines.lines_between(area.top() - origin.y(), area.bottom() + 1 - origin.y())
        )
        paint = TokenPainter(painter, self._lines)
        for line in lines:
            paint.backgrounds(line)
        if self._selection is not None:
            paint.selection(min(self._selection), max(self._selection))
        for line in lines:
            line.draw(painter)
            paint.verbatim(line)
            paint.newline(line)
        if 0 <= self.current < len(self._run):
            paint.current(self.current)

    # --- pointer and keyboard ----------------------------------------------------------------

    def set_pinned(self, token: int) -> None:
        """Pin a token, or take the pin off with -1."""
        if token != self._pinned:
            self._pinned = token
            self.viewport().update()
            self.token_pinned.emit(token)

    def _set_hovered(self, token: int) -> None:
        if token != self._hovered:
            self._hovered = token
            self.viewport().update()
            self.token_hovered.emit(token)

    def _token_at(self, at: QPoint) -> int:
        place = QPointF(at) - self._origin()
        return self._lines.token_at(place.x(), place.y())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Point at a token; drag over a selection."""
        at = event.position().toPoint()
        if self._press is None:
            self._set_hovered(self._token_at(at))
            return
        if (at - self._press).manhattanLength() >= QApplication.startDragDistance():
            place = QPointF(at) - self._origin()
            end = self._lines.nearest_token(place.x(), place.y())
            self._selection = (self._pressed_token, end) if end >= 0 else None
            self.viewport().update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a click or a selection."""
        if event.button() != Qt.MouseButton.LeftButton:
            return
        self._press = event.position().toPoint()
        place = event.position() - self._origin()
        self._pressed_token = self._lines.nearest_token(place.x(), place.y())
        self._selection = None
        self.viewport().update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Pin what was clicked; a click on the pinned token or beside the text takes it off."""
        if event.button() != Qt.MouseButton.LeftButton or self._press is None:
            return
        self._press = None
        if self._selection is None:
            token = self._token_at(event.position().toPoint())
            self.set_pinned(-1 if token == self._pinned else token)

    def leaveEvent(self, event: QEvent) -> None:
        """Point at nothing."""
        super().leaveEvent(event)
        self._set_hovered(-1)

    def viewportEvent(self, event: QEvent) -> bool:
        """Hear of the pointer leaving the viewport."""
        if event.type() == QEvent.Type.Leave:
            self._set_hovered(-1)
        return super().viewportEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and Right move, P pins, Esc takes the pin off, Ctrl+C copies."""
        key = event.key()
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        elif event.matches(QKeySequence.StandardKey.SelectAll) and self.count:
            self._selection = (0, self.count - 1)
            self.viewport().update()
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self._step(1 if key == Qt.Key.Key_Right else -1)
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self._move_to(0 if key == Qt.Key.Key_Home else self.count - 1)
        elif key == Qt.Key.Key_P and self.current >= 0:
            self.set_pinned(-1 if self._pinned >= 0 else self.current)
        elif key == Qt.Key.Key_Escape and self._pinned >= 0:
            self.set_pinned(-1)
        else:
            super().keyPressEvent(event)

    def _step(self, by: int) -> None:
        self._move_to(self.current + by if self.current >= 0 else 0)

    def _move_to(self, token: int) -> None:
        """Make a token current, by keyboard; a pin moves along."""
        if not self.count:
            return
        token = min(max(token, 0), self.count - 1)
        self.show_token(token)
        if self._pinned >= 0:
            self.set_pinned(token)
        else:
            self._set_hovered(token)

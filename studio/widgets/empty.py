"""The states of a view without content: empty, loading, failed."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QFont, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from studio.theme import font, theme
from studio.widgets.buttons import LinkButton, PrimaryButton, SecondaryButton
from studio.widgets.label import Label
from studio.widgets.paint import draw_icon, painter_for, repaint_on_theme, rounded_box
from trainer_core.errors import KnownError

LOADING_DELAY_MS = 300


class EmptyState(QWidget):
    """One sentence and one button, in the middle.

    Signals:
        clicked: The button was pressed.
    """

    clicked = Signal()

    def __init__(
        self, sentence: str, button: str = "", icon: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 32, 24, 32)
        column.setSpacing(12)
        column.addStretch(1)
        self.sentence = Label(
            sentence, "body", "muted", wrap=True, align=Qt.AlignmentFlag.AlignHCenter
        )
        column.addWidget(self.sentence)
        if button:
            made = PrimaryButton(button, icon)
            made.clicked.connect(self.clicked)
            column.addWidget(made, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)


class LoadingBlocks(QWidget):
    """Blocks where content will be; they appear after 300 ms, so that quick loads do not flash.

    Args:
        rows: How many blocks.
        height: Of each, in pixels.
    """

    def __init__(self, rows: int = 4, height: int = 36, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows = rows
        self._row_height = height
        self._shown = False
        self.setMinimumHeight(rows * (height + 8))
        self.setAccessibleName("Loading")
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._on_timeout)
        self._timer.start(LOADING_DELAY_MS)
        repaint_on_theme(self)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The blocks, once it is time."""
        if not self._shown:
            return
        painter = painter_for(self)
        for row in range(self._rows):
            box = QRectF(0, row * (self._row_height + 8), self.width(), self._row_height)
            rounded_box(painter, box, 6, fill=theme().palette.bg3)
        painter.end()

    def _on_timeout(self) -> None:
        self._shown = True
        self.update()


class ErrorCard(QWidget):
    """What happened, what is safe, what to do; the details are folded.

    Args:
        error: A `KnownError`, or any exception, which is then called a fault of Hearth.
        details: Text for the fold, such as a traceback.
        button: Word of an action, such as "Try again"; empty for none.
        closable: Whether it can be dismissed.

    Signals:
        clicked: The action was asked for.
        dismissed: The user has read it.
        size_changed: The details were unfolded or folded.
    """

    clicked = Signal()
    dismissed = Signal()
    size_changed = Signal()

    def __init__(
        self,
        error: BaseException,
        details: str = "",
        *,
        button: str = "",
        closable: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        what, safe, do = describe(error)
        column = QVBoxLayout(self)
        column.setContentsMargins(42, 14, 16, 14)
        column.setSpacing(4)
        title = Label("", "body", "text", wrap=True)
        title.set_text(what)
        self.what = title
        column.addWidget(title)
        if safe:
            column.addWidget(Label(safe, "secondary", "muted", wrap=True))
        if do:
            column.addWidget(Label(do, "secondary", "muted", wrap=True))
        self._details = self._details_box(details)
        self._row(column, details, button, closable)
        self.setAccessibleName(" ".join(part for part in (what, safe, do) if part))
        repaint_on_theme(self)

    def paintEvent(self, event: QPaintEvent) -> None:
        """A soft danger ground with its sign."""
        role = theme().palette.danger
        painter = painter_for(self)
        rounded_box(painter, QRectF(self.rect()), 8, fill=role.soft)
        draw_icon(painter, "triangle-alert", role.on_soft, 16, 16)
        painter.end()

    def _details_box(self, details: str) -> QPlainTextEdit:
        box = QPlainTextEdit(details, self)
        box.setReadOnly(True)
        box.setFont(font("mono_small", QFont.Weight.Normal))
        box.setMinimumHeight(120)
        box.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        box.hide()
        return box

    def _row(self, column: QVBoxLayout, details: str, button: str, closable: bool) -> None:
        row = QHBoxLayout()
        row.setContentsMargins(0, 6, 0, 0)
        row.setSpacing(12)
        if button:
            action = SecondaryButton(button, size="small")
            action.clicked.connect(self.clicked)
            row.addWidget(action)
        if details:
            self._fold = LinkButton("Show details", trailing_icon="chevron-down")
            self._fold.clicked.connect(self._on_fold_clicked)
            row.addWidget(self._fold)
        if closable:
            close = LinkButton("Dismiss")
            close.clicked.connect(self.dismissed)
            row.addWidget(close)
        row.addStretch(1)
        if button or details or closable:
            column.addLayout(row)
        column.addWidget(self._details)

    def _on_fold_clicked(self) -> None:
        shown = self._details.isHidden()
        self._details.setVisible(shown)
        self._fold.set_text("Hide details" if shown else "Show details")
        self.size_changed.emit()


def describe(error: BaseException) -> tuple[str, str, str]:
    """What happened, what is safe and what to do, for any exception."""
    if isinstance(error, KnownError):
        return error.what, error.safe, error.do
    return (
        f"Something in Hearth went wrong: {type(error).__name__}.",
        "Trainings that run go on by themselves, and everything saved is whole.",
        "Go on working; the details below and in studio.log help to mend it.",
    )

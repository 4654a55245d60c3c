"""Asks, before a run is started while another one trains, whether it should wait for its turn."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, QRectF, Qt
from PySide6.QtGui import QCursor, QKeyEvent, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.context import Context
from studio.storage.rows import RunRow
from studio.theme import theme
from studio.widgets.buttons import PrimaryButton, QuietButton, SecondaryButton
from studio.widgets.label import Label
from studio.widgets.paint import painter_for, repaint_on_theme, rounded_box

_WIDTH_PX = 400
_EDGE_PX = 8


def start_or_wait(
    context: Context,
    page: QWidget,
    run: RunRow,
    start: Callable[[], object],
    at: QPoint | None = None,
) -> None:
    """Start a run; when another one trains, ask first whether it should wait in the queue.

    Args:
        context: The studio.
        page: Where it is asked.
        run: The run, with its spec frozen.
        start: Starts it at once.
        at: A global point to ask at; None takes the pointer's.
    """
    queue = context.queue
    other = queue.training_besides(run.folder) if queue is not None else ""
    if queue is None or not other or context.library.read_only:
        start()
        return
    offer = QueueOffer(page.window(), run.name, other, lambda: queue.add([run.folder]), start)
    offer.open_at(at if at is not None else QCursor.pos())


class QueueOffer(QWidget):
    """One question over the window; it removes itself when it is answered or left.

    Args:
        window: What it lies over.
        name: The run that is to start.
        other: The one that trains.
        wait: Puts it into the queue.
        start: Starts it at once.
    """

    def __init__(
        self,
        window: QWidget,
        name: str,
        other: str,
        wait: Callable[[], object],
        start: Callable[[], object],
    ) -> None:
        super().__init__(window)
        self.setFixedWidth(_WIDTH_PX)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 14)
        column.setSpacing(6)
        title = f"{other} is training"
        self.setAccessibleName(title)
        column.addWidget(Label(title, "strong"))
        words = (
            f"Two at once share the memory and are slower. {name} can begin when its turn comes."
        )
        column.addWidget(Label(words, "secondary", "muted", wrap=True))
        column.addSpacing(4)
        row = QHBoxLayout()
        row.setSpacing(8)
        self.cancel = QuietButton("Cancel", size="small")
        self.now = SecondaryButton("Start now", size="small")
        self.wait = PrimaryButton("Wait in the queue", "clock", size="small")
        for button, action in ((self.cancel, None), (self.now, start), (self.wait, wait)):
            button.clicked.connect(self._answer(action))
        row.addWidget(self.cancel)
        row.addStretch(1)
        row.addWidget(self.now)
        row.addWidget(self.wait)
        column.addLayout(row)
        repaint_on_theme(self)

    def open_at(self, point: QPoint) -> None:
        """Show it near a global point, inside the window."""
        window, layout = self.parentWidget(), self.layout()
        if window is None or layout is None:
            return
        self.resize(_WIDTH_PX, max(layout.heightForWidth(_WIDTH_PX), self.sizeHint().height()))
        local = window.mapFromGlobal(point)
        left = min(local.x(), window.width() - self.width() - _EDGE_PX)
        top = min(local.y(), window.height() - self.height() - _EDGE_PX)
        self.move(max(left, _EDGE_PX), max(top, _EDGE_PX))
        self.show()
        self.raise_()
        self.wait.setFocus(Qt.FocusReason.TabFocusReason)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape leaves."""
        if event.key() == Qt.Key.Key_Escape:
            self._answer(None)()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """A popover."""
        p = theme().palette
        painter = painter_for(self)
        rounded_box(painter, QRectF(self.rect()), 8, fill=p.bg1, border=p.line2)
        painter.end()

    def _answer(self, action: Callable[[], object] | None) -> Callable[[], None]:
        def answer() -> None:
            self.hide()
            self.deleteLater()
            if action is not None:
                action()

        return answer

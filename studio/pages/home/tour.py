"""The tour card: an invitation, then the tour's progress, then what came out of it."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QLinearGradient, QPainterPath, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.pages.home.tour_facts import Choice, Step, TourView
from studio.palette import RoleName
from studio.theme import font, theme
from studio.widgets.buttons import Button, IconButton
from studio.widgets.card import Hairline
from studio.widgets.label import Label
from studio.widgets.paint import draw_icon, painter_for, repaint_on_theme, rounded_box
from studio.widgets.pill import Pill, PillLook
from studio.widgets.progress import ProgressLine

HEIGHT_PX = 158
_CIRCLE_PX = 22


class _Number(QWidget):
    """The number of a step in a ring: bright when it is its turn, a tick when it is done."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number
        self._state = "todo"
        self.setFixedSize(_CIRCLE_PX, _CIRCLE_PX)
        repaint_on_theme(self)

    def set_state(self, state: str) -> None:
        self._state = state
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        p = theme().palette
        painter = painter_for(self)
        box = QRectF(self.rect()).adjusted(0.75, 0.75, -0.75, -0.75)
        if self._state == "done":
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(p.ok.soft))
            painter.drawEllipse(box)
            draw_icon(painter, "check", p.ok.fg, 5, 5, 12)
        else:
            filled = self._state == "now"
            painter.setPen(QPen(QColor(p.accent), 1.5))
            painter.setBrush(QColor(p.fill) if filled else Qt.BrushStyle.NoBrush)
            painter.drawEllipse(box)
            painter.setFont(font("label", font("strong").weight()))
            painter.setPen(QColor(p.ink if filled else p.accent))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(self._number))
        painter.end()


class _StepView(QWidget):
    """A step with its two lines."""

    def __init__(self, number: int) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        self._number = _Number(number)
        row.addWidget(self._number, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout()
        column.setSpacing(0)
        self._title = Label("", "strong")
        self._lines = (Label("", "secondary", "muted"), Label("", "secondary", "muted"))
        column.addWidget(self._title)
        for line in self._lines:
            column.addWidget(line)
        column.addStretch(1)
        row.addLayout(column, 1)

    def show_step(self, step: Step) -> None:
        self._number.set_state(step.state)
        self._title.set_text(step.title)
        for label, text in zip(self._lines, step.lines, strict=True):
            label.set_text(text)


class TourCard(QWidget):
    """The card; `show_view` fills it.

    Signals:
        asked(str): A button was pressed; carries its action.
    """

    asked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._choices: tuple[Choice, ...] = ()
        self.setFixedHeight(HEIGHT_PX)
        self._chip = Pill(PillLook("New here?", "", "accent"))
        self._note = Label("", "secondary", "muted")
        self._heading = Label("", "heading", wrap=True)
        self._text = Label("", "secondary", "muted", wrap=True)
        self._bar = ProgressLine()
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(8)
        self._steps = tuple(_StepView(number) for number in (1, 2, 3))
        self._close = IconButton("x", "Not now", edge=24, parent=self)
        self._close.clicked.connect(lambda: self.asked.emit("hide"))
        self._lay_out()
        repaint_on_theme(self)

    def show_view(self, view: TourView) -> None:
        """Show what the tour does."""
        role: RoleName = (
            "danger" if view.failed else "ok" if view.chip == "Tour finished" else "accent"
        )
        self._chip.set_state(PillLook(view.chip, "", role))
        self._note.set_text(view.note)
        self._heading.set_text(view.heading)
        self._text.set_text(view.text)
        self._text.setVisible(bool(view.text))
        self._bar.setVisible(view.share is not None)
        self._bar.set_share(view.share or 0.0)
        for shown, step in zip(self._steps, view.steps, strict=True):
            shown.show_step(step)
        self._close.setVisible(view.closable)
        self._show_choices(view.choices)
        self.setAccessibleName(f"{view.heading}. {view.note}")

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The cross stays in its corner."""
        super().resizeEvent(event)
        self._close.setGeometry(self.width() - 32, 8, 24, 24)

    def paintEvent(self, event: QPaintEvent) -> None:
        """A panel that glows at the left."""
        p = theme().palette
        painter = painter_for(self)
        glow = QLinearGradient(QPointF(0, 0), QPointF(self.width() * 0.6, 0))
        glow.setColorAt(0.0, QColor(p.accent_soft))
        glow.setColorAt(0.7, QColor(p.bg1))
        box = QPainterPath()
        box.addRoundedRect(QRectF(self.rect()), 8, 8)
        painter.fillPath(box, glow)
        rounded_box(painter, QRectF(self.rect()), 8, border=p.line2)
        painter.end()

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(24, 18, 24, 18)
        row.setSpacing(0)
        left = QVBoxLayout()
        left.setSpacing(0)
        head = QHBoxLayout()
        head.setSpacing(10)
        head.addWidget(self._chip)
        head.addWidget(self._note, 1)
        left.addLayout(head)
        left.addSpacing(6)
        left.addWidget(self._heading)
        left.addWidget(self._text)
        left.addStretch(1)
        left.addWidget(self._bar)
        left.addStretch(1)
        left.addLayout(self._buttons)
        row.addLayout(left, 40)
        row.addSpacing(24)
        row.addWidget(Hairline(vertical=True))
        right = QHBoxLayout()
        right.setContentsMargins(26, 30, 0, 0)
        right.setSpacing(12)
        for step in self._steps:
            right.addWidget(step, 1)
        row.addLayout(right, 60)

    def _show_choices(self, choices: tuple[Choice, ...]) -> None:
        if choices == self._choices:
            return
        self._choices = choices
        while (item := self._buttons.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for choice in choices:
            button = Button(choice.word, choice.icon, kind=choice.kind)
            button.clicked.connect(lambda _=False, action=choice.action: self.asked.emit(action))
            self._buttons.addWidget(button)
        self._buttons.addStretch(1)

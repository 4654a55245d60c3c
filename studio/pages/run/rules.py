"""How far a model keeps the rules of a rule task: its accuracy by group, and its loss's levels."""

from __future__ import annotations

import math
from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from studio.palette import RoleName
from studio.theme import font, theme
from studio.widgets import figures
from studio.widgets.card import Hairline
from studio.widgets.headings import card_title
from studio.widgets.label import Label, Part
from studio.widgets.paint import painter_for, repaint_on_theme, rounded_box
from trainer_core.records import GroupScore, Validated
from trainer_core.rule_tasks import LEARNED, SOLVED, Ruled

ROW_PX: Final = 34
_BAR_PX: Final = 4
_BAR_TOP: Final = 22


class GroupBars(QWidget):
    """A row for each group: its name, its accuracy, and a bar with a tick where it counts."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.scores: tuple[GroupScore, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        repaint_on_theme(self)

    def set_scores(self, scores: tuple[GroupScore, ...]) -> None:
        """Show these."""
        if scores != self.scores:
            self.scores = scores
            told = (f"{each.group}: {figures.percent(each.accuracy)}" for each in scores)
            self.setAccessibleName("Accuracy. " + ", ".join(told))
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        """All rows."""
        return QSize(240, ROW_PX * len(self.scores))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Names at the left, figures at the right, bars below both."""
        palette = theme().palette
        painter = painter_for(self)
        width = float(self.width())
        for number, score in enumerate(self.scores):
            top = float(number * ROW_PX)
            line = QRectF(0, top, width, 20)
            painter.setFont(font("secondary"))
            painter.setPen(QColor(palette.text))
            room = int(width) - 64
            name = painter.fontMetrics().elidedText(score.group, Qt.TextElideMode.ElideRight, room)
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, name)
            painter.setFont(font("mono_small"))
            right = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
            painter.drawText(line, right, figures.percent(score.accuracy))
            track = QRectF(0, top + _BAR_TOP, width, _BAR_PX)
            rounded_box(painter, track, 2, fill=palette.bg3)
            done = QRectF(0, track.top(), width * score.accuracy, _BAR_PX)
            rounded_box(painter, done, 2, fill=palette.role(role_of(score.accuracy)).fg)
            tick = QRectF(round(width * LEARNED), track.top() - 2, 1, _BAR_PX + 4)
            painter.fillRect(tick, QColor(palette.muted))
        painter.end()


def role_of(accuracy: float) -> RoleName:
    """The colour of an accuracy: solved, learned by the task's author's measure, or neither."""
    return "ok" if accuracy >= SOLVED else "warn" if accuracy > LEARNED else "danger"


class RulesPanel(QWidget):
    """The score of the last validation of a run on a rule task."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = card_title("Accuracy on fresh lines")
        self.when = Label("", "label", "muted")
        self.bars = GroupBars()
        self.finding = Label("", "secondary", "muted", wrap=True)
        self.levels = QVBoxLayout()
        self.levels.setSpacing(4)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(16, 14, 16, 16)
        column.setSpacing(0)
        column.addWidget(self.title)
        column.addWidget(self.when)
        column.addSpacing(12)
        column.addWidget(self.bars)
        column.addSpacing(6)
        column.addWidget(self.finding)
        column.addSpacing(14)
        column.addWidget(Hairline())
        column.addSpacing(12)
        column.addWidget(card_title("Loss, nats per character"))
        column.addSpacing(6)
        column.addLayout(self.levels)
        column.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(inside)
        area.viewport().setAutoFillBackground(False)
        inside.setAutoFillBackground(False)
        around = QVBoxLayout(self)
        around.setContentsMargins(0, 0, 0, 0)
        around.addWidget(area)
        self._shown: tuple[object, ...] = ()

    def show_score(self, last: Validated, task: Ruled) -> None:
        """Show a validation.

        Args:
            last: With groups.
            task: Whose groups they are.
        """
        shown = (last, task.title)
        if shown == self._shown:
            return
        self._shown = shown
        most = max(score.total for score in last.groups)
        self.when.set_text(f"{task.title}, step {last.step:,}, up to {most:,} lines each")
        self.bars.set_scores(last.groups)
        self.finding.set_text(finding(last.groups))
        self._show_levels(nats_per_character(last), task)

    def _show_levels(self, loss: float, task: Ruled) -> None:
        while (item := self.levels.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()
        levels = [(plateau.name.capitalize(), plateau.nats) for plateau in task.plateaus()]
        levels.append(("This model", loss))
        for name, nats in sorted(levels, key=lambda level: -level[1]):
            mine = name == "This model"
            self.levels.addWidget(_level(name, figures.loss(nats), mine=mine))


def _level(name: str, value: str, *, mine: bool) -> QWidget:
    row = QWidget()
    line = QHBoxLayout(row)
    line.setContentsMargins(0, 0, 0, 0)
    line.addWidget(Label(name, "secondary", "text" if mine else "muted"), 1)
    figure = Label("", "mono_small", "text" if mine else "muted", elide=False)
    figure.set_parts(Part(value))
    line.addWidget(figure)
    return row


def nats_per_character(last: Validated) -> float:
    """The loss that plateaus are told in, whatever the tokenizer: its text is all ASCII."""
    return last.bits_per_byte * math.log(2)


def finding(scores: tuple[GroupScore, ...]) -> str:
    """The score in a sentence."""
    solved = sum(score.accuracy >= SOLVED for score in scores)
    learned = sum(score.accuracy > LEARNED for score in scores)
    low, high = figures.percent(LEARNED, 0), figures.percent(SOLVED, 0)
    if solved == len(scores):
        return f"All {solved} at {high} or more."
    return f"{learned} of {len(scores)} above {low}, where the tick is; {solved} at {high} or more."

"""The button that says which checkpoint answers, with a menu of the others."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import groupby

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPaintEvent
from PySide6.QtWidgets import QMenu, QWidget

from studio.pages.playground.servers import CheckpointChoice
from studio.theme import font, theme
from studio.widgets.paint import draw_icon, painter_for, rounded_box
from studio.widgets.pressable import Pressable

_HEIGHT = 32
_BADGE = 18
_NAME_MAX = 220


class CheckpointButton(Pressable):
    """Run, step and tags of the checkpoint that answers.

    Signals:
        chosen (object): Another `CheckpointChoice` was picked.
    """

    chosen = Signal(object)
    press_keys = (*Pressable.press_keys, Qt.Key.Key_Down)  # as a drop-down list does

    def __init__(self, letter: str = "A", parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._letter = letter
        self._choice: CheckpointChoice | None = None
        self._choices: tuple[CheckpointChoice, ...] = ()
        self.clicked.connect(self._on_clicked)
        self.show_choices((), None)

    def show_choices(
        self, choices: Sequence[CheckpointChoice], current: CheckpointChoice | None
    ) -> None:
        """Offer these checkpoints, and show which one answers."""
        self._choices = tuple(choices)
        self._choice = current
        self.setEnabled(bool(choices))
        self.setAccessibleName(f"Checkpoint: {' '.join(text for text, _ in self._texts())}")
        self.updateGeometry()
        self.update()

    def _texts(self) -> list[tuple[str, QFont]]:
        if self._choice is None:
            return [("No checkpoint yet", font("strong"))]
        texts = [
            (self._choice.run_name, font("strong")),
            (f"step {self._choice.step:,}", font("mono_small", QFont.Weight.Normal)),
        ]
        if self._choice.tags:
            texts.append((self._choice.tags, font("secondary")))
        return texts

    def sizeHint(self) -> QSize:
        """Badge, texts, arrow."""
        widths = [
            min(QFontMetrics(used).horizontalAdvance(text), _NAME_MAX)
            for text, used in self._texts()
        ]
        return QSize(10 + _BADGE + 8 + sum(widths) + 8 * len(widths) + 24, _HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Box, badge, texts, arrow."""
        palette = theme().palette
        painter = painter_for(self)
        fill = palette.bg3 if self._hovered and self.isEnabled() else palette.bg2
        fill = fill if palette.is_dark or self._hovered else palette.bg1
        rounded_box(painter, QRectF(self.rect()), 6, fill=fill, border=palette.line2)
        badge = QRectF(10, (_HEIGHT - _BADGE) / 2, _BADGE, _BADGE)
        rounded_box(painter, badge, 4, fill=palette.s1)
        painter.setPen(QColor(palette.ink))
        painter.setFont(font("label", QFont.Weight.Bold))
        painter.drawText(badge, Qt.AlignmentFlag.AlignCenter, self._letter)
        left = badge.right() + 8
        for number, (text, used) in enumerate(self._texts()):
            painter.setFont(used)
            painter.setPen(QColor(palette.text if number == 0 else palette.muted))
            metrics = painter.fontMetrics()
            shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, _NAME_MAX)
            width = metrics.horizontalAdvance(shown)
            box = QRectF(left, 0, width + 2, _HEIGHT)
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, shown)
            left += width + 8
        draw_icon(painter, "chevron-down", palette.muted, self.width() - 22, 9, 14)
        painter.end()

    def _on_clicked(self) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for name, group in groupby(self._choices, key=lambda choice: choice.run_name):
            of_run = list(group)
            place = menu if len(of_run) == len(self._choices) else menu.addMenu(name)
            for choice in of_run:
                tags = f"   {choice.tags}" if choice.tags else ""
                action = place.addAction(f"step {choice.step:,}{tags}")
                action.setCheckable(True)
                action.setChecked(choice == self._choice)
                action.triggered.connect(partial(self.chosen.emit, choice))
        menu.popup(self.mapToGlobal(self.rect().bottomLeft()))

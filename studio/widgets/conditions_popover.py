"""A popover over the window that asks when a training may work: Keep keeps it, Escape leaves it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, QRectF, Qt
from PySide6.QtGui import QKeyEvent, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.theme import theme
from studio.widgets.buttons import PrimaryButton, QuietButton
from studio.widgets.conditions_form import ConditionsForm
from studio.widgets.focus import GivesFocusBack
from studio.widgets.label import Label
from studio.widgets.paint import painter_for, repaint_on_theme, rounded_box
from trainer_core.manners import Conditions

_WIDTH_PX = 440
_EDGE_PX = 8


class ConditionsPopover(GivesFocusBack, QWidget):
    """One form over the window; it removes itself when it is answered or left.

    Args:
        window: What it lies over.
        title: What it is about, such as "When plain-163m trains".
        conditions: As they are.
        accept: Gets the new ones; not called when nothing was changed.
    """

    def __init__(
        self,
        window: QWidget,
        title: str,
        conditions: Conditions,
        accept: Callable[[Conditions], object],
    ) -> None:
        super().__init__(window)
        self._before = conditions
        self._accept = accept
        self.setFixedWidth(_WIDTH_PX)
        self.setAccessibleName(title)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 14)
        column.setSpacing(10)
        column.addWidget(Label(title, "strong"))
        self.form = ConditionsForm(conditions)
        self.form.changed.connect(self._on_changed)
        column.addWidget(self.form)
        column.addWidget(
            Label(
                "While it holds, its memory on the GPU is free; then it goes on exactly.",
                "label",
                "muted",
                wrap=True,
            )
        )
        row = QHBoxLayout()
        row.addStretch(1)
        cancel = QuietButton("Cancel", size="small")
        cancel.clicked.connect(self.close_up)
        self.keep = PrimaryButton("Keep", size="small")
        self.keep.clicked.connect(self._on_kept)
        row.addWidget(cancel)
        row.addWidget(self.keep)
        column.addLayout(row)
        repaint_on_theme(self)

    def open_at(self, point: QPoint) -> None:
        """Show it near a global point, inside the window."""
        self._fit()
        window = self.parentWidget()
        if window is None:
            return
        local = window.mapFromGlobal(point)
        left = min(local.x(), window.width() - self.width() - _EDGE_PX)
        top = min(local.y(), window.height() - self.height() - _EDGE_PX)
        self.move(max(left, _EDGE_PX), max(top, _EDGE_PX))
        self.show()
        self.raise_()
        self.form.hours.setFocus(Qt.FocusReason.TabFocusReason)

    def close_up(self) -> None:
        """Leave without a change."""
        self.hide()
        self.deleteLater()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape leaves, Enter keeps."""
        if event.key() == Qt.Key.Key_Escape:
            self.close_up()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._on_kept()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """A popover."""
        p = theme().palette
        painter = painter_for(self)
        rounded_box(painter, QRectF(self.rect()), 8, fill=p.bg1, border=p.line2)
        painter.end()

    def _fit(self) -> None:
        layout = self.layout()
        height = layout.heightForWidth(_WIDTH_PX) if layout is not None else 0
        self.resize(_WIDTH_PX, max(height, self.sizeHint().height()))

    def _on_changed(self) -> None:
        self.keep.setEnabled(not self.form.problem)
        self._fit()

    def _on_kept(self) -> None:
        if self.form.problem:
            return
        conditions = self.form.value()
        self.close_up()
        if conditions != self._before:
            self._accept(conditions)

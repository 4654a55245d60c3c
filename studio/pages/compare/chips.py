"""The runs of a comparison as chips: their colour, their name, and a way to leave them out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QContextMenuEvent, QKeyEvent, QMouseEvent, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QSizePolicy, QWidget

from studio.pages.compare.facts import RUNS_MAX, Compared
from studio.theme import font, text_width, theme
from studio.widgets.controls import QuietButton
from studio.widgets.focus import KeyboardFocus
from studio.widgets.menu import Menu
from studio.widgets.paint import draw_icon, painter_for, repaint_on_theme, rounded_box

_CROSS_PX = 26


class RunChip(KeyboardFocus, QAbstractButton):
    """One run. A click on the cross leaves it out; a right-click makes it the base.

    Signals:
        removed: Leave it out.
        base_wanted: Hold the others against it.
    """

    removed = Signal()
    base_wanted = Signal()
    focus_radius = 14.0

    def __init__(self, run: Compared, *, is_base: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colour = f"s{run.slot + 1}"
        self._is_base = is_base
        self.setText(run.row.name)
        base = ", the base" if is_base else ""
        self.setAccessibleName(f"{run.row.name}{base}. Delete leaves it out.")
        what = "The base of the comparison" if is_base else "Right-click: compare to it"
        self.setToolTip(f"{run.row.name}\n{what}")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.clicked.connect(self._on_clicked)
        self._pressed_at = 0.0
        repaint_on_theme(self)

    def sizeHint(self) -> QSize:
        """Square, name, cross."""
        return QSize(30 + text_width(self.text(), "secondary") + _CROSS_PX, 28)

    def minimumSizeHint(self) -> QSize:
        """A few letters."""
        return QSize(min(self.sizeHint().width(), 92), 28)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Remember where, for the cross."""
        self._pressed_at = event.position().x()
        super().mousePressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Offer to make it the base."""
        self._open_menu(event.globalPos())

    def _open_menu(self, at: QPoint) -> None:
        menu = Menu(self)
        allowed = not self._is_base
        menu.add("Compare to this run", self.base_wanted.emit, "pin", enabled=allowed)
        menu.add("Leave out", self.removed.emit, "x")
        menu.open_at(at)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Delete leaves it out, Enter and Space open its menu."""
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.removed.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self._open_menu(self.mapToGlobal(self.rect().bottomLeft()))
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The chip; the base has a stronger border."""
        palette = theme().palette
        painter = painter_for(self)
        border = palette.faint if self._is_base else palette.line2
        rounded_box(painter, QRectF(self.rect()), 14, fill=palette.bg2, border=border)
        square = QRectF(11, (self.height() - 10) / 2, 10, 10)
        rounded_box(painter, square, 2, fill=QColor(str(getattr(palette, self._colour))))
        painter.setFont(font("secondary"))
        painter.setPen(QColor(palette.text))
        room = self.width() - 30 - _CROSS_PX
        words = painter.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, room + 2)
        box = QRectF(29, 0, room + 2, self.height())
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, words)
        draw_icon(painter, "x", palette.muted, self.width() - 21, (self.height() - 12) / 2, 12)
        painter.end()

    def _on_clicked(self) -> None:
        if self._pressed_at >= self.width() - _CROSS_PX:
            self.removed.emit()


class RunChips(QWidget):
    """The chips, and a button for one more.

    Signals:
        removed: Carries the id of a run to leave out.
        base_wanted: Carries the id of the run to hold the others against.
        add_wanted: Carries the global point where a menu may open.
    """

    removed = Signal(int)
    base_wanted = Signal(int)
    add_wanted = Signal(QPoint)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(8, 0, 0, 0)
        self._row.setSpacing(12)
        self.chips: list[RunChip] = []
        self._shown: tuple[object, ...] = ()
        self.add = QuietButton("Add run", "plus")
        self.add.clicked.connect(self._on_add)
        self._row.addWidget(self.add)

    def show_runs(self, runs: Sequence[Compared], base: Compared | None) -> None:
        """Show a chip for each run."""
        base_id = None if base is None else base.row.id
        key = (base_id, *((run.row.id, run.row.name, run.slot) for run in runs))
        if key == self._shown:
            return
        self._shown = key
        for chip in self.chips:
            self._row.removeWidget(chip)
            chip.hide()
            chip.deleteLater()
        self.chips = []
        for place, run in enumerate(runs):
            chip = RunChip(run, is_base=len(runs) > 1 and run.row.id == base_id)
            chip.removed.connect(partial(self.removed.emit, run.row.id))
            chip.base_wanted.connect(partial(self.base_wanted.emit, run.row.id))
            self._row.insertWidget(place, chip)
            self.chips.append(chip)
        self.add.setVisible(len(runs) < RUNS_MAX)

    def _on_add(self) -> None:
        self.add_wanted.emit(self.add.mapToGlobal(self.add.rect().bottomLeft()))

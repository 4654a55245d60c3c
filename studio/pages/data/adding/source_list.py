"""The sources of a mixed dataset, one row each: choose one to set it, take one out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from studio.pages.data.adding.source_form import SourceForm, title_of, what_of
from studio.theme import font, theme
from studio.widgets.controls import IconButton
from studio.widgets.paint import painter_for, rounded_box
from studio.widgets.pressable import Pressable

_ROW_PX = 36
_NAME_PX = 180


class SourceRow(Pressable):
    """One source: its name and what it is; the chosen one is lit."""

    focus_radius = 6.0

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._what = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_source(self, form: SourceForm, *, chosen: bool) -> None:
        """Show a source."""
        limit = f", at most {form.max_bytes.strip()}" if form.max_bytes.strip() else ""
        self._what = f"{what_of(form)}{limit}"
        self.setText(title_of(form))
        self.setAccessibleName(f"{self.text()}: {self._what}")
        self.setCheckable(True)
        self.setChecked(chosen)
        self.update()

    def nextCheckState(self) -> None:
        """A click chooses; only another row's click takes the choice away."""
        self.setChecked(True)

    def sizeHint(self) -> QSize:
        """One row of a table."""
        return QSize(320, _ROW_PX)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Ground, bar, name, what it is."""
        p = theme().palette
        painter = painter_for(self)
        if self.isChecked():
            rounded_box(painter, QRectF(self.rect()), 6, fill=p.accent_soft)
            painter.fillRect(QRectF(0, 6, 2, self.height() - 12), QColor(p.accent))
        elif self._hovered:
            rounded_box(painter, QRectF(self.rect()), 6, fill=p.bg2)
        left = 12.0
        elide = Qt.TextElideMode.ElideRight
        for text, role, colour, room in (
            (self.text(), "strong", p.text, _NAME_PX),
            (self._what, "secondary", p.muted, self.width() - _NAME_PX - 36),
        ):
            painter.setFont(font("strong" if role == "strong" else "secondary"))
            painter.setPen(QColor(colour))
            words = painter.fontMetrics().elidedText(text, elide, int(room))
            box = QRectF(left, 0, room, self.height())
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, words)
            left += room + 12
        painter.end()


class SourceList(QWidget):
    """Hidden while there is one source only.

    Signals:
        chosen (int): A source is to be set; its place, from 0.
        removed (int): A source is to be taken out.
    """

    chosen = Signal(int)
    removed = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[tuple[QWidget, SourceRow, IconButton]] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(2)

    def show_sources(self, forms: Sequence[SourceForm], current: int) -> None:
        """Show these sources, one of them chosen."""
        while len(self._rows) > len(forms):
            holder = self._rows.pop()[0]
            self._column.removeWidget(holder)
            holder.hide()
            holder.deleteLater()
        while len(self._rows) < len(forms):
            self._add_row(len(self._rows))
        for number, (form, (_, row, remove)) in enumerate(zip(forms, self._rows, strict=True)):
            row.show_source(form, chosen=number == current)
            remove.setAccessibleName(f"Take out {title_of(form)}")
        self.setVisible(len(forms) > 1)

    def _add_row(self, number: int) -> None:
        holder = QWidget()
        layout = QHBoxLayout(holder)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        row = SourceRow()
        row.clicked.connect(partial(self.chosen.emit, number))
        remove = IconButton("x", "Take this source out", edge=26)
        remove.clicked.connect(partial(self.removed.emit, number))
        layout.addWidget(row, 1)
        layout.addWidget(remove)
        self._column.addWidget(holder)
        self._rows.append((holder, row, remove))

"""The figures of a dataset in a row: documents, tokens, text, index, duplicates, repeats."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.pages.data.facts import DatasetFacts
from studio.theme import theme
from studio.widgets.card import Hairline
from studio.widgets.figures import MISSING, count, percent, plural, size, whole
from studio.widgets.focus import KeyboardFocus
from studio.widgets.icon import IconLabel
from studio.widgets.label import Label
from studio.widgets.paint import painter_for, repaint_on_theme, rounded_box
from studio.widgets.pressable import HoverLight

_LABELS = ("Documents", "Tokens", "Text", "Index", "Exact duplicates", "Repeated text")
_PASSAGES = ("Exact duplicates", "Repeated text")
"""Figures that open the list of what stands in the text more than once."""
_INSET_PX = 8


class FigureCell(HoverLight, KeyboardFocus, QWidget):
    """A figure between its name and one line of context; some can be opened.

    Signals:
        clicked: More of it is wanted.
    """

    clicked = Signal()

    def __init__(self, name: str, *, inset_px: int = 0, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self._opens = False
        self.value = Label(MISSING, "tile", elide=False)
        self.context = Label("", "label", "muted")
        self._arrow = IconLabel("chevron-right", "muted", 12)
        self._arrow.hide()
        head = QHBoxLayout()
        head.setSpacing(2)
        head.addWidget(Label(name, "label", "muted"))
        head.addWidget(self._arrow)
        head.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(inset_px, 4, inset_px, 4)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self.value)
        column.addWidget(self.context)
        repaint_on_theme(self)

    def show_figure(self, value: str, context: str, tooltip: str = "") -> None:
        """Show a figure and what it means."""
        self.value.set_text(value)
        self.value.set_tooltip(tooltip)
        self.context.set_text(context)
        self.setAccessibleName(f"{self._name}: {value} {context}")

    def set_opens(self, opens: bool) -> None:
        """Whether it can be opened."""
        if opens == self._opens:
            return
        self._opens = opens
        self._arrow.setVisible(opens)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus if opens else Qt.FocusPolicy.NoFocus)
        shape = Qt.CursorShape.PointingHandCursor if opens else Qt.CursorShape.ArrowCursor
        self.setCursor(shape)
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Open it."""
        inside = self.rect().contains(event.position().toPoint())
        if self._opens and inside and event.button() == Qt.MouseButton.LeftButton:
            self.clicked.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter and Space open it."""
        if self._opens and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.clicked.emit()
            return
        super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Light up where it can be opened."""
        if self._opens and self._hovered:
            painter = painter_for(self)
            rounded_box(painter, QRectF(self.rect()), 6, fill=QColor(theme().palette.bg2).name())
            painter.end()


class FigureStrip(QWidget):
    """Six figures in a row, parted by hairlines.

    Signals:
        passages_requested: What stands in the text more than once is to be shown.
    """

    passages_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        self.cells: dict[str, FigureCell] = {}
        for number, name in enumerate(_LABELS):
            if number:
                row.addWidget(Hairline(vertical=True))
                row.addSpacing(15 - _INSET_PX)
            cell = self.cells[name] = FigureCell(name, inset_px=_INSET_PX if number else 0)
            row.addWidget(cell, 1)
            if name in _PASSAGES:
                cell.clicked.connect(self.passages_requested)

    def show_facts(self, facts: DatasetFacts) -> None:
        """Show a dataset's figures."""
        manifest = facts.manifest
        if manifest is None:
            return
        n_bytes, tokens, documents = manifest.bytes, manifest.tokens, manifest.documents
        mean = (tokens - documents) / max(documents, 1)
        self._show("Documents", whole(documents), f"mean {whole(mean)} tokens")
        per_token = n_bytes / max(tokens - documents, 1)
        exact = f"{tokens:,} tokens"
        self._show("Tokens", count(tokens), f"{per_token:.2f} bytes per token", exact)
        read = f"UTF-8, {plural(manifest.source.documents_read, 'document')}"
        if len(manifest.sources) > 1:
            read = f"UTF-8, {len(manifest.sources)} sources"
        self._show("Text", size(n_bytes), read, f"{n_bytes:,} bytes")
        self._show_index(facts, manifest.train.tokens)
        self._show_duplicates(facts, documents)
        for name in _PASSAGES:
            self.cells[name].set_opens(facts.index.kind == "ready")

    def _show(self, name: str, value: str, context: str, tooltip: str = "") -> None:
        self.cells[name].show_figure(value, context, tooltip)

    def _show_index(self, facts: DatasetFacts, train_tokens: int) -> None:
        stored = facts.index_bytes if facts.index_ready else None
        if stored:
            per_token = f"{stored / max(train_tokens, 1):.1f}".rstrip("0").rstrip(".")
            exact = f"{stored:,} bytes"
            self._show("Index", size(stored), f"{per_token} bytes per token", exact)
        else:
            building = facts.index.kind == "building"
            self._show("Index", MISSING, "being built" if building else "not built")

    def _show_duplicates(self, facts: DatasetFacts, documents: int) -> None:
        groups = facts.manifest.source.skipped if facts.manifest else ()
        removed = sum(group.count for group in groups if group.reason == "duplicate")
        found = facts.duplicates
        stayed = found.exact_duplicate_documents if found is not None else 0
        share = (removed + stayed) / max(documents + removed, 1)
        words = "none found"
        if removed:
            words = f"{plural(removed, 'document')} removed"
        if stayed:
            words = f"{whole(stayed)} still there" + (f", {whole(removed)} removed" * bool(removed))
        self._show(_PASSAGES[0], percent(share, 2 if 0 < share < 0.01 else 1), words)
        repeated = found.repeated_share if found is not None else None
        reason = "of tokens in repeats of 32+"
        if found is None:
            reason = "not measured" if facts.index_ready else "known with the index"
        elif repeated is None:
            reason = f"needs matches of {found.least_tokens} or more"
        self._show(_PASSAGES[1], percent(repeated), reason)

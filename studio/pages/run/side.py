"""The right column of a run: rules, data, samples, events, notes; a drawer in a narrow window."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from studio.pages.run.events import EventsPanel
from studio.pages.run.notes import NotesPanel
from studio.pages.run.rules import RulesPanel
from studio.pages.run.samples import SamplesPanel
from studio.pages.run.sources import SourcesPanel
from studio.theme import font, text_width, theme
from studio.widgets.card import Panel
from studio.widgets.controls import IconButton
from studio.widgets.focus import KeyboardFocus
from studio.widgets.icon import IconLabel
from studio.widgets.label import Label
from studio.widgets.paint import painter_for, repaint_on_theme
from trainer_core.records import SourcesSeen, Validated
from trainer_core.rule_tasks import Ruled

WIDTH_PX: Final = 320
TABS: Final = ("rules", "data", "samples", "events", "notes")
_ALWAYS: Final = TABS[2:]
_WORDS: Final = {key: key.capitalize() for key in TABS}


class Tabs(KeyboardFocus, QWidget):
    """Words with counts, one of them underlined; arrows move. Some are there for some runs alone.

    Signals:
        chosen: Another one was taken; carries its key.
    """

    chosen = Signal(str)
    focus_radius = 4.0

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.current = "samples"
        self.shown: tuple[str, ...] = _ALWAYS
        self._counts: dict[str, int] = {}
        self._hovered = ""
        self.setFixedHeight(40)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Samples, events and notes")
        repaint_on_theme(self)

    def set_count(self, key: str, count: int) -> None:
        """Write a number behind a word; 0 writes none."""
        if self._counts.get(key) != count:
            self._counts[key] = count
            self.update()

    def offer(self, key: str) -> bool:
        """Offer a tab that not every run has; False when it was there already."""
        if key in self.shown:
            return False
        self.shown = tuple(each for each in TABS if each in (*self.shown, key))
        self.setAccessibleName(", ".join(_WORDS[each] for each in self.shown))
        self.update()
        return True

    def choose(self, key: str) -> None:
        """Take a tab."""
        if key != self.current:
            self.current = key
            self.update()
            self.chosen.emit(key)

    def sizeHint(self) -> QSize:
        """All words."""
        return QSize(sum(box.width() + 20 for box in self._boxes().values()).__ceil__() + 32, 40)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and right take the neighbour."""
        move = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if move is None:
            super().keyPressEvent(event)
            return
        place = self.shown.index(self.current) + move
        if 0 <= place < len(self.shown):
            self.choose(self.shown[place])

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take the tab under the pointer."""
        key = self._at(event)
        if key:
            self.choose(key)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Light up the tab under the pointer."""
        key = self._at(event)
        if key != self._hovered:
            self._hovered = key
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Nothing is under the pointer."""
        self._hovered = ""
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Words, counts, the line below the one in force."""
        palette = theme().palette
        painter = painter_for(self)
        painter.fillRect(0, self.height() - 1, self.width(), 1, QColor(palette.line))
        for key, box in self._boxes().items():
            on = key == self.current
            painter.setFont(font("strong" if on else "body"))
            painter.setPen(QColor(palette.text if on or key == self._hovered else palette.muted))
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, _WORDS[key])
            count = self._counts.get(key, 0)
            if count:
                painter.setFont(font("mono_small"))
                painter.setPen(QColor(palette.muted))
                left = box.left() + text_width(_WORDS[key], "strong") + 5
                rest = QRectF(left, 0, box.right() - left + 4, self.height())
                painter.drawText(rest, Qt.AlignmentFlag.AlignVCenter, f"{count:,}")
            if on:
                line = QRectF(box.left(), self.height() - 2, box.width(), 2)
                painter.fillRect(line, QColor(palette.accent))
        painter.end()

    def _boxes(self) -> dict[str, QRectF]:
        boxes, left = {}, 16.0
        for key in self.shown:
            width = float(text_width(_WORDS[key], "strong"))
            count = self._counts.get(key, 0)
            if count:
                width += 5 + text_width(f"{count:,}", "mono_small")
            boxes[key] = QRectF(left, 0, width, self.height())
            left += width + (20 if len(self.shown) < len(TABS) else 14)
        return boxes

    def _at(self, event: QMouseEvent) -> str:
        for key, box in self._boxes().items():
            if box.adjusted(-10, 0, 10, 0).contains(event.position()):
                return key
        return ""


class SidePanel(Panel):
    """Rules, data, samples, events and notes of a run.

    Signals:
        closed: The drawer shall close.
    """

    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("bg1", left_line=True, parent=parent)
        self.setFixedWidth(WIDTH_PX)
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 0, 0, 0)
        column.setSpacing(0)
        self.tabs = Tabs()
        self.close_button = IconButton("x", "Close", edge=26)
        self.close_button.clicked.connect(self.closed)
        self.close_button.hide()
        head = QHBoxLayout()
        head.setSpacing(0)
        head.addWidget(self.tabs, 1)
        head.addWidget(self.close_button)
        column.addLayout(head)
        self.rules = RulesPanel()
        self.sources = SourcesPanel()
        self.samples = SamplesPanel()
        self.events = EventsPanel()
        self.notes = NotesPanel()
        self._stack = QStackedWidget()
        for panel in (self.rules, self.sources, self.samples, self.events, self.notes):
            self._stack.addWidget(panel)
        column.addWidget(self._stack, 1)
        column.addWidget(self._make_foot())
        self.tabs.chosen.connect(self._on_tab)
        self._samples_foot = ""
        self._on_tab(self.tabs.current)

    def set_samples_foot(self, text: str) -> None:
        """What stands below the samples: how they were drawn."""
        self._samples_foot = text
        self._show_foot()

    def show_score(self, last: Validated, task: Ruled) -> None:
        """Show how far the rules of a task are kept; its tab is taken the first time."""
        self.rules.show_score(last, task)
        if self.tabs.offer("rules"):
            self.tabs.choose("rules")

    def show_seen(self, seen: SourcesSeen, last: Validated | None, *, obstacle: str) -> None:
        """Show what was seen of each source; see `SourcesPanel.show_seen`."""
        self.tabs.offer("data")
        self.sources.show_seen(seen, last, obstacle=obstacle)

    def show_samples_at(self, step: int) -> None:
        """Open the samples of a checkpoint."""
        self.tabs.choose("samples")
        self.samples.show_step(step)

    def set_drawer(self, drawer: bool) -> None:
        """Whether it lies over the page and can be closed."""
        self.close_button.setVisible(drawer)

    def _make_foot(self) -> QWidget:
        foot = Panel("bg1", top_line=True)
        foot.setFixedHeight(38)
        row = QHBoxLayout(foot)
        row.setContentsMargins(16, 0, 16, 0)
        row.setSpacing(8)
        self._foot_icon = IconLabel("info", "muted", 14)
        self._foot = Label("", "label", "muted")
        row.addWidget(self._foot_icon)
        row.addWidget(self._foot, 1)
        return foot

    def _on_tab(self, key: str) -> None:
        self._stack.setCurrentIndex(TABS.index(key))
        self._show_foot()

    def _show_foot(self) -> None:
        texts = {
            "rules": "Fresh lines, the same ones at every validation",
            "data": "The order is fixed by the seed, so this is exact",
            "samples": self._samples_foot,
            "events": "Click an event to move the crosshair to its step",
            "notes": "Kept in your library, not in the run's folder",
        }
        self._foot.set_text(texts[self.tabs.current])
        self._foot_icon.setVisible(bool(texts[self.tabs.current]))

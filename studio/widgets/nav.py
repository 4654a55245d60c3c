"""The navigation at the left: logo, six pages with counts, and the device panel."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from studio.language import tr
from studio.theme import font, theme
from studio.widgets.card import Panel
from studio.widgets.device_panel import DevicePanel
from studio.widgets.paint import draw_icon, painter_for, repaint_on_theme, rounded_box
from studio.widgets.pressable import Pressable

WIDE_PX = 200
NARROW_PX = 56


@dataclass(frozen=True)
class Destination:
    """A page that the navigation leads to; `key` is what `Page.nav_key` says."""

    key: str
    title: str
    icon: str


DESTINATIONS: tuple[Destination, ...] = (
    Destination("home", "Projects", "layout-grid"),
    Destination("runs", "Runs", "activity"),
    Destination("data", "Data", "database"),
    Destination("playground", "Playground", "message-square-text"),
    Destination("compare", "Compare", "compare"),
    Destination("settings", "Settings", "settings-2"),
)


class _Entry(Pressable):
    """One page."""

    def __init__(self, destination: Destination, shortcut: str) -> None:
        destination = replace(destination, title=tr(destination.title))
        super().__init__(destination.title)
        self._destination = destination
        self._shortcut = shortcut
        self._count = ""
        self._live = False
        self._collapsed = False
        self.setCheckable(True)
        self.setAutoExclusive(True)
        self.setFixedHeight(32)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._refresh_words()

    def set_count(self, count: str, live: bool) -> None:
        if (count, live) != (self._count, self._live):
            self._count, self._live = count, live
            self._refresh_words()
            self.update()

    def set_collapsed(self, collapsed: bool) -> None:
        self._collapsed = collapsed
        self._refresh_words()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(184, 32)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Up:
            self.focusPreviousChild()
        elif event.key() == Qt.Key.Key_Down:
            self.focusNextChild()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        p = theme().palette
        painter = painter_for(self)
        chosen = self.isChecked()
        if chosen or self._hovered:
            rounded_box(painter, QRectF(self.rect()), 6, fill=p.bg3 if chosen else p.bg2)
        if chosen:
            painter.fillRect(QRectF(0, 8, 2, 16), QColor(p.accent))
        colour = p.text if chosen or self._hovered else p.muted
        left = (self.width() - 16) / 2 if self._collapsed else 12
        draw_icon(painter, self._destination.icon, colour, left, 8)
        if self._collapsed:
            if self._live:
                self._paint_dot(painter, self.width() - 9, 9)
        else:
            painter.setFont(font("strong"))
            painter.setPen(QColor(colour))
            words = QRectF(38, 0, self.width() - 38, self.height())
            painter.drawText(words, Qt.AlignmentFlag.AlignVCenter, self._destination.title)
            self._paint_count(painter)
        painter.end()

    def _paint_count(self, painter: QPainter) -> None:
        if not self._count:
            return
        p = theme().palette
        painter.setFont(font("mono_small"))
        painter.setPen(QColor(p.accent if self._live else p.muted))
        width = painter.fontMetrics().horizontalAdvance(self._count)
        left = self.width() - 12 - width
        box = QRectF(left, 0, width + 2, self.height())
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, self._count)
        if self._live:
            self._paint_dot(painter, left - 9, self.height() / 2)

    def _paint_dot(self, painter: QPainter, x: float, y: float) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme().palette.accent))
        painter.drawEllipse(QPointF(x, y), 3.0, 3.0)

    def _refresh_words(self) -> None:
        count = f", {self._count}{' at work' if self._live else ''}" if self._count else ""
        name = f"{self._destination.title}{count}"
        self.setAccessibleName(name)
        self.setToolTip(f"{name}  ({self._shortcut})" if self._collapsed else self._shortcut)


class _Logo(QWidget):
    """The flame, and the name beside it where there is room."""

    def __init__(self) -> None:
        super().__init__()
        self._collapsed = False
        self.setFixedHeight(56)
        self.setAccessibleName("Hearth")
        repaint_on_theme(self)

    def set_collapsed(self, collapsed: bool) -> None:
        self._collapsed = collapsed
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        p = theme().palette
        painter = painter_for(self)
        left = (self.width() - 24) / 2 if self._collapsed else 19
        draw_icon(painter, "hearth", p.text, left, 16, 24)
        if not self._collapsed:
            painter.setFont(font("title"))
            painter.setPen(QColor(p.text))
            box = QRectF(52, 0, self.width() - 52, 56)
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, "Hearth")
        painter.end()


class NavRail(Panel):
    """The column of entries.

    Signals:
        chosen(str): The user went for a page; carries its key.
    """

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("bg1", right_line=True, parent=parent)
        self.setFixedWidth(WIDE_PX)
        self._entries: dict[str, _Entry] = {}
        self._collapsed = False
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self._logo = _Logo()
        column.addWidget(self._logo)
        top = QVBoxLayout()
        top.setContentsMargins(8, 0, 9, 0)
        top.setSpacing(2)
        for number, destination in enumerate(DESTINATIONS, 1):
            entry = _Entry(destination, f"Ctrl+{number}")
            entry.clicked.connect(lambda _=False, key=destination.key: self.chosen.emit(key))
            self._entries[destination.key] = entry
            top.addWidget(entry)
        self.device = DevicePanel()
        column.addLayout(top)
        column.addStretch(1)
        column.addWidget(self.device)
        self.setAccessibleName("Navigation")

    @property
    def collapsed(self) -> bool:
        """Whether only the icons are shown."""
        return self._collapsed

    def set_current(self, key: str) -> None:
        """Light the entry of a page."""
        entry = self._entries.get(key)
        if entry is not None:
            entry.setChecked(True)

    def set_count(self, key: str, count: int, *, live: bool = False) -> None:
        """Show a number at an entry; 0 shows none."""
        self._entries[key].set_count(f"{count:,}" if count else "", live and count > 0)

    def set_collapsed(self, collapsed: bool) -> None:
        """Show icons alone, 56 px wide, or words too."""
        if collapsed == self._collapsed:
            return
        self._collapsed = collapsed
        self.setFixedWidth(NARROW_PX if collapsed else WIDE_PX)
        self._logo.set_collapsed(collapsed)
        self.device.set_collapsed(collapsed)
        for entry in self._entries.values():
            entry.set_collapsed(collapsed)

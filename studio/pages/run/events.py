"""What happened to a run: a list of events, routine ones folded, each leads to its step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QFontMetrics, QGuiApplication, QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from studio.runs.events import Event, EventGroup, grouped
from studio.theme import font, theme
from studio.widgets import figures
from studio.widgets.card import Hairline
from studio.widgets.choices import Segmented
from studio.widgets.empty import EmptyState
from studio.widgets.focus import KeyboardFocus
from studio.widgets.menu import Menu
from studio.widgets.paint import draw_icon

Choice = Literal["grouped", "all", "warnings"]
Index = QModelIndex | QPersistentModelIndex

SHOWN_MAX: Final = 2000
_ROW_ROLE: Final = Qt.ItemDataRole.UserRole + 1
_TEXT_LEFT: Final = 86
_ICON_LEFT: Final = 62
_PADDING: Final = 10
_GROUP_PX: Final = 28
_KIND_ICONS: Final = {
    "validation": "eye",
    "checkpoint": "save",
    "started": "play",
    "resumed": "play",
    "reattached": "refresh-cw",
    "child": "layout-grid",
    "changed": "pencil",
    "rewound": "rotate-ccw",
    "held": "clock",
    "released": "play",
}
_END_ICONS: Final = {"finished": "check", "paused": "pause", "stopped": "square"}


@dataclass(frozen=True)
class ListRow:
    """A row: an event, or a folded group of them."""

    event: Event | None = None
    group: EventGroup | None = None
    unfolded: bool = False


def rows_for(
    events: Sequence[Event], choice: Choice, unfolded: frozenset[float] = frozenset()
) -> list[ListRow]:
    """The rows of a list, newest first.

    Args:
        events: Oldest first.
        choice: Which ones, and whether routine ones fold.
        unfolded: Times of the newest events of groups that are open.
    """
    recent = events[-SHOWN_MAX:]
    if choice != "grouped":
        wanted = [e for e in recent if choice == "all" or e.level in ("warning", "error")]
        return [ListRow(event) for event in reversed(wanted)]
    rows: list[ListRow] = []
    for each in grouped(recent):
        if isinstance(each, Event):
            rows.append(ListRow(each))
            continue
        is_open = each.events[0].time_s in unfolded
        rows.append(ListRow(group=each, unfolded=is_open))
        if is_open:
            rows.extend(ListRow(event) for event in each.events)
    return rows


def icon_of(event: Event) -> str:
    """Name of the icon that stands for an event."""
    if event.kind == "ended":
        word = event.title.rpartition(" ")[2]
        return _END_ICONS.get(word, "x")
    if event.kind == "note":
        if event.title.startswith("Gradient spike"):
            return "activity"
        return "triangle-alert" if event.level in ("warning", "error") else "info"
    return _KIND_ICONS[event.kind]


class _Model(QAbstractListModel):
    """The rows."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[ListRow] = []

    def set_rows(self, rows: list[ListRow]) -> None:
        if rows != self.rows:
            self.beginResetModel()
            self.rows = rows
            self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        row = self.rows[index.row()]
        if role == _ROW_ROLE:
            return row
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            if row.event is None:
                return row.group.title if row.group is not None else ""
            return f"{figures.clock(row.event.time_s)} {row.event.title}. {row.event.text}"
        if role == Qt.ItemDataRole.ToolTipRole and row.event is not None:
            return figures.started(row.event.time_s)
        return None


class _Delegate(QStyledItemDelegate):
    """Draws rows: time, icon, title, text."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        row = index.data(_ROW_ROLE)
        width = self._width()
        if row.event is None:
            return QSize(width, _GROUP_PX)
        return QSize(width, self._text_box(row.event, width).height() + 20 + 2 * _PADDING + 1)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        row: ListRow = index.data(_ROW_ROLE)
        palette = theme().palette
        area = QRect(option.rect)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        state = option.state
        if state & QStyle.StateFlag.State_Selected and row.event is not None:
            painter.fillRect(area, QColor(palette.bg2))
            painter.fillRect(
                QRect(area.left(), area.top(), 2, area.height()), QColor(palette.accent)
            )
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(area, QColor(palette.bg2))
        painter.fillRect(QRect(area.left(), area.bottom(), area.width(), 1), QColor(palette.line))
        if row.event is None:
            self._paint_group(painter, area, row)
        else:
            self._paint_event(painter, area, row.event)
        painter.restore()

    def _paint_group(self, painter: QPainter, area: QRect, row: ListRow) -> None:
        palette = theme().palette
        middle = area.center().y()
        icon = "chevron-down" if row.unfolded else "chevron-right"
        draw_icon(painter, icon, palette.muted, _ICON_LEFT, middle - 6, 14)
        painter.setFont(font("secondary"))
        painter.setPen(QColor(palette.muted))
        words = QRectF(_TEXT_LEFT, area.top(), area.width() - _TEXT_LEFT - 12, area.height())
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter, row.group.title if row.group else "")

    def _paint_event(self, painter: QPainter, area: QRect, event: Event) -> None:
        palette = theme().palette
        top = area.top() + _PADDING
        painter.setFont(font("mono_small"))
        painter.setPen(QColor(palette.muted))
        clock = QRectF(16, top, 44, 20)
        painter.drawText(clock, Qt.AlignmentFlag.AlignVCenter, figures.clock(event.time_s))
        draw_icon(painter, icon_of(event), _tint(event), _ICON_LEFT, top + 3, 14)
        painter.setFont(font("strong"))
        painter.setPen(QColor(palette.text))
        room = area.width() - _TEXT_LEFT - 16
        title = painter.fontMetrics().elidedText(event.title, Qt.TextElideMode.ElideRight, room)
        painter.drawText(QRectF(_TEXT_LEFT, top, room, 20), Qt.AlignmentFlag.AlignVCenter, title)
        painter.setFont(font("secondary"))
        painter.setPen(QColor(palette.muted))
        box = self._text_box(event, area.width())
        wrap = int(Qt.TextFlag.TextWordWrap)
        painter.drawText(QRect(_TEXT_LEFT, top + 20, room, box.height()), wrap, event.text)

    def _text_box(self, event: Event, width: int) -> QRect:
        if not event.text:
            return QRect(0, 0, 0, 0)
        room = QRect(0, 0, max(width - _TEXT_LEFT - 16, 60), 10_000)
        metrics = QFontMetrics(font("secondary"))
        return metrics.boundingRect(room, int(Qt.TextFlag.TextWordWrap), event.text)

    def _width(self) -> int:
        view = self.parent()
        return view.viewport().width() if isinstance(view, QListView) else 300


class _View(KeyboardFocus, QListView):
    """Qt's list, without its looks."""

    focus_radius = 2.0

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.scheduleDelayedItemsLayout()  # texts wrap anew


class EventsPanel(QWidget):
    """The events of a run.

    Signals:
        step_chosen: An event was chosen; carries its step.
        rewind_wanted: The run shall go back to before the step that it carries.
        note_wanted: A note shall be written at the step that it carries.
    """

    step_chosen = Signal(int)
    rewind_wanted = Signal(int)
    note_wanted = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._events: tuple[Event, ...] = ()
        self._unfolded: frozenset[float] = frozenset()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.choice = Segmented(_choices(0), name="Which events")
        head = QWidget()
        row = QVBoxLayout(head)
        row.setContentsMargins(16, 12, 16, 12)
        row.addWidget(self.choice, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(head)
        column.addWidget(Hairline())
        self.model = _Model()
        self.view = _View()
        self.view.setModel(self.model)
        self.view.setItemDelegate(_Delegate(self.view))
        self.view.setFrameShape(QFrame.Shape.NoFrame)
        self.view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.setMouseTracking(True)
        self.view.viewport().setAutoFillBackground(False)
        self.view.setAccessibleName("Events")
        self._empty = EmptyState("Nothing has happened yet.")
        column.addWidget(self.view, 1)
        column.addWidget(self._empty, 1)
        self.choice.chosen.connect(self._on_choice)
        self.view.clicked.connect(self._on_clicked)
        self.view.activated.connect(self._on_clicked)
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.view.customContextMenuRequested.connect(self._on_menu)
        self._fill()

    def set_events(self, events: Sequence[Event]) -> None:
        """Show these events, given oldest first."""
        found = tuple(events)
        if found != self._events:
            self._events = found
            warnings = sum(event.level in ("warning", "error") for event in found)
            self.choice.set_choices(_choices(warnings))
            self._fill()

    def _fill(self) -> None:
        choice: Choice = "grouped"
        if self.choice.current in ("all", "warnings"):
            choice = "all" if self.choice.current == "all" else "warnings"
        chosen = self.view.currentIndex().data(_ROW_ROLE) if self.model.rows else None
        scrolled = self.view.verticalScrollBar().value()
        self.model.set_rows(rows_for(self._events, choice, self._unfolded))
        if chosen in self.model.rows:
            self.view.setCurrentIndex(self.model.index(self.model.rows.index(chosen), 0))
        self.view.verticalScrollBar().setValue(scrolled)
        self.view.setVisible(bool(self.model.rows))
        self._empty.setVisible(not self.model.rows)
        warned = choice == "warnings" and bool(self._events)
        self._empty.sentence.set_text("No warnings." if warned else "Nothing has happened yet.")

    def _on_choice(self, _key: str) -> None:
        self._fill()

    def _on_menu(self, at: QPoint) -> None:
        """What can be done about the event under the pointer, or about the current one."""
        index = self.view.indexAt(at)
        if not index.isValid():
            index = self.view.currentIndex()
        event = self.model.rows[index.row()].event if index.isValid() else None
        if event is None:
            return
        menu = Menu(self)
        step = event.step
        if step:
            menu.add(f"Show step {step:,}", partial(self.step_chosen.emit, step), "search")
            menu.add("Write a note here", partial(self.note_wanted.emit, step), "pencil")
            if step > 1 and event.kind not in ("changed", "rewound"):
                before = partial(self.rewind_wanted.emit, step)
                menu.add("Rewind to before this…", before, "rotate-ccw")
            menu.addSeparator()
        menu.add("Copy", partial(_copy, event), "copy")
        menu.open_at(self.view.viewport().mapToGlobal(at))

    def _on_clicked(self, index: QModelIndex) -> None:
        row = self.model.rows[index.row()]
        if row.group is not None:
            self._unfolded = self._unfolded ^ {row.group.events[0].time_s}
            self._fill()
        elif row.event is not None and row.event.step is not None:
            self.step_chosen.emit(row.event.step)


def _copy(event: Event) -> None:
    words = f"{figures.started(event.time_s)}  {event.title}. {event.text}".strip()
    QGuiApplication.clipboard().setText(words)


def _choices(warnings: int) -> list[tuple[str, str]]:
    word = f"Warnings {warnings}" if warnings else "Warnings"
    return [("grouped", "Grouped"), ("all", "All"), ("warnings", word)]


def _tint(event: Event) -> QColor:
    palette = theme().palette
    if event.kind == "validation":
        return QColor(palette.info.fg)
    if event.kind == "started":
        return QColor(palette.muted)
    by_level = {"good": palette.ok, "warning": palette.warn, "error": palette.danger}
    role = by_level.get(event.level)
    return QColor(palette.muted if role is None else role.fg)

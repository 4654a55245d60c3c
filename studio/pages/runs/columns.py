"""Which columns the list of runs shows, in which order; remembered, and chosen in a popover."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.pages.runs.entries import ALWAYS, BY_KEY, COLUMNS, DEFAULT
from studio.widgets.controls import CheckBox, IconButton, LinkButton
from studio.widgets.floating_card import FloatingCard
from studio.widgets.label import Label
from studio.widgets.scroll import ClearScroll

_COLUMNS_SETTING = "runs/columns"
_SORTING_SETTING = "runs/sorting"
_WIDTH_PX = 264
_LIST_PX = 420


def remembered_columns(settings: QSettings) -> tuple[str, ...]:
    """The columns that the user chose, else the usual ones; unknown ones are left out."""
    kept = str(settings.value(_COLUMNS_SETTING, ""))
    keys = tuple(dict.fromkeys(key for key in kept.split(",") if key in BY_KEY))
    return keys if set(keys) >= ALWAYS else DEFAULT


def remember_columns(settings: QSettings, keys: tuple[str, ...]) -> None:
    """Keep the user's choice."""
    settings.setValue(_COLUMNS_SETTING, "" if keys == DEFAULT else ",".join(keys))


def remembered_sorting(settings: QSettings) -> tuple[str, bool]:
    """The column that the user sorts by (empty for the order given), and largest first or not."""
    key, _, order = str(settings.value(_SORTING_SETTING, "")).partition(":")
    return (key, order == "down") if key in BY_KEY else ("", False)


def remember_sorting(settings: QSettings, key: str, largest_first: bool) -> None:
    """Keep what the user sorts by."""
    settings.setValue(_SORTING_SETTING, f"{key}:{'down' if largest_first else 'up'}" if key else "")


class ColumnsPopover(FloatingCard):
    """Every column with a box, and arrows that move it; it changes the table at once.

    Args:
        window: What it lies over.
        keys: The columns shown, from left to right.
        changed: Gets them anew after each change.
    """

    def __init__(
        self,
        window: QWidget,
        keys: tuple[str, ...],
        changed: Callable[[tuple[str, ...]], object],
    ) -> None:
        super().__init__(window, _WIDTH_PX, to_the_left=True)
        self._changed = changed
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 10, 6, 12)
        column.setSpacing(8)
        head = QHBoxLayout()
        head.addWidget(Label("Columns", "strong"), 1)
        usual = LinkButton("As usual")
        usual.clicked.connect(lambda: self._take(DEFAULT))
        head.addWidget(usual)
        close = IconButton("x", "Close (Esc)", edge=24)
        close.clicked.connect(self.close_up)
        head.addWidget(close)
        column.addLayout(head)
        self._list = QWidget()
        self._rows = QVBoxLayout(self._list)
        self._rows.setContentsMargins(0, 0, 6, 0)
        self._rows.setSpacing(2)
        area = ClearScroll(self._list)
        area.setFixedHeight(_LIST_PX)
        column.addWidget(area)
        self.boxes: dict[str, CheckBox] = {}
        self._keys = keys
        self._order = [*keys, *(each.key for each in COLUMNS if each.key not in keys)]
        self._fill()

    def first(self) -> QWidget:
        """The first column's box."""
        return next(iter(self.boxes.values()))

    def _fill(self) -> None:
        while (item := self._rows.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        self.boxes = {}
        for place, key in enumerate(self._order):
            self._rows.addWidget(self._row(place, key))
        self._rows.addStretch(1)

    def _row(self, place: int, key: str) -> QWidget:
        title = BY_KEY[key].title or BY_KEY[key].tooltip
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        box = CheckBox(title, checked=key in self._keys)
        box.setEnabled(key not in ALWAYS)
        box.toggled.connect(lambda on: self._on_toggled(key, on))
        self.boxes[key] = box
        row.addWidget(box)
        row.addStretch(1)
        for icon, word, by in (("arrow-up", "up", -1), ("arrow-down", "down", 1)):
            button = IconButton(icon, f"Move {title} {word}", edge=24)
            button.setEnabled(0 <= place + by < len(self._order))
            button.clicked.connect(lambda _on=False, by=by: self._move(key, by))
            row.addWidget(button)
        return holder

    def _on_toggled(self, key: str, on: bool) -> None:
        chosen = {*self._keys, key} if on else set(self._keys) - {key}
        self._keep(chosen)

    def _move(self, key: str, by: int) -> None:
        at = self._order.index(key)
        self._order.insert(at + by, self._order.pop(at))
        self._keep(set(self._keys))
        self._fill()
        self.boxes[key].setFocus(Qt.FocusReason.OtherFocusReason)

    def _take(self, keys: tuple[str, ...]) -> None:
        self._order = [*keys, *(each.key for each in COLUMNS if each.key not in keys)]
        self._keep(set(keys))
        self._fill()

    def _keep(self, chosen: set[str]) -> None:
        self._keys = tuple(key for key in self._order if key in chosen)
        self._changed(self._keys)

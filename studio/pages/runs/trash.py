"""The trash: what was thrown away, how much room it takes, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.context import Context
from studio.pages.page import MARGIN_PX
from studio.pages.runs.trash_facts import (
    TrashItem,
    erase,
    read_trash,
    restore,
    sizes_of,
    throw_back,
)
from studio.widgets import figures
from studio.widgets.ask_popover import AskPopover
from studio.widgets.cells import Cell, Column, Row
from studio.widgets.controls import DangerButton, SecondaryButton
from studio.widgets.empty import EmptyState
from studio.widgets.label import Label
from studio.widgets.menu import Menu
from studio.widgets.table import DataTable

_COLUMNS: Final = (
    Column("name", "Name", 180, 2, "strong"),
    Column("what", "What", 180, 2, "muted"),
    Column("size", "On the disk", 110, style="mono", right=True),
    Column("when", "Thrown away", 160, style="mono_muted", right=True),
)
_EXPLAINED: Final = "What lies here stays on the disk, and can be restored, until it is erased."


class TrashView(QWidget):
    """What lies in the trash, with restoring and erasing."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._items: tuple[TrashItem, ...] = ()
        self._sizes: dict[tuple[str, int], int] = {}
        self._erasing = False
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN_PX, 16, MARGIN_PX, MARGIN_PX)
        column.setSpacing(12)
        self._bar = QWidget()
        row = QHBoxLayout(self._bar)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        self.explained = Label(_EXPLAINED, "secondary", "muted")
        row.addWidget(self.explained, 1)
        self.restore_button = SecondaryButton("Restore", "archive-restore")
        self.restore_button.clicked.connect(lambda: self.restore(self._chosen()))
        row.addWidget(self.restore_button)
        self.erase_button = DangerButton("Empty the trash", "trash-2")
        self.erase_button.clicked.connect(self._on_erase_clicked)
        row.addWidget(self.erase_button)
        column.addWidget(self._bar)
        self.table = DataTable(_COLUMNS, single_click=False, checkable=True, name="Trash")
        self.table.checked_changed.connect(self._show_buttons)
        self.table.menu_requested.connect(self._on_menu)
        column.addWidget(self.table, 1)
        self._empty = EmptyState("The trash is empty.")
        column.addWidget(self._empty, 1)
        for widget in (self._bar, self.table, self._empty):
            widget.hide()

    def reload(self) -> None:
        """Read what lies in it."""
        library = self._context.library
        self._context.tasks.run_op(lambda: read_trash(library), self._on_read, owner=self)

    def restore(self, items: Sequence[TrashItem]) -> None:
        """Take things out again; this can be undone."""
        library = self._context.library
        self._context.undo.do(
            f"{_named(items)} restored",
            lambda: restore(library, items),
            lambda: throw_back(library, items),
        )

    def erase(self, items: Sequence[TrashItem]) -> None:
        """Remove things for good."""
        library, context = self._context.library, self._context
        self._erasing = True
        self._show_buttons()

        def ended() -> None:
            self._erasing = False
            context.undo.forget()
            context.undo.changed.emit()

        def done(freed: int) -> None:
            ended()
            context.say(f"{_named(items)} erased: {figures.size(freed)} freed")

        def failed(error: Exception) -> None:
            ended()
            context.toast(error)

        context.tasks.run_op(lambda: erase(library, items), done, failed, owner=self, lane="work")

    # --- reactions -----------------------------------------------------------------------------

    def _on_read(self, items: list[TrashItem]) -> None:
        self._items = tuple(items)
        known = {item.key for item in items}
        self._sizes = {key: size for key, size in self._sizes.items() if key in known}
        self._show()
        unknown = [item for item in items if item.key not in self._sizes]
        if unknown:
            self._context.tasks.run_op(
                lambda: sizes_of(unknown), self._on_measured, owner=self, lane="work"
            )

    def _on_measured(self, sizes: dict[tuple[str, int], int]) -> None:
        self._sizes.update(sizes)
        self._show()

    def _show(self) -> None:
        self.table.set_rows([self._row(item) for item in self._items])
        known = {item.key for item in self._items}
        self.table.set_checked(key for key in self.table.model.checked if key in known)
        self._bar.setVisible(bool(self._items))
        self.table.setVisible(bool(self._items))
        self._empty.setVisible(not self._items)
        self._show_buttons()

    def _row(self, item: TrashItem) -> Row:
        size = self._sizes.get(item.key)
        sort = float("nan") if size is None else float(size)
        return Row(
            item.key,
            {
                "name": item.name,
                "what": item.what,
                "size": Cell(figures.size(size), sort=sort),
                "when": Cell(figures.started(item.trashed_s), sort=item.trashed_s),
            },
        )

    def _chosen(self) -> list[TrashItem]:
        keys = set(self.table.checked())
        return [item for item in self._items if item.key in keys]

    def _show_buttons(self) -> None:
        chosen = self._chosen()
        can_write = not self._context.library.read_only and not self._erasing
        self.restore_button.setEnabled(can_write and bool(chosen))
        self.erase_button.setEnabled(can_write and bool(self._items))
        meant = chosen or self._items
        known = [self._sizes[item.key] for item in meant if item.key in self._sizes]
        size = f" ({figures.size(sum(known))})" if len(known) == len(meant) else ""
        word = "Erase for good" if chosen else "Empty the trash"
        self.erase_button.set_text("Erasing" if self._erasing else f"{word}{size}")

    def _on_erase_clicked(self) -> None:
        items = self._chosen() or list(self._items)
        below = self.erase_button.mapToGlobal(QPoint(0, self.erase_button.height() + 6))
        self._ask(items, below)

    def _ask(self, items: Sequence[TrashItem], at: QPoint) -> None:
        AskPopover(
            self.window(),
            f"Erase {_named(items)} for good?",
            "Curves, checkpoints and text go from the disk. There is no way back.",
            "Erase for good",
            lambda: self.erase(items),
        ).open_at(at)

    def _on_menu(self, key: object, at: QPoint) -> None:
        items = [item for item in self._items if item.key == key]
        can_write = not self._context.library.read_only and not self._erasing
        menu = Menu(self)
        menu.add("Restore", lambda: self.restore(items), "archive-restore", enabled=can_write)
        menu.add("Erase for good…", lambda: self._ask(items, at), "trash-2", enabled=can_write)
        menu.open_at(at)


def _named(items: Sequence[TrashItem]) -> str:
    return items[0].name if len(items) == 1 else figures.plural(len(items), "thing")

"""The queue above the list of runs: who waits and why, what to do about it."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.context import Context
from studio.pages.queue.rows import ROW_PX, QueueRows, RowLook
from studio.runs.conditions import condition_words
from studio.runs.waiting import Queued, why_words
from studio.widgets import figures
from studio.widgets.card import Card
from studio.widgets.conditions_popover import ConditionsPopover
from studio.widgets.controls import SecondaryButton
from studio.widgets.label import Label
from studio.widgets.menu import Menu
from studio.widgets.scroll import ClearScroll
from trainer_core.manners import Conditions

MOST_ROWS = 5
"""More are reached by scrolling: the list of runs below keeps its room."""


class QueueSection(QWidget):
    """The queue; out of sight while nobody waits.

    Args:
        context: The studio.
    """

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 4)
        column.setSpacing(8)
        head = QHBoxLayout()
        head.setSpacing(12)
        self.title = Label("Queue", "title", elide=False)
        self.count = Label("", "secondary", "muted")
        self.hold = SecondaryButton("Hold the queue", "pause", size="small")
        self.hold.clicked.connect(self._on_hold)
        head.addWidget(self.title)
        head.addWidget(self.count, 1)
        head.addWidget(self.hold)
        column.addLayout(head)
        self.rows = QueueRows()
        self.rows.move_wanted.connect(self._on_move)
        self.rows.remove_wanted.connect(self._on_remove)
        self.rows.open_wanted.connect(self._on_open)
        self.rows.conditions_wanted.connect(self.ask_conditions)
        self.rows.menu_wanted.connect(self._on_menu)
        self._scroll = ClearScroll(self.rows)
        self.rows.dragged_to.connect(lambda y: self._scroll.ensureVisible(0, y, 0, ROW_PX // 2))
        self._card = Card(padding=1, spacing=0)
        self._card.body.addWidget(self._scroll)
        column.addWidget(self._card)
        if context.queue is not None:
            context.queue.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show the queue as it is."""
        queue = self._context.queue
        entries = queue.entries if queue is not None else ()
        self.setVisible(bool(entries))
        if queue is None or not entries:
            self.rows.set_looks(())
            return
        facts = queue.facts
        self.rows.set_looks(
            [_look(entry, why_words(facts, place)) for place, entry in enumerate(entries)]
        )
        self.count.set_text(
            facts.problem or f"{figures.plural(len(entries), 'run waits', 'runs wait')}"
        )
        self.count.set_tone("danger" if facts.problem else "muted")
        self.hold.set_text("Go on with the queue" if facts.held else "Hold the queue")
        self.hold.set_icon("play" if facts.held else "pause")
        self.hold.setToolTip(
            "Runs begin again, each in its turn."
            if facts.held
            else "No run begins until you go on. The one at work is not touched."
        )
        self._scroll.setFixedHeight(ROW_PX * min(len(entries), MOST_ROWS))

    def ask_conditions(self, entry_id: str, at: QPoint) -> None:
        """Ask when a run may begin and work."""
        entry = self._entry(entry_id)
        if entry is None:
            return

        def accept(conditions: Conditions) -> None:
            if self._context.queue is not None:
                self._context.queue.set_conditions(entry_id, conditions)

        title = f"When {entry.name} trains"
        ConditionsPopover(self.window(), title, entry.conditions, accept).open_at(at)

    # --- reactions -----------------------------------------------------------------------------

    def _entry(self, entry_id: str) -> Queued | None:
        entries = self._context.queue.entries if self._context.queue is not None else ()
        return next((entry for entry in entries if entry.id == entry_id), None)

    def _on_hold(self) -> None:
        if self._context.queue is not None:
            self._context.queue.hold(not self._context.queue.facts.held)

    def _on_move(self, entry_id: str, to: int) -> None:
        if self._context.queue is not None:
            self._context.queue.move(entry_id, to)

    def _on_remove(self, entry_id: str) -> None:
        if self._context.queue is not None:
            self._context.queue.remove([entry_id])

    def _on_open(self, entry_id: str) -> None:
        entry = self._entry(entry_id)
        if entry is not None and entry.run is not None:
            self._context.navigate("run", entry.run.id)

    def _on_menu(self, entry_id: str, at: QPoint) -> None:
        entry, queue = self._entry(entry_id), self._context.queue
        if entry is None or queue is None:
            return
        place, last = queue.entries.index(entry), len(queue.entries) - 1
        can = not self._context.library.read_only
        menu = Menu(self)
        known = entry.run is not None
        menu.add("Open", partial(self._on_open, entry_id), "activity", enabled=known)
        menu.add("When it runs…", partial(self.ask_conditions, entry_id, at), "clock", enabled=can)
        menu.addSeparator()
        menu.add(
            "To the front", partial(queue.move, entry_id, 0), "arrow-up", enabled=can and place > 0
        )
        menu.add(
            "To the end",
            partial(queue.move, entry_id, last),
            "arrow-down",
            enabled=can and place < last,
        )
        menu.addSeparator()
        menu.add("Take out of the queue", partial(queue.remove, [entry_id]), "x", enabled=can)
        menu.open_at(at)


def _look(entry: Queued, why: str) -> RowLook:
    when = ", ".join(condition_words(entry.conditions))
    return RowLook(entry.id, entry.name, why, when, entry.missing)

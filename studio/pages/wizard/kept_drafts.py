"""Drafts that were kept, to be gone on with; and the way to settings in a file."""

from __future__ import annotations

import time
from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.storage.rows import DraftRow
from studio.widgets.card import Card, Hairline
from studio.widgets.controls import IconButton, SecondaryButton
from studio.widgets.figures import clock, day
from studio.widgets.headings import card_title
from studio.widgets.label import Label

_SHOWN_MAX = 20


class KeptDrafts(Card):
    """One row for each draft, the last changed first.

    Args:
        title: Of the card.
        offers_files: Whether settings can be read from a file, too.

    Signals:
        opened(int): Go on with a draft; carries its id.
        removed(int): Remove a draft.
        file_requested: Settings are to be read from a file.
    """

    opened = Signal(int)
    removed = Signal(int)
    file_requested = Signal()

    def __init__(
        self,
        *,
        title: str = "Go on with a draft or a file",
        offers_files: bool = True,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(spacing=8, parent=parent)
        open_file = SecondaryButton("Open a TOML file", "folder-open", size="small")
        open_file.clicked.connect(self.file_requested)
        self._none = Label(
            "Settings that were saved or copied as TOML, dropped here or chosen.",
            "secondary",
            "muted",
            wrap=True,
        )
        head = QHBoxLayout()
        head.setSpacing(12)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(card_title(title))
        words.addWidget(self._none)
        head.addLayout(words, 1)
        head.addWidget(open_file)
        for widget in (open_file, self._none):
            widget.setVisible(offers_files)
        self.body.addLayout(head)
        self._place = QVBoxLayout()
        self._place.setSpacing(0)
        self.body.addLayout(self._place)
        self._shown: tuple[DraftRow, ...] = ()
        self.open_buttons: dict[int, SecondaryButton] = {}
        self.remove_buttons: dict[int, IconButton] = {}

    def show_rows(self, rows: tuple[DraftRow, ...], *, read_only: bool) -> None:
        """Show these drafts, of many the newest."""
        rows = rows[:_SHOWN_MAX]
        if rows != self._shown:
            self._shown = rows
            self.open_buttons.clear()
            self.remove_buttons.clear()
            while (item := self._place.takeAt(0)) is not None:
                if (widget := item.widget()) is not None:
                    widget.hide()
                    widget.deleteLater()
            for row in rows:
                self._place.addWidget(Hairline())
                self._place.addWidget(self._row(row))
        for button in self.remove_buttons.values():
            button.setEnabled(not read_only)

    def _row(self, row: DraftRow) -> QWidget:
        holder = QWidget()
        line = QHBoxLayout(holder)
        line.setContentsMargins(0, 5, 0, 5)
        line.setSpacing(8)
        line.addWidget(Label(row.name, "strong"), 1)
        line.addWidget(Label(changed_words(row.changed_s), "label", "muted", elide=False))
        go_on = SecondaryButton("Go on", size="small")
        go_on.setAccessibleName(f"Go on with the draft {row.name}")
        go_on.clicked.connect(partial(self.opened.emit, row.id))
        remove = IconButton("trash-2", f"Remove the draft {row.name}", edge=26)
        remove.clicked.connect(partial(self.removed.emit, row.id))
        line.addWidget(go_on)
        line.addWidget(remove)
        self.open_buttons[row.id] = go_on
        self.remove_buttons[row.id] = remove
        return holder


def changed_words(time_s: float) -> str:
    """When a draft was last changed: the clock of today, else the day."""
    today = time.localtime()[:3] == time.localtime(time_s)[:3]
    return f"changed {clock(time_s)}" if today else f"changed {day(time_s)}"

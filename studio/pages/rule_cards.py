"""The rule tasks, offered: a card for each, which starts it as it is known to do."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from studio.context import Context
from studio.widgets.card import Card
from studio.widgets.controls import SecondaryButton
from studio.widgets.headings import card_title
from studio.widgets.label import Label
from trainer_core.rule_tasks import RULE_TASKS
from trainer_core.spec import TaskName

_WHAT = (
    "Text made by known rules, so that what a model has learned can be counted. Nothing to download"
    " and nothing to set: about a minute each."
)

_COLUMNS = 3


class RuleTaskCards(QWidget):
    """A heading and the cards, three to a row.

    Signals:
        start_requested(str): A task is wanted; carries its name.
    """

    start_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons: dict[TaskName, SecondaryButton] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 0)
        column.setSpacing(4)
        column.addWidget(Label("Rule tasks", "title"))
        column.addWidget(Label(_WHAT, "secondary", "muted", wrap=True))
        column.addSpacing(4)
        grid = QGridLayout()
        grid.setSpacing(8)
        for number, task in enumerate(RULE_TASKS.values()):
            card = Card(padding=14, spacing=4)
            card.body.addWidget(card_title(task.title))
            card.body.addWidget(Label(task.sentence, "secondary", "muted", wrap=True))
            card.body.addStretch(1)
            card.body.addSpacing(4)
            button = SecondaryButton("Train on it", "play")
            button.setAccessibleName(f"Train on {task.title}")
            button.clicked.connect(partial(self.start_requested.emit, task.name))
            foot = QHBoxLayout()
            foot.addWidget(button)
            foot.addStretch(1)
            card.body.addLayout(foot)
            grid.addWidget(card, number // _COLUMNS, number % _COLUMNS)
            self.buttons[task.name] = button
        for place in range(_COLUMNS):
            grid.setColumnStretch(place, 1)
        column.addLayout(grid)

    def show_starting(self, task: TaskName | None, *, read_only: bool) -> None:
        """Say which task is being started; meanwhile none can be asked for.

        Args:
            task: The one that is on its way, or None.
            read_only: Another window has the library: nothing can be started here.
        """
        for name, button in self.buttons.items():
            button.setText("Starting …" if name == task else "Train on it")
            button.setEnabled(task is None and not read_only)
            button.setToolTip("Hearth is open in another window" if read_only else "")


def connect_rule_cards(context: Context, cards: RuleTaskCards) -> None:
    """Let cards start tasks, and say what is being started; hidden in a studio that starts none."""
    rules = context.rules
    if rules is None:
        cards.hide()
        return
    read_only = context.library.read_only

    def show() -> None:
        cards.show_starting(rules.starting, read_only=read_only)

    cards.start_requested.connect(rules.start)
    rules.starting_changed.connect(show)
    show()

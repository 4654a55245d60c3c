"""What every step of the wizard is: a heading, controls, and a draft that they change."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.pages.wizard.draft import Draft
from studio.pages.wizard.plan import Plan
from studio.pages.wizard.start import Shelf
from studio.widgets.label import Label


class StepView(QWidget):
    """One step; fill `column`.

    Signals:
        draft_changed (object): The user changed something; carries the new `Draft`.
    """

    draft_changed = Signal(object)

    name = ""
    """In the rail and on the Next button."""
    heading = ""
    explanation = ""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.draft = Draft()
        self.shelf = Shelf()
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(16, 18, 16, 20)
        self.column.setSpacing(12)
        head = QVBoxLayout()
        head.setSpacing(2)
        head.addWidget(Label(self.heading or self.name, "heading"))
        head.addWidget(Label(self.explanation, "body", "muted", wrap=True))
        self.column.addLayout(head)

    def show_draft(self, draft: Draft, plan: Plan, shelf: Shelf) -> None:
        """Show a draft; called on every change, also of this view's own."""
        self.draft = draft
        self.shelf = shelf

    def summary(self, draft: Draft, plan: Plan) -> str:
        """What was chosen here, in a few words."""
        return ""

    def obstacle(self, draft: Draft, plan: Plan) -> str:
        """Why the next step cannot be reached from here, or an empty string."""
        return ""

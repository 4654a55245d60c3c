"""The bar at the bottom of the wizard: out, back, on; and why one cannot go on."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QWidget

from studio.widgets.card import Panel
from studio.widgets.controls import PrimaryButton, QuietButton, SecondaryButton
from studio.widgets.keycap import KeyCap
from studio.widgets.label import Label


class Footer(Panel):
    """Cancel at the left; keys, Back and Next at the right, with the obstacle beside them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("bg0", top_line=True, parent=parent)
        self.setFixedHeight(64)
        self.cancel = QuietButton("Cancel")
        self.cancel.setToolTip("Esc")
        self.back = SecondaryButton("Back", "chevron-left")
        self.next = PrimaryButton("Next", trailing_icon="chevron-right")
        self.next.setToolTip("Ctrl+Enter")
        self._obstacle = Label("", "secondary", "danger", align=Qt.AlignmentFlag.AlignRight)
        self._back_key = KeyCap("Alt ←")
        row = QHBoxLayout(self)
        row.setContentsMargins(24, 0, 24, 0)
        row.setSpacing(8)
        row.addWidget(self.cancel)
        row.addWidget(self._obstacle, 1)
        row.addSpacing(8)
        row.addWidget(self._back_key)
        row.addWidget(self.back)
        row.addWidget(KeyCap("Ctrl ⏎"))
        row.addWidget(self.next)

    def show_state(self, word: str, obstacle: str, *, first: bool, busy: bool) -> None:
        """Show where the wizard stands.

        Args:
            word: On the Next button.
            obstacle: Why one cannot go on, or an empty string.
            first: There is no step before.
            busy: The run is being started.
        """
        self.back.setVisible(not first)
        self._back_key.setVisible(not first)
        self.next.set_text("Starting" if busy else word)
        self.next.setEnabled(not obstacle and not busy)
        self._obstacle.set_text(obstacle)

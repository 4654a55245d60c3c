"""The bar at the bottom of the wizard: out, back, on; and why one cannot go on."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from studio.planner import Fix
from studio.widgets.card import Panel
from studio.widgets.controls import LinkButton, PrimaryButton, QuietButton, SecondaryButton
from studio.widgets.keycap import KeyCap
from studio.widgets.label import Label


class Footer(Panel):
    """Cancel at the left; keys, Back and Next at the right, with the obstacle beside them.

    Args:
        saves: Whether a draft can be kept.

    Signals:
        fix_chosen (object): The way out of the obstacle was taken; carries its `Fix`.
    """

    fix_chosen = Signal(object)

    def __init__(self, *, saves: bool = False, parent: QWidget | None = None) -> None:
        super().__init__("bg0", top_line=True, parent=parent)
        self.setFixedHeight(64)
        self.cancel = QuietButton("Cancel")
        self.cancel.setToolTip("Esc")
        self.back = SecondaryButton("Back", "chevron-left")
        self.next = PrimaryButton("Next", trailing_icon="chevron-right")
        self.next.setToolTip("Ctrl+Enter")
        self.save = QuietButton("Save as draft")
        self.save.setToolTip("Ctrl+S")
        self.save.setVisible(saves)
        self._note = Label("", "secondary", "muted")
        self._obstacle = Label("", "secondary", "danger", align=Qt.AlignmentFlag.AlignRight)
        self.fix = LinkButton("")
        self.fix.clicked.connect(self._on_fix_clicked)
        self.fix.hide()
        self._fix: Fix | None = None
        self._back_key = KeyCap("Alt ←")
        row = QHBoxLayout(self)
        row.setContentsMargins(24, 0, 24, 0)
        row.setSpacing(8)
        row.addWidget(self.cancel)
        row.addWidget(self.save)
        row.addWidget(self._note, 1)
        row.addWidget(self._obstacle, 2)
        row.addWidget(self.fix)
        row.addSpacing(8)
        row.addWidget(self._back_key)
        row.addWidget(self.back)
        row.addWidget(KeyCap("Ctrl ⏎"))
        row.addWidget(self.next)

    def show_state(
        self, word: str, obstacle: str, *, first: bool, busy: bool, fix: Fix | None = None
    ) -> None:
        """Show where the wizard stands.

        Args:
            word: On the Next button.
            obstacle: Why one cannot go on, or an empty string.
            first: There is no step before.
            busy: The run is being started.
            fix: A way out of the obstacle in one click, or None.
        """
        self.back.setVisible(not first)
        self._back_key.setVisible(not first)
        self.next.set_text("Starting" if busy else word)
        self.next.setEnabled(not obstacle and not busy)
        self._obstacle.set_text(obstacle)
        self._fix = fix
        self.fix.setVisible(fix is not None)
        if fix is not None:
            self.fix.set_text(fix.label)

    def show_note(self, note: str) -> None:
        """Say something at the left, such as that a draft was kept; empty: nothing."""
        self._note.set_text(note)

    def _on_fix_clicked(self) -> None:
        if self._fix is not None:
            self.fix_chosen.emit(self._fix)

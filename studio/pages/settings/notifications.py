"""Settings: who is told what of the trainings, and the icon in the tray."""

from __future__ import annotations

import time
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QWidget

from studio.context import Context
from studio.pages.settings.section import Section
from studio.tray import Stay
from studio.widgets import figures
from studio.widgets.controls import CheckBox, LineEdit, SecondaryButton, Segmented, Toggle
from studio.widgets.label import Label
from trainer_core.errors import KnownError
from trainer_core.manners import OCCASIONS, Occasion
from trainer_core.webhook import Message, check_address, post

_WORDS: dict[Occasion, str] = {
    "finished": "A training is finished",
    "failed": "A training failed",
    "guardian": "The guardian saw something",
    "best": "A new best validation loss",
}
_STAYS: dict[str, Stay] = {"busy": "busy", "never": "never"}
_ADDRESS_HINT = (
    "Told also while Hearth is closed. Services such as Discord, Slack and ntfy take it."
)
_NO_TRAY = "This desktop has no tray, so that it shows no messages and no icon."


class NotificationsSection(Section):
    """Occasions by desktop and by address, the address, the tray.

    Args:
        context: The studio.

    Signals:
        edited: Webhook or its occasions were changed.
    """

    edited = Signal()

    def __init__(self, context: Context) -> None:
        super().__init__("Notifications")
        self._context = context
        self.desktop: dict[Occasion, CheckBox] = {}
        self.by_address: dict[Occasion, CheckBox] = {}
        self._desktop_hint = self.add_block(
            "What is told", "On this desktop while the window is not in front.", self._grid()
        )
        self.address = LineEdit("", "https://…", name="Web address that is told")
        self.address.setMaxLength(2000)
        self.address.editingFinished.connect(self._on_address_edited)
        self.test = SecondaryButton("Send a test", "upload", size="small")
        self.test.clicked.connect(self._on_test)
        line = QWidget()
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.address, 1)
        row.addWidget(self.test)
        self._address_hint = self.add_block("Web address", _ADDRESS_HINT, line)
        self.tray = Toggle("Icon in the tray")
        self.tray.toggled.connect(self._on_tray_toggled)
        self._tray_hint = self.add_row(
            "Icon in the tray", "Shows how far a training is; its menu pauses it.", self.tray
        )
        self.stay = Segmented(
            [("busy", "Stay in the tray"), ("never", "Quit")], name="Closing while a training is on"
        )
        self.stay.chosen.connect(self._on_stay_chosen)
        self.add_row(
            "Closing while a training is on", "The training goes on either way.", self.stay
        )
        self.show_state()

    @property
    def webhook(self) -> str | None:
        """The address, an empty text for none; None where it cannot be used."""
        address = self.address.text().strip()
        return None if _problem(address) else address

    @property
    def occasions(self) -> tuple[Occasion, ...]:
        """What the address is told."""
        return tuple(kind for kind in OCCASIONS if self.by_address[kind].isChecked())

    def show_webhook(self, address: str, occasions: tuple[Occasion, ...]) -> None:
        """Show what is in force."""
        if not self.address.hasFocus():
            self.address.setText(address)
        for kind, box in self.by_address.items():
            box.blockSignals(True)
            box.setChecked(kind in occasions)
            box.blockSignals(False)
        self._show_address_state()

    def show_state(self) -> None:
        """Show what this desktop can do and is told."""
        notifier, tray = self._context.notifier, self._context.tray
        can = tray is not None and tray.has_tray
        for kind, box in self.desktop.items():
            box.blockSignals(True)
            box.setChecked(notifier is not None and notifier.tells(kind))
            box.setEnabled(notifier is not None and can)
            box.blockSignals(False)
        self._desktop_hint.set_text(
            "On this desktop while the window is not in front." if can else _NO_TRAY
        )
        self.tray.blockSignals(True)
        self.tray.setChecked(tray is not None and tray.wanted)
        self.tray.blockSignals(False)
        self.tray.setEnabled(can)
        self.stay.setEnabled(can and tray is not None and tray.wanted)
        self.stay.set_current(tray.stay if tray is not None else "never")

    # --- parts ---------------------------------------------------------------------------------

    def _grid(self) -> QWidget:
        holder = QWidget()
        grid = QGridLayout(holder)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(24)
        grid.setVerticalSpacing(6)
        middle = Qt.AlignmentFlag.AlignHCenter
        grid.addWidget(Label("Desktop", "label", "muted", elide=False), 0, 1, middle)
        grid.addWidget(Label("Web address", "label", "muted", elide=False), 0, 2, middle)
        for line, kind in enumerate(OCCASIONS, start=1):
            grid.addWidget(Label(_WORDS[kind], "secondary"), line, 0)
            desktop, address = CheckBox(""), CheckBox("")
            desktop.setAccessibleName(f"{_WORDS[kind]}: tell this desktop")
            address.setAccessibleName(f"{_WORDS[kind]}: tell the web address")
            desktop.toggled.connect(partial(self._on_desktop_toggled, kind))
            address.toggled.connect(lambda _on: self.edited.emit())
            grid.addWidget(desktop, line, 1, middle)
            grid.addWidget(address, line, 2, middle)
            self.desktop[kind], self.by_address[kind] = desktop, address
        grid.setColumnStretch(0, 1)
        return holder

    def _show_address_state(self, said: str = "", *, good: bool = False) -> None:
        problem = _problem(self.address.text().strip())
        self.address.set_invalid(bool(problem))
        self.test.setEnabled(bool(self.address.text().strip()) and not problem)
        tone = "ok" if good else "danger" if said or problem else "muted"
        self._address_hint.set_tone(tone)  # type: ignore[arg-type]  # one of three tones
        self._address_hint.set_text(said or problem or _ADDRESS_HINT)

    # --- reactions -----------------------------------------------------------------------------

    def _on_desktop_toggled(self, kind: Occasion, on: bool) -> None:
        if self._context.notifier is not None:
            self._context.notifier.set_tells(kind, on)

    def _on_address_edited(self) -> None:
        self._show_address_state()
        if not _problem(self.address.text().strip()):
            self.edited.emit()

    def _on_test(self) -> None:
        address = self.webhook or ""
        message = Message("test", "a test", "Hearth reaches you here.", "Hearth")
        self.test.setEnabled(False)
        self._address_hint.set_tone("muted")
        self._address_hint.set_text("Sending …")

        def sent(_none: None) -> None:
            self._show_address_state(f"Delivered at {figures.clock(time.time())}.", good=True)

        def failed(error: Exception) -> None:
            if isinstance(error, KnownError):
                self._show_address_state(f"{error.what} {error.do}")
            else:
                self._context.toast(error)

        self._context.tasks.run_op(
            lambda: post(address, message), sent, failed, owner=self, lane="work"
        )

    def _on_tray_toggled(self, on: bool) -> None:
        if self._context.tray is not None:
            self._context.tray.set_wanted(on)
        self.show_state()

    def _on_stay_chosen(self, key: str) -> None:
        if self._context.tray is not None:
            self._context.tray.set_stay(_STAYS[key])


def _problem(address: str) -> str:
    """Why an address cannot be told anything; empty when it can, or when there is none."""
    if not address:
        return ""
    try:
        check_address(address)
    except KnownError as error:
        return error.what
    return ""

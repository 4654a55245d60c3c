"""The keys that move through the steps of a flow."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent

StepMove = Literal["back", "on", "close"]


def step_move(event: QKeyEvent) -> StepMove | None:
    """Alt+Left goes back, Ctrl+Enter goes on, Esc closes; None for every other key."""
    key, modifiers = event.key(), event.modifiers()
    if key == Qt.Key.Key_Left and modifiers == Qt.KeyboardModifier.AltModifier:
        return "back"
    if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
        return "on" if modifiers & Qt.KeyboardModifier.ControlModifier else None
    return "close" if key == Qt.Key.Key_Escape else None


def claims_back(event: QEvent) -> bool:
    """Whether a widget is asked if Alt+Left is its own, which the window has for its history."""
    return (
        event.type() == QEvent.Type.ShortcutOverride
        and isinstance(event, QKeyEvent)
        and step_move(event) == "back"
    )

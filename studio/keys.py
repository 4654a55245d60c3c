"""Every key of the studio, in words: for the list of keys and for the search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Key:
    """A key, as it is written on screen, and what it does."""

    keys: str
    does: str


KEYS: Final[tuple[tuple[str, tuple[Key, ...]], ...]] = (
    (
        "Everywhere",
        (
            Key("Ctrl+1 – Ctrl+6", "Projects, Runs, Data, Playground, Compare, Settings"),
            Key("Ctrl+K", "Search, and anything that can be done"),
            Key("Ctrl+N", "New run"),
            Key("Alt+Left", "Back"),
            Key("Alt+Right", "Forward"),
            Key("Ctrl+Z", "Take back the last change of the library"),
            Key("Ctrl+Shift+Z", "Make it again"),
            Key("Tab", "Next control; Enter or Space presses it"),
            Key("Esc", "Close or stop what is open"),
            Key("F1", "This list"),
        ),
    ),
    (
        "A run",
        (
            Key("Space", "Pause; it asks first"),
            Key("Ctrl+S", "Save a checkpoint and go on"),
            Key("L", "Logarithmic loss"),
            Key("0", "Show everything again"),
        ),
    ),
    (
        "The queue",
        (
            Key("Up, Down", "Run above, run below"),
            Key("Alt+Up, Alt+Down", "Move the run to another place"),
            Key("Enter", "Open the run"),
            Key("Delete", "Take it out of the queue"),
        ),
    ),
    (
        "Charts",
        (
            Key("Left, Right", "Move the crosshair; Shift for ten pixels"),
            Key("+, -", "Look closer, look from farther away"),
            Key("Page keys", "Move what is in view"),
            Key("Esc", "Let the crosshair go"),
        ),
    ),
    (
        "Playground",
        (
            Key("Ctrl+Enter", "Generate"),
            Key("Left, Right", "Token before, token after"),
            Key("P", "Keep a token's sources open"),
        ),
    ),
    (
        "Compare",
        (
            Key("L", "Logarithmic axis"),
            Key("0", "Show everything again"),
            Key("Delete", "Leave out the run whose name has the focus"),
        ),
    ),
)

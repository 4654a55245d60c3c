"""Headings within a page."""

from __future__ import annotations

from PySide6.QtGui import QFont

from studio.language import tr
from studio.widgets.label import Label, Part


def card_title(text: str) -> Label:
    """The heading of a card or a column: body size, semibold."""
    label = Label("", "strong")
    label.set_parts(Part(tr(text), weight=QFont.Weight.DemiBold))
    return label

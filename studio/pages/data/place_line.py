"""One place in the training text on one line: the document, which it opens, and where in it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QHBoxLayout, QWidget

from studio.pages.data.answers import Place
from studio.widgets.controls import LinkButton
from studio.widgets.label import Label

_CHARACTERS_MAX = 44


def ending(name: str, characters: int) -> str:
    """The end of a long name or path, which says most about it."""
    return name if len(name) <= characters else f"…{name[1 - characters :]}"


class PlaceLine(QWidget):
    """A document's name and a line.

    Args:
        place: Where.
        opened: Gets the place when its document is wanted.
    """

    def __init__(
        self, place: Place, opened: Callable[[Place], object], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        link = LinkButton(ending(place.title, _CHARACTERS_MAX))
        link.setToolTip(place.path)
        link.clicked.connect(lambda: opened(place))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(link)
        row.addWidget(Label(f"line {place.line:,}" if place.line else "", "label", "muted"))
        row.addStretch(1)

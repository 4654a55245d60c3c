"""Leaving documents out that the index's reports point at: a copy of the dataset without them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtWidgets import QHBoxLayout, QWidget

from studio.pages.data.answers import DocumentName, Place
from studio.widgets.controls import LinkButton
from studio.widgets.figures import plural


def names_of(places: Sequence[Place]) -> tuple[str, ...]:
    """The documents of places as `CleaningConfig.exclude` names them, each once.

    The hash of a text names it wherever its file has moved to; older corpora have paths alone.
    """
    return tuple(dict.fromkeys(f"text:{p.text}" if p.text else p.path for p in places))


def beyond_first(places: Sequence[Place]) -> tuple[str, ...]:
    """The same without the first document, which is to stay."""
    return names_of(places)[1:]


def copies_beyond_first(documents: Sequence[DocumentName]) -> tuple[str, ...]:
    """Equal documents but the first, by their paths: they may have one hash."""
    return tuple(dict.fromkeys(document.path for document in documents))[1:]


class ExcludeLink(QWidget):
    """Offers a copy of the dataset without some documents.

    Args:
        names: The documents.
        which: Which these are among those that are shown, such as `the other 2`.
        wanted: Gets the names when the copy is wanted.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        which: str,
        wanted: Callable[[tuple[str, ...]], object],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.link = LinkButton(f"Leave {which} out of a copy")
        self.link.setToolTip(
            f"Begins a copy of this dataset without {plural(len(names), 'document')}."
        )
        self.link.clicked.connect(lambda: wanted(names))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.link)
        row.addStretch(1)

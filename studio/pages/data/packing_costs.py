"""What each way of packing documents into sequences loses, as bars and figures."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QWidget

from studio.pages.data.corpus import ContextCost, PackingCost
from studio.widgets.figures import percent
from studio.widgets.label import Label
from studio.widgets.progress import ProgressLine
from trainer_core.spec import Packing

WAYS: Final[dict[Packing, str]] = {
    "stream": "One stream",
    "best_fit": "Whole documents",
    "documents": "One a row",
}
_MEANINGS: Final[dict[Packing, str]] = {
    "stream": "All documents joined, a separator token before each, then cut anywhere.",
    "best_fit": "Sequences filled with whole documents; only longer ones than the context are cut.",
    "documents": "A sequence for each document: cropped where it is longer, padded where shorter.",
}
_PADDING = "Share of the places in sequences that hold no token, and are computed for nothing."
_RIGHT = Qt.AlignmentFlag.AlignRight


class PackingCosts(QWidget):
    """A row for each way of packing: tokens lost, and padding."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(1, 1)
        self._names: dict[Packing, Label] = {}
        self._bars: dict[Packing, ProgressLine] = {}
        self._lost: dict[Packing, Label] = {}
        self._padding: dict[Packing, Label] = {}
        for row, (packing, name) in enumerate(WAYS.items()):
            self._names[packing] = Label(name, "secondary", elide=False)
            self._bars[packing] = ProgressLine(colour="danger", thickness=8)
            self._lost[packing] = Label("", "mono", "ok", elide=False, align=_RIGHT)
            self._padding[packing] = Label("", "label", "muted", elide=False, align=_RIGHT)
            self._padding[packing].set_tooltip(_PADDING)
            grid.addWidget(self._names[packing], row, 0)
            grid.addWidget(self._bars[packing], row, 1, Qt.AlignmentFlag.AlignVCenter)
            grid.addWidget(self._lost[packing], row, 2)
            grid.addWidget(self._padding[packing], row, 3)

    def show_cost(self, cost: ContextCost) -> None:
        """Show what each way makes of sequences of one length."""
        ways: dict[Packing, PackingCost] = {
            "stream": cost.stream,
            "best_fit": cost.best_fit,
            "documents": cost.documents,
        }
        for packing, found in ways.items():
            self._bars[packing].set_share(found.lost)
            lost = self._lost[packing]
            lost.set_text(percent(found.lost))
            lost.set_tone("danger" if found.lost > 0 else "ok")
            known = found.padding == found.padding
            padding = 0.0 if packing == "stream" else found.padding
            self._padding[packing].set_text(f"{percent(padding)} padding" if known else "")
            self._names[packing].set_tooltip(_meaning(packing, found))


def _meaning(packing: Packing, found: PackingCost) -> str:
    """What the way does, and to how many documents."""
    if packing == "documents" or found.split != found.split:
        return _MEANINGS[packing]
    return f"{_MEANINGS[packing]} {percent(found.split)} of documents are in several sequences."

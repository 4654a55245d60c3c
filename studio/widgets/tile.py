"""A tile: a label, a large figure and one line of context, 84 px high."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.widgets.card import Card, Dot
from studio.widgets.figures import MISSING
from studio.widgets.label import Label, Part
from studio.widgets.progress import ProgressLine


class Tile(Card):
    """A figure that is watched.

    Args:
        label: What it is.
        colour: Palette colour of its series by name, shown as a small square; empty for none.
        tooltip: Its definition.
    """

    def __init__(
        self, label: str, colour: str = "", tooltip: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(padding=12, spacing=0, parent=parent)
        self.setFixedHeight(84)
        self.setMinimumWidth(104)
        head = QHBoxLayout()
        head.setSpacing(6)
        if colour:
            head.addWidget(Dot(colour), 0, Qt.AlignmentFlag.AlignVCenter)
        head.addWidget(Label(label, "label", "muted"), 1)
        self._label = label
        self._value = Label(MISSING, "tile", elide=False)
        self._context = Label("", "label", "muted")
        self._bar = ProgressLine(colour="s5")
        self._bar_row = QWidget()
        self._bar_row.setFixedHeight(16)  # as high as the context, so that figures stay in line
        row = QVBoxLayout(self._bar_row)
        row.setContentsMargins(0, 6, 0, 6)
        row.addWidget(self._bar)
        self._bar_row.hide()
        self.body.addLayout(head)
        self.body.addStretch(1)
        self.body.addWidget(self._value)
        self.body.addStretch(1)
        self.body.addWidget(self._context)
        self.body.addWidget(self._bar_row)
        self.setToolTip(tooltip)
        self.setAccessibleName(label)

    def set_value(
        self, value: str, unit: str = "", context: str | tuple[Part | str, ...] = ""
    ) -> None:
        """Show a figure.

        Args:
            value: The figure, "–" when there is none.
            unit: Written small after it.
            context: One line below; for a missing figure the reason. Parts may be figures.
        """
        unit_part = (Part(unit, "mono", "muted"),) if unit else ()
        self._value.set_parts(Part(value), *unit_part)
        parts = (context,) if isinstance(context, str) else context
        self._context.set_parts(*parts)
        self._context.show()
        self._bar_row.hide()
        self.setAccessibleName(f"{self._label}: {value} {unit} {self._context.text()}".strip())

    def set_share(self, share: float, colour: str = "s5") -> None:
        """Show a progress line in place of the context."""
        self._bar.set_share(share)
        self._bar.set_colour(colour)
        self._context.hide()
        self._bar_row.show()

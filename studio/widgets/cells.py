"""What a table shows: columns, rows and cells. Knows nothing of Qt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from studio.palette import RoleName
from studio.widgets.pill import PillLook

CHECK = "check"
"""Key of the column in front that holds the boxes of a table whose rows can be checked."""

CellStyle = Literal["text", "strong", "muted", "mono", "mono_muted"]


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Args:
        key: Its name in a row's cells.
        title: Its heading.
        width: Pixels; the least width when `stretch` is set.
        stretch: Share of the room that is left over; 0 keeps the width.
        style: How its text looks; a cell may differ.
        right: Align right, as figures are; headings follow.
        sortable: Whether a click on its heading sorts.
        tooltip: Definition of what it shows, on its heading.
    """

    key: str
    title: str
    width: int = 100
    stretch: int = 0
    style: CellStyle = "text"
    right: bool = False
    sortable: bool = True
    tooltip: str = ""


@dataclass(frozen=True)
class Cell:
    """What stands in a cell, from left to right: line sample, icon, pill, bar, text.

    Args:
        text: Words or figures; narrow columns elide it and show it whole as tooltip.
        sort: Key for sorting; the text when None. One column's keys are of one type.
        style: Another look than the column's.
        role: Another colour for the text, such as `danger`.
        icon: Name of an icon after the text.
        pill: A state.
        share: A progress bar, 0 to 1.
        bar_role: Colour of the bar.
        series: Series slot for a line sample before the text, or None.
        outlined: Draw a box around the text, as for a setting that differs.
        link: Draw the text as a link; `DataTable.link_clicked` says when it is clicked.
        tooltip: Exact number or definition.
        chips: Words in boxes of their own, such as tags, in place of the text.
        button: An icon alone that can be clicked; `DataTable.link_clicked` says so. `role` tints
            it, and `text` is what a screen reader says.
    """

    text: str = ""
    sort: float | str | None = None
    style: CellStyle | None = None
    role: RoleName | None = None
    icon: str = ""
    pill: PillLook | None = None
    share: float | None = None
    bar_role: RoleName = "accent"
    series: int | None = None
    outlined: bool = False
    link: bool = False
    tooltip: str = ""
    chips: tuple[str, ...] = ()
    button: str = ""

    def sort_key(self) -> tuple[int, float, str]:
        """Missing values last, numbers by value, text without regard to case."""
        key = self.sort if self.sort is not None else self.text
        if isinstance(key, str):
            return (0 if key and key != "–" else 1, 0.0, key.casefold())
        return (1 if key != key else 0, 0.0 if key != key else float(key), "")

    def spoken(self) -> str:
        """The cell for a screen reader."""
        words = [self.pill.word if self.pill else "", self.text, ", ".join(self.chips)]
        if self.share is not None and not self.text:
            words.append(f"{self.share:.0%}")
        return " ".join(word for word in words if word)


@dataclass(frozen=True)
class Row:
    """A row; `key` names it across updates, so that selection and scroll position stay."""

    key: object
    cells: Mapping[str, Cell | str] = field(default_factory=dict)

    def cell(self, column: str) -> Cell:
        """The cell of a column; an absent one is empty."""
        found = self.cells.get(column, "")
        return found if isinstance(found, Cell) else Cell(found)

"""The bar above the data page: what there is, or where one is while adding."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from studio.pages.data.adding.flow import AddFlow
from studio.pages.data.jobs import Shelf
from studio.pages.page import PageHeader
from studio.widgets.controls import IconButton, PrimaryButton, SearchBox
from studio.widgets.figures import size
from studio.widgets.label import Label, Part


class DataHeader(PageHeader):
    """Title, sums and search; while data is added, the step instead."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Data", parent)
        self._crumb = Label("", "title")
        self._summary = Label("", "secondary", "muted")
        self.search = SearchBox("Search data")
        self.search.setFixedWidth(200)
        self.add = PrimaryButton("Add data", "plus")
        self._which = Label("", "secondary", "muted")
        self.close_adding = IconButton("x", "Close (Esc)", edge=28)
        self._of_shelf: tuple[QWidget, ...] = (self._summary, self.search, self.add)
        self._of_adding: tuple[QWidget, ...] = (self._crumb, self._which, self.close_adding)
        self.add_left(self._crumb)
        self.add_left(self._summary)
        self.add_right(self.search)
        self.add_right(self.add)
        self.add_right(self._which)
        self.add_right(self.close_adding)
        self.show_adding(None)

    def show_shelf(self, shelf: Shelf) -> None:
        """Say how much there is."""
        text = sum(row.size_bytes or 0 for row in shelf.datasets)
        indexes = sum(row.index_bytes or 0 for row in shelf.datasets)
        parts = [f"{size(text)} of text", f"{size(indexes)} of indexes"] if text else []
        if shelf.free_bytes is not None:
            parts.append(f"{size(shelf.free_bytes)} free")
        self._summary.set_text(", ".join(parts))

    def show_adding(self, flow: AddFlow | None) -> None:
        """Say which step is shown; None while nothing is added."""
        for widget in self._of_shelf:
            widget.setVisible(flow is None)
        for widget in self._of_adding:
            widget.setVisible(flow is not None)
        if flow is not None:
            words = "Add data" if flow.replaces is None else "Change and read again"
            self._crumb.set_parts(Part("/  ", tone="muted"), Part(words))
            self._which.set_text(f"Step {flow.current + 1} of {flow.stack.count()}")

"""Tags as chips: a popover that puts them on runs and takes them off."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.storage.organising import checked_tag
from studio.widgets.controls import CheckBox, LineEdit, PrimaryButton, QuietButton
from studio.widgets.floating_card import FloatingCard
from studio.widgets.label import Label
from studio.widgets.scroll import ClearScroll
from trainer_core.errors import KnownError

Changed = Callable[[Sequence[str], Sequence[str]], object]
_WIDTH_PX = 320
_LIST_PX = 180


class TagPopover(FloatingCard):
    """Every tag in use with a box, and a field for new ones; Enter keeps, Escape leaves.

    Args:
        window: What it lies over.
        tags: Those of each run.
        known: Every tag in use.
        changed: Gets the tags to put on and those to take off; not called when there are none.
    """

    def __init__(
        self,
        window: QWidget,
        tags: Sequence[Sequence[str]],
        known: Sequence[str],
        changed: Changed,
    ) -> None:
        super().__init__(window, _WIDTH_PX)
        self._changed = changed
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 10, 12, 12)
        column.setSpacing(8)
        runs = len(tags)
        column.addWidget(Label("Tags" if runs == 1 else f"Tags of {runs} runs", "strong"))
        self.field = LineEdit("", "New tags, separated by commas", name="New tags")
        self.takes_keys_of(self.field)
        self.field.textChanged.connect(lambda _text: self._say(""))
        column.addWidget(self.field)
        self._problem = Label("", "label", "danger", wrap=True)
        self._problem.hide()
        column.addWidget(self._problem)
        self.boxes: dict[str, CheckBox] = {}
        self._on_all: set[str] = set()
        self._on_some: set[str] = set()
        column.addWidget(self._make_boxes(tags, known))
        row = QHBoxLayout()
        row.addStretch(1)
        cancel = QuietButton("Cancel", size="small")
        cancel.clicked.connect(self.close_up)
        keep = PrimaryButton("Keep", size="small")
        keep.clicked.connect(self.accept)
        row.addWidget(cancel)
        row.addWidget(keep)
        column.addLayout(row)

    def first(self) -> QWidget:
        """The field for new ones."""
        return self.field

    def _make_boxes(self, tags: Sequence[Sequence[str]], known: Sequence[str]) -> QWidget:
        by_key = {tag.casefold(): tag for tag in known}
        by_key.update({tag.casefold(): tag for each in tags for tag in each})
        counts = {
            key: sum(key in (tag.casefold() for tag in each) for each in tags) for key in by_key
        }
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 2, 0, 2)
        column.setSpacing(6)
        for key in sorted(by_key):
            some = 0 < counts[key] < len(tags)
            words = f"{by_key[key]}  ({counts[key]} of {len(tags)})" if some else by_key[key]
            box = CheckBox(words, checked=counts[key] > 0)
            self.boxes[by_key[key]] = box
            column.addWidget(box, 0, Qt.AlignmentFlag.AlignLeft)
            if counts[key] == len(tags):
                self._on_all.add(by_key[key])
            elif some:
                self._on_some.add(by_key[key])
        column.addStretch(1)
        area = ClearScroll(holder)
        area.setFixedHeight(min(len(by_key) * 26 + 4, _LIST_PX) if by_key else 0)
        return area

    def accept(self) -> None:
        """Put on what is ticked and typed, take off what is not ticked any more."""
        try:
            typed = [checked_tag(each) for each in self.field.text().split(",") if each.strip()]
        except KnownError as error:
            self._say(error.what)
            return
        ticked = {tag for tag, box in self.boxes.items() if box.isChecked()}
        # A tag that only some runs have and that stays ticked stays as it is.
        add = [*(sorted(ticked - self._on_all - self._on_some)), *typed]
        remove = sorted((self._on_all | self._on_some) - ticked)
        self.close_up()
        if add or remove:
            self._changed(add, remove)

    def _say(self, problem: str) -> None:
        self._problem.set_text(problem)
        self._problem.setVisible(bool(problem))
        self.field.set_invalid(bool(problem))
        self.fit()

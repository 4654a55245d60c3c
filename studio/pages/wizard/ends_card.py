"""The card on what one has: time, a size, or text; the other two are worked out from it."""

from __future__ import annotations

import re
from typing import Final

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from studio.pages.typed import parse, parse_count
from studio.pages.wizard.draft import Draft, Fixed
from studio.pages.wizard.plan import Plan
from studio.widgets.card import Card
from studio.widgets.controls import LineEdit, SecondaryButton, Segmented
from studio.widgets.figures import count, duration
from studio.widgets.headings import card_title
from studio.widgets.label import Label, Part

_ENDS: Final = (("hours", "Time"), ("parameters", "Size"), ("tokens", "Text"))
_WORDS: Final[dict[str, tuple[str, str]]] = {
    "hours": ("I have", "hours"),
    "parameters": ("I want", "parameters"),
    "tokens": ("I have", "tokens to read"),
}
_EXAMPLES: Final[dict[str, str]] = {"hours": "40", "parameters": "163M", "tokens": "3.28B"}
_HOURS_MAX: Final = 24 * 366 * 10.0
_COUNT_MAX: Final = 1e15
_UNITS_H: Final = {"": 1.0, "h": 1.0, "m": 1 / 60, "d": 24.0, "w": 168.0}


class EndsCard(Card):
    """Fixes one end of the plan.

    Signals:
        end_fixed(str, float): Which end, and its hours, parameters or tokens.
        end_freed: No end is to be fixed any more.
    """

    end_fixed = Signal(str, float)
    end_freed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(spacing=10, parent=parent)
        self._shown: tuple[Fixed, float] = ("", 0.0)
        self.ends = Segmented(list(_ENDS), name="What is fixed")
        self.ends.chosen.connect(self._on_end_chosen)
        head = QHBoxLayout()
        head.addWidget(card_title("Or begin with what you have"), 1)
        head.addWidget(self.ends)
        self._before = Label("", "body", "muted", elide=False)
        self.value = LineEdit(mono=True, name="What you have")
        self.value.setFixedWidth(112)
        self.value.returnPressed.connect(self._on_wanted)
        self.value.textEdited.connect(self._on_text_edited)
        self._after = Label("", "body", "muted", elide=False)
        self.work_out = SecondaryButton("Work out the rest")
        self.work_out.clicked.connect(self._on_wanted)
        self.free = SecondaryButton("Let go", "x")
        self.free.clicked.connect(self.end_freed)
        row = QHBoxLayout()
        row.setSpacing(8)
        for widget in (self._before, self.value, self._after):
            row.addWidget(widget)
        row.addStretch(1)
        row.addWidget(self.free)
        row.addWidget(self.work_out)
        self._result = Label("", "secondary", "muted", wrap=True)
        self.body.addLayout(head)
        self.body.addLayout(row)
        self.body.addWidget(self._result)
        self._show_end("hours")

    def show_draft(self, draft: Draft, plan: Plan) -> None:
        """Show the end that is fixed, and what follows from it."""
        fixed = (draft.fixed, draft.fixed_value)
        if fixed != self._shown:
            self._shown = fixed
            if draft.fixed:
                self.ends.set_current(draft.fixed)
                self._show_end(draft.fixed)
                self.value.setText(value_text(draft.fixed, draft.fixed_value))
                self.value.set_invalid(False)
        self.free.setVisible(bool(draft.fixed))
        self.work_out.setEnabled(draft.data is not None)
        if not draft.fixed:
            self._result.set_text(
                "Size, text and time follow from each other: the best use of computing is about"
                " 20 tokens for each parameter."
                if draft.data is not None
                else "Choose data in the next step first."
            )
            return
        parts = [
            Part(count(plan.parameters), "mono", "text"),
            Part(" parameters read "),
            Part(count(plan.training_tokens), "mono", "text"),
            Part(" tokens"),
        ]
        if plan.estimate is not None:
            about = duration(plan.estimate.seconds)
            parts += [Part(" in about "), Part(about, "mono", "text")]
        self._result.set_parts(*parts, Part("."))

    def words(self, draft: Draft) -> str:
        """The end that is fixed, in a few words; empty where none is."""
        if not draft.fixed:
            return ""
        before, after = _WORDS[draft.fixed]
        return f"{before} {value_text(draft.fixed, draft.fixed_value)} {after}"

    def refuse(self, why: str) -> None:
        """Say why nothing follows from what was typed."""
        self.value.set_invalid(True)
        self.value.setAccessibleDescription(why)
        self._result.set_parts(Part(why, tone="danger"))

    def _show_end(self, end: str) -> None:
        before, after = _WORDS[end]
        self._before.set_text(before)
        self._after.set_text(after)
        self.value.setPlaceholderText(_EXAMPLES[end])
        self.value.setAccessibleName(f"{before} … {after}")

    def _on_end_chosen(self, end: str) -> None:
        self._show_end(end)
        self.value.clear()
        self.value.set_invalid(False)
        self.value.setFocus()

    def _on_text_edited(self, text: str) -> None:
        self.value.set_invalid(False)

    def _on_wanted(self) -> None:
        end = self.ends.current
        text = self.value.text().strip() or _EXAMPLES[end]
        value = parse_hours(text) if end == "hours" else parse_count(text)
        most = _HOURS_MAX if end == "hours" else _COUNT_MAX
        if value is None:
            example = _EXAMPLES[end]
            self.refuse(f"“{text[:40]}” is no number that can be used here; try {example}.")
        elif value > most:
            self.refuse("That is more than can be planned.")
        else:
            self.end_fixed.emit(end, value)


def parse_hours(text: str) -> float | None:
    """Hours of what people type: `40`, `40 h`, `90 min`, `1.5 days`; None for nonsense.

    >>> parse_hours("40"), parse_hours("90 min"), parse_hours("2 d"), parse_hours("soon")
    (40.0, 1.5, 48.0, None)
    """
    found = re.fullmatch(r"([0-9.,_\s]+?)\s*([a-zA-Z]*)", text.strip())
    if found is None:
        return None
    value = parse(found[1])
    unit = _UNITS_H.get(found[2][:1].lower())
    if isinstance(value, str) or unit is None or value <= 0:
        return None
    return value * unit


def value_text(fixed: Fixed, value: float) -> str:
    """What was fixed, as one would type it."""
    return f"{value:,.4g}" if fixed == "hours" else count(value)

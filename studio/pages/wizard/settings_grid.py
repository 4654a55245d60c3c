"""A card of settings by their paths in the spec: each with its name, its hint and what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QWidget

from studio.pages.typed import Typed, parse, parse_percent, percent_text
from studio.pages.wizard.draft import Draft, Value
from studio.pages.wizard.plan import Plan
from studio.widgets.card import Card
from studio.widgets.controls import CheckBox, ComboBox, LineEdit
from studio.widgets.field import Field
from studio.widgets.headings import card_title


@dataclass(frozen=True)
class Setting:
    """A setting with a field.

    Attributes:
        path: In the spec.
        name: As people call it.
        hint: Below it.
        tooltip: Its definition, with its source.
        kind: How it is typed; `seed` is a number without groups of digits.
        choices: Pairs of value and word; then one of them is chosen.
        only: Value of `optimizer.kind` that it belongs to; empty: all.
    """

    path: str
    name: str
    hint: str = ""
    tooltip: str = ""
    kind: Literal["number", "percent", "seed", "flag"] = "number"
    choices: tuple[tuple[str, str], ...] = ()
    only: str = ""


class SettingsGrid(Card):
    """Fields side by side.

    Args:
        title: Of the card.
        settings: From left to right.
        columns: How many to a row.

    Signals:
        values_changed (object): The user changed some; carries new values by path.
    """

    values_changed = Signal(object)

    def __init__(
        self,
        title: str,
        settings: Sequence[Setting],
        *,
        columns: int = 3,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(spacing=12, parent=parent)
        self._settings = tuple(settings)
        self._columns = columns
        self.fields: dict[str, Field] = {}
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(16)
        self._grid.setVerticalSpacing(12)
        for setting in self._settings:
            field = Field(
                setting.name, self._control(setting), hint=setting.hint, tooltip=setting.tooltip
            )
            self.fields[setting.path] = field
        for column in range(columns):
            self._grid.setColumnStretch(column, 1)
        self._placed: tuple[str, ...] = ()
        self.body.addWidget(card_title(title))
        self.body.addLayout(self._grid)

    def show_draft(self, draft: Draft, plan: Plan) -> None:
        """Show what is in force, and what is wrong with it."""
        kind = draft.in_force("optimizer.kind")
        self._place(tuple(s.path for s in self._settings if s.only in ("", kind)))
        for setting in self._settings:
            field = self.fields[setting.path]
            self._show_value(setting, field.control, draft, plan)
            field.set_error(plan.at_fault(setting.path))

    def at_fault(self, plan: Plan) -> bool:
        """Whether one of its fields is wrong."""
        return plan.error is not None and plan.error.field in self.fields

    # --- parts --------------------------------------------------------------------------------

    def _place(self, paths: tuple[str, ...]) -> None:
        """Put the fields that are shown in order, without gaps."""
        if paths == self._placed:
            return
        self._placed = paths
        for field in self.fields.values():
            self._grid.removeWidget(field)
            field.hide()
        for number, path in enumerate(paths):
            field = self.fields[path]
            self._grid.addWidget(field, number // self._columns, number % self._columns)
            field.show()

    def _control(self, setting: Setting) -> QWidget:
        if setting.choices:
            box = ComboBox(setting.name)
            for value, word in setting.choices:
                box.addItem(word, value)
            box.activated.connect(partial(self._on_chosen, setting, box))
            return box
        if setting.kind == "flag":
            check = CheckBox("On")
            check.setAccessibleName(setting.name)
            check.clicked.connect(lambda: self._emit(setting, check.isChecked()))
            return check
        edit = LineEdit(mono=True, name=setting.name)
        edit.textEdited.connect(partial(self._on_text_edited, setting))
        return edit

    def _show_value(self, setting: Setting, control: QWidget, draft: Draft, plan: Plan) -> None:
        value = shown_value(setting.path, draft, plan)
        if isinstance(control, ComboBox):
            control.setCurrentIndex(max(control.findData(value), 0))
        elif isinstance(control, CheckBox):
            control.setChecked(bool(value))
        elif isinstance(control, LineEdit):
            read = parse_percent if setting.kind == "percent" else parse
            if read(control.text()) != value:
                control.setText(_text(setting, value))

    def _on_chosen(self, setting: Setting, box: ComboBox, index: int) -> None:
        self._emit(setting, box.itemData(index))

    def _on_text_edited(self, setting: Setting, text: str) -> None:
        value: Typed = parse_percent(text) if setting.kind == "percent" else parse(text)
        self._emit(setting, value)

    def _emit(self, setting: Setting, value: Value) -> None:
        self.values_changed.emit({setting.path: value})


def shown_value(path: str, draft: Draft, plan: Plan) -> Value:
    """A setting as it was typed, else as it will be frozen: some follow from the steps."""
    if path in dict(draft.extra) or plan.spec is None:
        return draft.in_force(path)
    found: object = plan.spec
    for part in path.split("."):
        found = getattr(found, part)
    typed = draft.in_force(path)
    return found if isinstance(found, int | float | str) else typed


def _text(setting: Setting, value: Value) -> str:
    if isinstance(value, str):
        return value
    if setting.kind == "percent":
        return percent_text(value)
    if isinstance(value, int) and setting.kind != "seed":
        return f"{value:,}"
    return f"{value:.12g}" if isinstance(value, float) else f"{value}"

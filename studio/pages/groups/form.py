"""The form of a group: how many seeds, and which settings over which values."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from studio.runs.variants import (
    MOST_AXES,
    SWEPT,
    Axes,
    Value,
    ValuesError,
    read_values,
    seeds_from,
    swept,
    value_at,
    value_text,
)
from studio.widgets.controls import ComboBox, LineEdit
from studio.widgets.headings import card_title
from studio.widgets.label import Label
from trainer_core.spec import TrainSpec

_NOTHING = "Nothing"


class VariantsForm(QWidget):
    """Seeds, and up to two settings with their values; what is wrong stands below its field.

    Signals:
        changed: The user has changed something.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._spec = TrainSpec(corpus="-")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(card_title("Seeds"))
        row = QHBoxLayout()
        row.setSpacing(8)
        self.count = _figure("Number of seeds", "3", 52)
        self.first = _figure("First seed", "1337", 92)
        row.addWidget(Label("Train each setting with", "secondary", elide=False))
        row.addWidget(self.count)
        row.addWidget(Label("seeds, from", "secondary", elide=False))
        row.addWidget(self.first)
        row.addWidget(Label("on", "secondary", elide=False))
        row.addStretch(1)
        column.addLayout(row)
        self._seed_hint = Label("", "label", "muted", wrap=True)
        column.addWidget(self._seed_hint)
        column.addSpacing(8)
        column.addWidget(card_title("Settings to vary"))
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(4)
        self.settings: list[ComboBox] = []
        self.values: list[LineEdit] = []
        self._hints: list[Label] = []
        for place in range(MOST_AXES):
            self._add_axis(grid, place)
        grid.setColumnStretch(1, 1)
        column.addLayout(grid)
        for field in (self.count, self.first, *self.values):
            field.textChanged.connect(self._on_changed)
        self._show_hints()

    def set_spec(self, spec: TrainSpec) -> None:
        """Vary the settings of this one."""
        self._spec = spec
        self.first.setText(str(spec.seed))
        self._show_hints()

    def axes(self) -> Axes:
        """What is asked for.

        Raises:
            ValuesError: Something cannot be used; it is shown beside its field as well.
        """
        self._show_hints()
        count = self.count.text().strip()
        if not (count.isascii() and count.isdigit()):
            raise ValuesError("The number of seeds is a whole number, such as 3.", "seed")
        seeds = seeds_from(self.first.text(), int(count[:6]))
        values: dict[str, tuple[Value, ...]] = {}
        for box, field in zip(self.settings, self.values, strict=True):
            path = box.currentData()
            if not path:
                continue
            if path in values:
                raise ValuesError(f"{swept(path).name} is varied already.", path)
            values[path] = read_values(field.text(), self._spec, path)
        return Axes(seeds, values)

    def show_problem(self, error: ValuesError) -> None:
        """Say what is wrong beside the field that it is about."""
        if error.path == "seed":
            self._say(self._seed_hint, error.what)
            for field in (self.count, self.first):
                field.set_invalid(True)
            return
        paths = [box.currentData() for box in self.settings]
        if error.path in paths:
            # The later of two that name the same setting is the one to change.
            place = len(paths) - 1 - paths[::-1].index(error.path)
            self._say(self._hints[place], error.what)
            self.values[place].set_invalid(True)
            return
        self._say(self._seed_hint, error.what)

    # --- parts ---------------------------------------------------------------------------------

    def _add_axis(self, grid: QGridLayout, place: int) -> None:
        box = ComboBox(f"Setting {place + 1} to vary")
        box.addItem(_NOTHING, "")
        for each in SWEPT:
            box.addItem(each.name, each.path)
        box.setMinimumWidth(190)
        field = LineEdit("", "values between commas", name=f"Values of setting {place + 1}")
        hint = Label("", "label", "muted", wrap=True)
        grid.addWidget(box, 2 * place, 0)
        grid.addWidget(field, 2 * place, 1)
        grid.addWidget(hint, 2 * place + 1, 1, Qt.AlignmentFlag.AlignTop)
        box.currentIndexChanged.connect(lambda _index: self._on_setting_chosen(place))
        self.settings.append(box)
        self.values.append(field)
        self._hints.append(hint)

    def _on_setting_chosen(self, place: int) -> None:
        path = self.settings[place].currentData()
        self.values[place].setPlaceholderText(
            swept(path).example if path else "values between commas"
        )
        self._on_changed()

    def _on_changed(self, _text: str = "") -> None:
        self._show_hints()
        self.changed.emit()

    def _show_hints(self) -> None:
        """No error anywhere; what each setting is now."""
        self._seed_hint.set_tone("muted")
        self._seed_hint.set_text(
            "Three seeds tell a clear difference from noise; a small one needs five or more."
        )
        for field in (self.count, self.first, *self.values):
            field.set_invalid(False)
        for box, field, hint in zip(self.settings, self.values, self._hints, strict=True):
            path = box.currentData()
            field.setEnabled(bool(path))
            hint.set_tone("muted")
            hint.set_text(f"Now {value_text(value_at(self._spec, path))}." if path else "")

    @staticmethod
    def _say(label: Label, what: str) -> None:
        label.set_tone("danger")
        label.set_text(what)


def _figure(name: str, text: str, width_px: int) -> LineEdit:
    field = LineEdit(text, name=name, mono=True)
    field.setFixedWidth(width_px)
    field.setMaxLength(9)
    return field

"""The left column of the playground: how tokens are chosen, and the memory index."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import asdict, dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QMenu, QVBoxLayout, QWidget

from studio.pages.playground.servers import RunFacts
from studio.pages.typed import parse
from studio.widgets.card import Hairline, Panel
from studio.widgets.controls import Button, ComboBox, IconButton, LineEdit, Slider, Toggle
from studio.widgets.figures import count
from studio.widgets.headings import card_title
from studio.widgets.label import Label
from studio.widgets.scroll import ClearScroll
from trainer_core.protocol import Generate

_SEED_MAX = 99_999
_HIGHLIGHT = (1, 4, 8, 16, 32)


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen."""

    temperature: float = 0.8
    top_k: int = 50
    top_p: float = 0.95
    min_p: float = 0.05
    repetition_penalty: float = 1.05


PRESETS: dict[str, Sampling] = {
    "Balanced": Sampling(),
    "Greedy": Sampling(0.0, 0, 1.0, 0.0, 1.0),
    "Creative": Sampling(1.1, 0, 0.98, 0.02, 1.1),
}
CUSTOM = "Own"


@dataclass(frozen=True)
class _Knob:
    """A setting on a slider: value = low + position × step."""

    name: str
    low: float
    high: float
    step: float
    digits: int
    meaning: str

    @property
    def positions(self) -> int:
        """The slider's highest position."""
        return round((self.high - self.low) / self.step)

    def value(self, position: int) -> float:
        """The setting at a position."""
        return round(self.low + position * self.step, self.digits)

    def position(self, value: float) -> int:
        """The position nearest to a setting."""
        return min(max(round((value - self.low) / self.step), 0), self.positions)

    def text(self, value: float) -> str:
        """The setting as it is shown."""
        if self.name == "Top-k" and value == 0:
            return "all"
        return f"{value:,.{self.digits}f}"


_KNOBS: dict[str, _Knob] = {
    "temperature": _Knob("Temperature", 0, 2, 0.05, 2, "0 takes the likeliest token each time"),
    "top_k": _Knob("Top-k", 0, 150, 1, 0, "Only the k likeliest tokens; 0 keeps all"),
    "top_p": _Knob("Top-p", 0.05, 1, 0.01, 2, "The likeliest tokens that together have this share"),
    "min_p": _Knob("Min-p", 0, 0.5, 0.01, 2, "At least this share of the likeliest token's"),
    "repetition_penalty": _Knob(
        "Repetition penalty", 1, 1.5, 0.01, 2, "Makes tokens that were there less likely; 1 is off"
    ),
    "max_tokens": _Knob("Max tokens", 8, 1024, 4, 0, "The text ends after this many"),
}


class SamplingPanel(Panel):
    """Sliders, seed, and the switches of the index.

    Signals:
        highlight_changed (bool, int): Whether matches are coloured, and from which length.
        changed (): A setting is another one; worth remembering.
    """

    highlight_changed = Signal(bool, int)
    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("bg1", right_line=True, parent=parent)
        self.setFixedWidth(208)
        self._sliders: dict[str, Slider] = {}
        self._values: dict[str, Label] = {}
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(16, 14, 15, 16)
        column.setSpacing(8)
        column.addLayout(self._head())
        for key, knob in _KNOBS.items():
            column.addLayout(self._knob_row(key, knob))
        column.addLayout(self._seed_row())
        column.addSpacing(8)
        column.addWidget(Hairline())
        column.addSpacing(6)
        column.addLayout(self._index_rows())
        column.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 1, 0)
        outer.addWidget(ClearScroll(inner))
        self.set_sampling(PRESETS["Balanced"], max_tokens=300)
        self.roll_seed()

    # --- parts -------------------------------------------------------------------------------

    def _head(self) -> QHBoxLayout:
        self._preset = Button("Balanced", kind="quiet", size="small", trailing_icon="chevron-down")
        self._preset.setAccessibleName("Preset")
        self._preset.clicked.connect(self._on_preset_clicked)
        row = QHBoxLayout()
        row.addWidget(card_title("Sampling"), 1)
        row.addWidget(self._preset)
        return row

    def _knob_row(self, key: str, knob: _Knob) -> QVBoxLayout:
        slider = Slider(knob.name)
        slider.setRange(0, knob.positions)
        slider.setPageStep(max(knob.positions // 10, 1))
        slider.setToolTip(knob.meaning)
        value = Label("", "mono", elide=False)
        name = Label(knob.name, "secondary", "muted")
        name.set_tooltip(knob.meaning)
        slider.valueChanged.connect(lambda position: self._on_slider(key, position))
        self._sliders[key], self._values[key] = slider, value
        head = QHBoxLayout()
        head.addWidget(name, 1)
        head.addWidget(value)
        rows = QVBoxLayout()
        rows.setSpacing(2)
        rows.addLayout(head)
        rows.addWidget(slider)
        return rows

    def _seed_row(self) -> QVBoxLayout:
        self.seed = LineEdit(mono=True, name="Seed")
        self.seed.editingFinished.connect(self.changed)
        self.dice = IconButton("dices", "Another seed", boxed=True, edge=30)
        self.dice.clicked.connect(self.roll_seed)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.seed, 1)
        row.addWidget(self.dice)
        rows = QVBoxLayout()
        rows.setSpacing(4)
        rows.addWidget(Label("Seed", "secondary", "muted"))
        rows.addLayout(row)
        return rows

    def _index_rows(self) -> QVBoxLayout:
        self.use_index = Toggle("Use index", checked=True)
        self.use_index.toggled.connect(self.changed)
        self.highlight = Toggle("Highlight matches", checked=True)
        self.highlight.toggled.connect(self._on_highlight_changed)
        self.highlight_from = ComboBox("Highlight from")
        for tokens in _HIGHLIGHT:
            self.highlight_from.addItem(f"{tokens} token{'s' * (tokens > 1)}", tokens)
        self.highlight_from.setFixedWidth(self.highlight_from.sizeHint().width())
        self.highlight_from.setCurrentIndex(_HIGHLIGHT.index(4))
        self.highlight_from.currentIndexChanged.connect(self._on_highlight_changed)
        self._about = Label("", "label", "muted", wrap=True)
        rows = QVBoxLayout()
        rows.setSpacing(12)
        rows.addWidget(card_title("Memory index"))
        for name, control in (
            ("Use index", self.use_index),
            ("Highlight matches", self.highlight),
        ):
            row = QHBoxLayout()
            row.addWidget(Label(name, "body"), 1)
            row.addWidget(control)
            rows.addLayout(row)
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(Label("Highlight from", "label", "muted", elide=False), 1)
        row.addWidget(self.highlight_from)
        rows.addLayout(row)
        rows.addWidget(self._about)
        return rows

    # --- settings ----------------------------------------------------------------------------

    def sampling(self) -> Sampling:
        """The settings as they stand."""
        return Sampling(
            temperature=self._value("temperature"),
            top_k=int(self._value("top_k")),
            top_p=self._value("top_p"),
            min_p=self._value("min_p"),
            repetition_penalty=self._value("repetition_penalty"),
        )

    def set_sampling(self, sampling: Sampling, max_tokens: int | None = None) -> None:
        """Show other settings."""
        for key, value in asdict(sampling).items():
            self._sliders[key].setValue(_KNOBS[key].position(value))
        if max_tokens is not None:
            self._sliders["max_tokens"].setValue(_KNOBS["max_tokens"].position(max_tokens))
        for key in _KNOBS:
            self._show_value(key)

    def roll_seed(self) -> None:
        """Another seed, by chance."""
        self.seed.setText(f"{random.randint(1, _SEED_MAX):,}")
        self.seed.set_invalid(False)
        self.changed.emit()

    def seed_value(self) -> int | None:
        """The seed, or None while the field holds no seed; then the field says so."""
        seed = parse(self.seed.text())
        valid = isinstance(seed, int) and 0 <= seed < 2**63
        self.seed.set_invalid(not valid)
        return seed if isinstance(seed, int) and valid else None

    def request(self, number: int, prompt: str) -> Generate | None:
        """The request for a continuation; None while a setting is wrong."""
        seed = self.seed_value()
        if seed is None:
            return None
        return Generate(
            request=number,
            prompt=prompt,
            max_tokens=int(self._value("max_tokens")),
            seed=seed,
            use_index=self.use_index.isChecked() and self.use_index.isEnabled(),
            **asdict(self.sampling()),
        )

    def show_run(self, facts: RunFacts) -> None:
        """Say what the index is for this run."""
        reads = facts.has_index and facts.reads_matches
        self.use_index.setEnabled(reads)
        self.highlight.setEnabled(facts.has_index)
        self.highlight_from.setEnabled(facts.has_index)
        if reads and facts.train_tokens:
            self._about.set_text(
                f"{count(facts.train_tokens)} training tokens, read from disk. Turn the index off"
                " to hear the model alone."
            )
        elif facts.has_index:
            self._about.set_text(
                "This model does not read the index. Matches are found and shown all the same."
            )
        else:
            self._about.set_text("This run has no index at hand, so no matches can be shown.")

    def state(self) -> dict[str, object]:
        """Everything worth remembering."""
        return {
            **asdict(self.sampling()),
            "max_tokens": self._value("max_tokens"),
            "seed": self.seed.text(),
            "use_index": self.use_index.isChecked(),
            "highlight": self.highlight.isChecked(),
            "highlight_from": self.highlight_from.currentData(),
        }

    def restore(self, state: dict[str, object]) -> None:
        """Show what was remembered; what is missing or of no use stays."""
        for key, knob in _KNOBS.items():
            value = state.get(key)
            if isinstance(value, int | float):
                self._sliders[key].setValue(knob.position(value))
        if isinstance(seed := state.get("seed"), str) and isinstance(parse(seed), int):
            self.seed.setText(seed)
        for name, toggle in (("use_index", self.use_index), ("highlight", self.highlight)):
            if isinstance(on := state.get(name), bool):
                toggle.setChecked(on)
        index = self.highlight_from.findData(state.get("highlight_from"))
        if index >= 0:
            self.highlight_from.setCurrentIndex(index)

    # --- reactions ---------------------------------------------------------------------------

    def _value(self, key: str) -> float:
        return _KNOBS[key].value(self._sliders[key].value())

    def _show_value(self, key: str) -> None:
        self._values[key].set_text(_KNOBS[key].text(self._value(key)))

    def _on_slider(self, key: str, _position: int) -> None:
        self._show_value(key)
        name = next((n for n, preset in PRESETS.items() if preset == self.sampling()), CUSTOM)
        self._preset.set_text(name)
        self.changed.emit()

    def _on_preset_clicked(self) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for name, preset in PRESETS.items():
            menu.addAction(name, _setter(self.set_sampling, preset))
        menu.popup(self._preset.mapToGlobal(self._preset.rect().bottomLeft()))

    def _on_highlight_changed(self) -> None:
        tokens = self.highlight_from.currentData()
        self.highlight_changed.emit(self.highlight.isChecked(), int(tokens or 4))
        self.changed.emit()


def _setter(call: Callable[[Sampling], None], preset: Sampling) -> Callable[[], None]:
    return lambda: call(preset)

"""Settings: what trainings mind, what electricity costs, and the tour."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import Signal

from studio.context import Context
from studio.pages.settings.section import Section
from studio.widgets import figures
from studio.widgets.conditions_form import ConditionsForm
from studio.widgets.controls import LineEdit, SecondaryButton, Toggle

PRICE, CURRENCY, WATTS = "electricity/per_kwh", "electricity/currency", "electricity/watts"
_MOST_PRICE, _MOST_WATTS = 1000.0, 100_000.0
_PRICE_HINT = "Per kilowatt-hour; the plan of a run says what it costs."
_WATTS_HINT = "Of the whole computer while it trains, in watts. Empty: as the GPU's limit says."


@dataclass(frozen=True)
class Electricity:
    """What the user said of electricity; 0: nothing."""

    per_kwh: float = 0.0
    currency: str = "€"
    watts: float = 0.0


class TrainingsSection(Section):
    """What happens when the window is closed, sleep, electricity, the tour.

    Args:
        context: The studio.

    Signals:
        awake_changed: The computer is to be kept awake, or no longer.
        electricity_changed: Price, currency or watts were changed and can be used.
    """

    awake_changed = Signal()
    electricity_changed = Signal()

    def __init__(self, context: Context) -> None:
        super().__init__("Trainings")
        self._context = context
        self._closing_hint = self.add_row("When this window is closed", "")
        self.awake = Toggle("Keep the computer awake", True)
        self.awake.toggled.connect(lambda _on: self.awake_changed.emit())
        self.add_row(
            "Keep the computer awake",
            "While a training is at work; the screen may go dark.",
            self.awake,
        )
        self.price = _figure("Price of a kilowatt-hour", 70)
        self.currency = LineEdit("€", name="Currency")
        self.currency.setFixedWidth(52)
        self.currency.setMaxLength(5)
        self._price_hint = self.add_row(
            "Price of electricity", _PRICE_HINT, self.price, self.currency
        )
        self.watts = _figure("Power in watts", 70)
        self._watts_hint = self.add_row("Power", _WATTS_HINT, self.watts)
        for field in (self.price, self.currency, self.watts):
            field.editingFinished.connect(self._on_electricity_edited)
        self.tour_button = SecondaryButton("Take the tour", "play", size="small")
        self.tour_button.clicked.connect(self._on_tour_clicked)
        self.add_row(
            "Tour",
            "Trains two small models on this computer's Python library and compares them.",
            self.tour_button,
        )
        self.show_state()

    def show_state(self) -> None:
        """Show what is at work, and whether the tour can be taken."""
        models = self._context.watcher.models
        alive = sum(model.alive and model.verb != "queue" for model in models)
        now = f" {figures.plural(alive, 'job is', 'jobs are')} at work now." if alive else ""
        self._closing_hint.set_text(
            f"Trainings go on by themselves; the next start finds them and misses nothing.{now}"
        )
        tour = self._context.tour
        can_start = tour is not None and tour.state != "running"
        self.tour_button.setEnabled(can_start and not self._context.library.read_only)

    def show_awake(self, awake: bool) -> None:
        """Show what is in force."""
        self.awake.blockSignals(True)
        self.awake.setChecked(awake)
        self.awake.blockSignals(False)

    def show_electricity(self, said: Electricity) -> None:
        """Show what was said before."""
        for field, text in (
            (self.price, f"{said.per_kwh:g}" if said.per_kwh else ""),
            (self.currency, said.currency),
            (self.watts, f"{said.watts:g}" if said.watts else ""),
        ):
            if not field.hasFocus():
                field.setText(text)

    def electricity(self) -> Electricity | None:
        """What is said of electricity; None where it cannot be read."""
        per_kwh = _number(self.price.text(), _MOST_PRICE)
        watts = _number(self.watts.text(), _MOST_WATTS)
        if per_kwh is None or watts is None:
            return None
        return Electricity(per_kwh, self.currency.text().strip() or "€", watts)

    def _on_electricity_edited(self) -> None:
        for field, hint, words, most in (
            (self.price, self._price_hint, _PRICE_HINT, _MOST_PRICE),
            (self.watts, self._watts_hint, _WATTS_HINT, _MOST_WATTS),
        ):
            bad = _number(field.text(), most) is None
            field.set_invalid(bad)
            hint.set_tone("danger" if bad else "muted")
            hint.set_text(f"A number from 0 to {most:,.0f}, such as 0.32." if bad else words)
        if self.electricity() is not None:
            self.electricity_changed.emit()

    def _on_tour_clicked(self) -> None:
        tour = self._context.tour
        if tour is not None:
            tour.start()
            self._context.navigate("home", None)


class HoldingSection(Section):
    """When new trainings hold by themselves.

    Args:
        changed: Called when the user has changed something that can be used.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        super().__init__("When new trainings hold")
        self._changed = changed
        self.form = ConditionsForm()
        self.form.changed.connect(self._on_changed)
        self.add_block(
            "By themselves",
            "They save, free the GPU, wait, and go on exactly. Each run can be given its own.",
            self.form,
        )

    def _on_changed(self) -> None:
        if not self.form.problem:
            self._changed()


def _figure(name: str, width_px: int) -> LineEdit:
    field = LineEdit("", name=name, mono=True)
    field.setFixedWidth(width_px)
    field.setMaxLength(12)
    return field


def _number(text: str, most: float) -> float | None:
    """A number from 0 to `most`, with a comma or a point; 0 for an empty text, None for others."""
    if not text.strip():
        return 0.0
    try:
        number = float(text.strip().replace(",", "."))
    except ValueError:
        return None
    return number if math.isfinite(number) and 0 <= number <= most else None

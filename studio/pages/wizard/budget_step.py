"""How long the model learns: four presets, a slider with its marks, the right size, the batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import msgspec
from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QWidget

from studio.pages.typed import parse_count
from studio.pages.wizard.batch_rows import BatchRow, batch_rows, row_values
from studio.pages.wizard.batch_table import BatchCard
from studio.pages.wizard.draft import Draft, Value
from studio.pages.wizard.plan import Plan
from studio.pages.wizard.probing import Probing
from studio.pages.wizard.rhythm_card import RhythmCard
from studio.pages.wizard.size_card import SizeCard
from studio.pages.wizard.slider import BudgetSlider, SliderMarks
from studio.pages.wizard.start import Shelf
from studio.pages.wizard.step import StepView
from studio.planner import estimate_time, expected_loss, speed_of, time_of
from studio.widgets.card import Card
from studio.widgets.choice_card import ChoiceCard, Line
from studio.widgets.controls import LineEdit
from studio.widgets.figures import MISSING, NARROW, count, duration, rough_duration
from studio.widgets.headings import card_title
from studio.widgets.label import Label, Part
from trainer_core.spec import TrainSpec

_QUICK, _NIGHT, _BEST, _TWICE = "quick", "night", "best", "twice"
_QUICK_S, _NIGHT_S = 3600.0, 9 * 3600.0
_QUICK_SHARE = 1 / 20
_PASSES_MAX = 4.0
_NEAR = 0.02
_TOO_NARROW_PX = 640


@dataclass(frozen=True)
class Preset:
    """A budget that a card stands for.

    Attributes:
        name: On the card.
        tokens: To read in all; 0 while it is unknown.
        time: That it is made for; empty where that follows from the tokens.
    """

    name: str
    tokens: float = 0.0
    time: str = ""


class BudgetStep(StepView):
    """Training tokens, the size that suits them, and the batch; the steps follow.

    Signals:
        fix_chosen (object): Another size is wanted; carries a `Fix`.
    """

    fix_chosen = Signal(object)

    name = "Budget"
    explanation = "How long the model learns. More tokens lower the loss and take longer."

    def __init__(self, probing: Probing | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._probing = probing
        self._plan = Plan()
        self._presets: dict[str, Preset] = {}
        self.cards: dict[str, ChoiceCard] = {}
        cards = QHBoxLayout()
        cards.setSpacing(8)
        names = {
            _QUICK: "Quick look",
            _NIGHT: "Overnight",
            _BEST: "Best for this size",
            _TWICE: "Twice the data",
        }
        for key, name in names.items():
            card = ChoiceCard(name)
            card.clicked.connect(partial(self._on_preset_clicked, key))
            cards.addWidget(card, 1)
            self.cards[key] = card
        self.tokens = LineEdit(mono=True, name="Training tokens")
        self.tokens.setFixedWidth(96)
        self.tokens.editingFinished.connect(self._on_tokens_edited)
        self.tokens.textEdited.connect(lambda _: self.tokens.set_invalid(False))
        self._ratio = Label("", "secondary", "muted", elide=False)
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(card_title("Training tokens"), 1)
        head.addWidget(self.tokens)
        head.addWidget(self._ratio)
        self.slider = BudgetSlider()
        self.slider.moved.connect(self._on_slider_moved)
        tokens_card = Card(padding=14, spacing=6)
        tokens_card.body.addLayout(head)
        tokens_card.body.addWidget(self.slider)
        self.sizes = SizeCard()
        self.sizes.fix_chosen.connect(self.fix_chosen)
        self.batch = BatchCard()
        self.batch.row_chosen.connect(self._on_row_chosen)
        if probing is not None:
            self.batch.measure_requested.connect(probing.start)
            self.batch.stop_requested.connect(probing.stop)
        self._pair = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._pair.setSpacing(12)
        self._pair.addWidget(self.sizes, 1)
        self._pair.addWidget(self.batch, 1)
        self.rhythm = RhythmCard()
        self.rhythm.values_changed.connect(self._on_values_changed)
        self.column.addLayout(cards)
        self.column.addWidget(tokens_card)
        self.column.addLayout(self._pair)
        self.column.addWidget(self.rhythm)
        self.column.addStretch(1)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Where it is narrow, size and batch stand below each other."""
        super().resizeEvent(event)
        narrow = self.width() < _TOO_NARROW_PX
        ways = QBoxLayout.Direction
        self._pair.setDirection(ways.TopToBottom if narrow else ways.LeftToRight)

    # --- showing ------------------------------------------------------------------------------

    def show_draft(self, draft: Draft, plan: Plan, shelf: Shelf) -> None:
        """Show the budget on its scale, and what each preset would take."""
        super().show_draft(draft, plan, shelf)
        self._plan = plan
        data = draft.data
        best = plan.chinchilla_tokens or 0.0
        one_pass = float(data.train_tokens) if data else 0.0
        self._presets = _presets(plan, best, one_pass)
        for key, card in self.cards.items():
            self._show_card(card, self._presets[key], draft, plan)
        self.slider.show_value(float(draft.training_tokens), SliderMarks(best, one_pass))
        if not self.tokens.hasFocus():
            self.tokens.setText(count(draft.training_tokens) if draft.training_tokens else "")
            self.tokens.set_invalid(False)
        ratio, passes = plan.tokens_per_parameter, plan.passes
        word = "pass" if passes is not None and f"{passes:.2f}" == "1.00" else "passes"
        self._ratio.set_parts(
            Part(MISSING if ratio is None else f"{ratio:,.1f}", "mono", "text"),
            Part(" per parameter, "),
            Part(MISSING if passes is None else f"{passes:,.2f}", "mono", "text"),
            Part(f" {word} over the data"),
        )
        self.sizes.show_plan(plan)
        self.show_probe()
        self.rhythm.show_draft(draft, plan)

    def show_probe(self) -> None:
        """Show what was measured by now."""
        probing = self._probing
        if probing is None:
            self.batch.hide()
            return
        rows = batch_rows(probing.table, self.draft, self._plan)
        self.batch.show_rows(rows, probing, self._plan)

    def _show_card(self, card: ChoiceCard, preset: Preset, draft: Draft, plan: Plan) -> None:
        tokens, shown = preset.tokens, draft.training_tokens
        card.set_name(preset.name)
        card.setEnabled(tokens > 0)
        card.setChecked(tokens > 0 and abs(shown - tokens) <= _NEAR * tokens)
        lines: list[Line] = [("", "mono_small"), (f"{count(tokens or None)} tokens", "label")]
        spec = plan.spec
        if spec is not None and plan.data is not None and tokens > 0:
            wanted = _reading(spec, tokens)
            took = estimate_time(wanted, plan.data, plan.around)
            loss = expected_loss(wanted, plan.data, plan.around)
            known = took.source != "reckoned"
            time = duration(took.seconds) if known else f"about {rough_duration(took.seconds)}"
            figures = f"{count(tokens)} tokens, loss {loss.loss:.2f}"
            lines = [(preset.time or time, "mono_small"), (figures, "label")]
        card.set_lines(*lines)

    # --- the wizard's questions ---------------------------------------------------------------

    def summary(self, draft: Draft, plan: Plan) -> str:
        """Tokens and batch."""
        return f"{count(plan.training_tokens)} tokens, batch {draft.batch_size}"

    def obstacle(self, draft: Draft, plan: Plan) -> str:
        """Any wrong setting, too little memory, or a disk that is too small."""
        return plan.obstacle

    # --- reactions ----------------------------------------------------------------------------

    def _on_preset_clicked(self, key: str) -> None:
        tokens = self._presets[key].tokens if key in self._presets else 0.0
        if tokens > 0:
            self.draft_changed.emit(self.draft.with_tokens(tokens))

    def _on_slider_moved(self, tokens: float) -> None:
        self.draft_changed.emit(self.draft.with_tokens(tokens))

    def _on_tokens_edited(self) -> None:
        tokens = parse_count(self.tokens.text())
        self.tokens.set_invalid(tokens is None)
        if tokens is not None and self.tokens.text() != count(self.draft.training_tokens):
            self.draft_changed.emit(self.draft.with_tokens(tokens))

    def _on_row_chosen(self, row: BatchRow) -> None:
        probing = self._probing
        if probing is not None and probing.table.rows:
            usual = probing.table.rows[0].variant
            self.draft_changed.emit(self.draft.with_values(row_values(self.draft, row.row, usual)))

    def _on_values_changed(self, values: Mapping[str, Value]) -> None:
        self.draft_changed.emit(self.draft.with_values(values))


def _presets(plan: Plan, best: float, one_pass: float) -> dict[str, Preset]:
    """What the cards stand for: an hour and a night where that says something, else shares."""
    quick = Preset("Quick look", best * _QUICK_SHARE)
    night = Preset("One pass", one_pass)
    spec, data = plan.spec, plan.data
    if spec is not None and data is not None and best > 0:
        rate = _tokens_in(plan, spec, _QUICK_S)
        if 0 < rate < best / 3:
            quick = Preset("Quick look", rate, f"1{NARROW}h")
        over_night = _tokens_in(plan, spec, _NIGHT_S)
        if 0 < over_night <= _PASSES_MAX * max(one_pass, 1.0):
            night = Preset("Overnight", over_night, f"9{NARROW}h")
    return {
        _QUICK: quick,
        _NIGHT: night,
        _BEST: Preset("Best for this size", best),
        _TWICE: Preset("Twice the data", 2 * best),
    }


def _tokens_in(plan: Plan, spec: TrainSpec, seconds: float) -> float:
    """Tokens that fit into so much time, validation and checkpoints as in the plan."""
    if plan.data is None:
        return 0.0
    speed = speed_of(spec, plan.data, plan.around)
    per_step = spec.budget.batch_size * spec.model.context_length
    low, high = 1, max(2, int(1.05 * seconds / max(speed.step, 1e-9)))
    while high - low > max(1, low // 200):
        middle = (low + high) // 2
        fits = time_of(_reading(spec, middle * per_step), speed).seconds <= seconds
        low, high = (middle, high) if fits else (low, middle)
    return float(low * per_step)


def _reading(spec: TrainSpec, tokens: float) -> TrainSpec:
    """The plan over other tokens, with rests between validations in the same proportion."""
    per_step = spec.budget.batch_size * spec.model.context_length
    steps = max(1, round(tokens / per_step))
    ratio = steps / spec.budget.steps
    replace = msgspec.structs.replace
    return replace(
        spec,
        budget=replace(spec.budget, steps=steps),
        optimizer=replace(spec.optimizer, warmup_steps=0),
        evaluation=replace(
            spec.evaluation, every_steps=max(1, round(spec.evaluation.every_steps * ratio))
        ),
        checkpoint=replace(
            spec.checkpoint, every_steps=max(1, round(spec.checkpoint.every_steps * ratio))
        ),
    )

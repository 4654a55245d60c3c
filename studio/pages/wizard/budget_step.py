"""How long the model learns: four presets, a slider with its marks, and the exact number."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from PySide6.QtWidgets import QHBoxLayout, QWidget

from studio.pages.typed import parse, parse_count
from studio.pages.wizard.draft import Draft, field_message
from studio.pages.wizard.plan import CHINCHILLA_TOKENS_PER_PARAMETER, Plan, estimate_time
from studio.pages.wizard.slider import BudgetSlider, SliderMarks
from studio.pages.wizard.start import Shelf
from studio.pages.wizard.step import StepView
from studio.widgets.card import Card
from studio.widgets.choice_card import ChoiceCard, Line
from studio.widgets.controls import LineEdit
from studio.widgets.field import Field
from studio.widgets.figures import MISSING, count, duration, whole
from studio.widgets.headings import card_title
from studio.widgets.label import Label, Part

_PRESETS = ("Quick look", "One pass", "Best for this size", "Twice that")
_QUICK_TOKENS_PER_PARAMETER = 1.0
_NEAR = 0.02


class BudgetStep(StepView):
    """Training tokens; the steps follow from them."""

    name = "Budget"
    explanation = "How long the model learns. More tokens lower the loss and take longer."

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.cards: dict[str, ChoiceCard] = {}
        cards = QHBoxLayout()
        cards.setSpacing(8)
        for name in _PRESETS:
            card = ChoiceCard(name)
            card.clicked.connect(partial(self._on_preset_clicked, name))
            cards.addWidget(card, 1)
            self.cards[name] = card
        self.tokens = LineEdit(mono=True, name="Training tokens")
        self.tokens.setFixedWidth(96)
        self.tokens.editingFinished.connect(self._on_tokens_edited)
        self._ratio = Label("", "secondary", "muted", elide=False)
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(card_title("Training tokens"), 1)
        head.addWidget(self.tokens)
        head.addWidget(self._ratio)
        self.slider = BudgetSlider()
        self.slider.moved.connect(self._on_slider_moved)
        tokens_card = Card(spacing=12)
        tokens_card.body.addLayout(head)
        tokens_card.body.addWidget(self.slider)
        self._steps_edit = LineEdit(mono=True, name="Steps")
        self._steps_edit.textEdited.connect(self._on_steps_edited)
        self.steps = Field("Steps", self._steps_edit, hint="Training tokens / tokens per step")
        self._per_step = Label("", "secondary", "muted", wrap=True)
        row = QHBoxLayout()
        row.setSpacing(24)
        row.addWidget(self.steps, 1)
        row.addWidget(self._per_step, 2)
        steps_card = Card(spacing=12)
        steps_card.body.addLayout(row)
        self.column.addLayout(cards)
        self.column.addWidget(tokens_card)
        self.column.addWidget(steps_card)
        self.column.addStretch(1)
        self._targets: dict[str, float] = {}

    def show_draft(self, draft: Draft, plan: Plan, shelf: Shelf) -> None:
        """Show the budget on its scale, and what each preset would take."""
        super().show_draft(draft, plan, shelf)
        data = draft.data
        best = plan.chinchilla_tokens or 0.0
        one_pass = float(data.train_tokens) if data else 0.0
        self._targets = {
            "Quick look": best / CHINCHILLA_TOKENS_PER_PARAMETER * _QUICK_TOKENS_PER_PARAMETER,
            "One pass": one_pass,
            "Best for this size": best,
            "Twice that": 2 * best,
        }
        for name, card in self.cards.items():
            self._show_card(card, self._targets[name], draft, plan, shelf)
        self.slider.show_value(float(draft.training_tokens), SliderMarks(best, one_pass))
        if not self.tokens.hasFocus():
            self.tokens.setText(count(draft.training_tokens) if draft.training_tokens else "")
        ratio, passes = plan.tokens_per_parameter, plan.passes
        self._ratio.set_parts(
            Part(MISSING if ratio is None else f"{ratio:.1f}", "mono", "text"),
            Part(" per parameter, "),
            Part(MISSING if passes is None else f"{passes:.2f}", "mono", "text"),
            Part(" passes over the data"),
        )
        self._show_steps(draft, plan)

    def _show_card(
        self, card: ChoiceCard, tokens: float, draft: Draft, plan: Plan, shelf: Shelf
    ) -> None:
        shown = draft.training_tokens
        card.setEnabled(tokens > 0)
        card.setChecked(tokens > 0 and abs(shown - tokens) <= _NEAR * tokens)
        lines: list[Line] = [(f"{count(tokens or None)} tokens", "mono_small")]
        if plan.spec is not None and tokens > 0:
            steps = max(round(tokens / max(draft.tokens_per_step, 1)), 1)
            lines.append((f"{steps:,} steps", "label"))
            estimate = estimate_time(plan.spec, round(tokens), shelf.around.rates)
            if estimate is not None:
                about = "" if estimate.exact else "about "
                lines.insert(0, (f"{about}{duration(estimate.seconds)}", "mono_small"))
        card.set_lines(*lines)

    def _show_steps(self, draft: Draft, plan: Plan) -> None:
        edit = self._steps_edit
        if parse(edit.text()) != draft.steps:
            edit.setText(f"{draft.steps:,}" if isinstance(draft.steps, int) else f"{draft.steps}")
        error = plan.error
        wrong = error is not None and error.field == "budget.steps"
        self.steps.set_error(field_message(error) if wrong and error else "")
        if plan.spec is not None:
            spec = plan.spec
            self._per_step.set_text(
                f"{whole(draft.tokens_per_step)} tokens per step: {spec.budget.batch_size:,}"
                f" sequences of {spec.model.context_length:,}. Held-out text is measured every"
                f" {spec.evaluation.every_steps:,} steps, and a checkpoint saved every"
                f" {spec.checkpoint.every_steps:,}; warm-up takes"
                f" {spec.optimizer.warmup_steps:,}."
            )

    def summary(self, draft: Draft, plan: Plan) -> str:
        """Tokens and batch."""
        return f"{count(plan.training_tokens)} tokens, batch {draft.batch_size}"

    def obstacle(self, draft: Draft, plan: Plan) -> str:
        """Any wrong setting, or a disk that is too small."""
        return plan.obstacle

    def _on_preset_clicked(self, name: str) -> None:
        if self._targets.get(name, 0.0) > 0:
            self.draft_changed.emit(self.draft.with_tokens(self._targets[name]))

    def _on_slider_moved(self, tokens: float) -> None:
        self.draft_changed.emit(self.draft.with_tokens(tokens))

    def _on_tokens_edited(self) -> None:
        tokens = parse_count(self.tokens.text())
        self.tokens.set_invalid(tokens is None)
        if tokens is not None and self.tokens.text() != count(self.draft.training_tokens):
            self.draft_changed.emit(self.draft.with_tokens(tokens))

    def _on_steps_edited(self, text: str) -> None:
        self.draft_changed.emit(replace(self.draft, steps=parse(text)))

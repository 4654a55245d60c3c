"""The model: a named size, then every setting of its shape, checked while it is typed."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from PySide6.QtWidgets import QGridLayout, QWidget

from studio.pages.typed import Typed, parse
from studio.pages.wizard.draft import FIELD_OF, Draft, field_message
from studio.pages.wizard.plan import Plan
from studio.pages.wizard.start import Shelf
from studio.pages.wizard.step import StepView
from studio.widgets.card import Card
from studio.widgets.choice_card import ChoiceCard
from studio.widgets.choices import Segmented
from studio.widgets.controls import LineEdit
from studio.widgets.field import Field
from studio.widgets.figures import count
from studio.widgets.headings import card_title
from trainer_core.presets import PRESETS, parameter_count
from trainer_core.spec import OptimizerConfig, labels

_LR = labels(OptimizerConfig)["lr"]
_FIELDS = {
    "n_layer": ("Layers", "Transformer blocks, one after the other"),
    "n_embd": ("Width", "Numbers that stand for each token; a multiple of the heads"),
    "n_head": ("Heads", "Attention heads in each layer"),
    "context_length": ("Context", "Tokens the model sees at once"),
    "batch_size": ("Batch", "Sequences in one step"),
    "lr": ("Peak learning rate", _LR.description),
    "seed": ("Seed", "Starts the weights and the order of the data"),
}
_COLUMNS = 3
_FAMILIES = {"llama": "Llama", "gpt2": "GPT-2", "qwen3": "Qwen3", "hearth": "Hearth"}


class ModelStep(StepView):
    """Named sizes above, their settings below."""

    name = "Model"
    explanation = "How large it is. Start from a named size; every setting can be changed."

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.presets: dict[str, ChoiceCard] = {}
        self.families = Segmented([*_FAMILIES.items()], name="Architecture")
        self.families.chosen.connect(self._show_family)
        self._cards = {family: self._card_grid(family) for family in _FAMILIES}
        self._chosen = ""
        self.fields: dict[str, Field] = {}
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(12)
        for number, (key, (name, meaning)) in enumerate(_FIELDS.items()):
            edit = LineEdit(mono=True, name=name)
            edit.textEdited.connect(partial(self._on_text_edited, key))
            source = f"{_LR.description}\n{_LR.source}." if key == "lr" else ""
            self.fields[key] = Field(name, edit, hint=meaning, tooltip=source)
            grid.addWidget(self.fields[key], number // _COLUMNS, number % _COLUMNS)
        for column in range(_COLUMNS):
            grid.setColumnStretch(column, 1)
        shape = Card(spacing=12)
        shape.body.addWidget(card_title("Settings"))
        shape.body.addLayout(grid)
        self.column.addWidget(self.families)
        for cards in self._cards.values():
            self.column.addWidget(cards)
        self.column.addWidget(shape)
        self.column.addStretch(1)

    def _card_grid(self, family: str) -> QWidget:
        """The named sizes of a family, side by side."""
        named = [name for name, preset in PRESETS.items() if preset.config.family == family]
        holder = QWidget()
        grid = QGridLayout(holder)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(8)
        for number, name in enumerate(named):
            card = ChoiceCard(_title(name))
            card.clicked.connect(partial(self._on_preset_clicked, name))
            grid.addWidget(card, number // _COLUMNS, number % _COLUMNS)
            self.presets[name] = card
        for column in range(_COLUMNS):
            grid.setColumnStretch(column, 1)
        return holder

    def _show_family(self, family: str) -> None:
        self.families.set_current(family)
        for name, cards in self._cards.items():
            cards.setVisible(name == family)

    def show_draft(self, draft: Draft, plan: Plan, shelf: Shelf) -> None:
        """Show the sizes for this vocabulary, the settings, and what is wrong with them."""
        super().show_draft(draft, plan, shelf)
        chosen = draft.matching_preset
        if chosen != self._chosen or not chosen:  # else the user may look at other families
            self._chosen = chosen
            family = PRESETS[chosen].config.family if chosen else self.families.current
            self._show_family(family)
        for name, card in self.presets.items():
            card.setChecked(name == chosen)
            if draft.data is not None:
                model = PRESETS[name].model(draft.data.vocab_size, match_input=draft.use_index)
                shape = (
                    f"{model.n_layer} layers of {model.n_embd}, context {model.context_length:,}"
                )
                size = f"{count(parameter_count(model))} parameters here"
                card.set_lines(
                    (size, "mono_small"), (shape, "label"), (PRESETS[name].summary, "label")
                )
        at_fault = FIELD_OF.get(plan.error.field, "") if plan.error is not None else ""
        for key, field in self.fields.items():
            _show_text(field.control, getattr(draft, key), grouped=key != "seed")
            wrong = plan.error is not None and key == at_fault
            field.set_error(field_message(plan.error) if wrong and plan.error else "")

    def summary(self, draft: Draft, plan: Plan) -> str:
        """Parameters and shape."""
        return f"{count(plan.parameters)}, {draft.n_layer} layers of {draft.n_embd}"

    def obstacle(self, draft: Draft, plan: Plan) -> str:
        """A shape that is wrong holds up the rest."""
        mine = plan.error is not None and FIELD_OF.get(plan.error.field, "") in _FIELDS
        return plan.obstacle if mine else ""

    def _on_preset_clicked(self, name: str) -> None:
        own = self.draft.name in ("", self.draft.suggested_name())
        draft = self.draft.with_preset(name)
        self.draft_changed.emit(replace(draft, name=draft.suggested_name()) if own else draft)

    def _on_text_edited(self, key: str, text: str) -> None:
        tokens = self.draft.training_tokens
        draft = _with_setting(self.draft, key, parse(text))
        if key in ("context_length", "batch_size") and tokens:
            draft = draft.with_tokens(tokens)  # the budget is in tokens; the steps follow
        self.draft_changed.emit(draft)


def _with_setting(draft: Draft, key: str, value: Typed) -> Draft:
    return replace(draft, **{key: value})  # type: ignore[arg-type]  # keys are those of _FIELDS


def _show_text(control: QWidget, value: Typed, *, grouped: bool) -> None:
    """Show a value, unless the field holds it already in the user's own writing."""
    if isinstance(control, LineEdit) and parse(control.text()) != value:
        control.setText(f"{value:,}" if isinstance(value, int) and grouped else f"{value}")


def _title(name: str) -> str:
    return "Tour" if name == "tour" else name

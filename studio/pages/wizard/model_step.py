"""The model: a named size, then every setting of its shape, checked while it is typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QWidget

from studio.pages.wizard.draft import Draft, Value
from studio.pages.wizard.plan import Plan
from studio.pages.wizard.settings_grid import Setting, SettingsGrid
from studio.pages.wizard.start import Shelf
from studio.pages.wizard.step import StepView
from studio.widgets.choice_card import ChoiceCard
from studio.widgets.choices import Segmented
from studio.widgets.controls import LinkButton
from studio.widgets.figures import count
from studio.widgets.label import Label
from trainer_core.presets import PRESETS, parameter_count
from trainer_core.spec import OptimizerConfig, labels

_LABELS = labels(OptimizerConfig)
_COLUMNS = 3
_FAMILIES = {"llama": "Llama", "gpt2": "GPT-2", "qwen3": "Qwen3", "hearth": "Hearth"}


def _of_optimizer(name: str, hint: str, only: str = "", title: str = "") -> Setting:
    """A field of the optimizer with the words that the spec has for it."""
    label = _LABELS[name]
    told = f"{label.description}\n{label.source}."
    return Setting(f"optimizer.{name}", title or label.title, hint, told, only=only)


_SHAPE = (
    Setting("model.n_layer", "Layers", "Transformer blocks, one after the other"),
    Setting("model.n_embd", "Width", "Numbers for each token; a multiple of the heads"),
    Setting("model.n_head", "Heads", "Attention heads in each layer"),
    Setting("model.context_length", "Context", "Tokens the model sees at once"),
    Setting("budget.batch_size", "Batch", "Sequences in one step"),
    Setting("budget.micro_batch_size", "At once", "Of these; 0: all. Computes the same"),
)
_TRAINING = (
    Setting(
        "optimizer.kind",
        "Optimizer",
        "AdamW suits everything",
        f"{_LABELS['kind'].description}\n{_LABELS['kind'].source}.",
        choices=(("adamw", "AdamW"), ("muon", "Muon"), ("adafactor", "Adafactor")),
    ),
    _of_optimizer("lr", "Its peak", title="Peak learning rate"),
    _of_optimizer("muon_lr", "Of what Muon changes", only="muon"),
    Setting(
        "optimizer.schedule",
        "Schedule",
        "After the warm-up",
        f"{_LABELS['schedule'].description}\n{_LABELS['schedule'].source}.",
        choices=(
            ("cosine", "Cosine"),
            ("wsd", "Plateau, then decay"),
            ("linear", "Linear"),
            ("constant", "Constant"),
        ),
    ),
    _of_optimizer("warmup_steps", "Steps"),
    Setting(
        "precision",
        "Precision",
        "Of the products",
        "Weights and optimizer are kept in float32 either way.",
        choices=(
            ("auto", "Automatic"),
            ("bf16", "bf16"),
            ("fp16", "fp16"),
            ("tf32", "tf32"),
            ("fp32", "fp32"),
        ),
    ),
    Setting(
        "compile",
        "Compile",
        "Takes a minute, pays in long runs",
        choices=(("auto", "Automatic"), ("on", "On"), ("off", "Off")),
    ),
    Setting(
        "activation_checkpointing",
        "Compute activations again",
        "Less memory, a third more time",
        kind="flag",
    ),
    Setting("seed", "Seed", "Starts the weights and the order", kind="seed"),
)
_MORE = (
    _of_optimizer("weight_decay", "Pulls weights to zero"),
    _of_optimizer("clip_norm", "Largest gradient; 0: none"),
    _of_optimizer("lr_floor", "Share of the peak"),
    _of_optimizer("beta1", "Of the gradients"),
    _of_optimizer("beta2", "Of their squares"),
    Setting("model.dropout", "Dropout", "Share of activations left out"),
    Setting("model.n_kv_head", "Key heads", "0: as many as heads"),
    Setting("model.n_inner", "Inner width", "0: as the family's paper"),
    Setting("model.match_dropout", "Without matches", "Share of sequences, with an index"),
)
MODEL_SETTINGS = (*_SHAPE, *_TRAINING, *_MORE)


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
        self.shape = SettingsGrid("Shape and batch", _SHAPE)
        self.training = SettingsGrid("Training", _TRAINING)
        self.more = SettingsGrid("Further settings", _MORE)
        self.grids = (self.shape, self.training, self.more)
        for grid in self.grids:
            grid.values_changed.connect(self._on_values_changed)
        self._unfold = LinkButton("Further settings", trailing_icon="chevron-down")
        self._unfold.clicked.connect(self._on_unfold_clicked)
        self._own = Label("", "secondary", "muted")
        foot = QHBoxLayout()
        foot.addWidget(self._unfold)
        foot.addStretch(1)
        foot.addWidget(self._own)
        self.more.hide()
        self.column.addWidget(self.families)
        for cards in self._cards.values():
            self.column.addWidget(cards)
        for grid in self.grids[:2]:
            self.column.addWidget(grid)
        self.column.addLayout(foot)
        self.column.addWidget(self.more)
        self.column.addStretch(1)

    @property
    def fields(self) -> dict[str, QWidget]:
        """Every field by the path of its setting."""
        found: dict[str, QWidget] = {}
        for grid in self.grids:
            found |= grid.fields
        return found

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
            self._show_family(str(draft.in_force("model.family")))
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
        for grid in self.grids:
            grid.show_draft(draft, plan)
        if self.more.at_fault(plan):
            self._show_more(shown=True)
        self._own.set_text("" if chosen else "No named size any more: settings of your own.")

    def summary(self, draft: Draft, plan: Plan) -> str:
        """Parameters and shape."""
        return f"{count(plan.parameters)}, {draft.n_layer} layers of {draft.n_embd}"

    def obstacle(self, draft: Draft, plan: Plan) -> str:
        """A shape that is wrong holds up the rest."""
        return plan.obstacle if any(grid.at_fault(plan) for grid in self.grids) else ""

    def _on_unfold_clicked(self) -> None:
        self._show_more(shown=self.more.isHidden())

    def _show_more(self, *, shown: bool) -> None:
        self.more.setVisible(shown)
        self._unfold.set_text("Fewer settings" if shown else "Further settings")

    def _on_preset_clicked(self, name: str) -> None:
        own = self.draft.has_suggested_name
        draft = self.draft.with_preset(name)
        self.draft_changed.emit(replace(draft, name=draft.suggested_name()) if own else draft)

    def _on_values_changed(self, values: Mapping[str, Value]) -> None:
        self.draft_changed.emit(self.draft.with_values(values))


def _title(name: str) -> str:
    return "Tour" if name == "tour" else name

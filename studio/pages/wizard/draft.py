"""What the user has chosen so far, and the spec that follows from it. Free of Qt."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import msgspec

from studio.pages.data.build_form import BuildForm
from studio.pages.typed import Typed, parse
from studio.pages.wizard.continuing import Continued, check_continued
from studio.pages.wizard.data_choice import DataChoice
from studio.pages.wizard.messages import MIXING, field_message, setting_name
from studio.pages.wizard.sequences import SequenceForm, data_settings
from trainer_core import spec as specs
from trainer_core.errors import SpecError
from trainer_core.manners import Conditions
from trainer_core.presets import PRESETS
from trainer_core.spec import (
    InspectSpec,
    ModelConfig,
    OptimizerConfig,
    TrainSpec,
)

FIELDS: dict[str, str] = {
    "n_layer": "model.n_layer",
    "n_embd": "model.n_embd",
    "n_head": "model.n_head",
    "context_length": "model.context_length",
    "batch_size": "budget.batch_size",
    "lr": "optimizer.lr",
    "steps": "budget.steps",
    "seed": "seed",
}
"""Settings that are typed, by the path that errors name them with."""

__all__ = [
    "MIXING",
    "DataChoice",
    "Draft",
    "build_spec",
    "field_message",
    "handy",
    "inspect_spec",
    "setting_name",
    "settings_of",
]

Value = int | float | str | bool
"""A setting as it is typed or chosen."""
Fixed = Literal["", "hours", "parameters", "tokens"]
TOKENS = "tokens"
"""In the place of a path: the budget in training tokens."""

_KIND = (
    "family",
    "n_kv_head",
    "head_dim",
    "n_inner",
    "tie_embeddings",
    "qkv_bias",
    "dropout",
    "residual_scaling",
)
"""What tells presets of one shape apart; it has no field."""

FIELD_OF = {path: name for name, path in FIELDS.items()}
_OF_PRESET = ("model.", "optimizer.", "budget.micro")
"""Settings that another named size brings with it."""
_USUAL = TrainSpec(corpus="-")
_VALIDATIONS = 20
_CHECKPOINTS = 8
_WARMUP_SHARE = 0.05


@dataclass(frozen=True)
class Draft:
    """One run as it stands in the wizard."""

    data: DataChoice | None = None
    use_index: bool = True
    preset: str = "tour"
    n_layer: Typed = 4
    n_embd: Typed = 128
    n_head: Typed = 4
    context_length: Typed = 256
    batch_size: Typed = 16
    lr: Typed = 4e-3
    steps: Typed = 1000
    seed: Typed = 1337
    name: str = ""
    project_id: int | None = None
    project_name: str = ""
    """Name of a new project, used while `project_id` is None."""
    build: BuildForm = field(default_factory=BuildForm)
    """Settings of the index build that comes first, where there is no index yet."""
    sequences: SequenceForm = field(default_factory=SequenceForm)
    continues: Continued | None = None
    extra: tuple[tuple[str, Value], ...] = ()
    """Further settings that were typed or chosen, by the path that the spec names them with."""
    goal: str = ""
    """Key of the recipe that it began with."""
    fixed: Fixed = ""
    """Which end the other settings were worked out from; empty where none is."""
    fixed_value: float = 0.0
    """Of that end: hours, parameters or tokens."""
    conditions: Conditions = field(default_factory=Conditions)
    """When the training holds by itself."""
    seeds: Typed = 1
    """How many runs that differ by their seed alone."""
    queued: bool = False
    """Whether it waits for its turn in the queue."""
    base: TrainSpec | None = field(default=None, compare=False)
    """The spec of the run that this one repeats with changes; settings without a field stay."""

    def with_preset(self, name: str) -> Draft:
        """The draft with a preset's shape; the budget stays the same in tokens where it can."""
        preset = PRESETS[name]
        tokens = self.training_tokens
        config = preset.config
        made = replace(
            self,
            preset=name,
            n_layer=config.n_layer,
            n_embd=config.n_embd,
            n_head=config.n_head,
            context_length=config.context_length,
            batch_size=preset.batch_size,
            lr=preset.lr,
            extra=tuple(pair for pair in self.extra if not pair[0].startswith(_OF_PRESET)),
            base=None,
        )
        return made.with_tokens(tokens) if tokens else made

    def with_setting(self, path: str, value: Value) -> Draft:
        """The draft with another setting, by its path."""
        return self.with_values({path: value})

    def with_values(self, values: Mapping[str, Value]) -> Draft:
        """The draft with other settings by their paths; `tokens` is the budget in tokens.

        Tokens stay what they were where batch or context change and no steps are given.
        """
        tokens = values.get(TOKENS, self.training_tokens)
        fields: dict[str, Any] = {}
        extra = dict(self.extra)
        for path, value in values.items():
            if path in FIELD_OF:
                fields[FIELD_OF[path]] = value
            elif path == "model.match_input":
                fields["use_index"] = bool(value)
            elif path != TOKENS:
                extra[path] = value
        made = replace(self, extra=tuple(extra.items()), **fields)
        resized = TOKENS in values or {"batch_size", "context_length"} & fields.keys()
        if resized and "steps" not in fields and isinstance(tokens, int | float) and tokens:
            return made.with_tokens(tokens)
        return made

    def without_settings(self, *paths: str) -> Draft:
        """The draft with further settings as they were to begin with."""
        return replace(self, extra=tuple(pair for pair in self.extra if pair[0] not in paths))

    def in_force(self, path: str) -> Value:
        """A setting by its path: as typed, else of the repeated run or the preset, else usual."""
        if path in FIELD_OF:
            typed: Value = getattr(self, FIELD_OF[path])
            return typed
        for known, value in self.extra:
            if known == path:
                return value
        found: Any = self.unshown()
        usual: Any = _USUAL
        for part in path.split("."):
            found = found.get(part) if isinstance(found, dict) else None
            usual = getattr(usual, part)
        return usual if found is None else found  # type: ignore[no-any-return]  # a plain value

    def with_tokens(self, tokens: float) -> Draft:
        """The draft with as many steps as come closest to this many training tokens."""
        per_step = self.tokens_per_step
        if not per_step or not math.isfinite(tokens):
            return self
        return replace(self, steps=max(1, round(tokens / per_step)))

    @property
    def tokens_per_step(self) -> int:
        """Tokens in one step; 0 while a setting that decides it is no number."""
        if isinstance(self.batch_size, int) and isinstance(self.context_length, int):
            return max(0, self.batch_size * self.context_length)
        return 0

    @property
    def training_tokens(self) -> int:
        """Tokens the training reads in all; 0 while it cannot be said."""
        return self.tokens_per_step * self.steps if isinstance(self.steps, int) else 0

    @property
    def matching_preset(self) -> str:
        """The preset that this still is, or an empty string; its own first among equals."""
        names = sorted(PRESETS, key=lambda name: name != self.preset)
        return next((name for name in names if self._matches(PRESETS[name].config)), "")

    def _matches(self, config: ModelConfig) -> bool:
        mine = (self.n_layer, self.n_embd, self.n_head, self.context_length)
        shape = (config.n_layer, config.n_embd, config.n_head, config.context_length)
        return mine == shape and all(
            self.in_force(f"model.{key}") == getattr(config, key) for key in _KIND
        )

    def unshown(self) -> dict[str, Any]:
        """Settings, most of which have no field: those of the repeated run, or of the preset."""
        if self.base is not None:
            settings: dict[str, Any] = msgspec.to_builtins(self.base)
            return settings
        preset = PRESETS[self.preset]
        parts = {"model": preset.config, "optimizer": preset.optimizer}
        return {name: msgspec.to_builtins(part) for name, part in parts.items()}

    @property
    def has_suggested_name(self) -> bool:
        """Whether its name follows from its settings: suggested, perhaps with a number behind."""
        return not self.name or bool(
            re.fullmatch(re.escape(self.suggested_name()) + r"(-\d{1,4})?", self.name)
        )

    def suggested_name(self) -> str:
        """A name that says what the run is, such as `index-10m`."""
        size = self.matching_preset or "own"
        return f"{'index' if self.use_index else 'plain'}-{size.lower()}"


def build_spec(draft: Draft) -> TrainSpec:
    """The train spec of a draft.

    Raises:
        SpecError: A setting is missing or wrong; the error has its path.
    """
    data = draft.data
    if data is None:
        raise SpecError("No data is chosen.", do="Choose a dataset.", field="corpus")
    wanted: TrainSpec = specs.convert(settings_of(draft, data), TrainSpec, "this plan")
    context = wanted.model.context_length
    for part, tokens in (("training", data.train_tokens), ("held-out", data.validation_tokens)):
        if context >= tokens:
            raise SpecError(
                f"The context of {context:,} tokens is longer than the {part} text, which has"
                f" {tokens:,}.",
                safe="Nothing was started.",
                do="Choose a shorter context or more data.",
                field="model.context_length",
            )
    if draft.continues is not None and draft.base is not None:
        check_continued(draft.continues, draft.base, wanted)
    return wanted


def inspect_spec(draft: Draft) -> InspectSpec:
    """What the inspector is asked to show of a draft.

    Raises:
        SpecError: A setting is missing or wrong; the error has its path.
    """
    spec = build_spec(draft)
    built = draft.data is not None and draft.data.index_state == "ready"
    return InspectSpec(
        corpus=spec.corpus,
        index=spec.index if built and spec.model.match_input else "",
        context_length=spec.model.context_length,
        batch_size=spec.budget.batch_size,
        match_dropout=spec.model.match_dropout if spec.model.match_input else 0.0,
        data=spec.data,
        seed=spec.seed,
        steps=spec.budget.steps,
    )


def settings_of(draft: Draft, data: DataChoice) -> dict[str, Any]:
    """The draft as plain settings, on top of what has no field; nothing is checked yet."""
    base = draft.unshown()
    index = str(data.index) if data.index is not None else ""
    uses_index = draft.use_index or data.index_state == "ready"
    settings = {
        **base,
        "verb": "train",
        "corpus": str(data.corpus),
        "index": index if uses_index else "",
        "seed": draft.seed,
        "model": {
            **base.get("model", {}),
            "vocab_size": data.vocab_size,
            "n_layer": draft.n_layer,
            "n_embd": draft.n_embd,
            "n_head": draft.n_head,
            "context_length": draft.context_length,
            "match_input": draft.use_index,
            "match_length_max": _index_max_length(draft, data),
        },
        "budget": {
            **base.get("budget", {}),
            "steps": draft.steps,
            "batch_size": draft.batch_size,
        },
        "data": data_settings(draft.sequences, data.sources),
        "continue_from": str(draft.continues.folder) if draft.continues else "",
        **_rhythm(draft, base),
    }
    for path, value in draft.extra:
        section, _, name = path.rpartition(".")
        place = settings if not section else settings.setdefault(section, {})
        place[name] = value
    return settings


def _index_max_length(draft: Draft, data: DataChoice) -> Typed:
    """Longest match of the index that there is, or of the one that will be built."""
    typed = draft.build.max_length
    builds = draft.use_index and data.index_state not in ("ready", "building")
    return parse(typed) if builds and typed.strip() else data.index_max_length


def _rhythm(draft: Draft, base: dict[str, Any]) -> dict[str, Any]:
    """Warm-up, validation and checkpoints at a pace that fits the number of steps."""
    steps = draft.steps if isinstance(draft.steps, int) and draft.steps > 0 else 1
    optimizer = {**base.get("optimizer", {}), "lr": draft.lr}
    evaluation = dict(base.get("evaluation", {}))
    evaluation["by_source"] = draft.sequences.by_source
    checkpoint = dict(base.get("checkpoint", {}))
    if draft.base is None or draft.base.budget.steps != draft.steps:
        wanted = optimizer.get("warmup_steps", OptimizerConfig().warmup_steps)
        optimizer["warmup_steps"] = min(wanted, int(steps * _WARMUP_SHARE))
        evaluation["every_steps"] = handy(steps / _VALIDATIONS)
        checkpoint["every_steps"] = handy(steps / _CHECKPOINTS)
    return {"optimizer": optimizer, "evaluation": evaluation, "checkpoint": checkpoint}


def handy(number: float) -> int:
    """The nearest of 1, 2, 5, 10, 20, 50 … that is not larger than the number; at least 1."""
    if number < 1:
        return 1
    magnitude = 10 ** math.floor(math.log10(number))
    return int(max(factor for factor in (1, 2, 5) if factor * magnitude <= number) * magnitude)

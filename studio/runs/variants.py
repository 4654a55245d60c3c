"""One run as several: other seeds, or several values of one or two settings. Free of Qt."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from trainer_core import spec as specs
from trainer_core.errors import KnownError, SpecError
from trainer_core.spec import TrainSpec

MOST_RUNS = 200
MOST_SEEDS = 50
MOST_VALUES = 30
MOST_AXES = 2

Value = bool | int | float | str


@dataclass(frozen=True)
class Swept:
    """A setting that can be varied.

    Args:
        path: Of its field in the spec.
        name: As people call it.
        short: For names of runs.
        example: Values as they would be typed.
    """

    path: str
    name: str
    short: str
    example: str


SWEPT: tuple[Swept, ...] = (
    Swept("optimizer.lr", "Learning rate", "lr", "3e-4, 6e-4, 1.2e-3"),
    Swept("budget.batch_size", "Batch size", "batch", "8, 16, 32"),
    Swept("budget.steps", "Steps", "steps", "1000, 2000, 4000"),
    Swept("model.n_layer", "Layers", "layers", "4, 6, 8"),
    Swept("model.n_embd", "Width", "width", "256, 384, 512"),
    Swept("model.context_length", "Context", "context", "256, 512, 1024"),
    Swept("model.dropout", "Dropout", "dropout", "0, 0.1, 0.2"),
    Swept("model.family", "Family", "family", "llama, gpt2, hearth"),
    Swept("model.match_dropout", "Match dropout", "match-dropout", "0, 0.1, 0.3"),
    Swept("optimizer.kind", "Optimizer", "", "adamw, muon"),
    Swept("optimizer.muon_lr", "Learning rate of matrices", "muon-lr", "0.01, 0.02, 0.04"),
    Swept("optimizer.schedule", "Schedule", "", "cosine, wsd, linear"),
    Swept("optimizer.warmup_steps", "Warm-up steps", "warmup", "0, 100, 500"),
    Swept("optimizer.weight_decay", "Weight decay", "wd", "0, 0.01, 0.1"),
    Swept("optimizer.beta2", "Beta 2", "beta2", "0.95, 0.99"),
    Swept("optimizer.clip_norm", "Clipping", "clip", "0, 1"),
    Swept("precision", "Precision", "", "bf16, fp32"),
)


@dataclass(frozen=True)
class Axes:
    """What is varied.

    Args:
        seeds: Each setting is trained with all of them.
        values: Values by the path of each varied setting; at most two.
    """

    seeds: tuple[int, ...]
    values: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many runs these are."""
        return len(self.seeds) * math.prod(len(values) for values in self.values.values())

    @property
    def by_path(self) -> dict[str, tuple[Value, ...]]:
        """All of it, as a group remembers it."""
        return {**self.values, "seed": self.seeds}


@dataclass(frozen=True)
class Variant:
    """One of the runs."""

    name: str
    spec: TrainSpec
    seed: int
    values: Mapping[str, Value]


class ValuesError(KnownError):
    """Values cannot be read, or do not go together with the rest of the settings.

    Args:
        what: Why.
        path: Of the setting that it is about; empty for the whole.
    """

    def __init__(self, what: str, path: str = "") -> None:
        super().__init__(what, safe="Nothing was started.", do="Change the values.")
        self.path = path


def swept(path: str) -> Swept:
    """A setting by its path; one that is not in the list is called by its path."""
    known = next((each for each in SWEPT if each.path == path), None)
    return known or Swept(path, path, path.rpartition(".")[2], "")


def value_at(spec: TrainSpec, path: str) -> Value:
    """The value of a setting."""
    found: Any = spec
    for part in path.split("."):
        found = getattr(found, part)
    if not isinstance(found, bool | int | float | str):
        raise ValuesError(f"{path} is not a single value.", path)
    return found


def read_values(text: str, spec: TrainSpec, path: str) -> tuple[Value, ...]:
    """Values between commas, of the type that a setting has.

    Raises:
        ValuesError: One cannot be read, comes twice, or there are fewer than two.
    """
    now = value_at(spec, path)
    words = [word.strip() for word in text.replace(";", ",").split(",") if word.strip()]
    values = [_read(word, now, path) for word in words]
    if len(values) < 2:
        raise ValuesError(f"At least two values, such as {swept(path).example}.", path)
    if len(values) > MOST_VALUES:
        raise ValuesError(f"At most {MOST_VALUES} values.", path)
    if len(set(values)) != len(values):
        raise ValuesError("A value comes twice.", path)
    return tuple(values)


def seeds_from(first: str, count: int) -> tuple[int, ...]:
    """So many seeds in a row.

    Raises:
        ValuesError: The first one is no seed, or there are too many.
    """
    text = first.strip()
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise ValuesError("The first seed is a whole number, such as 1337.", "seed")
    if not 1 <= count <= MOST_SEEDS:
        raise ValuesError(f"From 1 to {MOST_SEEDS} seeds.", "seed")
    return tuple(range(int(text), int(text) + count))


def expand(spec: TrainSpec, name: str, axes: Axes) -> tuple[Variant, ...]:
    """All runs: each combination of values with each seed, the seeds together.

    Args:
        spec: What all of them share.
        name: What their names begin with.
        axes: What is varied.

    Raises:
        ValuesError: There are too many, too few, or settings that contradict each other.
    """
    if len(axes.values) > MOST_AXES:
        raise ValuesError(f"At most {MOST_AXES} settings at once.")
    if axes.count > MOST_RUNS:
        raise ValuesError(f"These are {axes.count:,} runs; at most {MOST_RUNS} at once.")
    if axes.count < 2:
        raise ValuesError("One run has nothing to be set against: more seeds, or a setting.")
    base = msgspec.to_builtins(spec)
    made: list[Variant] = []
    for combination in itertools.product(*axes.values.values()):
        values = dict(zip(axes.values, combination, strict=True))
        for seed in axes.seeds:
            changed = _changed(base, {**values, "seed": seed})
            label = "-".join([name, *_labels(values, axes, seed)])
            made.append(Variant(label, changed, seed, values))
    return tuple(made)


def group_name(name: str, axes: Axes) -> str:
    """What a group is called at first."""
    if not axes.values:
        return f"{name}, {len(axes.seeds)} seeds"
    return f"{name} by {' and '.join(swept(path).name.lower() for path in axes.values)}"


def value_text(value: object) -> str:
    """A value as people write it: `0.0012` as `1.2e-3`, others as they are."""
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    if value and (abs(value) < 0.01 or abs(value) >= 1e6):
        mantissa, _, exponent = f"{value:.6e}".partition("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{value:g}"


# --- parts ---------------------------------------------------------------------------------------


def _read(word: str, now: Value, path: str) -> Value:
    name = swept(path).name
    if isinstance(now, bool):
        if word.lower() in ("on", "true", "yes", "off", "false", "no"):
            return word.lower() in ("on", "true", "yes")
        raise ValuesError(f"{name} is on or off.", path)
    if isinstance(now, str):
        return word
    try:
        number = float(word)
    except ValueError:
        raise ValuesError(f"“{word[:20]}” is no number.", path) from None
    if not math.isfinite(number):
        raise ValuesError(f"“{word[:20]}” is no number.", path)
    if isinstance(now, int):
        if number != int(number):
            raise ValuesError(f"{name} is a whole number.", path)
        return int(number)
    return number


def _changed(base: Mapping[str, Any], values: Mapping[str, Value]) -> TrainSpec:
    data = msgspec.to_builtins(base)
    for path, value in values.items():
        *sections, last = path.split(".")
        section = data
        for part in sections:
            section = section.setdefault(part, {})
        section[last] = value
    told = ", ".join(f"{swept(p).name.lower()} {value_text(v)}" for p, v in values.items())
    try:
        return specs.convert(data, TrainSpec)
    except SpecError as error:
        path = error.field if error.field in values else next(iter(values))
        raise ValuesError(f"With {told}: {error.what}", path) from error


def _labels(values: Mapping[str, Value], axes: Axes, seed: int) -> list[str]:
    found = [f"{swept(path).short}{value_text(value)}" for path, value in values.items()]
    return [*found, f"s{seed}"] if len(axes.seeds) > 1 or not values else found

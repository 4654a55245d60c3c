"""A way out of settings that contradict each other: the nearest ones that do not."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from studio.planner.advice import Fix
from trainer_core import spec as specs
from trainer_core.errors import SpecError
from trainer_core.spec import OptimizerConfig, TrainSpec

_LIMIT = re.compile(r"Expected `\w+` (?P<sign>>=|<=|>|<) (?P<limit>-?\d+(\.\d+)?(e[-+]?\d+)?)")
_NAMES = {
    "model.n_embd": "Width",
    "model.n_head": "Heads",
    "model.n_kv_head": "Key and value heads",
    "model.head_dim": "Head size",
    "model.context_length": "Context",
    "budget.batch_size": "Batch",
    "budget.micro_batch_size": "Sequences at once",
    "budget.steps": "Steps",
    "optimizer.warmup_steps": "Warm-up",
    "optimizer.lr": "Learning rate",
    "optimizer.weight_decay": "Weight decay",
    "optimizer.decay_share": "Decay",
}
_TRIES_MAX = 64


def repair(
    settings: Mapping[str, Any], error: SpecError, longest_context: int | None = None
) -> Fix | None:
    """The smallest change that makes settings right, or at least rids them of this error.

    Args:
        settings: As they were refused, as plain values.
        error: That they were refused with.
        longest_context: Tokens of the shorter part of the text, less one; None where unknown.

    Returns:
        None where no single setting can be blamed.
    """
    candidates = _candidates(settings, error, longest_context)
    for values in islice(candidates, _TRIES_MAX):
        if _helps(with_values(settings, values), error):
            path, value = next(iter(values.items()))
            name = _NAMES.get(path, path.rsplit(".", 1)[-1].replace("_", " ").capitalize())
            return Fix(f"{name} {_written(value)}", values)
    return None


def _written(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def with_values(settings: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Plain settings with some of them changed, by paths such as `model.n_embd`."""
    changed = copy.deepcopy(dict(settings))
    for path, value in values.items():
        *sections, name = path.split(".")
        place = changed
        for section in sections:
            place = place.setdefault(section, {})
        place[name] = value
    return changed


def _helps(settings: dict[str, Any], error: SpecError) -> bool:
    try:
        specs.convert(settings, TrainSpec)
    except SpecError as other:
        return other.field != error.field and other.what != error.what
    return True


def _candidates(
    settings: Mapping[str, Any], error: SpecError, longest_context: int | None
) -> Iterator[dict[str, Any]]:
    """Changes that may help, the smallest first."""
    path, value = error.field, _value_at(settings, error.field)
    if path == "model.context_length" and longest_context and isinstance(value, int):
        context = 1 << (longest_context.bit_length() - 1)
        if 2 <= context <= value:
            yield {path: context}
    limit = _LIMIT.search(error.what)
    if limit is not None:
        inside = _inside(limit["sign"], limit["limit"], whole="int`" in error.what)
        if path == "optimizer.lr":  # a limit that nobody would train at
            inside = OptimizerConfig().lr
        yield {path: inside}
        if path == "model.n_embd":
            unit = 2 * _whole(settings, "model.n_head", 4)
            yield {path: max(int(inside) // unit, 1) * unit}
    if isinstance(value, float) and not value.is_integer() and "`int`" in error.what:
        yield {path: round(value)}
    yield from _relations(settings, error)


def _inside(sign: str, limit: str, *, whole: bool) -> float:
    """The nearest number that is within a limit."""
    number = float(limit)
    if sign == ">":
        number = number + 1 if whole else max(number, 1e-4)
    elif sign == "<":
        number = number - 1 if whole else number * 0.9
    return int(number) if whole else number


def _relations(settings: Mapping[str, Any], error: SpecError) -> Iterator[dict[str, Any]]:
    """Changes of one setting of two that contradict each other."""
    text = error.what
    heads, width = (_whole(settings, f"model.{name}", 4) for name in ("n_head", "n_embd"))
    batch = _whole(settings, "budget.batch_size", 16)
    steps = _whole(settings, "budget.steps", 1000)
    if "n_embd" in text or "rotary" in text or "n_head" in text:
        unit = 2 * heads
        down, up = width // unit * unit, -(-width // unit) * unit
        for other in sorted({down, up} - {0}, key=lambda wanted: abs(wanted - width)):
            yield {"model.n_embd": other}
        yield from ({"model.n_head": n} for n in _divisors(width) if width // n % 2 == 0)
        yield {"model.n_kv_head": 0}
        yield {"model.head_dim": 0}
    if "n_kv_head" in text:
        yield {"model.n_kv_head": 0}
    if "micro_batch_size" in text:
        micro = _whole(settings, "budget.micro_batch_size", 1)
        yield from (
            {"budget.micro_batch_size": n} for n in reversed(_divisors(batch)) if n <= micro
        )
    if "batch_size" in text:
        distributed = settings.get("distributed", {})
        world = distributed.get("processes", 1) * distributed.get("machines", 1)
        yield {"budget.batch_size": -(-batch // world) * world}
    if "warmup_steps" in text or "warm-up" in text:
        yield {"optimizer.warmup_steps": int(steps * 0.05)}
    if "weight_decay" in text:
        yield {"optimizer.lr": 1e-3}
        yield {"optimizer.weight_decay": 0.1}


def _divisors(number: int) -> list[int]:
    return [n for n in range(1, min(number, 256) + 1) if number % n == 0]


def _whole(settings: Mapping[str, Any], path: str, default: int) -> int:
    found = _value_at(settings, path)
    return found if isinstance(found, int) and found > 0 else default


def _value_at(settings: Mapping[str, Any], path: str) -> object:
    place: object = settings
    for name in path.split("."):
        place = place.get(name) if isinstance(place, Mapping) else None
    return place

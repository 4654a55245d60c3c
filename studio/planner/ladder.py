"""Shapes of models of any size, like a given one."""

from __future__ import annotations

import functools
import math
from itertools import pairwise

import msgspec

from trainer_core.presets import PRESETS, parameter_count
from trainer_core.spec import ModelConfig

_WIDTH_PER_LAYER = ((1e6, 32.0), (1e7, 50.0), (1e8, 64.0), (1e9, 60.0), (1e10, 90.0))
"""Usual widths for each layer by parameters; between them along a line, in logarithms."""
_CLOSE = 0.05
"""A preset within this share of the wanted size is taken as it is."""
_HEADS_MAX, _LAYERS_MAX = 128, 128


def shape_near(parameters: float, like: ModelConfig) -> ModelConfig:
    """A shape of the same kind with about so many parameters; presets where one is close.

    Args:
        parameters: Wanted, those of a match input among them where the model has one.
        like: Gives everything but layers, heads and widths.
    """
    preset = _preset_near(parameters, like)
    return preset if preset is not None else scaled(parameters, like)


def scaled(parameters: float, like: ModelConfig) -> ModelConfig:
    """The shape whose size comes nearest, with a usual ratio of width to depth."""
    return _scaled(round(math.log(max(parameters, 1.0)) * 500), _kind(like))


def _kind(like: ModelConfig) -> ModelConfig:
    """The model without its size, so that one ladder serves all shapes of a kind."""
    head = like.head_size
    grouped = like.kv_heads != like.n_head
    return msgspec.structs.replace(
        like,
        n_layer=1,
        n_head=2 if grouped else 1,
        n_kv_head=1 if grouped else 0,
        n_embd=(2 if grouped else 1) * head if head % 2 == 0 else 2 * head,
        head_dim=head if like.head_dim else 0,
        n_inner=0,
    )


@functools.lru_cache(maxsize=4096)
def _scaled(log_size: int, kind: ModelConfig) -> ModelConfig:
    wanted = math.exp(log_size / 500)
    best: tuple[float, ModelConfig] | None = None
    for base, one, layer in _widths(kind):
        layers = min(max(round((wanted - one) / layer) + 1, 1), _LAYERS_MAX)
        count = one + (layers - 1) * layer
        usual = math.log(base.n_embd / layers / _usual_ratio(wanted))
        cost = 8 * abs(math.log(count / wanted)) + abs(usual)
        if best is None or cost < best[0]:
            best = cost, msgspec.structs.replace(base, n_layer=layers)
    return kind if best is None else best[1]


@functools.lru_cache(maxsize=64)
def _widths(kind: ModelConfig) -> tuple[tuple[ModelConfig, int, int], ...]:
    """One layer of each width that the ladder has, its parameters, and those of another layer."""
    found = []
    grouped = kind.kv_heads != kind.n_head
    sizes = (kind.head_dim,) if kind.head_dim else (32, 64, 128)
    for size in sizes:
        for heads in range(2, _HEADS_MAX + 1):
            if (grouped and heads % 2) or (heads > 16 and heads % 4):
                continue
            if not kind.head_dim and size != _usual_head(heads * size):
                continue
            settings = {"n_head": heads, "n_embd": heads * size}
            if grouped:
                settings["n_kv_head"] = heads // 2
            base = msgspec.structs.replace(kind, **settings)
            one = parameter_count(base)
            two = parameter_count(msgspec.structs.replace(base, n_layer=2))
            found.append((base, one, two - one))
    return tuple(found)


def _usual_head(width: int) -> int:
    """Usual size of a head in a model of this width."""
    return 32 if width < 384 else 64 if width <= 2048 else 128


def _usual_ratio(parameters: float) -> float:
    at = math.log(parameters)
    points = [(math.log(size), ratio) for size, ratio in _WIDTH_PER_LAYER]
    if at <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in pairwise(points):
        if at <= x1:
            return y0 + (y1 - y0) * (at - x0) / (x1 - x0)
    return points[-1][1]


def _preset_near(parameters: float, like: ModelConfig) -> ModelConfig | None:
    found: list[tuple[float, ModelConfig]] = []
    for preset in PRESETS.values():
        config = preset.config
        alike = all(getattr(config, name) == getattr(like, name) for name in _SAME)
        if not alike or (config.kv_heads != config.n_head) != (like.kv_heads != like.n_head):
            continue
        model = msgspec.structs.replace(
            config,
            vocab_size=like.vocab_size,
            context_length=like.context_length,
            match_input=like.match_input,
            match_form=like.match_form,
            match_dropout=like.match_dropout,
            match_length_max=like.match_length_max,
        )
        found.append((abs(math.log(parameter_count(model) / max(parameters, 1.0))), model))
    best = min(found, key=lambda each: each[0], default=None)
    return best[1] if best is not None and best[0] <= _CLOSE else None


_SAME = ("family", "tie_embeddings", "qkv_bias", "dropout", "residual_scaling")

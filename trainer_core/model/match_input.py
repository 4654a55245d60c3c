"""How a model reads the longest match: the form that its configuration names."""

from __future__ import annotations

from trainer_core.model.match_hearth import HearthMatch
from trainer_core.model.match_tscale import TScaleMatch
from trainer_core.spec import ModelConfig

MatchInput = HearthMatch | TScaleMatch
"""Both offer `initialise`, `embed` on the way in, and `mix` and `mixed_loss` on the way out."""


def make_match_input(config: ModelConfig) -> MatchInput | None:
    """The match input of a model; None where it has none."""
    if not config.match_input:
        return None
    return TScaleMatch(config) if config.match_form == "tscale" else HearthMatch(config)

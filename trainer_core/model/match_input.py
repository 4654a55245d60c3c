"""How a model reads the longest match: the form that its configuration names, and its earlier one.

Letters: C channels, L longest match length.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trainer_core.model.match_hearth import GATE_RATE, N_EVIDENCE, HearthMatch
from trainer_core.model.match_tscale import TScaleMatch
from trainer_core.model.pointer import ABSENT
from trainer_core.spec import ModelConfig

MatchInput = HearthMatch | TScaleMatch
"""Both offer `initialise`, `embed` on the way in, and `mix` and `mixed_loss` on the way out."""

EARLIER_GATE = "match.gate_bias"
"""A weight that only the match input of Hearth's first versions has."""


def make_match_input(config: ModelConfig) -> MatchInput | None:
    """The match input of a model; None where it has none."""
    if not config.match_input:
        return None
    return TScaleMatch(config) if config.match_form == "tscale" else HearthMatch(config)


def from_earlier_form(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights by name; those of the first match input as today's that computes the same.

    That one read the next token and the length, and pointed to the first candidate alone.
    """
    if EARLIER_GATE not in weights:
        return weights
    bias, weight = weights[EARLIER_GATE], weights["match.gate_weight"]  # (L + 1,), (C,)
    second = torch.full_like(bias, ABSENT)
    return {name: tensor for name, tensor in weights.items() if name != EARLIER_GATE} | {
        "match.second_scale": torch.zeros_like(weight),
        "match.evidence_embedding.weight": weight.new_zeros(N_EVIDENCE, len(weight)),
        "match.gate_weight": torch.cat((weight, torch.zeros_like(weight))),
        "match.gate_length": (torch.stack((bias, second), 1) / GATE_RATE).flatten(),
        "match.gate_evidence": weight.new_zeros(2 * N_EVIDENCE),
    }

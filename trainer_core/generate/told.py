"""What the index found, as a model is told of it."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from trainer_core.data.matches import MatchTensors
from trainer_core.index import Match, count_bucket


def match_tensors(
    found: Sequence[Match], length_max: int, device: torch.device | str = "cpu"
) -> MatchTensors:
    """The matches of consecutive tokens, (1, T) each.

    Args:
        found: T matches.
        length_max: What the model tells apart; longer ones count as this long.
        device: Where the model is.
    """

    def row(values: list[int]) -> torch.Tensor:
        return torch.tensor([values], dtype=torch.int64, device=device)

    return MatchTensors(
        length=row([min(match.length, length_max) for match in found]),
        next=row([match.next for match in found]),
        second=row([match.second or 0 for match in found]),
        count_bucket=row([count_bucket(match.count) for match in found]),
        has_second=row([match.second is not None for match in found]).bool(),
    )

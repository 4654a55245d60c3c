"""How much of a written text is backed by the training text. Free of Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from studio.widgets.token_run import VERBATIM_LENGTH, heat_step
from trainer_core.protocol import TokenWritten

STRONG_MATCH = 8


@dataclass(frozen=True)
class MatchShares:
    """Shares of the written tokens.

    Attributes:
        tokens: How many were written.
        by_step: Share of each heat step, 0 to 4; a token that leaves its match counts as step 0.
        strong: Share that goes on with a match of 8 tokens or more.
        verbatim: Share inside runs of 32 tokens or more copied from the training text.
        own: Share that goes on with a match of 8 or more in this text itself, not in the training
            text; it is part of `strong`.
    """

    tokens: int = 0
    by_step: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 0.0)
    strong: float = 0.0
    verbatim: float = 0.0
    own: float = 0.0


def match_shares(tokens: Sequence[TokenWritten]) -> MatchShares:
    """Count the written tokens by their matches."""
    if not tokens:
        return MatchShares()
    steps = [0] * 5
    strong = own = 0
    verbatim = [False] * len(tokens)
    for number, token in enumerate(tokens):
        backed = token.match_length if token.followed else 0
        steps[heat_step(backed)] += 1
        if backed >= STRONG_MATCH:
            strong += 1
            own += token.match_kind == "prompt"
        if token.match_length >= VERBATIM_LENGTH and token.match_kind == "index":
            for i in range(max(number - token.match_length, 0), number + token.followed):
                verbatim[i] = True
    count = len(tokens)
    return MatchShares(
        tokens=count,
        by_step=tuple(step / count for step in steps),
        strong=strong / count,
        verbatim=sum(verbatim) / count,
        own=own / count,
    )

"""One generated token and what is known about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MatchKind = Literal["none", "prompt", "index"]


@dataclass(frozen=True)
class GeneratedToken:
    """A token that the model wrote.

    Attributes:
        index: Its number, from 0.
        token: Its id.
        data: Its bytes; a character may span several tokens.
        match_length: Tokens right before it that also stand earlier in this text or in the
            training text: the longest match, which the model was told of.
        match_kind: `prompt` for this text itself, `index` for the training text.
        match_position: Last token of the match, in the training text (`index`) or in this text
            counted with the separator that opens it (`prompt`); -1 without a match.
        followed: Whether it is the token that followed the match there.
        probability: Of this token, before sampling limits.
        entropy: Of the distribution it was drawn from, in nats.
        top: The likeliest tokens with their probabilities, likeliest first.
    """

    index: int
    token: int
    data: bytes
    match_length: int
    match_kind: MatchKind
    match_position: int
    followed: bool
    probability: float
    entropy: float
    top: tuple[tuple[int, float], ...]

    @property
    def backed_length(self) -> int:
        """Tokens of the match that this token continues; 0 where it is the model's own."""
        return self.match_length if self.followed else 0

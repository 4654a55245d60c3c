"""From logits to one token: limits on the distribution, then a draw that only the seed decides.

Letters: V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer_core.errors import KnownError
from trainer_core.protocol import Generate

TOP_SHOWN = 8
"""Candidates reported for each token."""

Floats = NDArray[np.float64]
Order = NDArray[np.intp]


@dataclass(frozen=True)
class Choice:
    """A token and the distribution that it was taken from, before any limit.

    Attributes:
        token: What was chosen.
        probability: Of that token.
        entropy: Of the distribution, in nats.
        top: The likeliest tokens and their probabilities, likeliest first.
    """

    token: int
    probability: float
    entropy: float
    top: tuple[tuple[int, float], ...]


def best_first(values: Floats, count: int) -> Order:
    """Indices of the `count` largest values, largest first, equal ones by index; 0 takes all."""
    if 0 < count < len(values):
        edge = np.partition(values, len(values) - count)[len(values) - count]
        candidates = np.flatnonzero(values >= edge)
    else:
        candidates = np.arange(len(values))
    ordered = candidates[np.argsort(-values[candidates], kind="stable")]
    return ordered[:count] if count else ordered


def penalised(logits: Floats, seen: NDArray[np.bool_], penalty: float) -> Floats:
    """Logits with those of seen tokens divided by the penalty, or multiplied where negative.

    Source: Keskar et al., "CTRL", 2019, in the form that transformers uses.

    Args:
        logits: (V,).
        seen: (V,), tokens of the text so far.
        penalty: 1 changes nothing, more discourages repetition.
    """
    if penalty == 1.0:
        return logits
    changed = np.where(logits < 0, logits * penalty, logits / penalty)
    return np.where(seen, changed, logits)


def _softmax(logits: Floats) -> Floats:
    weights = np.exp(logits - logits.max())
    normed: Floats = weights / weights.sum()
    return normed


class Sampler:
    """Chooses tokens by the settings of a request; the same seed and logits choose the same.

    Args:
        settings: `temperature`, `top_k`, `top_p`, `min_p`, `repetition_penalty` and `seed` count.
    """

    def __init__(self, settings: Generate) -> None:
        self.settings = settings
        self._random = np.random.Generator(np.random.PCG64(settings.seed))

    def choose(self, logits: NDArray[np.float32], seen: NDArray[np.bool_]) -> Choice:
        """The next token.

        Args:
            logits: (V,) of the model.
            seen: (V,), which tokens the text so far has.

        Raises:
            KnownError: The logits are not numbers, as those of a model that diverged.
        """
        own = logits.astype(np.float64)
        peak = own.max()
        if not np.isfinite(peak):
            raise KnownError(
                "The model's output is not a number.",
                safe="The checkpoint was not changed.",
                do="Use an earlier checkpoint: this training diverged.",
            )
        shifted = own - peak
        weights = np.exp(shifted)
        total = weights.sum()
        probabilities = weights / total
        entropy = float(np.log(total) - (weights @ np.maximum(shifted, -1e9)) / total)
        token = self._pick(penalised(own, seen, self.settings.repetition_penalty))
        top = best_first(probabilities, TOP_SHOWN)
        return Choice(
            token=token,
            probability=float(probabilities[token]),
            entropy=max(0.0, entropy),
            top=tuple((int(i), float(probabilities[i])) for i in top),
        )

    def _pick(self, logits: Floats) -> int:
        if self.settings.temperature == 0.0:
            return int(logits.argmax())
        order = best_first(logits, self.settings.top_k)
        kept = self._limit(_softmax(logits[order] / self.settings.temperature))
        cumulative = np.cumsum(kept)
        drawn = self._random.random() * cumulative[-1]
        return int(order[min(np.searchsorted(cumulative, drawn, side="right"), len(kept) - 1)])

    def _limit(self, probabilities: Floats) -> Floats:
        """The likeliest ones that top-p and min-p leave, at least one; falling in, falling out.

        Source: Holtzman et al., "The curious case of neural text degeneration", 2019 (top-p);
        Nguyen et al., "Turning up the heat: min-p sampling", 2024.
        """
        before = np.cumsum(probabilities) - probabilities
        keep = before < self.settings.top_p
        keep &= probabilities >= self.settings.min_p * probabilities[0]
        keep[0] = True
        return probabilities[: int(keep.sum())]

"""How loss depends on parameters and tokens: the law, data that is read again, an index."""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from trainer_core.presets import parameter_count
from trainer_core.spec import ModelConfig

E, A, B = 1.69, 406.4, 410.7
ALPHA, BETA = 0.34, 0.28
"""L(N, D) = E + A / N^α + B / D^β, in nats per token.

Source: Hoffmann et al., "Training compute-optimal large language models", 2022, approach 3.
"""
LAW = "L(N, D) = 1.69 + 406.4 / N^0.34 + 410.7 / D^0.28"
LAW_SOURCE = "Hoffmann et al., “Training compute-optimal large language models”, 2022, approach 3"
CHINCHILLA_TOKENS_PER_PARAMETER = 20.0
"""Source: Hoffmann et al., 2022, approaches 1 and 2."""
REPEATS_DECAY = 15.39
"""R*_D: after about so many repeats, reading the text again is worth nothing any more.

Source: Muennighoff et al., "Scaling data-constrained language models", 2023, section 3.
"""
REPEATS_SOURCE = "Muennighoff et al., “Scaling data-constrained language models”, 2023"
REPEATS_PAY_LITTLE_PASSES = 4.0
"""Source: Muennighoff et al., 2023."""
LAW_BYTES_PER_TOKEN = 4.4
"""Of English text on the web in vocabularies like those that the law was found with, about."""
_UNIGRAM_SHARE = 0.72
"""Entropy of single tokens as a share of ln V, where it was not counted; English, 4k to 50k."""
_NAMED_SHARE = 0.6
"""A token that the index names costs a plain model about so much of what another one costs."""
_NAMED_LOSS = 0.25
"""What such a token still costs with the index, in nats."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class TrainedPoint:
    """A training that is over, as something to measure the law by.

    Attributes:
        name: Of the run.
        model: Its shape.
        tokens: Training tokens that it read, D.
        corpus_tokens: Different ones among them at the most.
        loss: Held-out loss in nats per token.
        corpus: Which text; runs on one text tell more of each other.
        bytes_per_token: Of the text; None where it is unknown.
        unigram_entropy: Of the text, in nats per token; None where it was not counted.
        hit_rate: Share of held-out tokens that its index named.
        published: Whether others report it.
    """

    name: str
    model: ModelConfig
    tokens: int
    corpus_tokens: int
    loss: float
    corpus: str = ""
    bytes_per_token: float | None = None
    unigram_entropy: float | None = None
    hit_rate: float | None = None
    published: bool = False

    @property
    def text(self) -> TextScale:
        """Its tokens on the law's scale."""
        return TextScale.of(self.model.vocab_size, self.bytes_per_token, self.unigram_entropy)


@dataclass(frozen=True)
class TextScale:
    """What the law must know of a text and its tokenizer.

    Attributes:
        ratio: Bytes per token, as a multiple of the law's.
        unigram: Entropy of single tokens, in nats: no training worth the name ends above it.
    """

    ratio: float
    unigram: float

    @classmethod
    def of(cls, vocab_size: int, bytes_per_token: float | None, unigram: float | None) -> TextScale:
        """From what is known; the rest is taken from the size of the vocabulary."""
        if not bytes_per_token or not math.isfinite(bytes_per_token):
            # Longer vocabularies hold longer tokens: 1 byte at 256, 4.4 at 50,000.
            doublings = math.log2(max(vocab_size, 256) / 256)
            bytes_per_token = min(1.0 + 0.447 * doublings, 6.0)
        if not unigram or not math.isfinite(unigram):
            unigram = _UNIGRAM_SHARE * math.log(max(vocab_size, 2))
        return cls(bytes_per_token / LAW_BYTES_PER_TOKEN, unigram)


def effective_tokens(tokens: Numbers | float, unique: float) -> Numbers:
    """Fresh tokens that are worth as much as these, some of which were read again.

    D' = U + U R* (1 - exp(-R / R*)), with R = D / U - 1 repeats of U unique tokens.

    Source: Muennighoff et al., 2023, equation 5.

    Args:
        tokens: Read in all, D; any shape.
        unique: Different ones, U.
    """
    read = np.asarray(tokens, np.float64)
    unique = max(unique, 1.0)
    repeats = np.maximum(read / unique - 1.0, 0.0)
    more = unique * REPEATS_DECAY * -np.expm1(-repeats / REPEATS_DECAY)
    return np.minimum(read, unique) + more


def law_loss(parameters: Numbers | float, tokens: Numbers | float, text: TextScale) -> Numbers:
    """Loss by the law in nats per token of this text; arguments of any shape, fresh tokens.

    The law was found with 44 million to 16 billion parameters. What it adds to its floor is bent so
    that it reaches the entropy of single tokens at the most, which matters far below that range and
    leaves the order of plans, and so the best size, as the law has them.
    """
    n = np.maximum(np.asarray(parameters, np.float64), 1.0)
    d = np.maximum(np.asarray(tokens, np.float64) * text.ratio, 1.0)
    above = A / n**ALPHA + B / d**BETA
    room = max(text.unigram / text.ratio - E, 0.5)
    found: Numbers = text.ratio * (E + room * -np.expm1(-above / room))
    return found


def best_parameters(flops: float) -> float:
    """Parameters that reach the lowest loss for so much computing, C = 6 N D, by the law.

    N = G (C / 6)^(β / (α + β)), G = (α A / (β B))^(1 / (α + β)).

    Source: Hoffmann et al., 2022, equation 4.
    """
    g = (ALPHA * A / (BETA * B)) ** (1 / (ALPHA + BETA))
    return float(g * (flops / 6.0) ** (BETA / (ALPHA + BETA)))


def with_index(loss: Numbers, hit_rate: float, text: TextScale) -> Numbers:
    """What is left of a loss when the model is told what followed the longest match.

    Tokens that the index names are easier than others without it too, and cost little with it.
    Measured on the Python library after 500 steps: 4.22 became 2.25 nats.

    Args:
        loss: Of the plain model, in nats per token.
        hit_rate: Share of held-out tokens that the index names, h.
        text: Whose tokens they are.
    """
    h = min(max(hit_rate, 0.0), 0.99)
    left = (1 - h) / (1 - h + _NAMED_SHARE * h)
    return loss * left + _NAMED_LOSS * h * text.ratio


def plain_parameters(model: ModelConfig) -> int:
    """Parameters without those that only the match input has."""
    return parameter_count(msgspec.structs.replace(model, match_input=False))

"""What is trained in the benchmark of training: shapes, and text to train on.

Letters: B batch, T time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from trainer_core.data.batches.loader import TrainBatches
from trainer_core.index import match_features
from trainer_core.spec import ModelConfig

SEED = 1
_TOKENS = 400_000
_DOCUMENT = 2_000


@dataclass(frozen=True)
class Shape:
    """A GPT-2 and its batches.

    Attributes:
        config: Of the plain model.
        batch_size: B.
        rounds: How often each loop has its turn.
        steps: Steps in one turn.
    """

    config: ModelConfig
    batch_size: int
    rounds: int = 5
    steps: int = 20

    def with_index(self) -> Shape:
        return replace(self, config=_gpt2(self.config, match_input=True))


def _gpt2(config: ModelConfig, **changes: object) -> ModelConfig:
    import msgspec

    return msgspec.structs.replace(config, **changes)


def gpt2(vocab_size: int, n_layer: int, n_head: int, n_embd: int, context_length: int, **more):
    return ModelConfig(
        family="gpt2",
        vocab_size=vocab_size,
        n_layer=n_layer,
        n_head=n_head,
        n_embd=n_embd,
        context_length=context_length,
        **more,
    )


CPU_SHAPES = {
    "S": Shape(gpt2(257, 4, 4, 64, 64), 32, rounds=6, steps=20),
    "M": Shape(gpt2(8192, 6, 8, 256, 256), 8, rounds=5, steps=4),
    "L": Shape(gpt2(50_257, 12, 12, 768, 1024), 1, rounds=3, steps=1),
}
GPU_SHAPES = {
    "51M": Shape(gpt2(50_257, 8, 8, 512, 1024), 8),
    "124M": Shape(gpt2(50_257, 12, 12, 768, 1024), 8),
    "163M": Shape(gpt2(50_257, 12, 12, 768, 1024, tie_embeddings=False, qkv_bias=False), 8),
    "350M": Shape(gpt2(50_257, 24, 16, 1024, 1024), 8),
}


class Stream:
    """Tokens in memory, as a corpus gives them."""

    def __init__(self, tokens):
        self._tokens, self.n_tokens = tokens, len(tokens)

    def tokens(self):
        return self._tokens


def batches_of(shape: Shape, batch_size: int | None = None) -> TrainBatches:
    """Drawn by Zipf's law, with passages that return; the same for every loop of a shape."""
    config = shape.config
    random = np.random.default_rng(SEED)
    tokens = (random.zipf(1.2, _TOKENS) % (config.vocab_size - 1) + 1).astype(np.uint16)
    for to, start in random.integers(0, _TOKENS - 200, (2 * _TOKENS // 200, 2)):
        length = random.integers(4, 60)
        tokens[to : to + length] = tokens[start : start + length].copy()
    starts = np.arange(0, _TOKENS, _DOCUMENT)
    tokens[starts] = 0
    features = match_features(tokens, document_start=starts) if config.match_input else None
    size = batch_size or shape.batch_size
    return TrainBatches(Stream(tokens), features, size, config.context_length, SEED)

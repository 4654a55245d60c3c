"""The shape of the transformer and how it reads the longest match."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

import math
from typing import Annotated, Literal

from msgspec import Meta

from trainer_core.spec.section import MATCH_LENGTH_MAX, Fraction, Section

Family = Literal["llama", "gpt2", "qwen3", "hearth"]


class ModelConfig(Section, frozen=True, kw_only=True):
    """Shape of the transformer. Each family exports as the class of that name in transformers.

    `llama`: RMSNorm, rotary positions, SwiGLU, grouped queries. `qwen3`: the same with normed
    queries and keys. `gpt2`: learned positions, LayerNorm, GELU. `hearth`: tuned for small budgets.
    """

    family: Family = "llama"
    vocab_size: Annotated[int, Meta(ge=2, le=1_000_000)] = 257
    context_length: Annotated[int, Meta(ge=2, le=131_072)] = 256
    n_layer: Annotated[int, Meta(ge=1, le=256)] = 4
    n_head: Annotated[int, Meta(ge=1, le=256)] = 4
    n_kv_head: Annotated[int, Meta(ge=0, le=256)] = 0
    """Key and value heads; 0 takes as many as `n_head`."""
    n_embd: Annotated[int, Meta(ge=2, le=65_536)] = 128
    head_dim: Annotated[int, Meta(ge=0, le=1024)] = 0
    """Width of one attention head; 0 takes `n_embd / n_head`."""
    n_inner: Annotated[int, Meta(ge=0, le=262_144)] = 0
    """Width of the feed-forward layer; 0 takes what the family's paper does."""
    tie_embeddings: bool = True
    qkv_bias: bool = True
    """A bias on queries, keys and values; of `gpt2` alone."""
    dropout: Fraction = 0.0
    """Share of activations that training leaves out."""
    residual_scaling: Literal["none", "deepnet"] = "none"
    rope_theta: Annotated[float, Meta(gt=0.0)] = 10_000.0
    norm_eps: Annotated[float, Meta(gt=0.0, lt=1.0)] = 1e-5
    match_input: bool = False
    """Feed what followed the longest match in the training text to the model."""
    match_form: Literal["hearth", "tscale"] = "hearth"
    """`tscale` sums an embedding of the next token and no more; `hearth` reads length, agreement,
    count and second candidate too, and points to the candidates on the output."""
    match_dropout: Fraction = 0.0
    """Share of training sequences that see no match, so that the model also works without."""
    match_length_max: Annotated[int, Meta(ge=1, le=MATCH_LENGTH_MAX)] = 32

    def __post_init__(self) -> None:
        """Hold the relations between the fields.

        Raises:
            ValueError: Two settings contradict each other; the message names them.
        """
        if self.n_embd % self.n_head:
            raise ValueError(f"n_embd {self.n_embd} is not a multiple of n_head {self.n_head}")
        if self.head_size % 2:
            raise ValueError(f"n_embd / n_head is {self.head_size}; rotary positions need it even")
        if self.n_head % self.kv_heads:
            raise ValueError(f"n_head {self.n_head} is not a multiple of n_kv_head {self.kv_heads}")

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.n_embd // self.n_head

    @property
    def kv_heads(self) -> int:
        """Number of key and value heads in force."""
        return self.n_kv_head or self.n_head

    @property
    def inner(self) -> int:
        """Width of the SwiGLU layer in force."""
        return self.n_inner or 32 * math.ceil(self.n_embd * 8 / 3 / 32)

"""The shape of the transformer and how it reads the longest match."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from trainer_core.spec.section import MATCH_LENGTH_MAX, Fraction, Section

Family = Literal["llama", "gpt2", "qwen3", "hearth"]
FeedForward = Literal["swiglu", "gelu", "relu2"]
_ROPE_THETA = 10_000.0


@dataclass(frozen=True)
class Recipe:
    """The parts that a family is made of.

    Attributes:
        norm: `rms` has a scale per channel, `layer` takes the mean away and has a shift too.
        positions: A learned embedding for each place, or queries and keys turned by an angle.
        feed_forward: `swiglu` is gated and has three matrices, the others have two.
        biases: Whether the output of attention and both feed-forward matrices have biases.
        qk_norm: Whether each head's queries and keys are normed.
        value_residual: Whether each layer mixes the first layer's values into its own.
        zero_outputs: Whether what layers add to the stream starts at 0.
        inner_thirds: Width of the feed-forward layer, in thirds of the model's width.
        inner_multiple: The feed-forward layer is rounded up to a multiple of this.
    """

    norm: Literal["rms", "layer"] = "rms"
    positions: Literal["rotary", "learned"] = "rotary"
    feed_forward: FeedForward = "swiglu"
    biases: bool = False
    qk_norm: bool = False
    value_residual: bool = False
    zero_outputs: bool = False
    inner_thirds: int = 8
    inner_multiple: int = 32


RECIPES: dict[Family, Recipe] = {
    "llama": Recipe(),
    "gpt2": Recipe(
        norm="layer",
        positions="learned",
        feed_forward="gelu",
        biases=True,
        inner_thirds=12,
        inner_multiple=1,
    ),
    "qwen3": Recipe(qk_norm=True, inner_thirds=9),
    "hearth": Recipe(
        feed_forward="relu2",
        qk_norm=True,
        value_residual=True,
        zero_outputs=True,
        inner_thirds=12,
    ),
}
"""Source: Touvron et al., "LLaMA", 2023; Radford et al., "Language models are unsupervised
multitask learners", 2019; Yang et al., "Qwen3 technical report", 2025. Of `hearth`: So et al.,
"Primer", 2021, for the square of ReLU; Zhou et al., "Value residual learning", 2024.

`hearth` is what won of ten candidates on held-out files of the Python library: 4 layers × 128,
4,096 tokens of an own BPE, 4 × 256 tokens a step, 400 steps of AdamW at 4e-3 in bf16, one seed, in
nats per token. `llama` 4.99; with the square of ReLU 4.84, outputs of 0 4.86, value residual 4.82,
an output matrix of its own 4.87; all four 4.69; of these without value residual 4.79, without
outputs of 0 4.80. For the same time, compiled, in which llama takes 494 steps and all of this 465:
4.72 and 4.57 under AdamW, 4.54 and 4.41 under Muon at 0.02 and 8e-3; uncompiled a step takes 1.24
times llama's, and little is left of the gain. Left out: value embeddings 5.06; short convolutions
4.88, at 1.17 times the time; a share of the token before 4.91, which a cache would have to keep.
Normed queries and keys change nothing here (4.69 both ways; 4.55 with and 4.56 without under Muon);
they stay because larger models' attention logits explode more often under Muon (Kimi Team, "Kimi
K2", 2025, §2.1).
"""


class ModelConfig(Section, frozen=True, kw_only=True):
    """Shape of the transformer.

    `llama`: RMSNorm, rotary positions, SwiGLU, grouped queries. `qwen3`: the same with normed
    queries and keys. `gpt2`: learned positions, LayerNorm, GELU. All three export as the class of
    that name in transformers. `hearth`: tuned for small budgets.
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
    """`deepnet` norms after each addition, weighs the stream above what is added to it, and starts
    with smaller weights, so that a model of hundreds of layers trains."""
    rope_theta: Annotated[float, Meta(gt=0.0, le=1e12)] = _ROPE_THETA
    """Base of the rotary angles; without meaning for learned positions."""
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
        if not self.head_dim and self.n_embd % self.n_head:
            raise ValueError(f"n_embd {self.n_embd} is not a multiple of n_head {self.n_head}")
        if self.n_head % self.kv_heads:
            raise ValueError(f"n_head {self.n_head} is not a multiple of n_kv_head {self.kv_heads}")
        if self.family == "gpt2":
            self._check_gpt2()
        elif not self.qkv_bias:
            raise ValueError(f"qkv_bias is a choice of gpt2 alone; {self.family} never has one")
        if self.recipe.positions == "rotary" and self.head_size % 2:
            where = "head_dim" if self.head_dim else "n_embd / n_head"
            raise ValueError(f"{where} is {self.head_size}; rotary positions need it even")

    def _check_gpt2(self) -> None:
        if self.kv_heads != self.n_head:
            raise ValueError(
                f"n_kv_head {self.n_kv_head} shares keys and values between heads, which gpt2"
                " cannot; leave it 0"
            )
        if self.head_size * self.n_head != self.n_embd:
            raise ValueError(
                f"head_dim {self.head_dim} times n_head {self.n_head} is not n_embd {self.n_embd},"
                " which gpt2 needs; leave it 0"
            )
        if self.rope_theta != _ROPE_THETA:
            raise ValueError(
                f"rope_theta {self.rope_theta:g} is of rotary positions; gpt2 learns its own"
            )

    @property
    def recipe(self) -> Recipe:
        """The parts that the family is made of."""
        return RECIPES[self.family]

    @property
    def head_size(self) -> int:
        """Width of one attention head in force."""
        return self.head_dim or self.n_embd // self.n_head

    @property
    def kv_heads(self) -> int:
        """Number of key and value heads in force."""
        return self.n_kv_head or self.n_head

    @property
    def inner(self) -> int:
        """Width of the feed-forward layer in force."""
        multiple = self.recipe.inner_multiple
        multiples = -(-self.n_embd * self.recipe.inner_thirds // (3 * multiple))  # rounded up
        return self.n_inner or multiple * multiples

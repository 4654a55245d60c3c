"""Named model sizes, and how many parameters a shape has, without building it."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from trainer_core.spec import ModelConfig
from trainer_core.spec.section import MATCH_COUNTS

GPT2_VOCAB_SIZE = 50_257


@dataclass(frozen=True)
class Preset:
    """A model size that is known to train well, with the settings to start from.

    Attributes:
        name: The key, such as `10M`.
        summary: What it is for, one line.
        config: The shape, with the vocabulary it was sized for.
        lr: Peak learning rate for AdamW at `batch_size`.
        batch_size: Sequences in one step.
    """

    name: str
    summary: str
    config: ModelConfig
    lr: float
    batch_size: int

    def model(self, vocab_size: int, *, match_input: bool = False) -> ModelConfig:
        """The shape for a corpus with this vocabulary.

        Args:
            vocab_size: Tokens in the corpus's tokenizer.
            match_input: Whether the model reads what followed the longest match.
        """
        return msgspec.structs.replace(self.config, vocab_size=vocab_size, match_input=match_input)


# Widths keep heads at 32 or 64 channels. Learning rates fall about as width^-1 from the tour's,
# which is measured; 51M and up follow GPT-3's table of sizes (Brown et al., 2020, table 2.1),
# 51M with the shape of "Not-so-large LM for $50".
PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            "tour",
            "Three minutes on two CPU cores",
            ModelConfig(vocab_size=4096, context_length=256, n_layer=4, n_head=4, n_embd=128),
            lr=4e-3,
            batch_size=4,
        ),
        Preset(
            "1M",
            "Bytes, or very little text",
            ModelConfig(vocab_size=257, context_length=512, n_layer=5, n_head=4, n_embd=128),
            lr=4e-3,
            batch_size=16,
        ),
        Preset(
            "10M",
            "An evening on a laptop, minutes on a GPU",
            ModelConfig(vocab_size=8192, context_length=512, n_layer=6, n_head=5, n_embd=320),
            lr=2e-3,
            batch_size=32,
        ),
        Preset(
            "51M",
            "A day on one GPU",
            ModelConfig(
                vocab_size=GPT2_VOCAB_SIZE, context_length=1024, n_layer=8, n_head=8, n_embd=512
            ),
            lr=1e-3,
            batch_size=32,
        ),
        Preset(
            "124M",
            "GPT-2 small's size: two days on one GPU",
            ModelConfig(
                vocab_size=GPT2_VOCAB_SIZE, context_length=1024, n_layer=12, n_head=12, n_embd=768
            ),
            lr=6e-4,
            batch_size=32,
        ),
        Preset(
            "350M",
            "GPT-2 medium's size: a week on one fast GPU",
            ModelConfig(
                vocab_size=GPT2_VOCAB_SIZE, context_length=1024, n_layer=24, n_head=16, n_embd=1024
            ),
            lr=3e-4,
            batch_size=32,
        ),
    )
}


def match_parameter_count(config: ModelConfig) -> int:
    """Parameters that only the match input has, of the form that the model takes."""
    table = config.vocab_size * config.n_embd
    if config.match_form == "tscale":
        return table
    rows = config.match_length_max + 1 + 2 * MATCH_COUNTS  # of lengths, and of evidence
    second_scale, gate_weights = config.n_embd, 2 * config.n_embd
    return table + rows * config.n_embd + second_scale + gate_weights + 2 * rows


def parameter_count(config: ModelConfig) -> int:
    """How many parameters a model of this shape has; tied embeddings count once."""
    width, recipe = config.n_embd, config.recipe
    norm = width * (2 if recipe.norm == "layer" else 1)
    deepnet = config.residual_scaling == "deepnet"
    total = config.vocab_size * width * (1 if config.tie_embeddings else 2)
    if recipe.positions == "learned":
        total += config.context_length * width
    total += config.n_layer * (_attention_count(config) + _feed_forward_count(config) + 2 * norm)
    total += 0 if deepnet else norm
    return total + (match_parameter_count(config) if config.match_input else 0)


def _attention_count(config: ModelConfig) -> int:
    width, recipe = config.n_embd, config.recipe
    queries = config.n_head * config.head_size
    qkv = queries + 2 * config.kv_heads * config.head_size
    biases = (qkv if config.qkv_bias else 0) + width if recipe.biases else 0
    norms = 2 * config.head_size if recipe.qk_norm else 0
    return width * qkv + queries * width + biases + norms


def _feed_forward_count(config: ModelConfig) -> int:
    width, inner, recipe = config.n_embd, config.inner, config.recipe
    matrices = 3 if recipe.feed_forward == "swiglu" else 2
    return matrices * width * inner + (inner + width if recipe.biases else 0)

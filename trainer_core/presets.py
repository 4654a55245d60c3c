"""Named model sizes, and how many parameters a shape has, without building it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from trainer_core.spec import ModelConfig, OptimizerConfig
from trainer_core.spec.section import MATCH_COUNTS

GPT2_VOCAB_SIZE = 50_257


@dataclass(frozen=True)
class Preset:
    """A model size that is known to train well, with the settings to start from.

    Attributes:
        name: The key, such as `10M`.
        summary: What it is for, one line.
        config: The family and the shape, with the vocabulary it was sized for.
        batch_size: Sequences in one step.
        optimizer: The optimizer and its learning rates at `batch_size`.
    """

    name: str
    summary: str
    config: ModelConfig
    batch_size: int
    optimizer: OptimizerConfig

    @property
    def lr(self) -> float:
        """Peak learning rate; under Muon that of what is no matrix of a layer."""
        return self.optimizer.lr

    def model(self, vocab_size: int, *, match_input: bool = False) -> ModelConfig:
        """The shape for a corpus with this vocabulary.

        Args:
            vocab_size: Tokens in the corpus's tokenizer.
            match_input: Whether the model reads what followed the longest match.
        """
        return msgspec.structs.replace(self.config, vocab_size=vocab_size, match_input=match_input)


def _preset(
    name: str,
    summary: str,
    optimizer: OptimizerConfig,
    *,
    shape: tuple[int, int, int],
    batch_size: int = 32,
    **settings: Any,  # noqa: ANN401 - fields of ModelConfig, which checks them
) -> Preset:
    """A preset by its layers, heads and width; vocabulary and context are GPT-2's unless given."""
    n_layer, n_head, n_embd = shape
    wanted = {"vocab_size": GPT2_VOCAB_SIZE, "context_length": 1024} | settings
    config = ModelConfig(n_layer=n_layer, n_head=n_head, n_embd=n_embd, **wanted)
    return Preset(name, summary, config, batch_size, optimizer)


def _adamw(lr: float) -> OptimizerConfig:
    return OptimizerConfig(lr=lr)


def _muon(lr: float) -> OptimizerConfig:
    """Muon for the matrices of the layers, whose best rate hardly depends on the width."""
    return OptimizerConfig(
        kind="muon", muon_lr=0.02, lr=lr, schedule="wsd", decay_share=0.5, lr_floor=0.0
    )


_TOUR: dict[str, Any] = {"vocab_size": 4096, "context_length": 256}
_BYTES: dict[str, Any] = {"vocab_size": 257, "context_length": 512}
_SMALL: dict[str, Any] = {"vocab_size": 8192, "context_length": 512}
_QWEN3: dict[str, Any] = {
    "family": "qwen3",
    "n_kv_head": 8,
    "head_dim": 128,
    "norm_eps": 1e-6,
    "rope_theta": 1e6,
}
_QWEN3_SMALL = _QWEN3 | {"n_kv_head": 4, "head_dim": 64}
_HEARTH: dict[str, Any] = {"family": "hearth", "tie_embeddings": False}
_48_HOURS: dict[str, Any] = {
    "family": "gpt2",
    "tie_embeddings": False,
    "qkv_bias": False,
    "dropout": 0.1,
}

# Widths keep heads at 32 or 64 channels. Learning rates fall about as width^-1 from the tour's,
# which is measured; from 51M up they follow GPT-3's table of sizes (Brown et al., 2020, table 2.1).
# 51M has the shape of "Not-so-large LM for $50", 163M the settings of GPT-2 small in 48 hours on an
# RTX 3090, the large ones of qwen3 the shapes of Qwen3-0.6B and 1.7B (Yang et al., 2025, table 1).
PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        _preset(
            "tour",
            "Three minutes on two CPU cores",
            _adamw(4e-3),
            shape=(4, 4, 128),
            batch_size=4,
            **_TOUR,
        ),
        _preset(
            "1M",
            "Bytes, or very little text",
            _adamw(4e-3),
            shape=(5, 4, 128),
            batch_size=16,
            **_BYTES,
        ),
        _preset(
            "10M",
            "An evening on a laptop",
            _adamw(2e-3),
            shape=(6, 5, 320),
            **_SMALL,
        ),
        _preset("51M", "A day on one GPU", _adamw(1e-3), shape=(8, 8, 512)),
        _preset(
            "124M",
            "Two days on one GPU",
            _adamw(6e-4),
            shape=(12, 12, 768),
        ),
        _preset(
            "350M",
            "A week on one fast GPU",
            _adamw(3e-4),
            shape=(24, 16, 1024),
        ),
        _preset(
            "gpt2-124M",
            "GPT-2 small, OpenAI's shape",
            _adamw(6e-4),
            shape=(12, 12, 768),
            family="gpt2",
        ),
        _preset(
            "163M",
            "Untied, dropout: 48 h on a 3090",
            _adamw(4e-4),
            shape=(12, 12, 768),
            batch_size=6,
            **_48_HOURS,
        ),
        _preset(
            "gpt2-355M",
            "GPT-2 medium, OpenAI's shape",
            _adamw(3e-4),
            shape=(24, 16, 1024),
            family="gpt2",
        ),
        _preset(
            "gpt2-1.5B",
            "GPT-2 XL: for several large GPUs",
            _adamw(2e-4),
            shape=(48, 25, 1600),
            family="gpt2",
        ),
        _preset("qwen3-51M", "A day on one GPU", _adamw(1e-3), shape=(8, 8, 512), **_QWEN3_SMALL),
        _preset(
            "qwen3-121M",
            "Two days on one GPU",
            _adamw(6e-4),
            shape=(12, 12, 768),
            **_QWEN3_SMALL,
        ),
        _preset(
            "qwen3-0.5B",
            "Qwen3-0.6B's shape",
            _adamw(3e-4),
            shape=(28, 16, 1024),
            **_QWEN3,
        ),
        _preset(
            "qwen3-1.5B",
            "Qwen3-1.7B's: for several large GPUs",
            _adamw(2e-4),
            shape=(28, 16, 2048),
            **_QWEN3,
        ),
        _preset(
            "hearth-1M",
            "Bytes, or very little text",
            _muon(8e-3),
            shape=(5, 4, 128),
            batch_size=16,
            **_HEARTH,
            **_BYTES,
        ),
        _preset(
            "hearth-2M",
            "Minutes on a CPU",
            _muon(8e-3),
            shape=(4, 4, 128),
            batch_size=8,
            **_HEARTH,
            **_TOUR,
        ),
        _preset(
            "hearth-13M",
            "An evening on a laptop",
            _muon(4e-3),
            shape=(6, 5, 320),
            **_HEARTH,
            **_SMALL,
        ),
        _preset("hearth-77M", "A day on one GPU", _muon(3e-3), shape=(8, 8, 512), **_HEARTH),
        _preset(
            "hearth-162M",
            "Two days on one GPU",
            _muon(2e-3),
            shape=(12, 12, 768),
            **_HEARTH,
        ),
        _preset(
            "hearth-405M",
            "A week on one fast GPU",
            _muon(1.5e-3),
            shape=(24, 16, 1024),
            **_HEARTH,
        ),
        _preset(
            "hearth-1.4B",
            "For several large GPUs",
            _muon(1e-3),
            shape=(24, 16, 2048),
            **_HEARTH,
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
    total += 2 * (config.n_layer - 1) if recipe.value_residual else 0
    return total + (match_parameter_count(config) if config.match_input else 0)


def flops_per_token(config: ModelConfig) -> float:
    """Arithmetic that training needs for one token, forward and backward: 6 N + 12 L H D T.

    Letters: L layers, H heads, D head size, T context length.
    N are the parameters that a token is multiplied by: embedding tables are only looked up, but for
    the output matrix. What activation checkpointing computes again does not count.

    Source: Chowdhery et al., "PaLM", 2022, appendix B; attention counts in full, as there.
    """
    plain = msgspec.structs.replace(config, match_input=False)
    looked_up = 0 if config.tie_embeddings else config.vocab_size * config.n_embd
    if config.recipe.positions == "learned":
        looked_up += config.context_length * config.n_embd
    attention = 12 * config.n_layer * config.n_head * config.head_size * config.context_length
    return 6.0 * (parameter_count(plain) - looked_up) + attention


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

"""How to train: the shape of the model, the optimizer, the budget."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

import math
from typing import Annotated, Literal

from msgspec import Meta

from trainer_core.spec.section import MATCH_LENGTH_MAX, Fraction, Positive, Section, Seed


class ModelConfig(Section, frozen=True, kw_only=True):
    """Shape of the transformer; the architecture is Llama's, so plain models export as it."""

    vocab_size: Annotated[int, Meta(ge=2, le=1_000_000)] = 257
    context_length: Annotated[int, Meta(ge=2, le=131_072)] = 256
    n_layer: Annotated[int, Meta(ge=1, le=256)] = 4
    n_head: Annotated[int, Meta(ge=1, le=256)] = 4
    n_kv_head: Annotated[int, Meta(ge=0, le=256)] = 0
    """Key and value heads; 0 takes as many as `n_head`."""
    n_embd: Annotated[int, Meta(ge=2, le=65_536)] = 128
    n_inner: Annotated[int, Meta(ge=0, le=262_144)] = 0
    """Width of the SwiGLU layer; 0 takes 8/3 of `n_embd`, rounded up to a multiple of 32."""
    tie_embeddings: bool = True
    rope_theta: Annotated[float, Meta(gt=0.0)] = 10_000.0
    norm_eps: Annotated[float, Meta(gt=0.0, lt=1.0)] = 1e-5
    match_input: bool = False
    """Feed what followed the longest match in the training text to the model."""
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


class OptimizerConfig(Section, frozen=True, kw_only=True):
    """AdamW with warm-up and cosine decay.

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization", 2019.
    """

    lr: Annotated[float, Meta(gt=0.0, le=10.0)] = 3e-3
    """Peak learning rate. The default suits a few million parameters and batches of 4k tokens."""
    lr_floor: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.1
    """Final learning rate as a share of the peak."""
    warmup_steps: Annotated[int, Meta(ge=0)] = 50
    weight_decay: Annotated[float, Meta(ge=0.0, le=10.0)] = 0.1
    """Decay of matrices; norms and biases have none."""
    beta1: Fraction = 0.9
    beta2: Fraction = 0.95
    eps: Annotated[float, Meta(gt=0.0)] = 1e-8
    clip_norm: Annotated[float, Meta(ge=0.0)] = 1.0
    """Gradients are scaled down to this norm; 0 leaves them as they are."""


class BudgetConfig(Section, frozen=True, kw_only=True):
    """How long to train."""

    steps: Positive = 1000
    batch_size: Positive = 16
    """Sequences in one step."""


class EvaluationConfig(Section, frozen=True, kw_only=True):
    """When and on how much held-out text to measure."""

    every_steps: Positive = 100
    max_tokens: Annotated[int, Meta(ge=1)] = 65_536
    """Held-out tokens per validation, always the same ones."""
    sample_prompts: tuple[str, ...] = ()
    """Continued at each checkpoint, with the same seed."""
    sample_tokens: Annotated[int, Meta(ge=1, le=4096)] = 64


class CheckpointConfig(Section, frozen=True, kw_only=True):
    """When to save and what to keep. The last and the best checkpoint are always kept."""

    every_steps: Positive = 200
    keep: Positive = 4
    """How many of the newest checkpoints stay."""


class TrainSpec(Section, frozen=True, kw_only=True, tag="train", tag_field="verb"):
    """Train a model on a corpus, with or without its index."""

    corpus: str
    index: str = ""
    """The index folder; needed when `model.match_input` is on."""
    model: ModelConfig = ModelConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    budget: BudgetConfig = BudgetConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`auto` is bf16 on a GPU or processor that multiplies it natively, and fp32 elsewhere. Weights
    and optimizer are fp32 either way."""
    threads: Annotated[int, Meta(ge=0, le=1024)] = 0
    """CPU threads; 0 takes one per core."""
    seed: Seed = 1337

    def __post_init__(self) -> None:
        """Hold the relations between the sections.

        Raises:
            ValueError: Two settings contradict each other; the message names them.
        """
        if self.model.match_input and not self.index:
            raise ValueError("model.match_input is on, but no index is given")
        if self.optimizer.warmup_steps >= self.budget.steps:
            raise ValueError(
                f"optimizer.warmup_steps {self.optimizer.warmup_steps} leaves nothing of"
                f" budget.steps {self.budget.steps}"
            )

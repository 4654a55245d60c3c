"""How much of a device's arithmetic a training uses: model FLOPs utilisation.

Letters: T context length, H heads, D head size.
"""

from __future__ import annotations

import msgspec

from trainer_core.presets import parameter_count
from trainer_core.spec import ModelConfig

PEAK_BF16_FLOPS: tuple[tuple[str, float], ...] = (
    ("B200", 2250e12),
    ("H100 PCIe", 756e12),
    ("H100 NVL", 835e12),
    ("H100", 989e12),
    ("H200", 989e12),
    ("GH200", 989e12),
    ("A100", 312e12),
    ("L40S", 362e12),
    ("L4", 121e12),
    ("A10", 125e12),
    ("RTX 5090", 209e12),
    ("RTX 4090", 165e12),
    ("RTX 4080", 97e12),
    ("RTX 3090", 71e12),
    ("RTX 3080", 60e12),
)
"""Dense bf16 products with float32 sums, by a part of the GPU's name; the first one that fits.

Source: NVIDIA's data sheets and architecture papers of these GPUs, without sparsity.
"""


def flops_per_token(config: ModelConfig) -> float:
    """Arithmetic that training needs for one token, forward and backward: 6 N + 12 L H D T.

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


def peak_flops(device_name: str) -> float | None:
    """A GPU's peak in bf16 per second; None when it is not known."""
    return next((peak for name, peak in PEAK_BF16_FLOPS if name in device_name), None)


def mfu(config: ModelConfig, tokens_per_s: float, device_name: str) -> float | None:
    """Share of the GPU's peak that the model's own arithmetic takes, 0 to 1."""
    peak = peak_flops(device_name)
    return None if peak is None else flops_per_token(config) * tokens_per_s / peak

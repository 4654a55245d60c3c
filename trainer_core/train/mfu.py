"""How much of a device's arithmetic a training uses: model FLOPs utilisation."""

from __future__ import annotations

from trainer_core.presets import flops_per_token
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


def peak_flops(device_name: str) -> float | None:
    """A GPU's peak in bf16 per second; None when it is not known."""
    return next((peak for name, peak in PEAK_BF16_FLOPS if name in device_name), None)


def mfu(config: ModelConfig, tokens_per_s: float, device_name: str) -> float | None:
    """Share of the GPU's peak that the model's own arithmetic takes, 0 to 1."""
    peak = peak_flops(device_name)
    return None if peak is None else flops_per_token(config) * tokens_per_s / peak

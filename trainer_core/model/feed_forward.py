"""The layer that works on each token alone.

Letters: B batch, T time, C channels, I inner width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (the name that everybody knows)

from trainer_core.spec import ModelConfig


class GatedFeedForward(nn.Module):
    """SwiGLU. Source: Shazeer, "GLU variants improve transformer", 2020."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.dropout = config.dropout
        self.gate_up = nn.Linear(config.n_embd, 2 * config.inner, bias=config.recipe.biases)
        self.down = nn.Linear(config.inner, config.n_embd, bias=config.recipe.biases)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) to (B, T, C)."""
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        out: Tensor = self.down(F.silu(gate) * up)
        return F.dropout(out, self.dropout, self.training) if self.dropout else out


class FeedForward(nn.Module):
    """Two matrices with GELU or the square of ReLU between them.

    Source: Hendrycks and Gimpel, "Gaussian error linear units", 2016, in the tanh form that GPT-2
    has; So et al., "Primer", 2021, for the square.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.dropout = config.dropout
        self.gelu = config.recipe.feed_forward == "gelu"
        self.up = nn.Linear(config.n_embd, config.inner, bias=config.recipe.biases)
        self.down = nn.Linear(config.inner, config.n_embd, bias=config.recipe.biases)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) to (B, T, C)."""
        inner = self.up(x)
        inner = gelu(inner) if self.gelu else F.relu(inner).square()
        out: Tensor = self.down(inner)
        return F.dropout(out, self.dropout, self.training) if self.dropout else out


def gelu(x: Tensor) -> Tensor:
    """GELU in its tanh form, of any shape.

    A compiler for CPUs takes twice as long for a tanh as for the sigmoid that is equal to it.
    """
    if not torch.compiler.is_compiling():
        return F.gelu(x, approximate="tanh")
    wide = x.float()
    slope = 2 * math.sqrt(2 / math.pi) * (wide + 0.044715 * wide * wide * wide)
    return (wide * torch.sigmoid(slope)).to(x.dtype)


def make_feed_forward(config: ModelConfig) -> nn.Module:
    """The feed-forward layer of the family."""
    gated = config.recipe.feed_forward == "swiglu"
    return GatedFeedForward(config) if gated else FeedForward(config)

"""One layer of the transformer: attention, then the feed-forward layer, each added to the stream.

Letters: B batch, T time, C channels.
"""

from __future__ import annotations

from torch import Tensor, nn

from trainer_core.model.attention import Angles, Attention
from trainer_core.model.cache import KVCache
from trainer_core.model.feed_forward import make_feed_forward
from trainer_core.model.masks import Mask
from trainer_core.spec import ModelConfig


def make_norm(config: ModelConfig) -> nn.Module:
    """The norm of the stream, of the family's kind."""
    kind = nn.LayerNorm if config.recipe.norm == "layer" else nn.RMSNorm
    return kind(config.n_embd, eps=config.norm_eps)


def deepnet_scales(config: ModelConfig) -> tuple[float, float]:
    """The weight α of the stream and the factor β of the first weights for this many layers.

    Source: Wang et al., "DeepNet: scaling transformers to 1,000 layers", 2022, table 1, decoder
    only: α = (2M)^¼, β = (8M)^-¼ for M layers.
    """
    return (2 * config.n_layer) ** 0.25, (8 * config.n_layer) ** -0.25


class Block(nn.Module):
    """Norms what attention and the feed-forward layer read; with DeepNet, what they leave."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.attention_norm = make_norm(config)
        self.attention = Attention(config, layer)
        self.mlp_norm = make_norm(config)
        self.mlp = make_feed_forward(config)
        deepnet = config.residual_scaling == "deepnet"
        self.alpha = deepnet_scales(config)[0] if deepnet else None

    def forward(
        self, x: Tensor, angles: Angles, mask: Mask, cache: KVCache | None, first: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """(B, T, C) to (B, T, C), and the values of its attention; see `Attention.forward`."""
        if self.alpha is not None:
            added, values = self.attention(x, angles, mask, cache, first)
            x = self.attention_norm(self.alpha * x + added)
            return self.mlp_norm(self.alpha * x + self.mlp(x)), values
        added, values = self.attention(self.attention_norm(x), angles, mask, cache, first)
        x = x + added
        return x + self.mlp(self.mlp_norm(x)), values

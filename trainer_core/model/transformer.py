"""The one decoder-only transformer: every family by configuration, the longest match as an input.

Letters: B batch, T time, C channels, D head size, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (the name that everybody knows)
from torch.utils.checkpoint import checkpoint

from trainer_core.data.matches import MatchTensors
from trainer_core.model.attention import Angles
from trainer_core.model.block import Block, make_norm
from trainer_core.model.cache import KVCache
from trainer_core.model.cross_entropy import linear_cross_entropy
from trainer_core.model.first_weights import draw_first_weights, init_std
from trainer_core.model.masks import (
    FLEX_HEAD_SIZES,
    FLEX_TIME_MIN,
    Mask,
    cache_mask,
    document_blocks,
    document_mask,
    document_positions,
)
from trainer_core.model.match_input import make_match_input
from trainer_core.model.rotary import rotary_tables
from trainer_core.spec import ModelConfig


class Transformer(nn.Module):
    """A language model over tokens, optionally told what followed the longest match.

    Two models that differ in `match_input` alone start from the same weights when their generators
    have the same seed: what is drawn of the match input is drawn last.

    Attributes:
        config: The shape.
        activation_checkpointing: Whether training computes each block's activations again in the
            backward pass instead of keeping them.
        flex_attention: Whether documents are told apart by flex attention where it can be. Else by
            a mask, which attends to everything and hides the rest.

    Args:
        config: The shape.
        generator: Draws the initial weights; torch's own when absent.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, config: ModelConfig, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.activation_checkpointing = False
        self.flex_attention = False
        self.embed = nn.Embedding(config.vocab_size, config.n_embd)
        self.positions: nn.Embedding | None = None
        if config.recipe.positions == "learned":
            self.positions = nn.Embedding(config.context_length, config.n_embd)
        else:
            cos, sin = rotary_tables(config)
            self.register_buffer("cos", cos.unsqueeze(1), persistent=False)
            self.register_buffer("sin", sin.unsqueeze(1), persistent=False)
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.n_layer))
        # DeepNet's blocks end with a norm of their own.
        deepnet = config.residual_scaling == "deepnet"
        self.norm = nn.Identity() if deepnet else make_norm(config)
        self.head: nn.Linear | None = None
        if not config.tie_embeddings:
            self.head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.match = make_match_input(config)
        draw_first_weights(self, config, generator)
        if self.match is not None:
            self.match.initialise(init_std(config), generator)

    def hidden(
        self,
        tokens: Tensor,
        matches: MatchTensors | None = None,
        cache: KVCache | None = None,
        documents: Tensor | None = None,
    ) -> Tensor:
        """The normed output of the last layer, (B, T, C). Arguments as for `forward`."""
        start = cache.length if cache is not None else 0
        end = start + tokens.shape[1]
        if end > self.config.context_length:
            raise ValueError(f"{end} tokens exceed the context of {self.config.context_length}")
        x, angles = self._read(tokens, matches, start, end, documents)
        mask = self._mask(tokens, cache, documents)
        again = self.activation_checkpointing and self.training and torch.is_grad_enabled()
        first: Tensor | None = None
        for block in self.blocks:
            if again:
                x, values = checkpoint(block, x, angles, mask, cache, first, use_reentrant=False)
            else:
                x, values = block(x, angles, mask, cache, first)
            if self.config.recipe.value_residual and first is None:
                first = values
        if cache is not None:
            cache.length = end
        normed: Tensor = self.norm(x)
        return normed

    def _read(
        self,
        tokens: Tensor,
        matches: MatchTensors | None,
        start: int,
        end: int,
        documents: Tensor | None,
    ) -> tuple[Tensor, Angles]:
        """The stream that the first block reads, (B, T, C), and the angles of its positions.

        Learned positions begin anew with each document. Rotary ones need not: they tell distances.
        """
        x = self.embed(tokens)
        angles: Angles = None
        if self.positions is not None and documents is not None:
            x = x + self.positions(document_positions(documents))
        elif self.positions is not None:
            x = x + self.positions.weight[start:end]
        else:
            angles = self.cos[start:end], self.sin[start:end]
        if self.match is not None and matches is not None:
            x = x + self.match.embed(matches)
        if self.config.dropout:
            x = F.dropout(x, self.config.dropout, self.training)
        return x, angles

    def _mask(self, tokens: Tensor, cache: KVCache | None, documents: Tensor | None) -> Mask:
        """Which earlier tokens each one sees."""
        if documents is None:
            before = 0 if cache is None else cache.length
            return cache_mask(before, tokens.shape[1], tokens.device)
        if cache is not None:
            raise ValueError("a cache does not know which document its tokens were of")
        drops = bool(self.config.dropout) and self.training  # what flex attention does not do
        fits = tokens.shape[1] >= FLEX_TIME_MIN and self.config.head_size in FLEX_HEAD_SIZES
        if self.flex_attention and fits and not drops:
            return document_blocks(documents)
        return document_mask(documents)

    def output(self, hidden: Tensor, matches: MatchTensors | None = None) -> Tensor:
        """Logits, (B, T, V), of hidden states (B, T, C) and the matches at the same tokens."""
        logits = F.linear(hidden, self._head_weight())
        if self.match is None or matches is None:
            return logits
        return self.match.mix(logits, hidden, matches)

    def forward(
        self,
        tokens: Tensor,
        matches: MatchTensors | None = None,
        cache: KVCache | None = None,
        documents: Tensor | None = None,
    ) -> Tensor:
        """Logits, (B, T, V); their softmax is the distribution of the token after each.

        Args:
            tokens: (B, T) int64.
            matches: What followed the longest match of the text up to and with each token. None
                switches the index off, as lengths of 0 do.
            cache: What was read before; the new tokens come after it and are added to it.
            documents: (B, T) int64, which document of its row each token belongs to, rising; tokens
                see their own document alone. None lets them see the whole row before them.

        Raises:
            ValueError: There are more tokens than the context holds, or documents with a cache.
        """
        hidden = self.hidden(tokens, matches, cache, documents)
        return self.output(hidden, matches)

    def loss(
        self,
        tokens: Tensor,
        targets: Tensor,
        matches: MatchTensors | None = None,
        documents: Tensor | None = None,
    ) -> Tensor:
        """Cross-entropy of each token in nats, (B, T) float32; 0 where the target is ignored.

        Args:
            tokens: (B, T) int64.
            targets: (B, T) int64, the token after each, or -100 to ignore it.
            matches: As for `forward`.
            documents: As for `forward`.
        """
        hidden = self.hidden(tokens, matches, documents=documents)
        flat = linear_cross_entropy(hidden.flatten(0, 1), self._head_weight(), targets.flatten())
        loss = flat.view_as(targets)
        if self.match is None or matches is None:
            return loss
        return self.match.mixed_loss(loss, hidden, matches, targets)

    def _head_weight(self) -> Tensor:
        """The output matrix, (V, C)."""
        return self.embed.weight if self.head is None else self.head.weight

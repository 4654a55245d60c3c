"""The one decoder-only transformer: Llama's architecture, the longest match as an extra input.

Letters: B batch, T time, S cached time + T, C channels, H heads, K key and value heads, D head
size, V vocabulary.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (the name that everybody knows)

from trainer_core.data.matches import MatchTensors
from trainer_core.model.cross_entropy import linear_cross_entropy
from trainer_core.model.match_input import MatchInput
from trainer_core.spec import ModelConfig


def init_std(config: ModelConfig) -> float:
    """Standard deviation of the first weights: 0.056 at 128 channels, 0.023 at 768.

    Source: Nguyen and Salazar, "Transformers without tears", 2019 (SmallInit). After 200 steps of
    the tour's model the validation loss was 4.93 and 4.95, against 5.33 and 5.17 with GPT-2's 0.02.
    """
    return math.sqrt(2 / (5 * config.n_embd))


class KVCache:
    """Keys and values of the tokens read so far, so that each new one is read alone.

    Args:
        config: The model's shape.
        batch_size: Sequences that are read side by side, all of the same length.
        device: Where the model is.
        dtype: What the model's attention computes in.
    """

    def __init__(
        self,
        config: ModelConfig,
        batch_size: int = 1,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        shape = (config.n_layer, batch_size, config.kv_heads, config.context_length)
        self.keys = torch.zeros(*shape, config.head_size, device=device, dtype=dtype)
        self.values = torch.zeros_like(self.keys)
        self.length = 0
        self.capacity = config.context_length

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Add (B, K, T, D) of the new tokens; the keys and values of all of them, (B, K, S, D)."""
        end = self.length + keys.shape[2]
        self.keys[layer, :, :, self.length : end] = keys
        self.values[layer, :, :, self.length : end] = values
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def clear(self) -> None:
        """Forget every token."""
        self.length = 0


def rotary_tables(config: ModelConfig) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the rotary angles, each (context_length, D / 2) float32.

    Source: Su et al., "RoFormer", 2021; computed in float32 in the order that transformers uses, so
    that both have the same bits.
    """
    exponent = torch.arange(0, config.head_size, 2, dtype=torch.float32) / config.head_size
    frequency = 1.0 / (config.rope_theta**exponent)
    angle = torch.arange(config.context_length, dtype=torch.float32).outer(frequency)
    return angle.cos(), angle.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn channel i together with channel i + D/2, as Llama in transformers does.

    Args:
        x: (B, T, heads, D).
        cos: (T, 1, D / 2).
        sin: (T, 1, D / 2).
    """
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


class Attention(nn.Module):
    """Causal self-attention with rotary positions and grouped queries."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.n_head, self.kv_heads = config.n_head, config.kv_heads
        self.head_size = config.head_size
        width = (self.n_head + 2 * self.kv_heads) * self.head_size
        self.qkv = nn.Linear(config.n_embd, width, bias=False)
        self.out = nn.Linear(config.n_embd, config.n_embd, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, cache: KVCache | None) -> Tensor:
        """(B, T, C) to (B, T, C); `cos` and `sin` are those of the T new positions."""
        b, t, c = x.shape
        qkv = self.qkv(x).view(b, t, self.n_head + 2 * self.kv_heads, self.head_size)
        turned = self.n_head + self.kv_heads
        qk = rotate(qkv[:, :, :turned], cos, sin).to(qkv.dtype)
        q = qk[:, :, : self.n_head].transpose(1, 2)  # (B, H, T, D)
        k = qk[:, :, self.n_head :].transpose(1, 2)  # (B, K, T, D)
        v = qkv[:, :, turned:].transpose(1, 2)  # (B, K, T, D)
        mask = None
        if cache is not None:
            before = cache.length
            k, v = cache.append(self.layer, k, v)
            if before and t > 1:
                mask = torch.ones(t, before + t, dtype=torch.bool, device=x.device).tril(before)
        y = F.scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=mask,
            is_causal=mask is None and t > 1,
            enable_gqa=self.n_head != self.kv_heads,
        )
        out: Tensor = self.out(y.transpose(1, 2).reshape(b, t, c))
        return out


class MLP(nn.Module):
    """SwiGLU. Source: Shazeer, "GLU variants improve transformer", 2020."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate_up = nn.Linear(config.n_embd, 2 * config.inner, bias=False)
        self.down = nn.Linear(config.inner, config.n_embd, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) to (B, T, C)."""
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        out: Tensor = self.down(F.silu(gate) * up)
        return out


class Block(nn.Module):
    """Attention, then the MLP, each normed before and added to the stream."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.n_embd, eps=config.norm_eps)
        self.attention = Attention(config, layer)
        self.mlp_norm = nn.RMSNorm(config.n_embd, eps=config.norm_eps)
        self.mlp = MLP(config)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, cache: KVCache | None) -> Tensor:
        """(B, T, C) to (B, T, C)."""
        x = x + self.attention(self.attention_norm(x), cos, sin, cache)
        added: Tensor = x + self.mlp(self.mlp_norm(x))
        return added


class Transformer(nn.Module):
    """A language model over tokens, optionally told what followed the longest match.

    Two models that differ in `match_input` alone start from the same weights when their generators
    have the same seed: nothing of the match input is drawn.

    Args:
        config: The shape.
        generator: Draws the initial weights; torch's own when absent.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, config: ModelConfig, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab_size, config.n_embd)
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.n_layer))
        self.norm = nn.RMSNorm(config.n_embd, eps=config.norm_eps)
        self.head: nn.Linear | None = None
        if not config.tie_embeddings:
            self.head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.match = MatchInput(config) if config.match_input else None
        cos, sin = rotary_tables(config)
        self.register_buffer("cos", cos.unsqueeze(1), persistent=False)
        self.register_buffer("sin", sin.unsqueeze(1), persistent=False)
        self._initialise(generator)

    @torch.no_grad()
    def _initialise(self, generator: torch.Generator | None) -> None:
        """Normal weights; what is added to the stream starts smaller, the deeper the model.

        Source: Radford et al., "Language models are unsupervised multitask learners", 2019, §2.3.
        """
        std = init_std(self.config)
        residual_std = std / math.sqrt(2 * self.config.n_layer)
        for name, parameter in self.named_parameters():
            if name.startswith("match.") or parameter.ndim < 2:
                continue
            added = name.endswith(("out.weight", "down.weight"))
            parameter.normal_(0.0, residual_std if added else std, generator=generator)
        if self.match is not None:
            self.match.initialise()

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
        x = self.embed(tokens)
        if self.match is not None and matches is not None:
            x = x + self.match.embed(matches)
        cos, sin = self.cos[start:end], self.sin[start:end]
        for block in self.blocks:
            x = block(x, cos, sin, cache)
        if cache is not None:
            cache.length = end
        normed: Tensor = self.norm(x)
        return normed

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
            ValueError: There are more tokens than the context holds.
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

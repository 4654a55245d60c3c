# mypy: ignore-errors
"""A Hearth model for transformers: the trainer's transformer under the trainer's names.

Letters: B batch, T time, S cached time + T, C channels, H heads, K key and value heads, D head
size, V vocabulary.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (the name that everybody knows)
from transformers import Cache, DynamicCache, GenerationMixin, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

from .configuration_hearth import HearthConfig


def make_norm(config: HearthConfig) -> nn.Module:
    """The norm of the stream."""
    kind = nn.LayerNorm if config.norm == "layer" else nn.RMSNorm
    return kind(config.hidden_size, eps=config.norm_eps)


def rotate(x: Tensor, places: Tensor, base: float) -> Tensor:
    """Turn channel i together with channel i + D/2.

    Args:
        x: (B, T, heads, D).
        places: (B, T), the place of each token in its text.
        base: Of the angles.
    """
    size = x.shape[-1]
    exponent = torch.arange(0, size, 2, dtype=torch.float32, device=x.device) / size
    angle = places[:, :, None, None].float() * (1.0 / base**exponent)
    first, second = x.float().chunk(2, dim=-1)
    cos, sin = angle.cos(), angle.sin()
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1).to(x.dtype)


class HearthAttention(nn.Module):
    """Causal self-attention."""

    def __init__(self, config: HearthConfig, layer: int) -> None:
        super().__init__()
        self.config, self.layer = config, layer
        heads = config.num_attention_heads + 2 * config.num_key_value_heads
        queries = config.num_attention_heads * config.head_dim
        self.qkv = nn.Linear(config.hidden_size, heads * config.head_dim, bias=config.qkv_bias)
        self.out = nn.Linear(queries, config.hidden_size, bias=config.biases)
        if config.qk_norm:
            self.q_norm = nn.RMSNorm(config.head_dim, eps=config.norm_eps)
            self.k_norm = nn.RMSNorm(config.head_dim, eps=config.norm_eps)
        self.mixes = config.value_residual and layer > 0
        if self.mixes:
            self.value_mix = nn.Parameter(torch.full((2,), 0.5))

    def forward(
        self,
        x: Tensor,
        places: Tensor,
        mask: Tensor | None,
        cache: Cache | None,
        first: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """(B, T, C) to (B, T, C), and the values; `first` are those of the first layer."""
        config, (b, t, _) = self.config, x.shape
        sizes = [config.num_attention_heads, *2 * [config.num_key_value_heads]]
        q, k, v = self.qkv(x).view(b, t, -1, config.head_dim).split(sizes, dim=2)
        if config.qk_norm:
            q, k = self.q_norm(q), self.k_norm(k)
        values = v
        if self.mixes:
            values = self.value_mix[0] * v + self.value_mix[1] * first
        if config.positions == "rotary":
            q, k = (rotate(part, places, config.rope_base) for part in (q, k))
        q, k, v = (part.transpose(1, 2) for part in (q, k, values))
        if cache is not None:
            k, v = cache.update(k, v, self.layer)
        y = F.scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=mask,
            is_causal=mask is None and t > 1,
            enable_gqa=sizes[0] != sizes[1],
        )
        return self.out(y.transpose(1, 2).reshape(b, t, -1)), values


class HearthFeedForward(nn.Module):
    """The layer that works on each token alone."""

    def __init__(self, config: HearthConfig) -> None:
        super().__init__()
        width, inner = config.hidden_size, config.intermediate_size
        self.kind = config.feed_forward
        if self.kind == "swiglu":
            self.gate_up = nn.Linear(width, 2 * inner, bias=config.biases)
        else:
            self.up = nn.Linear(width, inner, bias=config.biases)
        self.down = nn.Linear(inner, width, bias=config.biases)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) to (B, T, C)."""
        if self.kind == "swiglu":
            gate, up = self.gate_up(x).chunk(2, dim=-1)
            return self.down(F.silu(gate) * up)
        inner = self.up(x)
        if self.kind == "gelu":
            return self.down(F.gelu(inner, approximate="tanh"))
        return self.down(F.relu(inner).square())


class HearthBlock(nn.Module):
    """Attention, then the feed-forward layer, each added to the stream."""

    def __init__(self, config: HearthConfig, layer: int) -> None:
        super().__init__()
        self.attention_norm = make_norm(config)
        self.attention = HearthAttention(config, layer)
        self.mlp_norm = make_norm(config)
        self.mlp = HearthFeedForward(config)
        self.alpha = (2 * config.num_hidden_layers) ** 0.25 if config.deepnet else None

    def forward(
        self,
        x: Tensor,
        places: Tensor,
        mask: Tensor | None,
        cache: Cache | None,
        first: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """(B, T, C) to (B, T, C), and the values of its attention."""
        if self.alpha is not None:
            added, values = self.attention(x, places, mask, cache, first)
            x = self.attention_norm(self.alpha * x + added)
            return self.mlp_norm(self.alpha * x + self.mlp(x)), values
        added, values = self.attention(self.attention_norm(x), places, mask, cache, first)
        x = x + added
        return x + self.mlp(self.mlp_norm(x)), values


def visible(attention_mask: Tensor | None, b: int, t: int, before: int) -> Tensor | None:
    """Which tokens each new one sees, (B, 1, T, S) bool; None: all that came before it."""
    padded = attention_mask is not None and not bool(attention_mask.all())
    if not padded and (t == 1 or not before):
        return None
    device = None if attention_mask is None else attention_mask.device
    seen = torch.ones(t, before + t, dtype=torch.bool, device=device).tril(before)
    if not padded:
        return seen[None, None]
    own = torch.zeros_like(seen)
    own.diagonal(before).fill_(True)  # padding sees itself, since a softmax of nothing is NaN
    return (seen & attention_mask[:, None, None, :].bool()) | own


class HearthForCausalLM(PreTrainedModel, GenerationMixin):
    """The whole model."""

    config_class = HearthConfig
    _supports_sdpa = True

    def __init__(self, config: HearthConfig) -> None:
        super().__init__(config)
        self.embed = nn.Embedding(config.vocab_size, config.hidden_size)
        if config.positions == "learned":
            self.positions = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.blocks = nn.ModuleList(
            HearthBlock(config, layer) for layer in range(config.num_hidden_layers)
        )
        self.norm = nn.Identity() if config.deepnet else make_norm(config)
        if not config.tied:
            self.head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """The token embedding."""
        return self.embed

    def hidden(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        cache: Cache | None,
        added: Tensor | None = None,
    ) -> Tensor:
        """The normed output of the last layer, (B, T, C).

        Args:
            input_ids: (B, T), after those in the cache.
            attention_mask: (B, S); zeros are padding.
            cache: Keys and values of what was read before.
            added: (B, T, C), added to the token embeddings.
        """
        b, t = input_ids.shape
        before = 0 if cache is None else cache.get_seq_length()
        if attention_mask is None:
            places = torch.arange(before, before + t, device=input_ids.device).expand(b, t)
        else:
            places = (attention_mask.long().cumsum(-1) - 1).clamp(min=0)[:, -t:]
        x = self.embed(input_ids)
        if self.config.positions == "learned":
            x = x + self.positions(places)
        if added is not None:
            x = x + added
        mask = visible(attention_mask, b, t, before)
        if mask is not None:
            mask = mask.to(x.device)
        first = None
        for block in self.blocks:
            x, values = block(x, places, mask, cache, first)
            first = values if first is None else first
        return self.norm(x)

    def logits(self, hidden: Tensor) -> Tensor:
        """(B, T, V) of the transformer alone, from (B, T, C)."""
        return F.linear(hidden, self.embed.weight if self.config.tied else self.head.weight)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        past_key_values: Cache | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        **kwargs: object,
    ) -> CausalLMOutputWithPast:
        """Logits of the token after each, and the loss where labels are given."""
        cache = self.cache_of(past_key_values, use_cache)
        hidden = self.hidden(input_ids, attention_mask, cache)
        logits = self.logits(hidden[:, kept(logits_to_keep)])
        return self.answer(logits, labels, cache)

    def cache_of(self, past_key_values: Cache | None, use_cache: bool | None) -> Cache | None:
        """The cache to read and extend, a new one where one is wanted."""
        wanted = self.config.use_cache if use_cache is None else use_cache
        if past_key_values is None and wanted and not self.training:
            return DynamicCache()
        return past_key_values

    def answer(
        self, logits: Tensor, labels: Tensor | None, cache: Cache | None
    ) -> CausalLMOutputWithPast:
        """What transformers expects of a language model."""
        loss = None
        if labels is not None:
            loss = F.cross_entropy(logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten())
        return CausalLMOutputWithPast(loss=loss, logits=logits, past_key_values=cache)


def kept(logits_to_keep: int | Tensor) -> slice | Tensor:
    """Which places of the text to work logits out for."""
    if isinstance(logits_to_keep, int):
        return slice(-logits_to_keep, None) if logits_to_keep else slice(None)
    return logits_to_keep


__all__ = ["HearthForCausalLM"]

# mypy: ignore-errors
"""A Hearth model for transformers: Llama, told what followed the longest match of the text so far.

Letters: B batch, T time, C channels, V vocabulary. The matches come from the index folder beside
the weights and from the text itself; they are found from the whole text up to each token, so a
token's features never depend on what comes after it.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (the name that everybody knows)
from transformers import Cache, LlamaForCausalLM
from transformers.modeling_outputs import CausalLMOutputWithPast

from .configuration_hearth import HearthConfig
from .hearth_index import PortableIndex, open_portable_index


class HearthMatchInput(nn.Module):
    """Embeds the match's next token and its length, and mixes a pointer into the output."""

    def __init__(self, config: HearthConfig) -> None:
        super().__init__()
        self.next_embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        self.length_embedding = nn.Embedding(config.match_length_max + 1, config.hidden_size)
        self.gate_weight = nn.Parameter(torch.zeros(config.hidden_size))
        self.gate_bias = nn.Parameter(torch.zeros(config.match_length_max + 1))

    def embed(self, match_next: Tensor, match_length: Tensor) -> Tensor:
        """What is added to the token embeddings, (B, T, C); 0 where there is no match."""
        added = self.next_embedding(match_next) + self.length_embedding(match_length)
        return torch.where((match_length > 0).unsqueeze(-1), added, torch.zeros_like(added))

    def mix(
        self, logits: Tensor, hidden: Tensor, match_next: Tensor, match_length: Tensor
    ) -> Tensor:
        """Logits of (1 - g) softmax(logits) + g δ_next, (B, T, V)."""
        gate = (hidden @ self.gate_weight).float() + self.gate_bias[match_length].float()
        gate = gate.masked_fill(match_length == 0, -torch.inf)
        logits = logits.float()
        pointer = F.logsigmoid(gate) + logits.logsumexp(-1)
        mixed = logits + F.logsigmoid(-gate).unsqueeze(-1)
        place = match_next.unsqueeze(-1)
        pointed = torch.logaddexp(mixed.gather(-1, place), pointer.unsqueeze(-1))
        return mixed.scatter(-1, place, pointed)


class _Reader:
    """The matches of one text, kept while it grows by whole tokens at its end."""

    def __init__(self, index: PortableIndex) -> None:
        self.index = index
        self.tokens = []
        self.found = []
        self.stream = index.stream()

    def read(self, tokens: list[int]) -> list[tuple[int, int]]:
        """(next, length) after each token of the text."""
        kept = len(self.tokens)
        if tokens[:kept] != self.tokens:
            self.__init__(self.index)
            kept = 0
        for token in tokens[kept:]:
            match = self.stream.advance(token)
            self.found.append((match.next, match.length))
        self.tokens = list(tokens)
        return self.found


class HearthForCausalLM(LlamaForCausalLM):
    """Llama with the match input. `use_index = False` switches the index off."""

    config_class = HearthConfig

    def __init__(self, config: HearthConfig) -> None:
        super().__init__(config)
        self.match = HearthMatchInput(config)
        self.use_index = True
        self._index = None
        self._readers = []
        self.post_init()

    def load_index(self, folder: str | Path | None = None) -> None:
        """Open the index; None takes the folder beside the weights."""
        if folder is None:
            folder = Path(self.config._name_or_path) / self.config.index_folder
        if not Path(folder).is_dir():
            raise FileNotFoundError(
                f"The index is not at {folder}. Open the model from a local folder that has it"
                " (huggingface_hub.snapshot_download fetches one), call load_index(folder), or set"
                " use_index = False."
            )
        self._index = open_portable_index(str(folder))
        self._readers = []

    def match_features(
        self, input_ids: Tensor, attention_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """(next, length), each (B, T) int64, of whole texts.

        Args:
            input_ids: (B, T), each row a text from its start on.
            attention_mask: (B, T); zeros in front are padding, which has no matches.
        """
        if self._index is None:
            self.load_index()
        rows = input_ids.tolist()
        if len(self._readers) != len(rows):
            self._readers = [_Reader(self._index) for _ in rows]
        following = torch.zeros(input_ids.shape, dtype=torch.int64)
        length = torch.zeros(input_ids.shape, dtype=torch.int64)
        starts = self._padding(input_ids, attention_mask)
        for row, (tokens, start) in enumerate(zip(rows, starts, strict=True)):
            found = self._readers[row].read(tokens[start:])
            if found:
                pairs = torch.tensor(found, dtype=torch.int64)
                following[row, start:], length[row, start:] = pairs[:, 0], pairs[:, 1]
        length = length.clamp(max=self.config.match_length_max)
        return following.to(input_ids.device), length.to(input_ids.device)

    @staticmethod
    def _padding(input_ids: Tensor, attention_mask: Tensor | None) -> list[int]:
        """How many tokens of padding each row begins with."""
        if attention_mask is None or attention_mask.dim() != 2:
            return [0] * input_ids.shape[0]
        mask = attention_mask[:, -input_ids.shape[1] :].bool()
        starts = (~mask).int().cumprod(dim=1).sum(dim=1)
        if bool((mask.sum(dim=1) + starts != mask.shape[1]).any()):
            raise ValueError(
                "A Hearth model takes padding at the left only: the matches of a token come from"
                " the text right before it. Set tokenizer.padding_side = 'left'."
            )
        return starts.tolist()

    def prepare_inputs_for_generation(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, **kwargs: object
    ) -> dict[str, Any]:
        """Add the matches of the whole text to what Llama takes; only the new tokens' are kept."""
        inputs = super().prepare_inputs_for_generation(
            input_ids, attention_mask=attention_mask, **kwargs
        )
        if self.use_index and inputs.get("input_ids") is not None:
            new = inputs["input_ids"].shape[1]
            following, length = self.match_features(input_ids, attention_mask)
            inputs["match_next"] = following[:, -new:]
            inputs["match_length"] = length[:, -new:]
        return inputs

    def _matches(
        self,
        input_ids: Tensor | None,
        attention_mask: Tensor | None,
        past_key_values: Cache | None,
        match_next: Tensor | None,
        match_length: Tensor | None,
    ) -> tuple[Tensor | None, Tensor | None]:
        """The matches to use in one forward pass, or (None, None) with the index off."""
        if not self.use_index:
            return None, None
        if match_next is not None and match_length is not None:
            return match_next, match_length
        if input_ids is None:
            raise ValueError("A Hearth model with its index on takes input_ids, no inputs_embeds.")
        if past_key_values is not None and past_key_values.get_seq_length() > 0:
            raise ValueError(
                "With a cache, pass match_next and match_length of the new tokens; generate() does,"
                " and match_features(whole_input_ids) finds them."
            )
        return self.match_features(input_ids, attention_mask)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        match_next: Tensor | None = None,
        match_length: Tensor | None = None,
        **kwargs: object,
    ) -> CausalLMOutputWithPast:
        """As Llama's; `match_next` and `match_length` are found from `input_ids` when absent."""
        following, length = self._matches(
            input_ids, attention_mask, past_key_values, match_next, match_length
        )
        if following is not None:
            inputs_embeds = self.model.embed_tokens(input_ids) + self.match.embed(following, length)
            input_ids = None
        outputs = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            **kwargs,
        )
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        hidden = outputs.last_hidden_state[:, kept]
        logits = self.lm_head(hidden)
        if following is not None:
            logits = self.match.mix(logits, hidden, following[:, kept], length[:, kept])
        loss = None
        if labels is not None:
            loss = self.loss_function(
                logits=logits, labels=labels, vocab_size=self.config.vocab_size, **kwargs
            )
        return CausalLMOutputWithPast(
            loss=loss,
            logits=logits,
            past_key_values=outputs.past_key_values,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )


__all__ = ["HearthForCausalLM"]

# mypy: ignore-errors
"""A Hearth model that is told what followed the longest match of the text so far.

Letters: B batch, T time, C channels, V vocabulary. The matches come from the index folder beside
the weights and from the text itself; they are found from the whole text up to each token, so a
token's features never depend on what comes after it.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (the name that everybody knows)
from transformers import Cache
from transformers.modeling_outputs import CausalLMOutputWithPast

from .configuration_hearth import HearthIndexConfig
from .hearth_index import N_COUNTS, PortableIndex, count_bucket, open_portable_index
from .modeling_hearth import HearthForCausalLM, kept

LENGTH, NEXT, SECOND, COUNT_BUCKET, HAS_SECOND = range(5)
"""What stands where in a token's features."""


class HearthMatchInput(nn.Module):
    """Embeds the candidates and what speaks for them, and mixes pointers into the output."""

    def __init__(self, config: HearthIndexConfig) -> None:
        super().__init__()
        width, lengths = config.hidden_size, config.match_length_max + 1
        evidence = 2 * N_COUNTS
        self.gate_rate = config.match_gate_rate
        self.next_embedding = nn.Embedding(config.vocab_size, width)
        self.second_scale = nn.Parameter(torch.zeros(width))
        self.length_embedding = nn.Embedding(lengths, width)
        self.evidence_embedding = nn.Embedding(evidence, width)
        self.gate_weight = nn.Parameter(torch.zeros(2 * width))
        self.gate_length = nn.Parameter(torch.zeros(2 * lengths))
        self.gate_evidence = nn.Parameter(torch.zeros(2 * evidence))

    def embed(self, matches: Tensor) -> Tensor:
        """What is added to the token embeddings, (B, T, C); 0 where there is no match."""
        first, second = self.next_embedding(candidates(matches)).unbind(2)
        second = second * matches[..., HAS_SECOND, None]
        trust = self.length_embedding(matches[..., LENGTH])
        trust = trust + self.evidence_embedding(evidence(matches))
        added = first + self.second_scale * second + trust
        return added * (matches[..., LENGTH, None] > 0)

    def mix(self, logits: Tensor, hidden: Tensor, matches: Tensor) -> Tensor:
        """Logits of the mixture of softmax(logits) and the candidates, (B, T, V)."""
        tables = self.gate_length.view(-1, 2)[matches[..., LENGTH]].float()
        tables = tables + self.gate_evidence.view(-1, 2)[evidence(matches)].float()
        odds = F.linear(hidden, self.gate_weight.view(2, -1)).float() + self.gate_rate * tables
        odds = odds.masked_fill(~there(matches), -torch.inf)
        logits = logits.float()
        whole = logits.logsumexp(-1, keepdim=True)
        norm = F.pad(odds, (1, 0)).logsumexp(-1, keepdim=True)  # 0 is the model's own log-odds
        mixed = logits - norm
        for place, odd in zip(candidates(matches).split(1, -1), odds.split(1, -1), strict=True):
            pointed = torch.logaddexp(mixed.gather(-1, place), odd - norm + whole)
            mixed = mixed.scatter(-1, place, pointed)
        return mixed


class TScaleMatchInput(nn.Module):
    """Embeds the match's next token, and no more."""

    def __init__(self, config: HearthIndexConfig) -> None:
        super().__init__()
        self.next_embedding = nn.Embedding(config.vocab_size, config.hidden_size)

    def embed(self, matches: Tensor) -> Tensor:
        """What is added to the token embeddings, (B, T, C); 0 where there is no match."""
        return self.next_embedding(matches[..., NEXT]) * (matches[..., LENGTH, None] > 0)

    def mix(self, logits: Tensor, hidden: Tensor, matches: Tensor) -> Tensor:
        """The transformer's own logits, (B, T, V)."""
        return logits


def candidates(matches: Tensor) -> Tensor:
    """The tokens that are pointed to, (B, T, 2)."""
    return matches[..., [NEXT, SECOND]]


def there(matches: Tensor) -> Tensor:
    """Which of the candidates there are, (B, T, 2) bool."""
    first = matches[..., LENGTH] > 0
    return torch.stack((first, first & matches[..., HAS_SECOND].bool()), -1)


def evidence(matches: Tensor) -> Tensor:
    """The count's bucket and whether there is a second candidate, (B, T); 0 for no match."""
    kinds = 2 * matches[..., COUNT_BUCKET] + matches[..., HAS_SECOND]
    return kinds * (matches[..., LENGTH] > 0)


class _Reader:
    """The matches of one text, kept while it grows by whole tokens at its end."""

    def __init__(self, index: PortableIndex, longest: int) -> None:
        self.index, self.longest = index, longest
        self.tokens = []
        self.found = []
        self.stream = index.stream()

    def read(self, tokens: list[int]) -> list[list[int]]:
        """The features after each token of the text."""
        kept = len(self.tokens)
        if tokens[:kept] != self.tokens:
            self.__init__(self.index, self.longest)
            kept = 0
        for token in tokens[kept:]:
            match = self.stream.advance(token)
            self.found.append(
                [
                    min(match.length, self.longest),
                    match.next,
                    max(match.second, 0),
                    count_bucket(match.occurrences),
                    int(match.second >= 0),
                ]
            )
        self.tokens = list(tokens)
        return self.found


class HearthIndexForCausalLM(HearthForCausalLM):
    """A Hearth model with the match input. `use_index = False` switches the index off."""

    config_class = HearthIndexConfig

    def __init__(self, config: HearthIndexConfig) -> None:
        super().__init__(config)
        tscale = config.match_form == "tscale"
        self.match = TScaleMatchInput(config) if tscale else HearthMatchInput(config)
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

    def match_features(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Length, next, second, count bucket and whether there is a second, (B, T, 5) int64.

        Args:
            input_ids: (B, T), each row a text from its start on.
            attention_mask: (B, T); zeros in front are padding, which has no matches.
        """
        if self._index is None:
            self.load_index()
        rows = input_ids.tolist()
        if len(self._readers) != len(rows):
            longest = self.config.match_length_max
            self._readers = [_Reader(self._index, longest) for _ in rows]
        features = torch.zeros(*input_ids.shape, 5, dtype=torch.int64)
        starts = self._padding(input_ids, attention_mask)
        for row, (tokens, start) in enumerate(zip(rows, starts, strict=True)):
            found = self._readers[row].read(tokens[start:])
            if found:
                features[row, start:] = torch.tensor(found, dtype=torch.int64)
        return features.to(input_ids.device)

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
        """Add the matches of the whole text to the usual; only the new tokens' are kept."""
        inputs = super().prepare_inputs_for_generation(
            input_ids, attention_mask=attention_mask, **kwargs
        )
        if self.use_index:
            new = inputs["input_ids"].shape[1]
            inputs["matches"] = self.match_features(input_ids, attention_mask)[:, -new:]
        return inputs

    def _matches(
        self, input_ids: Tensor, attention_mask: Tensor | None, cache: Cache | None
    ) -> Tensor | None:
        """The matches of a whole text, or None with the index off."""
        if not self.use_index:
            return None
        if cache is not None and cache.get_seq_length() > 0:
            raise ValueError(
                "With a cache, pass the matches of the new tokens; generate() does, and"
                " match_features(whole_input_ids) finds them."
            )
        return self.match_features(input_ids, attention_mask)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        past_key_values: Cache | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        matches: Tensor | None = None,
        **kwargs: object,
    ) -> CausalLMOutputWithPast:
        """As without an index; `matches` are found from `input_ids` when absent."""
        if matches is None:
            matches = self._matches(input_ids, attention_mask, past_key_values)
        cache = self.cache_of(past_key_values, use_cache)
        added = None if matches is None else self.match.embed(matches)
        where = kept(logits_to_keep)
        hidden = self.hidden(input_ids, attention_mask, cache, added)[:, where]
        logits = self.logits(hidden)
        if matches is not None:
            logits = self.match.mix(logits, hidden, matches[:, where])
        return self.answer(logits, labels, cache)


__all__ = ["HearthIndexForCausalLM"]

"""The match input as TScale has it: an embedding of the next token, summed, and no more.

Letters: B batch, T time, C channels, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainer_core.data.matches import MatchTensors
from trainer_core.spec import ModelConfig


class TScaleMatch(nn.Module):
    """Adds `next_embedding[next]` to the token's embedding, nothing where there is no match.

    Only the token's id enters, not the match's length, and the output is the plain model's.

    Source: TScale ("1T model at home"); kept to compare with.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.next_embedding = nn.Embedding(config.vocab_size, config.n_embd)

    @torch.no_grad()
    def initialise(self, std: float, generator: torch.Generator | None) -> None:
        """Draw the table as the token embedding is drawn."""
        self.next_embedding.weight.normal_(0.0, std, generator=generator)

    def embed(self, matches: MatchTensors) -> Tensor:
        """What is added to the token embeddings, (B, T, C); exactly 0 where there is no match."""
        added: Tensor = self.next_embedding(matches.next)
        return added * (matches.length > 0).unsqueeze(-1)

    def mix(self, logits: Tensor, hidden: Tensor, matches: MatchTensors) -> Tensor:
        """The transformer's own logits, (B, T, V)."""
        return logits

    def mixed_loss(
        self, loss: Tensor, hidden: Tensor, matches: MatchTensors, targets: Tensor
    ) -> Tensor:
        """The transformer's own loss, (B, T)."""
        return loss

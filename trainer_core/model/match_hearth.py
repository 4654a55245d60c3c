"""Hearth's match input: how far the match can be trusted on the way in, pointers on the way out.

Letters: B batch, T time, C channels, V vocabulary, L longest match length, E kinds of evidence.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (the name that everybody knows)

from trainer_core.data.matches import MatchTensors
from trainer_core.model.pointer import ABSENT, mixed_logits, mixed_loss
from trainer_core.spec import ModelConfig
from trainer_core.spec.section import MATCH_COUNTS

N_EVIDENCE = 2 * MATCH_COUNTS
"""E: each bucket of the count, with one candidate and with two."""
GATE_RATE = 24.0
"""How many times as far a gate's tables go in a step as other weights: they are stored divided by
it. Adam moves all weights alike, and log-odds of 3 are far for a weight. Held-out loss of the
benchmark's model after 150 steps: 2.686 with 8, 2.664 with 24, 2.663 with 64."""
OWN_SHARE = 1 / 3
"""Share of the gradient that is of the transformer's own loss, the rest is of the mixture's. Of the
mixture alone the transformer learns little where a pointer is right, which is most of the text:
held-out loss of the benchmark's model after 150 steps was 2.664 with none, 2.593 with 1/6, 2.550
with 1/3 and 2.552 with 1/2."""

_LENGTHS = (1.0, 3.0, 5.5, 8.0, 23.0, 32.0)
_FIRST_ODDS = (-1.66, -0.80, 0.45, 1.21, 1.99, 3.48)
"""Log-odds that the token which a match of these lengths names is the right one. Counted on
held-out prose, it was right 16, 31, 61, 77, 88 and 97 % of the time. Training starts from these."""
_SECOND_ODDS = -2.0
"""The same of the second candidate against anything but both."""


def _first_prior(match_length_max: int) -> Tensor:
    """Log-odds of trusting a match by its length, (L + 1,): the measured rates, interpolated."""
    with torch.device("cpu"):
        lengths = torch.arange(match_length_max + 1, dtype=torch.float64)
        knots, values = torch.tensor(_LENGTHS).double(), torch.tensor(_FIRST_ODDS).double()
    right = torch.bucketize(lengths, knots).clamp(1, len(knots) - 1)
    share = (lengths - knots[right - 1]) / (knots[right] - knots[right - 1])
    prior = values[right - 1] + share.clamp(0, 1) * (values[right] - values[right - 1])
    return prior.float()


class HearthMatch(nn.Module):
    """Embeds the candidates and what speaks for them, and mixes pointers to them into the output.

    In: `next[first] + second_scale * next[second] + length[l] + evidence[e]` is added to the
    token's embedding, where e tells the count's bucket and whether there is a second candidate;
    what is absent adds nothing. Out: the distribution is a mixture of the transformer's own and the
    two candidates, with log-odds `weight·h + length[l] + evidence[e]` for each, h the final hidden
    state; see `pointer`. A perfect match costs no more than minus the log of its share, whatever
    the transformer says, and the loss needs nothing but the transformer's own log-probability of
    the target.

    Source: the summed embedding is TScale's ("1T model at home"); the pointers are Merity et al.'s,
    "Pointer sentinel mixture models", 2016, with See et al., "Get to the point", 2017, for a gate
    by hidden state. What each part is worth stands in `tests/benchmarks/RESULTS.md`.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width, lengths = config.n_embd, config.match_length_max + 1
        self.next_embedding = nn.Embedding(config.vocab_size, width)
        self.second_scale = nn.Parameter(torch.empty(width))
        self.length_embedding = nn.Embedding(lengths, width)
        self.evidence_embedding = nn.Embedding(N_EVIDENCE, width)
        # Kept flat, (2 · C), (L + 1) · 2 and E · 2: what has one dimension does not decay.
        self.gate_weight = nn.Parameter(torch.empty(2 * width))
        self.gate_length = nn.Parameter(torch.empty(lengths * 2))
        self.gate_evidence = nn.Parameter(torch.empty(N_EVIDENCE * 2))

    @torch.no_grad()
    def initialise(self, std: float, generator: torch.Generator | None) -> None:
        """Start the tables at zero, so that the input begins as the plain model's, and the gates at
        the measured rates; nothing is drawn.

        Tables drawn like the other weights cost 0.13 nats of validation loss after 200 steps of the
        tour's model, gates that trust every length alike 0.09.
        """
        for parameter in self.parameters():
            parameter.zero_()
        self.second_scale.fill_(0.5)
        odds = self.gate_length.view(-1, 2)
        odds[:, 0] = _first_prior(len(odds) - 1) / GATE_RATE
        odds[:, 1] = _SECOND_ODDS / GATE_RATE

    def embed(self, matches: MatchTensors) -> Tensor:
        """What is added to the token embeddings, (B, T, C); exactly 0 where there is no match."""
        first, second = self.next_embedding(_candidates(matches)).unbind(2)
        second = second * matches.has_second.unsqueeze(-1)
        trust = self.length_embedding(matches.length) + self.evidence_embedding(_evidence(matches))
        added: Tensor = first + self.second_scale * second + trust
        return added * (matches.length > 0).unsqueeze(-1)

    def odds(self, hidden: Tensor, matches: MatchTensors) -> Tensor:
        """Log-odds of both candidates, (B, T, 2) float32; `ABSENT` where there is none.

        Args:
            hidden: (B, T, C), the normed output of the last layer.
            matches: At the same tokens.
        """
        tables = F.embedding(matches.length, self.gate_length.view(-1, 2)).float()
        tables = tables + F.embedding(_evidence(matches), self.gate_evidence.view(-1, 2)).float()
        odds = F.linear(hidden, self.gate_weight.view(2, -1).to(hidden.dtype)).float()
        first = matches.length > 0
        there = torch.stack((first, first & matches.has_second), -1)
        return torch.where(there, odds + GATE_RATE * tables, ABSENT)

    def mix(self, logits: Tensor, hidden: Tensor, matches: MatchTensors) -> Tensor:
        """Logits of the mixture, (B, T, V) float32, from the transformer's own."""
        return mixed_logits(logits, self.odds(hidden, matches), _candidates(matches))

    def mixed_loss(
        self, loss: Tensor, hidden: Tensor, matches: MatchTensors, targets: Tensor
    ) -> Tensor:
        """Loss of the mixture in nats, (B, T) float32, from the transformer's own, (B, T).

        Its gradient is in part, `OWN_SHARE`, that of the transformer's own loss.
        """
        mixed = mixed_loss(loss, self.odds(hidden, matches), _candidates(matches), targets)
        rest = loss - mixed
        return mixed + OWN_SHARE * (rest - rest.detach())


def _evidence(matches: MatchTensors) -> Tensor:
    """(B, T) int64 in [0, E): the count's bucket, and whether there is a second candidate."""
    return 2 * matches.count_bucket + matches.has_second


def _candidates(matches: MatchTensors) -> Tensor:
    """(B, T, 2) int64."""
    return torch.stack((matches.next, matches.second), -1)

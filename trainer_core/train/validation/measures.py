"""What held-out text cost a model: the figures, and the sums that they are made of.

Letters: B batch, T time, V vocabulary, R ways to measure, K ranges of match length.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer_core.data.batches.gather import IGNORED, Batch
from trainer_core.records import MATCH_BUCKETS, MatchBucket, Measured

_BUCKET_STARTS = np.array([low for low, _ in MATCH_BUCKETS[1:]])
_K = len(MATCH_BUCKETS)


@dataclass(frozen=True)
class Measure:
    """What held-out text cost a model.

    Attributes:
        loss: Mean over the tokens, in nats per token.
        bits_per_byte: Bits for all tokens, separators among them, per byte of text; comparable
            across tokenizers. NaN when the tokens hold no byte.
        tokens: How many tokens were predicted.
        n_bytes: Bytes of text in them.
        buckets: Loss by match length; buckets without tokens are left out, all of them without an
            index.
    """

    loss: float
    bits_per_byte: float
    tokens: int
    n_bytes: int
    buckets: tuple[MatchBucket, ...] = ()

    @property
    def measured(self) -> Measured:
        """The same as a part of a record."""
        return Measured(
            loss=self.loss,
            bits_per_byte=self.bits_per_byte,
            tokens=self.tokens,
            buckets=self.buckets,
        )


class Sums:
    """Running totals over batches, for several ways to measure the same tokens.

    Losses are summed in float64 on the device, so that no batch waits for it; what the tokens are
    does not depend on the way and is counted here.

    Args:
        ways: R.
        byte_lengths: (V,) bytes of each token; a separator has none.
        device: Where the losses come from.
    """

    def __init__(self, ways: int, byte_lengths: NDArray[Any], device: torch.device) -> None:
        self._byte_lengths = byte_lengths
        self._losses = torch.zeros(ways, 1 + _K, dtype=torch.float64, device=device)
        self._counts = np.zeros(2, np.int64)  # tokens, bytes
        self._bucket_counts = np.zeros((2, _K), np.int64)  # tokens, hits

    def add(self, losses: Sequence[Tensor], batch: Batch) -> None:
        """Count a batch.

        Args:
            losses: (B, T) for each way, on the device; 0 where the target is ignored.
            batch: On the host.
        """
        targets = batch.targets.numpy()
        counted = targets != IGNORED
        self._counts += (counted.sum(), self._byte_lengths[targets[counted]].sum())
        flat = torch.stack([loss.reshape(-1) for loss in losses]).double()  # (R, B · T)
        self._losses[:, 0] += flat.sum(1)
        if batch.matches is None:
            return
        lengths = batch.matches.length.numpy()
        hits = (batch.matches.next.numpy() == targets) & (lengths > 0)
        bucket = np.digitize(lengths, _BUCKET_STARTS)
        self._bucket_counts[0] += np.bincount(bucket[counted], minlength=_K)
        self._bucket_counts[1] += np.bincount(bucket[hits], minlength=_K)
        member = torch.from_numpy(bucket.reshape(-1, 1) == np.arange(_K)).to(flat.device)
        self._losses[:, 1:] += flat @ member.double()

    def total(self) -> Tensor:
        """All totals as one float64 vector on the CPU, for adding up over processes."""
        counts = np.concatenate([self._counts, self._bucket_counts.ravel()]).astype(np.float64)
        return torch.cat([self._losses.ravel().cpu(), torch.from_numpy(counts)])

    def measures(self, total: Tensor) -> tuple[Measure, ...]:
        """The means for each way, from `total` or the sum of several."""
        values = total.numpy()
        losses = values[: self._losses.numel()].reshape(self._losses.shape)
        counts = np.rint(values[self._losses.numel() :]).astype(np.int64)
        tokens, n_bytes = int(counts[0]), int(counts[1])
        bucket_tokens, bucket_hits = counts[2:].reshape(2, _K)
        return tuple(
            _measure(float(row[0]), tokens, n_bytes, _buckets(row[1:], bucket_tokens, bucket_hits))
            for row in losses
        )


def _measure(loss: float, tokens: int, n_bytes: int, buckets: tuple[MatchBucket, ...]) -> Measure:
    bits = loss / math.log(2)
    return Measure(
        loss=loss / tokens if tokens else math.nan,
        bits_per_byte=bits / n_bytes if n_bytes else math.nan,
        tokens=tokens,
        n_bytes=n_bytes,
        buckets=buckets,
    )


def _buckets(
    losses: NDArray[Any], tokens: NDArray[np.int64], hits: NDArray[np.int64]
) -> tuple[MatchBucket, ...]:
    return tuple(
        MatchBucket(
            low=low, high=high, tokens=int(n), loss=float(loss / n), hit_rate=float(hit / n)
        )
        for (low, high), n, loss, hit in zip(MATCH_BUCKETS, tokens, losses, hits, strict=True)
        if n
    )

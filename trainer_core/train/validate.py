"""Measuring held-out text: loss, bits per byte, and loss by match length, on fixed windows.

Letters: B batch, T time, V vocabulary.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from trainer_core.data.batches import Batch, Tokens, gather
from trainer_core.data.matches import Matches
from trainer_core.errors import DataError
from trainer_core.records import MATCH_BUCKETS, MatchBucket

if TYPE_CHECKING:
    from trainer_core.model.transformer import Transformer
    from trainer_core.train.compute import Compute

_BUCKET_STARTS = np.array([low for low, _ in MATCH_BUCKETS[1:]])


@dataclass(frozen=True)
class Measure:
    """What held-out text cost a model.

    Attributes:
        loss: Mean over the tokens, in nats per token.
        bits_per_byte: Bits for all tokens, separators among them, per byte of text; comparable
            across tokenizers. NaN when the tokens hold no byte.
        tokens: How many tokens were predicted.
        n_bytes: Bytes of text in them.
        seconds: How long it took.
        buckets: Loss by match length; buckets without tokens are left out, all of them without an
            index.
    """

    loss: float
    bits_per_byte: float
    tokens: int
    n_bytes: int
    seconds: float
    buckets: tuple[MatchBucket, ...] = ()


class _Sums:
    """Running totals in float64; one bucket for each range of match length."""

    def __init__(self) -> None:
        self.loss, self.tokens, self.n_bytes = 0.0, 0, 0
        size = len(MATCH_BUCKETS)
        self.bucket_loss, self.bucket_hits = np.zeros(size), np.zeros(size)
        self.bucket_tokens = np.zeros(size, np.int64)

    def add(self, losses: NDArray[Any], batch: Batch, byte_lengths: NDArray[Any]) -> None:
        """Count a batch; `losses` is (B, T) float64."""
        targets = batch.targets.numpy()
        self.loss += float(losses.sum())
        self.tokens += targets.size
        self.n_bytes += int(byte_lengths[targets].sum())
        if batch.matches is None:
            return
        lengths = batch.matches.length.numpy()
        hits = (batch.matches.next.numpy() == targets) & (lengths > 0)
        bucket = np.digitize(lengths, _BUCKET_STARTS).ravel()
        size = len(MATCH_BUCKETS)
        self.bucket_tokens += np.bincount(bucket, minlength=size)
        self.bucket_loss += np.bincount(bucket, losses.ravel(), size)
        self.bucket_hits += np.bincount(bucket, hits.ravel().astype(np.float64), size)

    def measure(self, seconds: float) -> Measure:
        """The means."""
        buckets = tuple(
            MatchBucket(
                low=low, high=high, tokens=int(n), loss=float(loss / n), hit_rate=float(hits / n)
            )
            for (low, high), n, loss, hits in zip(
                MATCH_BUCKETS, self.bucket_tokens, self.bucket_loss, self.bucket_hits, strict=True
            )
            if n
        )
        bits = self.loss / math.log(2)
        return Measure(
            loss=self.loss / self.tokens,
            bits_per_byte=bits / self.n_bytes if self.n_bytes else math.nan,
            tokens=self.tokens,
            n_bytes=self.n_bytes,
            seconds=seconds,
            buckets=buckets,
        )


class HeldOut:
    """Whole windows of the held-out text, always the same ones.

    Args:
        split: The validation part.
        matches: Its match features, or None.
        byte_lengths: (V,) bytes of each token; a separator has none.
        context_length: T.
        batch_size: B.
        max_tokens: At most this many tokens, but at least one window.

    Raises:
        DataError: The text is shorter than one window and its last target.
    """

    def __init__(
        self,
        split: Tokens,
        matches: Matches | None,
        byte_lengths: NDArray[Any],
        *,
        context_length: int,
        batch_size: int,
        max_tokens: int,
    ) -> None:
        if split.n_tokens < context_length + 1:
            raise DataError(
                f"The held-out text has {split.n_tokens:,} tokens, fewer than one context of"
                f" {context_length:,} and the token after it.",
                safe="Nothing was started.",
                do="Add text, hold out a larger share of it, or choose a shorter"
                " model.context_length.",
                field="model.context_length",
            )
        self._tokens, self._matches, self._byte_lengths = split.tokens(), matches, byte_lengths
        self._context_length, self._batch_size = context_length, batch_size
        self._fit = (split.n_tokens - 1) // context_length
        self._windows = max(1, min(self._fit, max_tokens // context_length))

    @property
    def tokens(self) -> int:
        """Tokens in one measurement."""
        return self._windows * self._context_length

    def batches(self) -> list[NDArray[np.int64]]:
        """Where the windows of each batch begin: spread evenly over the whole held-out text.

        A few large documents at its head must not stand for all of it.
        """
        numbers = np.arange(self._windows, dtype=np.int64) * self._fit // self._windows
        starts = numbers * self._context_length
        return [
            starts[at : at + self._batch_size] for at in range(0, self._windows, self._batch_size)
        ]

    @torch.no_grad()
    def measure(
        self,
        model: Transformer,
        compute: Compute,
        *,
        use_index: bool = True,
        between: Callable[[int, int], None] | None = None,
    ) -> Measure:
        """Predict every token once.

        Args:
            model: On the compute's device.
            compute: Device and precision.
            use_index: Whether the model is given the matches; they sort the losses either way.
            between: Called after each batch with the tokens done and in all; may raise to end.
        """
        began = time.perf_counter()
        training = model.training
        model.eval()
        sums = _Sums()
        try:
            for starts in self.batches():
                batch = gather(self._tokens, self._matches, starts, self._context_length)
                there = batch.to(compute.device)
                matches = there.matches if use_index else None
                with compute.autocast():
                    losses = model.loss(there.inputs, there.targets, matches, there.documents)
                sums.add(losses.double().cpu().numpy(), batch, self._byte_lengths)
                if between is not None:
                    between(sums.tokens, self.tokens)
        finally:
            model.train(training)
        return sums.measure(time.perf_counter() - began)

"""Measuring held-out text, of one corpus or several: always the same windows, in every way asked.

Letters: B batch, T time, V vocabulary, W windows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer_core.data.batches.gather import Batch, gather
from trainer_core.data.batches.text import Tokens
from trainer_core.data.matches import Matches
from trainer_core.errors import DataError
from trainer_core.records import GroupScore, Measured, MeasuredSet
from trainer_core.train.distributed.world import World
from trainer_core.train.validation.measures import Measure, Sums

if TYPE_CHECKING:
    from trainer_core.model.transformer import Transformer
    from trainer_core.train.compute import Compute

ALONE = World()


def window_starts(n_tokens: int, context_length: int, max_tokens: int) -> NDArray[np.int64]:
    """Where the measured windows begin, (W,), spread evenly over the whole held-out text.

    A few large documents at its head must not stand for all of it.

    Args:
        n_tokens: Of the text; more than one context.
        context_length: T.
        max_tokens: At most this many are measured, but at least one window.
    """
    fit = (n_tokens - 1) // context_length
    windows = max(1, min(fit, max_tokens // context_length))
    return np.arange(windows, dtype=np.int64) * fit // windows * context_length


class HeldOut:
    """Whole windows of the held-out text, always the same ones.

    Args:
        split: The validation part.
        matches: Its match features, or None.
        byte_lengths: (V,) bytes of each token; a separator has none.
        context_length: T.
        batch_size: B.
        max_tokens: At most this many tokens, but at least one window.
        document_start: Where documents begin, when tokens see their own document alone.
        part: Positions that are measured; None takes all.

    Raises:
        DataError: They are fewer than one window and its last target.
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
        document_start: NDArray[np.int64] | None = None,
        part: range | None = None,
    ) -> None:
        part = range(split.n_tokens) if part is None else part
        if len(part) < context_length + 1:
            raise DataError(
                f"The held-out text has {len(part):,} tokens, fewer than one context of"
                f" {context_length:,} and the token after it.",
                safe="Nothing was started.",
                do="Add text, hold out a larger share of it, or choose a shorter"
                " model.context_length.",
                field="model.context_length",
            )
        self._tokens, self._matches, self._byte_lengths = split.tokens(), matches, byte_lengths
        self._context_length, self._batch_size = context_length, batch_size
        self._document_start = document_start
        self._starts = part.start + window_starts(len(part), context_length, max_tokens)

    @property
    def tokens(self) -> int:
        """Tokens in one measurement."""
        return self._starts.size * self._context_length

    def batches(self) -> list[NDArray[np.int64]]:
        """Where the windows of each batch begin."""
        starts = self._starts
        return [
            starts[at : at + self._batch_size] for at in range(0, starts.size, self._batch_size)
        ]

    def _batch(self, starts: NDArray[np.int64]) -> Batch:
        return gather(
            self._tokens,
            self._matches,
            starts,
            self._context_length,
            self._document_start,
            len(self._byte_lengths),
        )

    @torch.no_grad()
    def measure(
        self,
        model: Transformer,
        compute: Compute,
        *,
        use_index: Sequence[bool] = (True,),
        between: Callable[[int], None] | None = None,
        world: World = ALONE,
    ) -> tuple[Measure, ...]:
        """Predict every token, once for each way.

        Args:
            model: On the compute's device.
            compute: Device and precision.
            use_index: For each way whether the model is given the matches; they sort the losses
                either way.
            between: Called after each batch with its tokens; may raise to end.
            world: The processes that share the batches out; each gets the whole measure.
        """
        training = model.training
        model.eval()
        sums = Sums(len(use_index), self._byte_lengths, compute.device)
        try:
            for starts, counts in world.deal(self.batches()):
                batch = self._batch(starts)
                there = batch.to(compute.device)
                with compute.autocast():
                    losses = [_losses(model, there, use) for use in use_index]
                if counts:
                    sums.add(losses, batch)
                if between is not None:
                    between(batch.targets.numel())
        finally:
            model.train(training)
        return sums.measures(world.sum_(sums.total()))


def _losses(model: Transformer, batch: Batch, use_index: bool) -> Tensor:
    """(B, T) nats."""
    matches = batch.matches if use_index else None
    return model.loss(batch.inputs, batch.targets, matches, batch.documents)


@dataclass(frozen=True)
class Outcome:
    """What one validation found.

    Attributes:
        own: The corpus's own held-out text, in the first way.
        without_index: The same without the index, where that is a second way.
        sets: The further sets.
        groups: Of a rule task.
        seconds: How long all of it took.
    """

    own: Measure
    without_index: Measured | None
    sets: tuple[MeasuredSet, ...]
    groups: tuple[GroupScore, ...]
    seconds: float


class Scorer(Protocol):
    """Asks a model the cases of a rule task."""

    def score(self, model: Transformer, compute: Compute) -> tuple[GroupScore, ...]:
        """How many cases of each group it solves."""


class Validation:
    """All that is measured at once; it changes nothing of the training.

    Args:
        own: The corpus's own held-out text.
        sets: Further ones by name.
        use_index: The ways to measure: with the index, without it, or both in this order.
        scorer: Of a rule task.
        world: The processes that share the work.
    """

    def __init__(
        self,
        own: HeldOut,
        sets: Mapping[str, HeldOut],
        *,
        use_index: Sequence[bool] = (True,),
        scorer: Scorer | None = None,
        world: World = ALONE,
    ) -> None:
        self._own, self._sets, self._use_index = own, sets, use_index
        self._scorer, self._world = scorer, world

    @property
    def tokens(self) -> int:
        """Tokens in all sets."""
        return self._own.tokens + sum(held_out.tokens for held_out in self._sets.values())

    def run(
        self,
        model: Transformer,
        compute: Compute,
        between: Callable[[int], None] | None = None,
    ) -> Outcome:
        """Measure everything; arguments as for `HeldOut.measure`."""
        began_s = time.perf_counter()
        measures = {
            name: held_out.measure(
                model, compute, use_index=self._use_index, between=between, world=self._world
            )
            for name, held_out in {"": self._own, **self._sets}.items()
        }
        own = measures.pop("")
        return Outcome(
            own=own[0],
            without_index=_second(own),
            sets=tuple(
                MeasuredSet(name=name, measured=ways[0].measured, without_index=_second(ways))
                for name, ways in measures.items()
            ),
            groups=() if self._scorer is None else self._scorer.score(model, compute),
            seconds=time.perf_counter() - began_s,
        )


def _second(ways: Sequence[Measure]) -> Measured | None:
    return ways[1].measured if len(ways) > 1 else None

"""Which tokens a training step sees, as a pure function of the step.

Letters: B batch, T time (context length).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trainer_core.data.batches.gather import Batch, gather_rows, places_of
from trainer_core.data.batches.order import Order, make_order
from trainer_core.data.batches.packing import Stretches
from trainer_core.data.batches.text import Tokens, TrainText
from trainer_core.data.matches import Matches, dropped_rows
from trainer_core.spec.data import DataConfig


class TrainBatches:
    """The batches of a training: rows of its text, in an order that each epoch draws anew.

    Batch `step` depends on the order, the step, `passed_over` and `skips` alone, so a resumed
    training sees exactly what an uninterrupted one would have seen.

    Args:
        split: The training part.
        matches: Its match features, or None.
        batch_size: B.
        context_length: T.
        seed: Draws which rows see no match, and the order where none is given.
        match_dropout: Share of the rows that see no match; rates are of all of them.
        document_start: Where documents begin, when tokens see their own document alone.
        share: The rows of each batch that this process works on; counts and rates are of all rows.
        vocab_size: See `gather_rows`.
        order: Which rows come when; None joins all documents to one stream.

    Raises:
        DataError: No order is given, and the stream is shorter than one row and its last target.
    """

    def __init__(
        self,
        split: Tokens,
        matches: Matches | None,
        batch_size: int,
        context_length: int,
        seed: int,
        match_dropout: float = 0.0,
        document_start: NDArray[np.int64] | None = None,
        share: slice | None = None,
        vocab_size: int | None = None,
        order: Order | None = None,
    ) -> None:
        if order is None:
            stream = TrainText(split, np.zeros(1, np.int64))
            order = make_order(stream, DataConfig(), context_length, seed)
        self.order = order
        self._tokens, self._matches = split.tokens(), matches
        self._batch_size, self._context_length = batch_size, context_length
        self._seed, self._match_dropout = seed, match_dropout
        self._document_start, self._share = document_start, share
        self._vocab_size = vocab_size
        self.passed_over = 0
        """Batches that are left out before the next step."""
        self.skips: tuple[tuple[int, int], ...] = ()
        """After which later steps how many more are left out."""

    @property
    def tokens_per_step(self) -> int:
        """B · T, of all processes; padding counts."""
        return self._batch_size * self._context_length

    def number(self, step: int) -> int:
        """The batch of the order that a step sees; the first one is 1."""
        skipped = sum(count for after, count in self.skips if after < step)
        return step + self.passed_over + skipped

    def batch(self, step: int) -> Batch:
        """What the optimizer step of this number sees; the first one is 1."""
        number = self.number(step)
        batch = gather_rows(
            self._tokens,
            self._matches,
            self._stretches(step),
            (self._batch_size, self._context_length),
            self._document_start,
            self._vocab_size,
        )
        if batch.matches is not None and self._match_dropout:
            rows = dropped_rows(self._match_dropout, self._seed, number, self._batch_size)
            batch = replace(batch, matches=batch.matches.hidden(rows))
        return batch if self._share is None else batch.rows(self._share)

    def places(self, step: int) -> NDArray[np.int64]:
        """Where the inputs of a step stand in the text, (B, T); -1 for padding.

        The target of each is the token at the next position, and after the last one the first.
        """
        return places_of(self._stretches(step), (self._batch_size, self._context_length))

    def drawn(self, step: int) -> dict[str, int]:
        """Rows of each pool that are drawn up to and with a step; see `Order.drawn`."""
        return self.order.drawn(self.number(step) * self._batch_size)

    def _stretches(self, step: int) -> Stretches:
        first = (self.number(step) - 1) * self._batch_size
        return self.order.stretches(range(first, first + self._batch_size))


def open_batches(
    text: TrainText,
    matches: Matches | None,
    data: DataConfig,
    batch_size: int,
    context_length: int,
    seed: int,
    *,
    match_dropout: float = 0.0,
    steps: int = 1,
    order_seed: int | None = None,
    begun: Mapping[str, int] | None = None,
    share: slice | None = None,
    vocab_size: int | None = None,
) -> TrainBatches:
    """The batches of a text that is packed, masked and mixed as settings say.

    Args:
        text: What is trained on.
        matches: Its match features, or None.
        data: The settings.
        batch_size: B.
        context_length: T.
        seed: See `TrainBatches`.
        match_dropout: See `TrainBatches`.
        steps: Of the training; a schedule of weights depends on it.
        order_seed: Draws the order; None takes `seed`.
        begun: What an earlier training has drawn; see `Order`.
        share: See `TrainBatches`.
        vocab_size: See `gather_rows`.

    Raises:
        DataError: A stream is shorter than one row and its last target.
        SpecError: A weight names no source.
    """
    order = make_order(
        text,
        data,
        context_length,
        seed if order_seed is None else order_seed,
        steps=steps,
        batch_size=batch_size,
        begun=begun,
    )
    return TrainBatches(
        text.tokens,
        matches,
        batch_size,
        context_length,
        seed,
        match_dropout,
        document_start=text.document_start if data.masks else None,
        share=share,
        vocab_size=vocab_size,
        order=order,
    )

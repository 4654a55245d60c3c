"""The order in which a training's rows come: a seeded permutation of each pool, epoch by epoch."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer_core.data.batches.mixing import Drawing, Single, Weighted, check_names
from trainer_core.data.batches.packing import Plan, Ring, Stretches, crop, fit
from trainer_core.data.batches.text import SourcePart, TrainText
from trainer_core.errors import DataError
from trainer_core.spec.data import DataConfig, Packing

ORDER_VERSION = 2
"""Goes up with any change that has a seed give other batches: runs cannot go on across it."""
ALL = ""
"""Name of the pool that holds all sources."""


@dataclass(frozen=True)
class _Epoch:
    order: NDArray[np.unsignedinteger]
    offset: int


class Pool:
    """Rows of which each comes once an epoch, in an order that each epoch draws anew.

    A stream is cut at other places in each epoch, too; packed rows are always the same.

    Attributes:
        name: Of the pool.
        low: Position of its first token in the training text.
        rows: How many it has.
        packed: How its tokens are in rows.

    Args:
        part: Which part of the training text, and its name.
        packed: How its tokens are in rows.
        seed: Draws the orders.
        number: Of the pool; another one has other orders.
    """

    def __init__(self, part: SourcePart, packed: Plan | Ring, seed: int, number: int) -> None:
        self.name, self.low = part.name, part.low
        self.rows, self.packed = packed.rows, packed
        self._key = seed, number
        self._epochs: dict[int, _Epoch] = {}
        self._lock = threading.Lock()

    def stretches(self, drawn: NDArray[np.int64]) -> Stretches:
        """What is in some of its rows.

        Args:
            drawn: For each row, how many of this pool come before it, all epochs counted; rising.
        """
        first, last = int(drawn[0]) // self.rows, int(drawn[-1]) // self.rows
        if first == last:
            return self._of_epoch(first, drawn - first * self.rows)
        epochs = drawn // self.rows
        found = []
        for epoch in np.unique(epochs).tolist():
            rows = np.flatnonzero(epochs == epoch)
            some = self._of_epoch(epoch, drawn[rows] - epoch * self.rows)
            found.append(some._replace(row=rows[some.row]))
        return Stretches(*(np.concatenate(parts) for parts in zip(*found, strict=True)))

    def _of_epoch(self, number: int, places: NDArray[np.int64]) -> Stretches:
        """What is in the rows at these places of an epoch's order."""
        with self._lock:  # batches are made in a thread of their own
            epoch = self._epoch(number)
        rows = epoch.order[places].astype(np.int64)
        if isinstance(self.packed, Ring):
            found = self.packed.stretches(rows, epoch.offset)
        else:
            found = self.packed.stretches(rows)
        return found._replace(start=found.start + self.low)

    def _epoch(self, number: int) -> _Epoch:
        if number not in self._epochs:
            if len(self._epochs) > 1:
                self._epochs.pop(min(self._epochs))
            seed, pool = self._key
            random = np.random.Generator(
                np.random.Philox(key=[seed, number], counter=[0, 0, pool, 2])
            )
            offset = 0
            if isinstance(self.packed, Ring):
                offset = int(random.integers(self.packed.tokens))
            kind = np.uint32 if self.rows <= 1 << 32 else np.uint64
            order = random.permutation(np.arange(self.rows, dtype=kind))
            self._epochs[number] = _Epoch(order, offset)
        return self._epochs[number]


class Order:
    """Which rows come at which sample of a training; samples are counted from 0, over all epochs.

    Attributes:
        pools: What is drawn from.
        seed: Of the orders.
        begun: Rows of each pool, by its name, that an earlier training has seen: this one goes on
            behind them.

    Args:
        pools: See above.
        drawing: Which of them each sample is of.
        seed: See above.
        begun: See above; pools that it does not name begin at their first row.
    """

    def __init__(
        self, pools: Sequence[Pool], drawing: Drawing, seed: int, begun: Mapping[str, int]
    ) -> None:
        self.pools, self.seed = tuple(pools), seed
        self.begun = {pool.name: begun.get(pool.name, 0) for pool in pools}
        self._drawing = drawing

    @property
    def rows_per_epoch(self) -> int:
        """Rows of all pools together."""
        return sum(pool.rows for pool in self.pools)

    def stretches(self, samples: range) -> Stretches:
        """What is in the rows of consecutive samples."""
        pools, counts = self._drawing.at(samples)
        if len(self.pools) == 1:
            return self.pools[0].stretches(counts + self.begun[self.pools[0].name])
        found = []
        for number, pool in enumerate(self.pools):
            rows = np.flatnonzero(pools == number)
            if rows.size:
                some = pool.stretches(counts[rows] + self.begun[pool.name])
                found.append(some._replace(row=rows[some.row]))
        joined = Stretches(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
        by_row = np.argsort(joined.row, kind="stable")
        return Stretches(*(values[by_row] for values in joined))

    def drawn(self, samples: int) -> dict[str, int]:
        """Rows of each pool that come before this sample, those of earlier trainings among them."""
        counts = self._drawing.counts(samples)
        return {
            pool.name: self.begun[pool.name] + count
            for pool, count in zip(self.pools, counts, strict=True)
        }


def make_order(
    text: TrainText,
    data: DataConfig,
    context_length: int,
    seed: int,
    *,
    steps: int = 1,
    batch_size: int = 1,
    begun: Mapping[str, int] | None = None,
) -> Order:
    """The order of a training.

    Args:
        text: What is trained on.
        data: How it is packed and mixed.
        context_length: T.
        seed: Draws orders and offsets.
        steps: Of the training; a schedule of weights depends on it.
        batch_size: Samples in a step; likewise.
        begun: See `Order`.

    Raises:
        DataError: A stream is shorter than one row and its last target.
        SpecError: A weight names no source.
    """
    drawing: Drawing = Single()
    parts = _parts(text, data, begun or {})
    if data.mixing:
        names = [part.name for part in parts]
        drawing = Weighted(data.mixing, names, steps, batch_size, seed)
    pools = [
        Pool(part, _packed(text, part, data, context_length), seed, number)
        for number, part in enumerate(parts)
    ]
    return Order(pools, drawing, seed, begun or {})


def check_text(text: TrainText, data: DataConfig, context_length: int) -> None:
    """Make sure that a text can be packed and mixed as settings say, before anything is made of it.

    Raises:
        DataError: See `make_order`.
        SpecError: See `make_order`.
    """
    for part in _parts(text, data, {}):
        _check_length(part, context_length, data.packing)


def _parts(text: TrainText, data: DataConfig, begun: Mapping[str, int]) -> tuple[SourcePart, ...]:
    """All of the text, or the sources that are drawn, now or by an earlier training."""
    if not data.mixing:
        return (SourcePart(ALL, 0, text.tokens.n_tokens),)
    for number, mix in enumerate(data.mixing):
        check_names(mix, [part.name for part in text.sources], f"data.mixing[{number}].weights")
    wanted = {name for mix in data.mixing for name, weight in mix.weights.items() if weight}
    return tuple(part for part in text.sources if part.name in wanted or begun.get(part.name))


def _packed(
    text: TrainText, part: SourcePart, data: DataConfig, context_length: int
) -> Plan | Ring:
    _check_length(part, context_length, data.packing)
    if data.packing == "stream":
        return Ring(context_length, part.high - part.low)
    starts = text.document_start
    first, last = np.searchsorted(starts, [part.low, part.high])
    lengths = np.diff(starts[first:last], append=part.high)
    return (
        fit(lengths, context_length)
        if data.packing == "best_fit"
        else crop(lengths, context_length)
    )


def _check_length(part: SourcePart, context_length: int, packing: Packing) -> None:
    """Make sure that a stream fills a row and its last target, and that there is text at all."""
    tokens = part.high - part.low
    if tokens > (context_length if packing == "stream" else 0):
        return
    of = f" of the source “{part.name}”" if part.name != ALL else ""
    raise DataError(
        f"The training text{of} has {tokens:,} tokens, fewer than one context of"
        f" {context_length:,} and the token after it.",
        safe="Nothing was started.",
        do="Add text, or choose a shorter model.context_length.",
        field="model.context_length",
    )

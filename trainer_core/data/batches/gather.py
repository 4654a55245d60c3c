"""Which tokens a training step sees: windows of the token stream, as a pure function of the step.

Letters: B batch, T time (context length).
"""

from __future__ import annotations

import math
import operator
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer_core.data.matches import Matches, MatchTensors, dropped_rows
from trainer_core.errors import DataError

IGNORED = -100
"""A target of which nothing is to be learned; torch's own number for it."""
ORDER_VERSION = 1
"""Goes up with any change that has a seed give other batches: runs cannot go on across it."""
PREFETCHED = 4
"""Batches that are ready before they are wanted."""


class Tokens(Protocol):
    """A token stream, as a part of a corpus gives it."""

    @property
    def n_tokens(self) -> int:
        """How many tokens there are."""

    def tokens(self) -> NDArray[Any]:
        """All of them, (n_tokens,) of an unsigned integer type, mapped or in memory."""


@dataclass(frozen=True)
class Batch:
    """One step's worth of windows.

    Attributes:
        inputs: (B, T) int64.
        targets: (B, T) int64, the token after each input; `IGNORED` where nothing is to be learned.
        matches: (B, T) each, the longest match at each input; None without features.
        documents: (B, T) int64, which document of its row each input belongs to; None where all
            inputs of a row may see each other.
        n_targets: How many targets of the whole step are not ignored, whatever part this is.
        hit_rate: Share of the inputs whose match names the target; NaN without features.
        mean_match: Mean match length in tokens; NaN without features.
    """

    inputs: Tensor
    targets: Tensor
    matches: MatchTensors | None = None
    documents: Tensor | None = None
    n_targets: int = 0
    hit_rate: float = math.nan
    mean_match: float = math.nan

    def pinned(self) -> Batch:
        """The same in page-locked memory, from where a GPU takes it without making anyone wait."""
        return self._map(lambda tensor: tensor.pin_memory())

    def to(self, device: torch.device) -> Batch:
        """The same on a device; from pinned memory the copy overlaps with computing."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=True))

    def rows(self, part: slice) -> Batch:
        """Some of its sequences; counts and rates stay those of the whole."""
        return self._map(operator.itemgetter(part))

    def parts(self, size: int) -> list[Batch]:
        """Its sequences, `size` at a time; counts and rates stay those of the whole."""
        return [self.rows(slice(at, at + size)) for at in range(0, len(self.inputs), size)]

    def _map(self, change: Callable[[Tensor], Tensor]) -> Batch:
        matches, documents = self.matches, self.documents
        return replace(
            self,
            inputs=change(self.inputs),
            targets=change(self.targets),
            matches=None if matches is None else MatchTensors(*map(change, matches)),
            documents=None if documents is None else change(documents),
        )


def gather(
    tokens: NDArray[Any],
    matches: Matches | None,
    starts: NDArray[np.int64],
    context_length: int,
    document_start: NDArray[np.int64] | None = None,
    vocab_size: int | None = None,
) -> Batch:
    """The windows that begin at these positions.

    Args:
        tokens: The stream.
        matches: Features of the same stream, or None.
        starts: (B,) positions; a window and its last target must lie within the stream.
        context_length: T.
        document_start: Where the stream's documents begin, rising, so that the tokens of a window
            see their own document alone; None lets them see the whole window.
        vocab_size: What every token is below; None does not look.

    Raises:
        DataError: A token is not, which only happens in damaged files.
    """
    places = starts[:, None] + np.arange(context_length + 1)  # (B, T + 1)
    window = tokens[places].astype(np.int64)
    _check_tokens(window, vocab_size, "corpus")
    inputs, targets = window[:, :-1].copy(), window[:, 1:].copy()
    batch = Batch(torch.from_numpy(inputs), torch.from_numpy(targets), n_targets=targets.size)
    if document_start is not None:
        numbers = np.searchsorted(document_start, places[:, :-1], side="right")
        batch = replace(batch, documents=torch.from_numpy(numbers - numbers[:, :1]))
    if matches is None:
        return batch
    found = matches.at(places[:, :-1])
    _check_tokens(found.next, vocab_size, "index")
    return replace(
        batch,
        matches=MatchTensors.of(found),
        hit_rate=float(np.mean((found.next == targets) & (found.length > 0))),
        mean_match=float(np.mean(found.length)),
    )


def _check_tokens(tokens: NDArray[Any], vocab_size: int | None, field: str) -> None:
    if vocab_size is None or int(tokens.max()) < vocab_size:
        return
    raise DataError(
        f"The {field} is damaged: it holds token {int(tokens.max()):,}, and there are"
        f" {vocab_size:,}.",
        safe="Everything saved before is whole.",
        do=f"Restore the {field} from a copy, or make it again, then resume.",
        field=field,
    )


class TrainBatches:
    """Non-overlapping windows in a new order, and from a new offset, in each epoch.

    Batch `step` depends on the seed, the step and `passed_over` alone, so a resumed training sees
    exactly what an uninterrupted one would have seen. Within an epoch every token is an input once,
    but for less than two windows at the ends of the stream.

    Args:
        split: The training part.
        matches: Its match features, or None.
        batch_size: B.
        context_length: T.
        seed: Draws order, offsets, and which windows see no match.
        match_dropout: Share of the windows that see no match; rates are of all of them.
        document_start: Where documents begin, when tokens see their own document alone.
        share: The rows of each batch that this process works on; counts and rates are of all rows.
        vocab_size: See `gather`.

    Raises:
        DataError: The stream is shorter than one window and its last target.
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
    ) -> None:
        if split.n_tokens < context_length + 1:
            raise DataError(
                f"The training text has {split.n_tokens:,} tokens, fewer than one context of"
                f" {context_length:,} and the token after it.",
                safe="Nothing was started.",
                do="Add text, or choose a shorter model.context_length.",
                field="model.context_length",
            )
        self._tokens, self._matches = split.tokens(), matches
        self._batch_size, self._context_length = batch_size, context_length
        self._seed, self._match_dropout = seed, match_dropout
        self._document_start, self._share = document_start, share
        self._vocab_size = vocab_size
        # One window less than fits leaves room for every offset; a short stream has no such room.
        self.windows_per_epoch = max(1, (split.n_tokens - context_length) // context_length)
        used = self.windows_per_epoch * context_length
        self._offsets = min(context_length, split.n_tokens - used)
        self._epochs: dict[int, NDArray[np.int64]] = {}
        self.passed_over = 0
        """Batches that are left out before the next step."""

    @property
    def tokens_per_step(self) -> int:
        """B · T, of all processes."""
        return self._batch_size * self._context_length

    def batch(self, step: int) -> Batch:
        """What the optimizer step of this number sees; the first one is 1."""
        number = step + self.passed_over
        samples = range((number - 1) * self._batch_size, number * self._batch_size)
        starts = self._starts(samples)
        batch = gather(
            self._tokens,
            self._matches,
            starts,
            self._context_length,
            self._document_start,
            self._vocab_size,
        )
        if batch.matches is not None and self._match_dropout:
            rows = dropped_rows(self._match_dropout, self._seed, number, self._batch_size)
            batch = replace(batch, matches=batch.matches.hidden(rows))
        return batch if self._share is None else batch.rows(self._share)

    def places(self, step: int) -> NDArray[np.int64]:
        """Where the inputs of a step stand in the stream, and behind them the last target.

        (B, T + 1); -1 is padding.
        """
        number = step + self.passed_over
        starts = self._starts(range((number - 1) * self._batch_size, number * self._batch_size))
        return starts[:, None] + np.arange(self._context_length + 1)

    def _starts(self, samples: range) -> NDArray[np.int64]:
        """Where the windows of these samples begin; samples are counted through all epochs."""
        starts = [
            self._epoch(sample // self.windows_per_epoch)[sample % self.windows_per_epoch]
            for sample in samples
        ]
        return np.array(starts, np.int64)

    def _epoch(self, epoch: int) -> NDArray[np.int64]:
        """Where an epoch's windows begin, in their order, (windows_per_epoch,)."""
        if epoch not in self._epochs:
            if len(self._epochs) > 1:
                self._epochs.pop(min(self._epochs))
            random = np.random.Generator(np.random.Philox(key=[self._seed, epoch]))
            offset = int(random.integers(self._offsets))
            order = random.permutation(self.windows_per_epoch)
            self._epochs[epoch] = offset + order * self._context_length
        return self._epochs[epoch]


class Prefetcher:
    """Makes the batches of a range of steps in a thread, a few ahead of the loop.

    Use it as a context manager and iterate over it; it ends the thread however the loop ends.
    """

    def __init__(self, batches: TrainBatches, steps: range, device: torch.device) -> None:
        self._batches, self._steps, self._device = batches, steps, device
        self._ready: queue.Queue[Batch | BaseException] = queue.Queue(PREFETCHED)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="batches", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def __iter__(self) -> Iterator[Batch]:
        """The batches in order, on the device.

        Raises:
            OSError: The corpus or the index could not be read.
        """
        for _ in self._steps:
            item = self._ready.get()
            if isinstance(item, BaseException):
                raise item
            yield item.to(self._device)

    def _run(self) -> None:
        try:
            for step in self._steps:
                batch = self._batches.batch(step)
                self._put(batch.pinned() if self._device.type == "cuda" else batch)
                if self._ended.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - handed over to the loop, which raises it
            self._put(error)

    def _put(self, item: Batch | BaseException) -> None:
        while not self._ended.is_set():
            try:
                self._ready.put(item, timeout=0.1)
                return
            except queue.Full:
                continue

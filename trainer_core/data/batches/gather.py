"""One step's worth of sequences: tokens, targets and matches, gathered from the stream.

Letters: B batch, T time (context length).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer_core.data.batches.packing import Stretches
from trainer_core.data.matches import Matches, MatchTensors
from trainer_core.errors import DataError

IGNORED = -100
"""A target of which nothing is to be learned; torch's own number for it."""


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
        starts: (B,) positions; a window must lie within the stream.
        context_length: T.
        document_start: See `gather_rows`.
        vocab_size: See `gather_rows`.

    Raises:
        DataError: See `gather_rows`.
    """
    length = np.full(len(starts), context_length, np.int64)
    rows = Stretches(np.arange(len(starts)), starts, length)
    shape = (len(starts), context_length)
    return gather_rows(tokens, matches, rows, shape, document_start, vocab_size)


def gather_rows(
    tokens: NDArray[Any],
    matches: Matches | None,
    stretches: Stretches,
    shape: tuple[int, int],
    document_start: NDArray[np.int64] | None = None,
    vocab_size: int | None = None,
) -> Batch:
    """Rows of stretches of a stream; the target of the stream's last token is its first.

    Behind its last stretch a row is padded: with the stream's first token, a separator in every
    corpus, without a match, and with nothing to be learned.

    Args:
        tokens: The stream, (n,).
        matches: Features of the same stream, or None.
        stretches: What is in the rows.
        shape: B and T.
        document_start: Where the stream's documents begin, rising, so that the tokens of a row see
            their own document alone; padding is a document too. None lets them see the whole row.
        vocab_size: What every token is below; None does not look.

    Raises:
        DataError: A token is not, which only happens in damaged files.
    """
    places = places_of(stretches, shape)
    n_targets = int(stretches.length.sum())
    padded = None if n_targets == places.size else places < 0
    if padded is not None:
        places = np.maximum(places, 0)
    inputs = tokens.take(places).astype(np.int64)
    targets = np.empty_like(inputs)
    targets[:, :-1] = inputs[:, 1:]
    last = tokens.take((stretches.start + stretches.length) % tokens.size)
    if _are_whole_rows(stretches, shape):
        targets[:, -1] = last
    else:
        targets[stretches.row, _columns(stretches, shape[0]) + stretches.length - 1] = last
    for found in (inputs, last):
        _check_tokens(found, vocab_size, "corpus")
    if padded is not None:
        targets[padded] = IGNORED
    batch = Batch(torch.from_numpy(inputs), torch.from_numpy(targets), n_targets=n_targets)
    if document_start is not None:
        numbers = _document_numbers(stretches, shape, document_start)
        batch = replace(batch, documents=torch.from_numpy(numbers))
    return batch if matches is None else _matched(batch, matches.at(places), padded, vocab_size)


def places_of(stretches: Stretches, shape: tuple[int, int]) -> NDArray[np.int64]:
    """The position in the stream of each place of some rows, (B, T); -1 where there is none."""
    _, start, length = stretches
    if _are_whole_rows(stretches, shape):
        return start[:, None] + np.arange(shape[1])
    ends = np.cumsum(length)
    flat = np.repeat(start - (ends - length), length) + np.arange(ends[-1])
    places = np.full(shape, -1, np.int64)
    places[np.arange(shape[1]) < _used(stretches, shape[0])[:, None]] = flat
    return places


def _are_whole_rows(stretches: Stretches, shape: tuple[int, int]) -> bool:
    """Whether each row is one stretch without padding, as nearly all rows of a stream are."""
    return len(stretches.row) == shape[0] and int(stretches.length.min()) == shape[1]


def _used(stretches: Stretches, n_rows: int) -> NDArray[np.int64]:
    """How many tokens are in each row, (B,)."""
    used = np.bincount(stretches.row, weights=stretches.length, minlength=n_rows)
    return used.astype(np.int64)


def _columns(stretches: Stretches, n_rows: int) -> NDArray[np.int64]:
    """Where each stretch begins in its row, (P,): behind what is before it in the same row."""
    row, _, length = stretches
    if len(row) == n_rows:
        return np.zeros_like(length)
    before = np.cumsum(length) - length
    first = np.searchsorted(row, row)  # the first stretch of the same row
    columns: NDArray[np.int64] = before - before[first]
    return columns


def _document_numbers(
    stretches: Stretches, shape: tuple[int, int], document_start: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Which document of its row each place belongs to, (B, T), from 0; padding comes last."""
    row, start, length = stretches
    column = _columns(stretches, shape[0])
    begins = np.zeros(shape, np.int64)
    begins[row, column] = 1
    first = np.searchsorted(document_start, start)
    counts = np.searchsorted(document_start, start + length) - first
    before = np.cumsum(counts) - counts
    inside = np.repeat(first - before, counts) + np.arange(counts.sum())
    at = document_start[inside] + np.repeat(column - start, counts)
    begins[np.repeat(row, counts), at] = 1
    used = _used(stretches, shape[0])
    padded = np.flatnonzero(used < shape[1])
    begins[padded, used[padded]] = 1
    numbers: NDArray[np.int64] = np.cumsum(begins, axis=1) - 1
    return numbers


def _matched(
    batch: Batch, found: Matches, padded: NDArray[np.bool_] | None, vocab_size: int | None
) -> Batch:
    """A batch with the matches at its inputs, and how good they are."""
    _check_tokens(found.next, vocab_size, "index")
    matches = MatchTensors.of(found)
    if padded is not None:
        matches = matches.without(torch.from_numpy(padded))
    length = matches.length.numpy()
    hits = (matches.next.numpy() == batch.targets.numpy()) & (length > 0)
    n_targets = max(batch.n_targets, 1)
    return replace(
        batch,
        matches=matches,
        hit_rate=np.count_nonzero(hits) / n_targets,
        mean_match=int(length.sum()) / n_targets,
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

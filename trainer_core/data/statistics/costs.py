"""What each way of packing loses, pads and splits, for each usual context length."""

from __future__ import annotations

import bisect

import numpy as np
from numpy.typing import NDArray

from trainer_core.data.statistics.report import ContextCost, PackingCost

CONTEXTS = tuple(2**power for power in range(5, 18))


def context_costs(lengths: NDArray[np.int64], train: NDArray[np.int64]) -> tuple[ContextCost, ...]:
    """The costs for contexts of 32 to 131,072 tokens.

    Args:
        lengths: Tokens of all documents, (D,), without their separators.
        train: Those of the training documents.
    """
    return tuple(
        ContextCost(
            context=context,
            longer=float((lengths > context).mean()),
            stream=_stream(train, context),
            best_fit=_best_fit(train, context),
            documents=_documents(train, context),
        )
        for context in CONTEXTS
    )


def _stream(train: NDArray[np.int64], context: int) -> PackingCost:
    """All documents in a row: nothing is lost but the room in the last sequence."""
    tokens = int(train.sum()) + len(train)
    rows = -(-tokens // context)
    starts = np.cumsum(train + 1) - (train + 1)
    split = starts // context != (starts + train) // context
    return PackingCost(
        lost=0.0, padding=1 - tokens / (rows * context), split=float(split.mean()), rows=rows
    )


def _best_fit(train: NDArray[np.int64], context: int) -> PackingCost:
    """Whole documents side by side: what is longer is cut, and what is left open is padded."""
    tokens = int(train.sum()) + len(train)
    rows = best_fit_rows(train + 1, context)
    return PackingCost(
        lost=0.0,
        padding=1 - tokens / (rows * context),
        split=float((train + 1 > context).mean()),
        rows=rows,
    )


def best_fit_rows(lengths: NDArray[np.int64], context: int) -> int:
    """Sequences that documents fill, each put where it leaves the least room, the longest first.

    Sequences with equal room, and documents of equal length, are dealt with together, so that the
    time depends on the different lengths and not on the documents.

    Args:
        lengths: Tokens of each document, (D,), with its separator.
        context: Tokens in a sequence; longer documents fill whole ones with all but their rest.

    Source: Ding et al., "Fewer Truncations Improve Language Modeling", 2024.
    """
    rows = int((lengths // context).sum())
    rests, counts = np.unique(lengths % context, return_counts=True)
    rooms: list[int] = []  # that some open sequence has, rising
    open_rows = dict[int, int]()
    for length, left in zip(rests[::-1].tolist(), counts[::-1].tolist(), strict=True):
        while left and length:
            at = bisect.bisect_left(rooms, length)
            if at == len(rooms):
                room, found = context, -(-left // (context // length))
                rows += found
            else:
                room = rooms.pop(at)
                found = open_rows.pop(room)
            each = room // length  # of them fill a sequence, since it keeps the least room
            full = min(found, left // each)
            rest = left - full * each if full < found else 0
            left -= full * each + rest
            for room_left, n in (
                (room - each * length, full),
                (room - rest * length, 1 if rest else 0),
                (room, found - full - (1 if rest else 0)),
            ):
                if n and room_left:
                    if room_left not in open_rows:
                        bisect.insort(rooms, room_left)
                    open_rows[room_left] = open_rows.get(room_left, 0) + n
    return rows


def _documents(train: NDArray[np.int64], context: int) -> PackingCost:
    """A sequence for each document: what is longer is lost, what is shorter is padded."""
    held = np.minimum(train + 1, context)
    return PackingCost(
        lost=1 - float(held.sum()) / (int(train.sum()) + len(train)),
        padding=1 - float(held.sum()) / (len(train) * context),
        split=0.0,
        rows=len(train),
    )

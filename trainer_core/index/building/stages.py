"""Sorted texts on the way to an index, in files of its draft.

A *stage* is a sorted text: a chunk, an older index, or what these have been merged to. The last
stage has the files of the index itself, the others have work files. V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer_core.index.building.budget import BuildPlan
from trainer_core.index.building.draft import WORK_PREFIX, Draft
from trainer_core.index.store import KeyRange
from trainer_core.index.tokens import Text

U8 = NDArray[np.uint8]
U32 = NDArray[np.uint32]
I64 = NDArray[np.int64]

Progress = Callable[[str, float, float, str], None]
"""Told the phase, what is done, of how much, and the unit; what it raises ends the build."""


@dataclass(frozen=True)
class Work:
    """What all steps of a build need.

    Attributes:
        draft: Takes the files.
        text: The whole text.
        plan: In which steps to work.
        counts: (V,) how often each token occurs in the text.
        bounds: (V + 1,) first ranks in the finished index.
        key_ranges: Of the finished index.
        document_start: (D,) int64.
        threads: How many to use.
        report: Told of the progress.
    """

    draft: Draft
    text: Text
    plan: BuildPlan
    counts: I64
    bounds: I64
    key_ranges: tuple[KeyRange, ...]
    document_start: I64
    threads: int
    report: Progress

    def document_around(self, position: int) -> tuple[int, int]:
        """Begin and end of the document that holds a position."""
        number = int(np.searchsorted(self.document_start, position, side="right")) - 1
        last = number + 1 == self.document_start.size
        stop = self.text.tokens.size if last else int(self.document_start[number + 1])
        return int(self.document_start[number]), stop


@dataclass(frozen=True)
class Stage:
    """A sorted text. Its files are mapped part by part, so that few of their pages are held.

    Attributes:
        bounds: (V + 1,) the rank at which each token's entries begin.
        first_ranks: Rank of the first entry of each file.
        orders: Files of sorted positions, uint32.
        shared: Files of how many tokens neighbours share, uint8; None if that is not known.
    """

    bounds: I64
    first_ranks: Sequence[int]
    orders: Sequence[Path]
    shared: Sequence[Path] | None

    def part(self, low: int, high: int) -> tuple[U32, U8 | None, I64]:
        """The entries of the tokens from `low` to before `high`.

        Returns:
            Positions; what neighbours share; the rank among them at which each token begins.
        """
        begin, end = int(self.bounds[low]), int(self.bounds[high])
        shared = None if self.shared is None else self._cut(self.shared, "uint8", begin, end)
        return self.entries(begin, end), shared, self.bounds[low : high + 1] - begin

    def entries(self, begin: int, end: int) -> U32:
        """The positions of some consecutive ranks."""
        return self._cut(self.orders, "uint32", begin, end)

    def _cut(self, files: Sequence[Path], dtype: str, begin: int, end: int) -> NDArray[Any]:
        kind = np.dtype(dtype).newbyteorder("<")
        parts = []
        stop_ranks = [*self.first_ranks[1:], int(self.bounds[-1])]
        for path, first, stop in zip(files, self.first_ranks, stop_ranks, strict=True):
            inside = max(begin, first), min(end, stop)
            if inside[0] < inside[1]:
                offset, size = (inside[0] - first) * kind.itemsize, inside[1] - inside[0]
                mapped = np.memmap(path, dtype=kind, mode="r", offset=offset, shape=(size,))
                parts.append(np.asarray(mapped))
        if not parts:
            return np.zeros(0, dtype=dtype)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def stage_file(prefix: str, kind: str, number: int) -> str:
    """Name of a file of a stage; without a prefix it is one of the index.

    Args:
        prefix: Of the stage.
        kind: `sorted` or `shared`.
        number: Of the key range.
    """
    return f"{prefix}{kind}-{number:03}.bin"


def work_prefix(kind: str, chunk: int) -> str:
    """Begins the names of the files of a stage that does not last.

    Args:
        kind: Of stage.
        chunk: Number of the chunk that it was made of last.
    """
    return f"{WORK_PREFIX}{kind}-{chunk}-"


def open_stage(work: Work, prefix: str, bounds: I64) -> Stage:
    """A stage that is finished.

    Args:
        work: The build.
        prefix: Of the stage; it has `shared` files if this is not empty.
        bounds: As in `Stage`.
    """
    numbers = range(len(work.key_ranges))

    def files(kind: str) -> list[Path]:
        return [work.draft.path(stage_file(prefix, kind, number)) for number in numbers]

    return Stage(
        bounds=bounds,
        first_ranks=[int(bounds[key_range.first_token]) for key_range in work.key_ranges],
        orders=files("sorted"),
        shared=files("shared") if prefix else None,
    )

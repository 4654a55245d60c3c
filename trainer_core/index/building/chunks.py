"""Sorts a text chunk by chunk, merges what is there, and writes the features of each chunk.

What comes out is the same for any number of chunks and of work ranges. m entries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer_core.index import store
from trainer_core.index.building.budget import work_ranges
from trainer_core.index.building.source import count_tokens
from trainer_core.index.building.stages import (
    I64,
    U32,
    Stage,
    Work,
    open_stage,
    stage_file,
    work_prefix,
)
from trainer_core.index.compiled import COMPILED
from trainer_core.index.features import features_from
from trainer_core.index.lookups.tables import make_tables
from trainer_core.index.records import Records, empty_records
from trainer_core.index.sorting.engine import SortedRange, sort_range
from trainer_core.index_plan import FAR

if COMPILED:
    from trainer_core.index.sorting.merging import merge_range

SORTING = "sorting the training text"
MERGING = "merging the chunks"
WRITING = "writing the index"
TABLES = "making the tables for lookups"

_BLOCK_TOKENS = 1 << 20
_TABLE_ENTRIES = FAR << 10
"""Entries whose tables a thread makes at a time; rows of tables begin where such pieces begin."""


@dataclass(frozen=True)
class _Chunk:
    """A part of the text.

    Attributes:
        number: Of the chunk.
        first: Its first position.
        stop: The position behind its last.
        bounds: (V + 1,) the rank in it at which each token's entries begin.
        records: Of its positions.
    """

    number: int
    first: int
    stop: int
    bounds: I64
    records: Records


def write_sorted(work: Work, base: Stage | None) -> None:
    """Write the sorted positions, the features of the text, and the tables.

    Args:
        work: What to do. The first chunk begins behind the last entry of the base.
        base: The sorted older text, where an index is appended to.

    Raises:
        OSError: The disk is full or gone.
    """
    prefix = ""
    bounds = np.zeros_like(work.bounds) if base is None else base.bounds
    last = len(work.plan.chunks) - 1
    for number, (first, stop) in enumerate(work.plan.chunks):
        counts = work.counts
        if (first, stop) != (0, work.text.tokens.size):
            counts = count_tokens(work.text.tokens[first:stop], counts.size)
        added = np.concatenate([[0], np.cumsum(counts)])
        if not work.draft.has(f"features {number}"):
            older = base if number == 0 else open_stage(work, prefix, bounds)
            records = empty_records(stop - first, work.text.tokens.dtype)
            _take(work, _Chunk(number, first, stop, added, records), older)
        bounds = bounds + added
        kind = "sorted" if number == 0 and base is None else "merged"
        prefix = "" if number == last else work_prefix(kind, number)
        _drop_work(work, f"drop {number}", keep=prefix)
    _write_tables(work)


def _take(work: Work, chunk: _Chunk, older: Stage | None) -> None:
    """Sort a chunk, merge it with the older text if there is one, and write its features."""
    last = chunk.number + 1 == len(work.plan.chunks)
    prefix = "" if last and older is None else work_prefix("sorted", chunk.number)
    _sort(work, chunk, prefix)
    skip = 0
    if older is not None:
        newer = open_stage(work, prefix, chunk.bounds)
        _merge(work, chunk, older, newer, "" if last else work_prefix("merged", chunk.number))
        # The first token of what is appended was the last one of the index: it has its features.
        skip = 1 if chunk.number == 0 else 0
    names = _write_features(work, chunk.records[skip:], chunk.first + skip)
    work.draft.finish(f"features {chunk.number}", names)


def _sort(work: Work, chunk: _Chunk, prefix: str) -> None:
    """Sort a chunk and find its matches within itself."""
    document_begin, _ = work.document_around(chunk.first)

    def sort_some(low: int, high: int) -> SortedRange:
        begun = chunk.first + int(chunk.bounds[low])
        return sort_range(
            work.text,
            low=low,
            high=high,
            first=chunk.first,
            stop=chunk.stop,
            document_begin=document_begin,
            records=chunk.records,
            with_shared=bool(prefix),
            threads=work.threads,
            advance=_advance(work, SORTING, begun, work.text.tokens.size),
        )

    _go_through(work, chunk, chunk.bounds, prefix, "sort", sort_some)


def _merge(work: Work, chunk: _Chunk, older: Stage, newer: Stage, prefix: str) -> None:
    """Merge a chunk into the older text and bring its records up to date."""
    bounds = older.bounds + newer.bounds
    begin, stop = work.document_around(chunk.first)
    across = (begin, stop) if begin < chunk.first else (0, 0)

    def merge_some(low: int, high: int) -> SortedRange:
        older_order, older_shared, older_bounds = older.part(low, high)
        newer_order, newer_shared, newer_bounds = newer.part(low, high)
        size = older_order.size + newer_order.size
        order = np.empty(size, dtype=np.uint32)
        shared = np.empty(size, dtype=np.uint8) if prefix else None
        merge_range(
            work.text,
            older_order,
            newer_order,
            older_bounds=older_bounds,
            newer_bounds=newer_bounds,
            older_shared=older_shared,
            newer_shared=newer_shared,
            records=chunk.records,
            first=chunk.first,
            document=across,
            out_order=order,
            out_shared=shared,
            threads=work.threads,
            advance=_advance(work, MERGING, int(bounds[low]), int(bounds[-1])),
        )
        return SortedRange(order, shared)

    _go_through(work, chunk, bounds, prefix, "merge", merge_some)


def _go_through(
    work: Work,
    chunk: _Chunk,
    bounds: I64,
    prefix: str,
    verb: str,
    make: Callable[[int, int], SortedRange],
) -> None:
    """Make a stage, one work range after the other, but for those that are finished.

    Args:
        work: The build.
        chunk: The chunk that goes into the stage.
        bounds: (V + 1,) the rank in the stage at which each token's entries begin.
        prefix: Of the stage.
        verb: Names the steps.
        make: Sorts or merges the entries of the tokens from the first argument to before the
            second, and fills their records.
    """
    kept = _KeptRecords(work, chunk, work_prefix(verb, chunk.number) + "records.bin")
    ranges = work_ranges(bounds, work.key_ranges, work.plan.work_entries)
    for step_number, (number, low, high) in enumerate(ranges):
        step = f"{verb} {chunk.number} {step_number}"
        if work.draft.has(step):
            kept.restore(low, high)
            continue
        made = make(low, high)
        names = [stage_file(prefix, "sorted", number)]
        for usable in _usable(work, made.order) if not prefix else [made.order]:
            work.draft.append(names[0], usable)
        if prefix and made.shared is not None:
            names.append(stage_file(prefix, "shared", number))
            work.draft.append(names[1], made.shared)
        work.draft.finish(step, names + kept.keep(low, high))


def _advance(work: Work, phase: str, begun: int, total: int) -> Callable[[int, int], None]:
    return lambda done, _: work.report(phase, begun + done, total, "tokens")


def _usable(work: Work, order: U32) -> list[U32]:
    """An order without the text's last position: nothing is known to follow it."""
    ranks = np.flatnonzero(order == work.text.tokens.size - 1)
    if not ranks.size:
        return [order]
    rank = int(ranks[0])
    return [order[:rank], order[rank + 1 :]]


class _KeptRecords:
    """The records as each step left them, in a file; only of builds that can be gone on with.

    They are not mapped where they stand: a merge that is interrupted must find them as they were.
    """

    def __init__(self, work: Work, chunk: _Chunk, name: str) -> None:
        self._work = work
        self._chunk = chunk
        self._name = name
        self._restored = 0

    def keep(self, low: int, high: int) -> list[str]:
        """Append the records of the tokens from `low` to before `high`; gives the file's name."""
        if not self._work.draft.resumable:
            return []
        for records, chosen in self._blocks(low, high):
            self._work.draft.append(self._name, records[chosen])
        return [self._name]

    def restore(self, low: int, high: int) -> None:
        """Read the records of the tokens from `low` to before `high`, those of the next step."""
        kept = self._work.draft.map(self._name, "uint64").reshape(-1, self._chunk.records.shape[1])
        for records, chosen in self._blocks(low, high):
            count = int(chosen.sum())
            records[chosen] = kept[self._restored : self._restored + count]
            self._restored += count

    def _blocks(self, low: int, high: int) -> Iterator[tuple[Records, NDArray[np.bool_]]]:
        chunk = self._chunk
        for begin in range(chunk.first, chunk.stop, _BLOCK_TOKENS):
            end = min(begin + _BLOCK_TOKENS, chunk.stop)
            tokens = self._work.text.tokens[begin:end]
            yield (
                chunk.records[begin - chunk.first : end - chunk.first],
                (tokens >= low) & (tokens < high),
            )


# --- what is made of it ------------------------------------------------------------------------


def _write_features(work: Work, records: Records, first: int) -> list[str]:
    """Append the features of the positions from `first` on; names of the files."""
    names = [store.feature_file("train", field) for field in store.FEATURE_FIELDS]
    for begin in range(0, len(records), _BLOCK_TOKENS):
        block = features_from(records[begin : begin + _BLOCK_TOKENS], work.text.tokens.dtype)
        for name, field in zip(names, store.FEATURE_FIELDS, strict=True):
            work.draft.append(name, getattr(block, field))
        done = first + min(begin + _BLOCK_TOKENS, len(records))
        work.report(WRITING, done, work.text.tokens.size, "tokens")
    return names


def _write_tables(work: Work) -> None:
    """Write the tables over the sorted positions of each key range."""
    for number in range(len(work.key_ranges)):
        step = f"tables {number}"
        if work.draft.has(step):
            continue
        kinds = _write_range_tables(work, number)
        work.draft.finish(step, [store.range_file(kind, number) for kind in kinds])


def _write_range_tables(work: Work, number: int) -> list[store.RangeKind]:
    """Append the tables of one key range, piece by piece; which ones they are."""
    key_range = work.key_ranges[number]
    stage = open_stage(work, "", work.bounds)
    done, total = key_range.first_rank, int(work.bounds[-1])
    piece = _TABLE_ENTRIES * work.threads
    stop = key_range.first_rank + key_range.entries
    while True:
        order = stage.entries(done, min(done + piece, stop))
        behind = stage.entries(done + order.size, min(done + order.size + 1, stop))
        made = make_tables(
            work.text.tokens,
            order,
            separator=work.text.end,
            max_length=work.text.max_length,
            behind=int(behind[0]) if behind.size else -1,
            threads=work.threads,
        )
        tables: dict[store.RangeKind, NDArray[Any]] = {
            "keys": made.keys,
            "shared": made.shared,
            "latest": made.latest,
            "far": made.far,
        }
        for kind, table in tables.items():
            work.draft.append(store.range_file(kind, number), table)
        done += order.size
        work.report(TABLES, done, total, "tokens")
        if done == stop:
            return list(tables)


def _drop_work(work: Work, step: str, *, keep: str) -> None:
    """Remove all work files but those of one stage."""
    if not work.draft.has(step):
        names = work.draft.work_files()
        work.draft.drop(step, [name for name in names if not keep or not name.startswith(keep)])

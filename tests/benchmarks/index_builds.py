"""What building an index costs: in memory step by step, in chunks, and all of it to disk.

Each measure gives nanoseconds by the key of a figure. n tokens, V vocabulary.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from index_text import Text
from numpy.typing import NDArray

from trainer_core.index import build_from, match_features
from trainer_core.index.building.assembly import Settings
from trainer_core.index.building.build import build
from trainer_core.index.contexts import Text as Contexts
from trainer_core.index.features import features_from
from trainer_core.index.lookups.tables import make_tables
from trainer_core.index.records import Records, empty_records
from trainer_core.index.sorting.engine import sort_range
from trainer_core.index.sorting.merging import merge_range, shared_with_previous
from trainer_core.index.tokens import frozen

MAX_LENGTH = 32
CHUNK_LIMIT_BYTES = 8
CHUNK_LIMIT_LEAST_BYTES = 8 << 20
"""A memory limit of so many bytes for each token, and these, makes a few chunks of a long text."""
Values = dict[str, float]


def seconds(work: Callable[[], object]) -> float:
    """How long a piece of work takes."""
    begun_s = time.perf_counter()
    work()
    return time.perf_counter() - begun_s


def warm_up(text: Text) -> None:
    """Have everything compiled that is measured here."""
    few = replace(text, tokens=text.tokens[: 1 << 16])
    in_memory(few, 1)
    features(few)
    merge(few, 1)


def yardstick(n: int) -> Values:
    """What `numpy.sort` takes for each of n 32-bit keys."""
    keys = np.random.default_rng(1).integers(0, 1 << 32, n, dtype=np.uint32)
    return {"sort": seconds(lambda: np.sort(keys)) * 1e9 / n}


def _contexts(text: Text) -> Contexts:
    return Contexts(frozen(text.tokens), text.separator, 1, MAX_LENGTH)


def _sort(text: Text, first: int, stop: int, records: Records, threads: int) -> NDArray[np.uint32]:
    """Sort and settle the positions from `first` to before `stop` as one chunk."""
    starts = text.document_start
    return sort_range(
        _contexts(text),
        low=0,
        high=text.vocab_size,
        first=first,
        stop=stop,
        document_begin=int(starts[np.searchsorted(starts, first, side="right") - 1]),
        records=records,
        threads=threads,
    ).order


def in_memory(text: Text, threads: int) -> Values:
    """The sorted positions, all features and the tables for lookups, without a disk."""
    n = text.tokens.size
    begun_s = time.perf_counter()
    records = empty_records(n, text.tokens.dtype)
    order = _sort(text, 0, n, records, threads)
    features_from(records, text.tokens.dtype)
    usable = order[order != n - 1]
    tables_s = seconds(
        lambda: make_tables(
            text.tokens,
            usable,
            separator=text.separator,
            max_length=MAX_LENGTH,
            threads=threads,
        )
    )
    build_s = time.perf_counter() - begun_s
    return {"build": build_s * 1e9 / n, "tables": tables_s * 1e9 / n}


def features(text: Text) -> Values:
    """Features alone, as arrays."""
    starts = text.document_start
    taken_s = seconds(
        lambda: match_features(text.tokens, document_start=starts, max_length=MAX_LENGTH)
    )
    return {"features": taken_s * 1e9 / text.tokens.size}


def merge(text: Text, threads: int) -> Values:
    """Two chunks of half the text each become one."""
    n, first = text.tokens.size, text.tokens.size // 2
    orders, records = [], np.empty(0)
    for begin, stop in ((0, first), (first, n)):
        records = empty_records(stop - begin, text.tokens.dtype)
        orders.append(_sort(text, begin, stop, records, threads))
    counts = [
        np.bincount(text.tokens[part], minlength=text.vocab_size)
        for part in (slice(0, first), slice(first, n))
    ]
    bounds = [np.concatenate([[0], np.cumsum(count)]) for count in counts]
    starts = text.document_start
    at = int(np.searchsorted(starts, first, side="right"))
    document = (int(starts[at - 1]), int(starts[at]) if at < starts.size else n)
    merged = np.empty(n, dtype=np.uint32)
    contexts = _contexts(text)
    shared: list[NDArray[np.uint8]] = []
    shared_s = seconds(
        lambda: shared.extend(shared_with_previous(contexts, order, threads) for order in orders)
    )
    merge_s = seconds(
        lambda: merge_range(
            contexts,
            *orders,
            older_bounds=bounds[0],
            newer_bounds=bounds[1],
            older_shared=shared[0],
            newer_shared=shared[1],
            records=records,
            first=first,
            document=document if document[0] < first else (0, 0),
            out_order=merged,
            out_shared=np.empty(n, dtype=np.uint8),
            threads=threads,
        )
    )
    return {"merge": merge_s * 1e9 / n, "shared": shared_s * 1e9 / n}


def to_disk(text: Text, threads: int, folder: Path) -> Values:
    """The whole build, from tokens to a finished folder."""
    return {"build_disk": _built(text, folder, text.tokens.size, threads=threads)}


def in_chunks(text: Text, threads: int, folder: Path) -> Values:
    """The whole build with memory for a few chunks."""
    limit_bytes = CHUNK_LIMIT_LEAST_BYTES + text.tokens.size * CHUNK_LIMIT_BYTES
    taken_ns = _built(
        text, folder, text.tokens.size, threads=threads, memory_limit_bytes=limit_bytes
    )
    return {"build_chunks": taken_ns}


def append(text: Text, threads: int, folder: Path) -> Values:
    """The last tenth of the documents, appended to an index of the others; it stays."""
    starts = text.document_start
    older = int(starts[np.searchsorted(starts, text.tokens.size * 10 // 11)])
    _built(text, folder, older, threads=threads)
    settings = Settings(MAX_LENGTH, None, threads, append_to="what is there")
    taken_s = seconds(lambda: build(text.source(text.tokens.size), folder, settings))
    return {"append": taken_s * 1e9 / (text.tokens.size - older)}


def _built(text: Text, folder: Path, n: int, **settings: int) -> float:
    """Nanoseconds that the index of the first n tokens takes for each."""
    shutil.rmtree(folder, ignore_errors=True)
    source = text.source(n)
    return seconds(lambda: build_from(source, folder, max_length=MAX_LENGTH, **settings)) * 1e9 / n

"""How much of a text is sorted at a time, so that a build keeps to its memory.

A *chunk* is a range of positions: a build that has room for all takes one, else chunks are sorted
one after the other and each is merged into what is there. Within a chunk, work goes through *work
ranges*: ranges of tokens, within one key range of the index.
"""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

import contextlib
import itertools
import math
from pathlib import Path

import msgspec
import numpy as np
import psutil
from numpy.typing import NDArray

from trainer_core.index.records import words_of
from trainer_core.index.sorting.engine import working_bytes
from trainer_core.index.store import KeyRange, cut_ranges

AUTOMATIC_LEAST_BYTES = 256 << 20
_CONTAINER = Path("/sys/fs/cgroup")
"""Where Linux tells a container how much memory it may have."""
_WORK_ENTRIES = 1 << 24
"""A work range of so many entries is large enough; the text is read once or twice for each."""
_CHUNKS_MAX = 1024
_PASSES_MAX = 64
_TEXT_SHARE = 0.25


class BuildPlan(msgspec.Struct, frozen=True, kw_only=True):
    """In which steps an index is built; kept with the draft, so that it can be gone on with.

    Attributes:
        version: Of the format and the steps.
        source: Hash of everything that the index is to hold, and of its settings.
        base: Fingerprint of the index that is appended to; empty where there is none.
        range_entries: Entries that a key range has at most.
        chunks: First position of each chunk and the one behind its last.
        work_entries: Entries that a work range has at most, where no token alone has more.
    """

    version: int
    source: str
    base: str
    range_entries: int
    chunks: tuple[tuple[int, int], ...]
    work_entries: int


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """What decides how much memory a build needs.

    Attributes:
        dtype: Of the tokens, `uint16` or `uint32`.
        text_bytes: Of the text, where it is kept in memory.
        vocab_size: Different tokens that there may be.
        largest_share: Share of the most frequent token.
        threads: How many sort.
    """

    dtype: str
    text_bytes: int
    vocab_size: int
    largest_share: float
    threads: int

    def bytes_for(self, chunk_tokens: int, work_entries: int) -> float:
        """Memory that chunks and work ranges of these sizes take, in bytes."""
        dtype = np.dtype(self.dtype)
        records = chunk_tokens * 8 * words_of(dtype)
        bounds = 8 * 8 * (self.vocab_size + 1)
        entries = min(max(work_entries, self.largest_token(chunk_tokens)), chunk_tokens)
        largest = min(self.largest_token(chunk_tokens), entries)
        work = working_bytes(entries, largest, self.threads, dtype.itemsize)
        return self.text_bytes + records + bounds + work

    def largest_token(self, chunk_tokens: int) -> int:
        """Entries of the most frequent token in a chunk, which may have more than its share."""
        return min(int(2 * self.largest_share * chunk_tokens) + 1, chunk_tokens)


def automatic_limit() -> int:
    """Half of the memory that is free, in bytes."""
    free = int(psutil.virtual_memory().available)
    with contextlib.suppress(OSError, ValueError):  # no container, or one without a limit
        limit = int((_CONTAINER / "memory.max").read_text())
        free = min(free, limit - int((_CONTAINER / "memory.current").read_text()))
    return max(free // 2, AUTOMATIC_LEAST_BYTES)


def text_fits(text_bytes: int, limit_bytes: int) -> bool:
    """Whether a text may be kept in memory; else the system caches what it can of it."""
    return text_bytes <= limit_bytes * _TEXT_SHARE


def cut_chunks(
    first: int, stop: int, need: Need, limit_bytes: int
) -> tuple[tuple[tuple[int, int], ...], int]:
    """As few chunks as a memory limit allows, and the entries of a work range.

    Args:
        first: The first position.
        stop: The position behind the last.
        need: What it depends on.
        limit_bytes: Memory that the build's arrays may take. What does not depend on the size of
            chunks is needed whatever the limit; at least as much again is left to them, since
            countless tiny chunks would take for ever.
    """
    size = stop - first
    limit_bytes = max(limit_bytes, 2 * math.ceil(need.bytes_for(0, 0)))
    for count in range(1, _CHUNKS_MAX + 1):
        chunk = -(-size // count)
        work = _largest_work(need, chunk, limit_bytes)
        if work >= max(need.largest_token(chunk), chunk // _PASSES_MAX):
            break
    bounds = [*range(first, stop, chunk), stop]
    return tuple(itertools.pairwise(bounds)), max(work, 1)


def _largest_work(need: Need, chunk_tokens: int, limit_bytes: int) -> int:
    """Entries of the largest work range that fits, by halving; 0 if none does."""
    wanted = max(_WORK_ENTRIES, chunk_tokens // 8, need.largest_token(chunk_tokens))
    entries = min(wanted, chunk_tokens)
    while entries and need.bytes_for(chunk_tokens, entries) > limit_bytes:
        entries //= 2
    return entries


def work_ranges(
    bounds: NDArray[np.int64], key_ranges: tuple[KeyRange, ...], work_entries: int
) -> list[tuple[int, int, int]]:
    """Number of the key range, first token and the token behind the last of each work range.

    Args:
        bounds: (V + 1,) the rank at which each token's entries begin.
        key_ranges: Of the index.
        work_entries: Entries that a work range has at most, where no token alone has more.
    """
    found = []
    for number, key_range in enumerate(key_ranges):
        first = key_range.first_token
        for part in cut_ranges(bounds[first : key_range.stop_token + 1], work_entries):
            found.append((number, first + part.first_token, first + part.stop_token))
    return found

"""What asking an index costs: from memory and from a cold disk, compiled and from Python.

Contexts are those of held-out text. Each measure gives values by the key of a figure.
"""

from __future__ import annotations

import gc
import os
import resource
import time
from pathlib import Path

import numpy as np
from index_builds import MAX_LENGTH, Values, seconds
from index_text import Text
from numpy.typing import NDArray

from trainer_core.index import MatchIndex, held_out_features, open_index
from trainer_core.index.lookups import search
from trainer_core.index.lookups.desk import ANSWER_FIELDS, Desk
from trainer_core.index.tokens import frozen

QUERIES = 100_000
PYTHON_QUERIES = 20_000
BATCH = 4096
COLD_FIRST = 512
"""Lookups before those that are measured, for what is read once and not by each."""
COLD_QUERIES = 4096
COLD_PAUSE_S = 0.5
PAGE_BYTES = 4096


def _ends(text: Text, count: int, seed: int) -> NDArray[np.int64]:
    """Random places in the held-out text, where contexts end."""
    random = np.random.default_rng(seed)
    return random.integers(MAX_LENGTH, text.held_out.size, count)


def _contexts(text: Text, count: int, seed: int) -> list[NDArray[np.uint16]]:
    return [text.held_out[end + 1 - MAX_LENGTH : end + 1] for end in _ends(text, count, seed)]


def warm(text: Text, folder: Path, seed: int) -> Values:
    """Lookups in an index whose files are in memory."""
    index = open_index(folder, verify=True)  # which reads all of it
    contexts = _contexts(text, PYTHON_QUERIES, seed)
    index.lookup_batch(contexts)
    index.lookup(contexts[0])  # compiles
    index.stream().advance(text.separator)

    def one_by_one() -> None:
        for context in contexts:
            index.lookup(context)

    def in_batches() -> None:
        for begin in range(0, len(contexts), BATCH):
            index.lookup_batch(contexts[begin : begin + BATCH])

    stream = index.stream()
    following = [int(token) for token in text.held_out[:PYTHON_QUERIES]]

    def as_stream() -> None:
        for token in following:
            stream.advance(token)

    held_out = text.held_out[:QUERIES]
    starts = np.flatnonzero(held_out == text.separator)
    held_out_features(index, held_out[:1000], [0])
    features_s = seconds(lambda: held_out_features(index, held_out, starts))
    return {
        **_compiled(index, text, seed),
        "python": seconds(one_by_one) * 1e6 / len(contexts),
        "python_batch": seconds(in_batches) * 1e6 / len(contexts),
        "python_stream": seconds(as_stream) * 1e6 / len(following),
        "held_out": features_s * 1e9 / held_out.size,
    }


def _compiled(index: MatchIndex, text: Text, seed: int) -> Values:
    """Lookups without what Python adds to each."""
    ends = _ends(text, QUERIES, seed)
    starts = np.flatnonzero(text.held_out == text.separator)
    begins = starts[np.searchsorted(starts, ends, side="right") - 1]
    limits = np.minimum(ends - begins + 1, MAX_LENGTH).astype(np.uint8)
    following = text.held_out[:QUERIES]

    desk = Desk(index.arrays, 1)
    answers = np.empty((ends.size, ANSWER_FIELDS), dtype=np.int64)
    first = int(text.held_out.ctypes.data)

    def one_after_the_other() -> None:
        search.begin_many(desk.address, 1)
        search.answer_many(desk.address, 1, first, frozen(ends), frozen(limits), answers)

    def at_once() -> None:
        index.answers(text.held_out, ends, limits)

    one_after_the_other()  # compiles, and has the tables' first pages at hand
    at_once()
    index.stream().read(following[:100])
    stream, own_stream = index.stream(own_context=False), index.stream()
    return {
        "single": seconds(one_after_the_other) * 1e6 / ends.size,
        "batch": seconds(at_once) * 1e6 / ends.size,
        "stream": seconds(lambda: stream.read(following)) * 1e6 / following.size,
        "stream_own": seconds(lambda: own_stream.read(following)) * 1e6 / following.size,
    }


def cold(text: Text, folder: Path, seed: int) -> Values:
    """Lookups in an index of whose files nothing is in memory but what all lookups share."""
    contexts = _contexts(text, COLD_FIRST + COLD_QUERIES, seed)
    found: Values = {}
    for key, batched in (("cold", True), ("cold_single", False)):
        index = _evicted(folder)
        index.lookup_batch(contexts[:COLD_FIRST])
        time.sleep(COLD_PAUSE_S)  # what that has asked for comes in
        before = _pages_read()
        begun_s = time.perf_counter()
        if batched:
            index.lookup_batch(contexts[COLD_FIRST:])
        else:
            for context in contexts[COLD_FIRST:]:
                index.lookup(context)
        taken_s = time.perf_counter() - begun_s
        found[key] = taken_s * 1e6 / COLD_QUERIES
        found[f"{key}_reads"] = (_pages_read() - before) / COLD_QUERIES
        del index
    return found


def _evicted(folder: Path) -> MatchIndex:
    """The index opened anew, after its files have left the system's memory."""
    gc.collect()  # what is still mapped would stay
    for path in folder.iterdir():
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
    return open_index(folder)


def _pages_read() -> float:
    """Pages that this process has had read from a disk so far, on demand and ahead of it."""
    lines = Path("/proc/self/io").read_text().splitlines()
    fields = dict(line.split(": ") for line in lines)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_majflt
    return max(int(fields["read_bytes"]) / PAGE_BYTES, faults)


def sizes(folder: Path, n_tokens: int) -> Values:
    """Bytes on disk for each token: of what lookups need, and of the features."""
    features = index = 0
    for path in folder.iterdir():
        if path.name.startswith(("train-", "validation-")):
            features += path.stat().st_size
        else:
            index += path.stat().st_size
    return {"index_bytes": index / n_tokens, "feature_bytes": features / n_tokens}

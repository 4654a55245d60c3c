"""Reads a Hearth index with numpy alone: the longest match of a text and what followed it.

This file stands by itself, so that it can be copied beside an exported model. It needs some files
of an index folder, see `needed_files`, and answers like Hearth itself: the longest run of tokens
that ends the text and also stands in the training text or earlier in the text itself; the longer
match wins, a tie goes to the text itself, and among equals the most recent one counts. Where both
are equally long, the occurrences of both are counted.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

FORMAT_VERSION = 2

N_COUNTS = 16
_BLOCK_ENTRIES = 1 << 20


def needed_files(manifest: dict[str, Any]) -> list[str]:
    """Names of the files of an index folder that are needed here.

    Args:
        manifest: What its `manifest.json` says.
    """
    ranges = [f"sorted-{number:03}.bin" for number in range(len(manifest["ranges"]))]
    return ["manifest.json", "tokens.bin", "buckets.bin", *ranges]


def count_bucket(count: int) -> int:
    """Number of the bucket that a number of occurrences belongs to: 0, 1, 2, 3, 4-7, 8-15, ..."""
    return count if count < 4 else min(count.bit_length() + 1, N_COUNTS - 1)


class PortableMatch(NamedTuple):
    """The longest match of a text."""

    length: int = 0
    """Tokens in it; 0 without a match, and then the rest is 0 and -1."""
    next: int = 0
    """What followed its most recent occurrence."""
    occurrences: int = 0
    """How often the run occurs."""
    second: int = -1
    """The latest other token that followed it; -1 where all agree."""


class PortableRange(NamedTuple):
    """The sorted positions of some consecutive tokens of the vocabulary."""

    stop_token: int
    """The token behind its last one."""
    first_rank: int
    """Rank of its first position among all of the index."""
    order: np.ndarray
    """(m,) positions."""


class PortableIndex:
    """An index opened for lookups; see `open_portable_index`."""

    def __init__(
        self,
        tokens: np.ndarray,
        ranges: list[PortableRange],
        bounds: np.ndarray,
        separator: int,
        max_length: int,
    ) -> None:
        self.tokens = tokens
        self.ranges = ranges
        self.bounds = bounds
        self.separator = separator
        self.max_length = max_length

    def stream(self) -> "PortableStream":
        """A reader that is given one token after the other."""
        return PortableStream(self)

    def lookup(self, context: "np.ndarray | list[int]") -> PortableMatch:
        """The longest match of a text, its own earlier part included.

        Args:
            context: (t,) tokens, the latest last.
        """
        tokens = [int(token) for token in context]
        for begin in range(len(tokens) - 1, 0, -1):
            if tokens[begin] == self.separator:
                tokens = tokens[begin:]
                break
        stream = self.stream()
        found = PortableMatch()
        for token in tokens[:-1]:
            stream.remember(token)
        for token in tokens[-1:]:
            found = stream.advance(token)
        return found

    def answer(self, length: int, run: np.ndarray) -> tuple[PortableMatch, int]:
        """What `run` found as a match, and where its most recent occurrence ends; -1 for none."""
        if not length:
            return PortableMatch(), -1
        latest = max(int(block.max()) for block in self._blocks(run))
        following = int(self.tokens[latest + 1])
        other = -1
        for block in self._blocks(run):
            differing = block[self.tokens[block + 1] != following]
            other = max(other, int(differing.max(initial=-1)))
        second = int(self.tokens[other + 1]) if other >= 0 else -1
        return PortableMatch(length, following, int(run.size), second), latest

    def run(self, window: np.ndarray) -> tuple[int, np.ndarray]:
        """Length of a window's longest match, and the positions at which its occurrences end.

        Args:
            window: (t,) int64, at most `max_length` tokens, the latest last.
        """
        separators = np.flatnonzero(window == self.separator)
        if separators.size:
            window = window[separators[-1] :]
        token = int(window[-1]) if window.size else -1
        if not 0 <= token < self.bounds.size - 1:
            return 0, np.zeros(0, dtype=np.uint32)
        part = next(part for part in self.ranges if token < part.stop_token)
        bounds = np.clip(self.bounds[token : token + 2] - part.first_rank, 0, part.order.size)
        order = part.order[int(bounds[0]) : int(bounds[1])]
        if not order.size:
            return 0, order
        rank = self._first(window, order, after=False)
        neighbours = order[max(rank - 1, 0) : rank + 1]
        length = max(self._shared(window, int(position)) for position in neighbours)
        run = window[window.size - length :]
        begin = min(self._first(run, order, after=False), order.size - 1)
        end = max(self._first(run, order, after=True), begin + 1)
        return length, order[begin:end]

    def _blocks(self, run: np.ndarray) -> "list[np.ndarray]":
        """A run's positions, some at a time, held inside the text."""
        pieces = range(0, run.size, _BLOCK_ENTRIES)
        blocks = (run[at : at + _BLOCK_ENTRIES].astype(np.int64) for at in pieces)
        return [np.minimum(block, self.tokens.size - 2) for block in blocks]

    def _inside(self, position: int) -> int:
        """A position of a file, held inside the text: the file may be damaged."""
        return min(position, self.tokens.size - 2)

    def _shared(self, window: np.ndarray, position: int) -> int:
        """How many tokens the window shares with the text up to a position, from the end."""
        position = self._inside(position)
        size = min(window.size, position + 1)
        there = self.tokens[position + 1 - size : position + 1][::-1]
        differ = np.flatnonzero(there != window[::-1][:size])
        return int(differ[0]) if differ.size else size

    def _first(self, window: np.ndarray, order: np.ndarray, *, after: bool) -> int:
        """The first rank that does not come before the window, or the first one after it."""
        low, high = 0, order.size
        while low < high:
            middle = (low + high) // 2
            position = self._inside(int(order[middle]))
            shared = self._shared(window, position)
            if shared == window.size:
                before = after
            else:
                place = position - shared
                before = place < 0 or int(self.tokens[place]) < int(window[-1 - shared])
            if before:
                low = middle + 1
            else:
                high = middle
        return low


class PortableStream:
    """A text that grows; for each of its tokens it knows how long a run ends both there and at its
    end. A separator begins a new document.
    """

    def __init__(self, index: PortableIndex) -> None:
        self.index = index
        self._tokens = np.zeros(256, dtype=np.int64)
        self._runs = np.zeros(256, dtype=np.int64)
        self._size = 0

    def remember(self, token: int) -> None:
        """Read a token without looking for its match in the training text."""
        if token == self.index.separator:
            self._size = 0
        if self._size == self._tokens.size:
            self._tokens = np.concatenate([self._tokens, np.zeros_like(self._tokens)])
            self._runs = np.concatenate([self._runs, np.zeros_like(self._runs)])
        size = self._size
        grown = np.zeros(size, dtype=np.int64)
        grown[1:] = self._runs[: max(size - 1, 0)]
        grown = np.minimum(grown + 1, self.index.max_length)
        self._runs[:size] = np.where(self._tokens[:size] == token, grown, 0)
        self._runs[size] = 0
        self._tokens[size] = token
        self._size = size + 1

    def advance(self, token: int) -> PortableMatch:
        """Read a token; the longest match of the text that it ends."""
        self.remember(token)
        window = self._tokens[max(self._size - self.index.max_length, 0) : self._size]
        found, _ = self.index.answer(*self.index.run(window))
        runs = self._runs[: self._size - 1]
        length = int(runs.max(initial=0))
        return self._own(length, runs, found) if length and length >= found.length else found

    def _own(self, length: int, runs: np.ndarray, found: PortableMatch) -> PortableMatch:
        """The text's own match, which is no shorter than the one in the training text."""
        follows = self._tokens[np.flatnonzero(runs == length) + 1]
        following, count = int(follows[-1]), int(follows.size)
        others = follows[follows != following]
        second = int(others[-1]) if others.size else -1
        if length == found.length:
            count += found.occurrences
            if second < 0:
                second = found.next if found.next != following else found.second
        return PortableMatch(length, following, count, second)


def _map(path: Path, dtype: str) -> np.ndarray:
    if path.stat().st_size == 0:  # an empty file cannot be mapped
        return np.zeros(0, dtype=dtype)
    return np.asarray(np.memmap(path, dtype=np.dtype(dtype).newbyteorder("<"), mode="r"))


def open_portable_index(folder: "str | Path") -> PortableIndex:
    """Open an index folder.

    Raises:
        OSError: A file is missing or cannot be read.
        ValueError: The index has another format, or a file is not as long as it should be.
    """
    folder = Path(folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    if manifest["version"] != FORMAT_VERSION:
        raise ValueError(f"{folder} has another index format than this file can read.")
    _, _, _, *sorted_files = needed_files(manifest)
    tokens = _map(folder / "tokens.bin", manifest["dtype"])
    bounds = _map(folder / "buckets.bin", "int64")
    ranges = [
        PortableRange(part["stop_token"], part["first_rank"], _map(folder / name, "uint32"))
        for part, name in zip(manifest["ranges"], sorted_files, strict=True)
    ]
    sizes = [tokens.size, bounds.size, *(part.order.size for part in ranges)]
    expected = [part["entries"] for part in manifest["ranges"]]
    if sizes != [manifest["n_tokens"], manifest["vocab_size"] + 1, *expected]:
        raise ValueError(f"A file of the index {folder} is cut off; copy the folder again.")
    return PortableIndex(tokens, ranges, bounds, manifest["separator"], manifest["max_length"])

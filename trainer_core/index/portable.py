"""Reads a Hearth index with numpy alone: the longest match of a text and what followed it.

This file stands by itself, so that it can be copied beside an exported model. It needs the files
`manifest.json`, `tokens.bin`, `sorted-000.bin` and `buckets.bin` of an index folder and answers
like Hearth itself: the longest run of tokens that ends the text and also stands in the training
text or earlier in the text itself; the longer match wins, a tie goes to the text itself, and among
equals the most recent one counts.
"""

import json
from pathlib import Path

import numpy as np

FORMAT_VERSION = 2
FILES = ("manifest.json", "tokens.bin", "sorted-000.bin", "buckets.bin")
"""What of an index folder is needed here."""


class PortableIndex:
    """An index opened for lookups; see `open_portable_index`."""

    def __init__(
        self,
        tokens: np.ndarray,
        order: np.ndarray,
        bounds: np.ndarray,
        separator: int,
        max_length: int,
    ) -> None:
        self.tokens = tokens
        self.order = order
        self.bounds = bounds
        self.separator = separator
        self.max_length = max_length

    def stream(self) -> "PortableStream":
        """A reader that is given one token after the other."""
        return PortableStream(self)

    def lookup(self, context: "np.ndarray | list[int]") -> tuple[int, int]:
        """(next, length) of the longest match of a text, its own earlier part included.

        Args:
            context: (t,) tokens, the latest last.
        """
        tokens = [int(token) for token in context]
        for begin in range(len(tokens) - 1, 0, -1):
            if tokens[begin] == self.separator:
                tokens = tokens[begin:]
                break
        stream = self.stream()
        found = (0, 0)
        for token in tokens[:-1]:
            stream.remember(token)
        for token in tokens[-1:]:
            found = stream.advance(token)
        return found

    def longest(self, window: np.ndarray) -> tuple[int, int]:
        """(next, length) of the longest match of a window in the training text.

        Args:
            window: (t,) int64, at most `max_length` tokens, a separator in the first place only.
        """
        token = int(window[-1])
        if not 0 <= token < self.bounds.size - 1:
            return 0, 0
        low, high = int(self.bounds[token]), int(self.bounds[token + 1])
        if low == high:
            return 0, 0
        rank = self._first(window, low, high, after=False)
        length = max(self._shared(window, r) for r in (rank - 1, rank) if low <= r < high)
        run = window[window.size - length :]
        begin = self._first(run, low, high, after=False)
        end = self._first(run, begin, high, after=True)
        return int(self.tokens[int(self.order[begin:end].max()) + 1]), length

    def _shared(self, window: np.ndarray, rank: int) -> int:
        """How many tokens the window shares with the training text at a rank, from the end."""
        position = int(self.order[rank])
        size = min(window.size, position + 1)
        there = self.tokens[position + 1 - size : position + 1][::-1]
        differ = np.flatnonzero(there != window[::-1][:size])
        return int(differ[0]) if differ.size else size

    def _first(self, window: np.ndarray, low: int, high: int, *, after: bool) -> int:
        """The first rank that does not come before the window, or the first one after it."""
        while low < high:
            middle = (low + high) // 2
            shared = self._shared(window, middle)
            if shared == window.size:
                before = after
            else:
                place = int(self.order[middle]) - shared
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

    def advance(self, token: int) -> tuple[int, int]:
        """Read a token; (next, length) of the longest match of the text that it ends."""
        self.remember(token)
        window = self._tokens[max(self._size - self.index.max_length, 0) : self._size]
        following, length = self.index.longest(window)
        runs = self._runs[: self._size - 1]
        own_length = int(runs.max(initial=0))
        if own_length and own_length >= length:
            place = int(np.flatnonzero(runs == own_length)[-1])
            return int(self._tokens[place + 1]), own_length
        return following, length


def _map(path: Path, dtype: str) -> np.ndarray:
    if path.stat().st_size == 0:  # an empty file cannot be mapped
        return np.zeros(0, dtype=dtype)
    return np.asarray(np.memmap(path, dtype=np.dtype(dtype).newbyteorder("<"), mode="r"))


def open_portable_index(folder: "str | Path") -> PortableIndex:
    """Open an index folder.

    Raises:
        OSError: A file is missing or cannot be read.
        ValueError: The index has a newer format, or a file is not as long as it should be.
    """
    folder = Path(folder)
    manifest = json.loads((folder / FILES[0]).read_text(encoding="utf-8"))
    if manifest["version"] > FORMAT_VERSION:
        raise ValueError(f"{folder} has a newer index format than this file can read.")
    tokens = _map(folder / FILES[1], manifest["dtype"])
    order = _map(folder / FILES[2], "uint32")
    bounds = _map(folder / FILES[3], "int64")
    n_tokens = manifest["n_tokens"]
    sizes = (n_tokens, n_tokens - 1, manifest["vocab_size"] + 1)
    if (tokens.size, order.size, bounds.size) != sizes:
        raise ValueError(f"A file of the index {folder} is cut off; copy the folder again.")
    return PortableIndex(tokens, order, bounds, manifest["separator"], manifest["max_length"])

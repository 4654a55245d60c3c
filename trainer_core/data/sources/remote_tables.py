"""Parquet files on the Hub, read over the network: one column, one group of rows after another.

The library `datasets` streams them as well, but begins a file anew where it was interrupted, and
fetches every column; files of the Hub have gigabytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

PIECE_BYTES = 16 << 20
"""Fetched at once at most; the column of a group of rows is seldom as large."""
_ROWS_AT_ONCE = 64


class RemoteTables:
    """The rows of some files, with a state to go on from, as an `IterableDataset` has it.

    Args:
        addresses: Of the files, such as `hf://datasets/org/tales@main/train.parquet`, in order.
        column: The only one that is read.
    """

    def __init__(self, addresses: Sequence[str], column: str) -> None:
        self._addresses, self._column = addresses, column
        self._file = self._group = self._row = 0
        """What is read next."""

    def state_dict(self) -> list[int]:
        """What is read next: file, group of rows, row of it."""
        return [self._file, self._group, self._row]

    def load_state_dict(self, state: Sequence[int]) -> None:
        """Go on from there at the next iteration."""
        self._file, self._group, self._row = state

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The rows that are left, {column: value}."""
        while self._file < len(self._addresses):
            yield from self._rows_of_file(self._addresses[self._file])
            self._file, self._group = self._file + 1, 0

    def _rows_of_file(self, address: str) -> Iterator[dict[str, Any]]:
        import pyarrow.parquet
        from huggingface_hub import HfFileSystem

        with HfFileSystem().open(address, "rb", cache_type="none") as remote:
            file = _Ahead(remote)
            # Arrow's own reading ahead is done by threads that outlive the one who reads.
            table = pyarrow.parquet.ParquetFile(file, pre_buffer=False)
            metadata = table.metadata
            column = metadata.schema.names.index(self._column)
            while self._group < metadata.num_row_groups:
                chunk = metadata.row_group(self._group).column(column)
                first = chunk.dictionary_page_offset or chunk.data_page_offset
                file.expected_end = first + chunk.total_compressed_size
                yield from self._rows_of_group(table)
                self._group, self._row = self._group + 1, 0

    def _rows_of_group(self, table: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - Arrow has no types
        passed = 0
        for batch in table.iter_batches(
            _ROWS_AT_ONCE, row_groups=[self._group], columns=[self._column], use_threads=False
        ):
            values = batch.column(0)
            first = max(self._row - passed, 0)
            passed += len(values)
            for value in values[first:] if first else values:
                self._row += 1
                yield {self._column: value.as_py()}


class _Ahead:
    """A remote file that fetches what will be read next in one go.

    Args:
        remote: Can be read in any order; each read asks the network.

    Attributes:
        expected_end: Up to here is read in a moment.
    """

    closed = False

    def __init__(self, remote: Any) -> None:  # noqa: ANN401 - a file of fsspec
        self.expected_end = 0
        self._remote = remote
        self._at = 0
        self._held, self._held_from = b"", 0

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""
        if size < 0:
            size = self._remote.size - self._at
        begin = self._at - self._held_from
        if not 0 <= begin <= begin + size <= len(self._held):
            ahead = min(self.expected_end - self._at, PIECE_BYTES)
            self._remote.seek(self._at)
            self._held, self._held_from, begin = self._remote.read(max(size, ahead)), self._at, 0
        data = self._held[begin : begin + size]
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place, as files do."""
        self._at = offset + (0, self._at, self._remote.size)[whence]
        return self._at

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._at

    def close(self) -> None:
        """The one who opened the file closes it."""

"""Parquet files on the Hub, read over the network: one column, one group of rows after another.

The library `datasets` streams them as well, but begins a file anew where it was interrupted, and
fetches every column; files of the Hub have gigabytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

WHOLE_BYTES = 64 << 20
"""A group whose column is larger is fetched in pieces, so that memory stays flat."""
PIECE_BYTES = 8 << 20
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

        with HfFileSystem().open(address, "rb", cache_type="none") as file:
            metadata = pyarrow.parquet.read_metadata(file)
            column = metadata.schema.names.index(self._column)
            while self._group < metadata.num_row_groups:
                size_bytes = metadata.row_group(self._group).column(column).total_compressed_size
                is_small = size_bytes <= WHOLE_BYTES
                table = pyarrow.parquet.ParquetFile(
                    file,
                    metadata=metadata,
                    pre_buffer=is_small,
                    buffer_size=0 if is_small else PIECE_BYTES,
                )
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

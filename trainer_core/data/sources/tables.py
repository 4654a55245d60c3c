"""Tables: comma- or tab-separated text and Parquet, of which one column holds the documents."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any

from trainer_core.data.sources.documents import RECORD_BYTES, FoundDocument, LeaveOut
from trainer_core.data.sources.fields import column_with_text, text_in
from trainer_core.data.sources.packed import Budget
from trainer_core.data.sources.reading import NoText, Readable, record_parts
from trainer_core.data.sources.records import lines

if TYPE_CHECKING:
    import pyarrow.parquet

ROWS_AT_ONCE = 64
PAGE_BYTES = 1 << 20
DELIMITERS = (",", ";", "\t", "|")
_LONGEST_FIELD = 2**31 - 1  # the limit is kept by the lines, which say where it was passed


# --- text --------------------------------------------------------------------------------------


class _Rows:
    """The lines of a table as the `csv` module wants them, never too many for one row."""

    def __init__(self, stream: Readable) -> None:
        self.characters = 0
        """Read since the caller last set this to 0, which it does for every row."""
        self._lines = lines(stream)

    def __iter__(self) -> Iterator[str]:
        first = True
        for line in self._lines:
            # Bytes that are no UTF-8 become surrogates, so that only their rows are lost.
            text = "" if line is None else line.decode("utf-8", "surrogateescape")
            self.characters += len(text)
            if line is None or self.characters > RECORD_BYTES:
                raise NoText("too_long")
            yield text.removeprefix("\ufeff") if first else text
            first = False


def table_documents(
    stream: Readable, title: str, path: str, wanted: str, leave_out: LeaveOut
) -> Iterator[FoundDocument]:
    """The documents of a table in text, one a row; its first row names the columns.

    Raises:
        NoText: There is no such column, or the file cannot be read any further.
    """
    csv.field_size_limit(_LONGEST_FIELD)
    rows = _Rows(stream)
    texts = iter(rows)
    header_line = next(texts, "")
    delimiter = max(DELIMITERS, key=header_line.count)
    names = next(csv.reader([header_line], delimiter=delimiter), [])
    if not header_line.strip():
        raise NoText("empty")
    column = names.index(column_with_text(names, wanted))
    for number, row in enumerate(_cells(csv.reader(texts, delimiter=delimiter)), 1):
        rows.characters = 0
        place = f" row {number}"
        try:
            text = _unescaped(row[column] if column < len(row) else ...)
            yield FoundDocument(title + place, path + place, record_parts(text))
        except NoText as error:
            leave_out(error.reason, path + place)


def _cells(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    """The rows that are not blank.

    Raises:
        NoText: The rest is no table.
    """
    try:
        for row in reader:
            if row:
                yield row
    except csv.Error:
        raise NoText("broken") from None


def _unescaped(value: Any) -> str:  # noqa: ANN401 - a string or `...`
    text = text_in(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NoText("not_utf8") from None
    return text


# --- Parquet -----------------------------------------------------------------------------------


def parquet_documents(
    file: IO[bytes], title: str, path: str, wanted: str, budget: Budget, leave_out: LeaveOut
) -> Iterator[FoundDocument]:
    """The documents of a Parquet file, one a row.

    Args:
        file: Can be read in any order.
        title: Short name of the file.
        path: Whole name of the file.
        wanted: Name of the column; empty finds it.
        budget: Of the file; a dictionary page can repeat one long text a billion times.
        leave_out: Told of rows without text.

    Raises:
        NoText: There is no such column, or the file cannot be read any further.
    """
    for number, value in enumerate(_column_values(file, wanted), 1):
        place = f" row {number}"
        try:
            text = text_in(value)
            yield FoundDocument(title + place, path + place, record_parts(text))
        except NoText as error:
            leave_out(error.reason, path + place)
        else:
            budget.take(len(text))


def _column_values(file: IO[bytes], wanted: str) -> Iterator[Any]:
    """The values of the column with the text; all that the library raises ends in here."""
    import pyarrow
    import pyarrow.parquet

    try:
        # Pages are read as they are needed: a row group may be larger than memory.
        table = pyarrow.parquet.ParquetFile(file, pre_buffer=False, buffer_size=PAGE_BYTES)
        column = column_with_text(_text_columns(table, wanted), wanted)
        for batch in table.iter_batches(ROWS_AT_ONCE, columns=[column], use_threads=False):
            for value in batch.column(0):
                yield value.as_py()
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError):
        raise NoText("broken") from None


def _text_columns(table: pyarrow.parquet.ParquetFile, wanted: str) -> Sequence[str]:
    """The columns that may hold text; a wanted one may also hold bytes."""
    from pyarrow import types

    def holds_text(kind: Any) -> bool:  # noqa: ANN401 - Arrow has no types of its own for these
        if types.is_dictionary(kind):
            return holds_text(kind.value_type)
        return bool(types.is_string(kind) or types.is_large_string(kind))

    schema = table.schema_arrow
    return [field.name for field in schema if field.name == wanted or holds_text(field.type)]

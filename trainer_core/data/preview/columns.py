"""Which fields of records, or columns of tables, hold text, so that another can be chosen."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import BufferedReader
from typing import Any

from trainer_core.data.sources.fields import column_with_text, usual_field
from trainer_core.data.sources.files import SourceFile
from trainer_core.data.sources.hub import StreamedSource
from trainer_core.data.sources.packed import (
    Budget,
    head_of,
    name_inside,
    unpacked,
)
from trainer_core.data.sources.protocol import OpenSource
from trainer_core.data.sources.reading import NoText, Readable, opened
from trainer_core.data.sources.records import lines
from trainer_core.data.sources.rows import RowSource
from trainer_core.data.sources.tables import DELIMITERS

FILES_TRIED = 20
"""Of a source's files so many with records are looked into before it counts as having none."""
_HEAD_CHARACTERS = 1 << 20


def columns_of(found: OpenSource) -> tuple[str, ...]:
    """The fields or columns with text of a source; none where it has neither."""
    if isinstance(found, RowSource | StreamedSource):
        return found.columns
    return _columns_in(found.files)


def _columns_in(files: Sequence[SourceFile]) -> tuple[str, ...]:
    """The fields with text of the first file that has records; none where there is no such file."""
    tried = 0
    for file in files:
        ending = os.path.splitext(name_inside(file.path.lower()))[1]  # noqa: PTH122 - may be no path
        if ending not in _READERS:
            continue
        tried += 1
        if names := _columns_in_file(file.path, _READERS[ending]):
            return names
        if tried == FILES_TRIED:
            break
    return ()


def column_chosen(names: Sequence[str], wanted: str) -> str:
    """The one of these columns that is read; empty where none is surely the text."""
    try:
        return column_with_text(names, wanted)
    except NoText:
        return wanted


def _columns_in_file(path: str, read: Callable[[Readable], Iterable[str]]) -> tuple[str, ...]:
    try:
        with opened(path) as file:
            head = head_of(file)
            content = unpacked(head, file, Budget(os.fstat(file.fileno()).st_size))
            if content is None:
                file.seek(0)
            return tuple(read(content or file))
    except NoText:
        return ()


def _of_lines(stream: Readable) -> Iterable[str]:
    line = next(lines(stream), None) or b""
    try:
        return _of_record(json.loads(line.decode("utf-8-sig")))
    except (ValueError, RecursionError):
        return ()


def _of_json(stream: Readable) -> Iterable[str]:
    """Those of the first record of an array, or of records one after another."""
    head = head_of(stream, _HEAD_CHARACTERS).decode("utf-8-sig", "ignore").lstrip()
    if head.startswith("["):
        head = head[1:].lstrip()
    try:
        names = _of_record(json.JSONDecoder().raw_decode(head)[0])
    except (ValueError, RecursionError):
        return ()
    return names if usual_field(names) or len(names) > 1 else ()


def _of_record(record: Any) -> list[str]:  # noqa: ANN401 - any JSON
    if not isinstance(record, Mapping):
        return []
    return [name for name, value in record.items() if isinstance(value, str)]


def _of_table(stream: Readable) -> Iterable[str]:
    line = next(lines(stream), None) or b""
    header = line.decode("utf-8-sig", "replace").strip("\r\n")
    delimiter = max(DELIMITERS, key=header.count)
    try:
        return [name for name in next(csv.reader([header], delimiter=delimiter), []) if name]
    except csv.Error:
        return ()


def _of_parquet(stream: Readable) -> Iterable[str]:
    import pyarrow
    import pyarrow.parquet

    if not isinstance(stream, BufferedReader):  # packed in a way that cannot be read in any order
        return ()
    try:
        schema = pyarrow.parquet.ParquetFile(stream).schema_arrow
    except (pyarrow.ArrowException, OSError):
        return ()
    return [field.name for field in schema if "string" in str(field.type)]


_READERS: dict[str, Callable[[Readable], Iterable[str]]] = {
    ".jsonl": _of_lines,
    ".ndjson": _of_lines,
    ".json": _of_json,
    ".csv": _of_table,
    ".tsv": _of_table,
    ".parquet": _of_parquet,
}

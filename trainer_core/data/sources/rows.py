"""Tables that the library `datasets` reads, one document a row, and the folders that it saved."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from trainer_core.data.sources.documents import FoundDocument, LeaveOut
from trainer_core.data.sources.failures import Failures, raised_by_the_library
from trainer_core.data.sources.fields import TextField, column_with_text
from trainer_core.data.sources.files import Place, SourceFile, Tick, path_of_user
from trainer_core.data.sources.loading import in_background
from trainer_core.data.sources.reading import NoText, record_parts
from trainer_core.data.sources.skipped import printable
from trainer_core.spec import HubDataset, SavedDataset


class RowSource:
    """The documents of a dataset, one a row.

    Args:
        table: What `datasets` gave; may be iterated over again and again.
        label: The dataset, for people.
        where: Its name or path, which the documents' paths begin with.
        size_bytes: Size of its text, or a guess.
        wanted: The column with the text; empty finds it.
        max_bytes: Read no further after this much text; 0 reads all.
        failures: Makes the errors.
        columns: All columns with text, as far as they are known.
    """

    def __init__(
        self,
        table: Any,  # noqa: ANN401 - a Dataset or an IterableDataset
        label: str,
        where: str,
        size_bytes: int,
        wanted: str,
        max_bytes: int,
        failures: Failures,
        columns: tuple[str, ...] = (),
    ) -> None:
        self.columns = columns
        self.files = (SourceFile(where, label, size_bytes),)
        self.max_bytes = max_bytes
        self._table = table
        self._wanted = wanted
        self._failures = failures

    def documents(
        self, file: SourceFile, leave_out: LeaveOut, watch: Callable[[Place], None]
    ) -> Iterator[FoundDocument]:
        """The documents, in the order of the rows; the arguments are those of `FileSource`.

        Raises:
            DataError: The dataset cannot be read any further, so that what was read is not all.
        """
        n_characters = 0
        watch(lambda: n_characters)
        for number, text in self._texts(file.path, leave_out):
            place = f" row {number}"
            n_characters += len(text)
            try:
                yield FoundDocument(file.title + place, file.path + place, record_parts(text))
            except NoText as error:
                leave_out(error.reason, file.path + place)

    def _texts(self, path: str, leave_out: LeaveOut) -> Iterator[tuple[int, str]]:
        field = TextField(self._wanted)
        for number, row in enumerate(self._rows(), 1):
            try:
                yield number, field.text_of(row)
            except NoText as error:
                leave_out(error.reason, f"{path} row {number}")

    def _rows(self) -> Iterator[Mapping[str, Any]]:
        failures = raised_by_the_library()
        try:
            rows = iter(self._table)
        except failures as error:
            raise self._failures.error_of(error, "") from None
        while True:
            try:
                row = next(rows)
            except StopIteration:
                return
            except failures as error:
                raise self._failures.error_of(error, "") from None
            yield row


def open_saved_dataset(source: SavedDataset, tick: Tick, field: str) -> RowSource:
    """A folder that `save_to_disk` wrote; the arguments are as for `open_hub_dataset`.

    Raises:
        DataError: There is no such folder, split or column, or it is damaged.
    """
    import datasets

    folder = path_of_user(source.path)
    failures = Failures(printable(str(folder)), field)

    def load() -> Any:  # noqa: ANN401 - a Dataset
        found = datasets.load_from_disk(str(folder))
        if not isinstance(found, datasets.DatasetDict):
            return found
        usual = "train" if "train" in found else next(iter(found), "train")
        split = source.split or usual
        if split not in found:
            raise ValueError(f"it has no split {split!r}, but {', '.join(found)}")
        return found[split]

    table = in_background(load, tick, failures, "path")
    return row_source(table, source.field, source.max_bytes, str(folder), failures)


def is_saved_dataset(folder: Path) -> bool:
    """Whether `save_to_disk` wrote this folder."""
    files = ("dataset_info.json", "state.json")
    return (folder / "dataset_dict.json").is_file() or all((folder / f).is_file() for f in files)


def describe_rows(source: HubDataset | SavedDataset) -> str:
    """The dataset in a few words, for the manifest and the model card."""
    limit = f", {source.max_bytes:,} bytes of it" if source.max_bytes else ""
    if isinstance(source, SavedDataset):
        return f"Saved dataset: {printable(named(source.path, source.split))}{limit}"
    label = printable(named(source.repo, source.subset, source.split))
    revision = f", revision {source.revision}" if source.revision else ""
    return f"Hugging Face dataset: {label}{revision}{limit}"


def named(*parts: str) -> str:
    """A dataset for people: its name, subset and split, as far as there are any."""
    return ", ".join(part for part in parts if part)


def row_source(
    table: Any,  # noqa: ANN401 - a Dataset or an IterableDataset
    wanted: str,
    max_bytes: int,
    where: str,
    failures: Failures,
) -> RowSource:
    """The documents of a table, of which only the column with the text is read."""
    column = wanted
    columns: tuple[str, ...] = ()
    if table.features is not None:
        columns = tuple(text_columns(table.features, wanted))
        column = text_column(table.features, wanted, failures)
        table = table.select_columns([column])
    split = (table.info.splits or {}).get(str(table.split)) if table.split else None
    size_bytes = int(getattr(split, "num_bytes", None) or 0)
    title = os.path.basename(where.rstrip("/\\"))  # noqa: PTH119 - may be no path
    return RowSource(table, title, where, size_bytes, column, max_bytes, failures, columns)


def text_column(features: Mapping[str, Any], wanted: str, failures: Failures) -> str:
    """The column that holds the text.

    Args:
        features: The columns of a table.
        wanted: What the user asked for; empty finds it.
        failures: Makes the errors.

    Raises:
        DataError: There is no such column, or none that is surely the text.
    """
    try:
        return column_with_text(text_columns(features, wanted), wanted)
    except NoText:
        columns = ", ".join(features)
        why = f"it has no column {wanted!r}" if wanted else "no column is surely its text"
        raise failures.error(
            why, f"Name the column with the text. There are: {columns}.", "field"
        ) from None


def text_columns(features: Mapping[str, Any], wanted: str) -> list[str]:
    """The columns of a table that may hold the text; a wanted one may be of any kind."""
    kinds = {name: getattr(feature, "dtype", "") for name, feature in features.items()}
    return [name for name, kind in kinds.items() if name == wanted or kind.endswith("string")]

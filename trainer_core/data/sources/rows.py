"""Datasets that the library `datasets` reads: those of the Hugging Face Hub, and saved folders."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer_core.data.sources.documents import FoundDocument, LeaveOut
from trainer_core.data.sources.fields import TextField, column_with_text
from trainer_core.data.sources.files import Place, SourceFile, Tick, path_of_user
from trainer_core.data.sources.reading import NoText, record_parts
from trainer_core.data.sources.skipped import printable
from trainer_core.data.sources.spool import Spool
from trainer_core.errors import DataError, DiskFullError, from_os_error
from trainer_core.spec import HubDataset, SavedDataset

_POLL_S = 0.1
_WORDS_KEPT = 300
_PARQUET_BRANCH = "refs/convert/parquet"


@dataclass(frozen=True)
class _Failures:
    """What went wrong with a dataset, as an error for the user.

    Attributes:
        label: The dataset, for people.
        field: Path of its settings.
    """

    label: str
    field: str

    def error(self, why: str, do: str, setting: str = "") -> DataError:
        return DataError(
            f"The dataset {self.label} cannot be read: {why}.",
            safe="Nothing was written.",
            do=do,
            field=f"{self.field}.{setting}" if setting else self.field,
        )

    def error_of(self, error: Exception, setting: str) -> DataError | DiskFullError:
        """The error behind what the library raised."""
        if isinstance(error, OSError):
            known = from_os_error(error, f"reading the dataset {self.label}")
            if isinstance(known, DiskFullError):
                return known
        words = " ".join(str(error.__cause__ or error).split())[:_WORDS_KEPT].rstrip(".")
        why = words or type(error).__name__
        if isinstance(error, ConnectionError) or "ConnectError" in type(error).__name__:
            return self.error(why, "Connect to the internet, then start this again.", setting)
        if "scripts are no longer supported" in why:
            do = f"Set its revision to {_PARQUET_BRANCH}, where the Hub keeps a copy as tables."
            return self.error(why, do, "revision")
        return self.error(why, "Check its name, subset, split and revision.", setting)


def _raised_by_the_library() -> tuple[type[Exception], ...]:
    """What `datasets` raises for bad names, bad data and bad networks."""
    import pyarrow
    from datasets.exceptions import DatasetsError
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # of its HTTP client

    usual = (OSError, ValueError, RuntimeError, LookupError, TypeError, AttributeError)
    return (*usual, DatasetsError, HTTPError, pyarrow.ArrowException)


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
        spool: Keeps the texts for the next reading; None reads the table again.
    """

    def __init__(
        self,
        table: Any,  # noqa: ANN401 - a Dataset or an IterableDataset
        label: str,
        where: str,
        size_bytes: int,
        wanted: str,
        max_bytes: int,
        failures: _Failures,
        spool: Spool | None = None,
    ) -> None:
        self.files = (SourceFile(where, label, size_bytes),)
        self.max_bytes = max_bytes
        self._table = table
        self._wanted = wanted
        self._failures = failures
        self._spool = spool

    def documents(
        self, file: SourceFile, leave_out: LeaveOut, watch: Callable[[Place], None]
    ) -> Iterator[FoundDocument]:
        """The documents, in the order of the rows; the arguments are those of `FileSource`.

        Raises:
            DataError: The dataset cannot be read any further, so that what was read is not all.
        """
        n_characters = 0
        watch(lambda: n_characters)
        texts = self._texts(file.path, leave_out)
        for number, text in self._spool.texts(texts) if self._spool else texts:
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
        failures = _raised_by_the_library()
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


def open_hub_dataset(source: HubDataset, tick: Tick, field: str, scratch: Path) -> RowSource:
    """A dataset by its name, or a folder of data files.

    Args:
        source: Which dataset.
        tick: Called several times a second while the Hub is asked or a download runs; may raise.
        field: Path of the source in the settings, for messages.
        scratch: Folder for what comes over the network, until it is no longer needed.

    Raises:
        DataError: There is no such dataset, subset, split or column, or the Hub cannot be reached.
        DiskFullError: There is no room for the download.
    """
    import datasets

    label = printable(_named(source.repo, source.subset, source.split))
    failures = _Failures(label, field)
    folder = path_of_user(source.repo)
    local = folder.is_dir()

    def load() -> Any:  # noqa: ANN401 - a Dataset or an IterableDataset
        return datasets.load_dataset(
            str(folder) if local else source.repo,
            source.subset or None,
            split=source.split,
            revision=source.revision or None,
            streaming=source.streaming,
        )

    table = _in_background(load, tick, failures, "repo")
    where = str(folder) if local else f"hf://datasets/{source.repo}"
    spool = Spool(scratch) if source.streaming and not local else None
    return _row_source(table, source.field, source.max_bytes, where, failures, spool)


def open_saved_dataset(source: SavedDataset, tick: Tick, field: str) -> RowSource:
    """A folder that `save_to_disk` wrote; the arguments are as for `open_hub_dataset`.

    Raises:
        DataError: There is no such folder, split or column, or it is damaged.
    """
    import datasets

    folder = path_of_user(source.path)
    failures = _Failures(printable(str(folder)), field)

    def load() -> Any:  # noqa: ANN401 - a Dataset
        found = datasets.load_from_disk(str(folder))
        if not isinstance(found, datasets.DatasetDict):
            return found
        usual = "train" if "train" in found else next(iter(found), "train")
        split = source.split or usual
        if split not in found:
            raise ValueError(f"it has no split {split!r}, but {', '.join(found)}")
        return found[split]

    table = _in_background(load, tick, failures, "path")
    return _row_source(table, source.field, source.max_bytes, str(folder), failures)


def is_saved_dataset(folder: Path) -> bool:
    """Whether `save_to_disk` wrote this folder."""
    files = ("dataset_info.json", "state.json")
    return (folder / "dataset_dict.json").is_file() or all((folder / f).is_file() for f in files)


def describe_rows(source: HubDataset | SavedDataset) -> str:
    """The dataset in a few words, for the manifest and the model card."""
    limit = f", {source.max_bytes:,} bytes of it" if source.max_bytes else ""
    if isinstance(source, SavedDataset):
        return f"Saved dataset: {printable(_named(source.path, source.split))}{limit}"
    named = printable(_named(source.repo, source.subset, source.split))
    revision = f", revision {source.revision}" if source.revision else ""
    return f"Hugging Face dataset: {named}{revision}{limit}"


def _named(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _row_source(
    table: Any,  # noqa: ANN401 - a Dataset or an IterableDataset
    wanted: str,
    max_bytes: int,
    where: str,
    failures: _Failures,
    spool: Spool | None = None,
) -> RowSource:
    """The documents of a table, of which only the column with the text is read."""
    features = table.features
    column = wanted
    if features is not None:
        try:
            column = column_with_text(_text_columns(features, wanted), wanted)
        except NoText:
            columns = ", ".join(features)
            why = f"it has no column {wanted!r}" if wanted else "no column is surely its text"
            raise failures.error(
                why, f"Name the column with the text. There are: {columns}.", "field"
            ) from None
        table = table.select_columns([column])
    split = (table.info.splits or {}).get(str(table.split)) if table.split else None
    size_bytes = int(getattr(split, "num_bytes", None) or 0)
    title = os.path.basename(where.rstrip("/\\"))  # noqa: PTH119 - may be no path
    return RowSource(table, title, where, size_bytes, column, max_bytes, failures, spool)


def _text_columns(features: Mapping[str, Any], wanted: str) -> list[str]:
    kinds = {name: getattr(feature, "dtype", "") for name, feature in features.items()}
    return [name for name, kind in kinds.items() if name == wanted or kind.endswith("string")]


def _in_background(load: Callable[[], Any], tick: Tick, failures: _Failures, setting: str) -> Any:  # noqa: ANN401 - whatever `load` gives
    """What `load` gives, while the job can still be stopped; the library cannot be interrupted."""
    import datasets

    datasets.disable_progress_bars()
    loading = _Loading(load)
    loading.start()
    while loading.is_alive():
        tick()
        loading.join(_POLL_S)
    if isinstance(loading.error, _raised_by_the_library()):
        raise failures.error_of(loading.error, setting) from None
    if loading.error is not None:
        raise loading.error
    return loading.result


class _Loading(threading.Thread):
    """Loads in the background and keeps what came of it."""

    def __init__(self, load: Callable[[], Any]) -> None:
        super().__init__(name="load-dataset", daemon=True)
        self.result: Any = None
        self.error: Exception | None = None
        self._load = load

    def run(self) -> None:
        try:
            self.result = self._load()
        except Exception as error:  # noqa: BLE001 - raised again in the thread that waits
            self.error = error

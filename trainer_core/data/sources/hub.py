"""Datasets of the Hugging Face Hub: streamed or downloaded; both go on where they ended."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from trainer_core.data.sources import fetching
from trainer_core.data.sources.documents import FoundDocument, LeaveOut
from trainer_core.data.sources.downloads import Download, Report
from trainer_core.data.sources.failures import Failures, raised_by_the_library
from trainer_core.data.sources.fields import TextField
from trainer_core.data.sources.files import Place, SourceFile, Tick, path_of_user
from trainer_core.data.sources.loading import in_background
from trainer_core.data.sources.reading import NoText, record_parts
from trainer_core.data.sources.remote_tables import RemoteTables
from trainer_core.data.sources.rows import RowSource, named, row_source, text_column, text_columns
from trainer_core.data.sources.skipped import printable
from trainer_core.data.sources.spool import Row, Spool
from trainer_core.spec import HubDataset


def open_hub_dataset(
    source: HubDataset, tick: Tick, field: str, scratch: Path, report: Report | None = None
) -> RowSource | StreamedSource:
    """A dataset by its name, or a folder of data files.

    Args:
        source: Which dataset.
        tick: Called several times a second while the Hub is asked or a download runs; may raise.
        field: Path of the source in the settings, for messages.
        scratch: Folder for what comes over the network, until it is no longer needed; what is there
            of an earlier time is used.
        report: Told how far a download is.

    Raises:
        DataError: There is no such dataset, subset, split or column, or the Hub cannot be reached.
        DiskFullError: There is no room for the download.
    """
    label = printable(named(source.repo, source.subset, source.split))
    failures = Failures(label, field)
    folder = path_of_user(source.repo)
    if folder.is_dir():
        table = in_background(lambda: _local(source, folder), tick, failures, "repo")
        return row_source(table, source.field, source.max_bytes, str(folder), failures)
    if source.streaming:
        return StreamedSource(source, tick, failures, scratch, report)
    download = Download(source)
    watched = download.watched(tick, report)
    table = in_background(download.load, watched, failures, "repo", fetching.PATIENCE_S)
    return row_source(table, source.field, source.max_bytes, _address(source), failures)


def _local(source: HubDataset, folder: Path) -> Any:  # noqa: ANN401 - a table
    import datasets

    return datasets.load_dataset(
        str(folder), source.subset or None, split=source.split, streaming=source.streaming
    )


def streamed(source: HubDataset, revision: str) -> tuple[Any, list[str]]:
    """A dataset of the Hub as a table to be streamed, and its files where they are Parquet.

    Args:
        source: Which dataset.
        revision: The commit; empty takes the newest.
    """
    import datasets

    builder = datasets.load_dataset_builder(
        source.repo, source.subset or None, revision=revision or None
    )
    table = builder.as_streaming_dataset(split=source.split)
    is_parquet = any(kind.__name__ == "Parquet" for kind in type(builder).__mro__)
    files = (builder.config.data_files or {}).get(source.split, ()) if is_parquet else ()
    return table, [str(file) for file in files]


def _address(source: HubDataset) -> str:
    return f"hf://datasets/{source.repo}"


class StreamedSource:
    """The documents of a dataset that is read over the network, one a row.

    The rows are kept in a spool: they are asked for once, however often they are read, and a
    stream that broke goes on behind the last row that was kept.

    Args:
        source: Which dataset.
        tick: Called several times a second while the Hub is asked; may raise.
        failures: Makes the errors.
        scratch: Folder for the spool.
        report: Told when rows are waited for.

    Raises:
        DataError: There is no such dataset, or the Hub cannot be reached.
    """

    def __init__(
        self,
        source: HubDataset,
        tick: Tick,
        failures: Failures,
        scratch: Path,
        report: Report | None = None,
    ) -> None:
        self.max_bytes = source.max_bytes
        self._source, self._tick, self._failures = source, tick, failures
        self._report = report
        # Its limit is no part of it: more can be asked for later.
        origin = msgspec.structs.replace(source, max_bytes=0, name="")
        self._spool = Spool(scratch, msgspec.json.encode(origin).decode())
        self._table: Any = None
        self._column = source.field
        self.columns: tuple[str, ...] = ()
        """All columns with text; none while nothing was asked of the network."""
        if not self._is_enough:
            self._open_table()
        mark = self._spool.mark
        version = f"@{mark.revision}" if mark.revision else ""
        title = os.path.basename(source.repo)  # noqa: PTH119 - no path
        self.files = (SourceFile(_address(source) + version, title, mark.expected_bytes),)

    @property
    def _is_enough(self) -> bool:
        """Whether everything that is wanted is kept already."""
        mark = self._spool.mark
        return mark.is_whole or 0 < self.max_bytes <= mark.n_bytes

    def _open_table(self) -> None:
        """Find the rows on the Hub, those of the version that is kept."""
        revision = self._spool.mark.revision

        def find() -> tuple[str, Any, list[str]]:
            version = revision or _newest(self._source)
            return version, *streamed(self._source, version)

        version, table, files = in_background(find, self._tick, self._failures, "repo")
        split = (table.info.splits or {}).get(str(table.split)) if table.split else None
        self._spool.begin(version, int(getattr(split, "num_bytes", None) or 0))
        if table.features is not None:
            self._column = text_column(table.features, self._source.field, self._failures)
            self.columns = tuple(text_columns(table.features, self._source.field))
            table = table.select_columns([self._column])
            if files:
                table = RemoteTables(files, self._column)
        self._table = table

    def documents(
        self, file: SourceFile, leave_out: LeaveOut, watch: Callable[[Place], None]
    ) -> Iterator[FoundDocument]:
        """The documents, in the order of the rows; the arguments are those of `FileSource`.

        Raises:
            DataError: The network is gone for good, so that what was read is not all.
            OSError: The disk is full.
        """
        n_characters = 0
        watch(lambda: n_characters)
        for row in self._rows():
            place = f" row {row.number}"
            n_characters += len(row.text or "")
            try:
                if row.text is None:
                    raise NoText(row.reason)
                yield FoundDocument(file.title + place, file.path + place, record_parts(row.text))
            except NoText as error:
                leave_out(error.reason, file.path + place)

    def _rows(self) -> Iterator[Row]:
        """Those that are kept, then those that are not."""
        yield from self._spool.rows()
        if self._spool.mark.is_whole:
            return
        if self._table is None:
            self._open_table()
        try:
            yield from self._fetched()
        except raised_by_the_library() as error:
            safe = "What was read so far is kept, and is not downloaded again."
            raise self._failures.error_of(error, "", safe) from None
        finally:
            self._spool.save()

    def _wait(self) -> None:
        """Say that nothing comes, and how much has come."""
        if self._report is None:
            self._tick()
            return
        mark = self._spool.mark
        total = min(each for each in (self.max_bytes, mark.expected_bytes, sys.maxsize) if each)
        is_known = mark.n_bytes <= total < sys.maxsize
        done = (mark.n_bytes, total, "bytes") if is_known else (0, 1, "")
        self._report("waiting for the Hub", *done)

    def _fetched(self) -> Iterator[Row]:
        field = TextField(self._column)
        mark = self._spool.mark
        state, number = mark.state, mark.rows
        for batch in fetching.batches(self._table, state, self._wait):
            rows = [_row(number + at, row, field) for at, row in enumerate(batch.rows, 1)]
            number, state = number + len(rows), batch.state
            self._spool.add(rows, state)
            yield from rows
        self._spool.add((), state, is_whole=True)


def _row(number: int, row: Any, field: TextField) -> Row:  # noqa: ANN401 - whatever a dataset gives
    try:
        return Row(number, field.text_of(row))
    except NoText as error:
        return Row(number, None, error.reason)


def _newest(source: HubDataset) -> str:
    """The commit that the dataset stands at, so that what follows is of one version."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    try:
        info = HfApi().dataset_info(source.repo, revision=source.revision or None)
    except (RepositoryNotFoundError, RevisionNotFoundError):
        return source.revision  # the library says it better
    return info.sha or source.revision
